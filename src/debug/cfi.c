/* Call frame information: the entry of a function is found through the table of .eh_frame_hdr, and
 * its program run up to an address. The formats are those of the Linux Standard Base (exception
 * frames) and of DWARF 4, section 6.4. Of the latter's expressions only those are known that
 * compilers emit for functions that align their stack, and linkers for their stubs. All addresses
 * but `pc` are the linker's. */
#include "debug/cfi.h"

#include <string.h>

#ifdef __linux__
#include <elf.h>

/* ---- Reading ---- */

struct reader {
    const unsigned char *at, *end;
    uintptr_t address; /* of `at` */
    bool bad;          /* it came to the end too early */
};

static struct reader reader_at(const struct coir__module *module, uintptr_t address) {
    size_t size;
    const unsigned char *const contents = coir__module_contents(module, address, &size);
    return (struct reader){.at = contents,
                           .end = contents != NULL ? contents + size : NULL,
                           .address = address,
                           .bad = contents == NULL};
}

static bool more(const struct reader *reader) {
    return !reader->bad && reader->at < reader->end;
}

static const unsigned char *take(struct reader *reader, uint64_t count) {
    const unsigned char *const place = reader->at;
    if (reader->bad || (uint64_t)(reader->end - place) < count) {
        reader->bad = true;
        return NULL;
    }
    reader->at += count;
    reader->address += count;
    return place;
}

/* Both architectures are little-endian. */
static uint64_t number(struct reader *reader, unsigned size_bytes) {
    uint64_t value = 0;
    const unsigned char *const place = take(reader, size_bytes);
    if (place != NULL)
        memcpy(&value, place, size_bytes);
    return value;
}

static int64_t sign_extend(uint64_t value, unsigned bits) {
    const uint64_t sign = UINT64_C(1) << (bits - 1);
    return (int64_t)((value ^ sign) - sign);
}

/* LEB128 */
static uint64_t varying(struct reader *reader, bool is_signed) {
    uint64_t value = 0, byte;
    unsigned shift = 0;
    do {
        byte = number(reader, 1);
        value |= shift < 64 ? (byte & 0x7f) << shift : 0;
        shift += 7;
    } while (byte & 0x80);
    return is_signed && shift < 64 ? (uint64_t)sign_extend(value, shift) : value;
}

static uint64_t plain(struct reader *reader) {
    return varying(reader, false);
}

static int64_t with_sign(struct reader *reader) {
    return (int64_t)varying(reader, true);
}

enum encoding { /* of a pointer: DW_EH_PE_* */
                FORMAT = 0x0f,
                VARYING = 0x01,
                TWO = 0x02,
                FOUR = 0x03,
                EIGHT = 0x04,
                SIGNED = 0x08,
                RELATIVE = 0x10, /* to its own place */
                TABLE = 0x3b,    /* four signed bytes, relative to the table */
                OMITTED = 0xff,
};

static uint64_t pointer(struct reader *reader, unsigned encoding) {
    const uintptr_t place = (encoding & 0x70) == RELATIVE ? reader->address : 0;
    switch (encoding & FORMAT) {
    case 0:
    case EIGHT:
    case EIGHT | SIGNED:
        return place + number(reader, 8);
    case FOUR:
        return place + number(reader, 4);
    case FOUR | SIGNED:
        return place + (uint64_t)sign_extend(number(reader, 4), 32);
    case TWO:
        return place + number(reader, 2);
    case TWO | SIGNED:
        return place + (uint64_t)sign_extend(number(reader, 2), 16);
    case VARYING:
    case VARYING | SIGNED:
        return place + varying(reader, (encoding & SIGNED) != 0);
    default:
        reader->bad = true;
        return 0;
    }
}

/* What follows as a part of its own, of that length. */
static struct reader part(struct reader *reader, uint64_t length) {
    struct reader result = *reader;
    (void)take(reader, length);
    result.end = reader->at;
    result.bad = reader->bad;
    return result;
}

/* ---- Entries ---- */

struct common {
    uint64_t code_step;
    int64_t data_step;
    uint64_t ra;       /* the column that stands for the return address */
    unsigned encoding; /* of pointers in entries */
    bool has_data;     /* entries have augmentation data */
    struct reader program;
};

struct entry {
    uintptr_t begin, end; /* of the function */
    struct common common;
    struct reader program;
};

/* The entry at an address, from behind its length on. */
static struct reader entry_at(const struct coir__module *module, uintptr_t address) {
    struct reader reader = reader_at(module, address);
    return part(&reader, number(&reader, 4));
}

static void read_augmentation(struct reader *reader, const char *letters, struct common *out) {
    if (letters[0] != 'z')
        return;
    out->has_data = true;
    struct reader data = part(reader, plain(reader));
    for (letters++; *letters != '\0'; letters++) {
        if (*letters == 'R') {
            out->encoding = (unsigned)number(&data, 1);
        } else if (*letters == 'P') { /* who handles exceptions here */
            const unsigned encoding = (unsigned)number(&data, 1);
            (void)pointer(&data, encoding);
        } else if (*letters == 'L') {
            (void)number(&data, 1);
        }
    }
    reader->bad |= data.bad;
}

static bool read_common(const struct coir__module *module, uintptr_t address, struct common *out) {
    struct reader reader = entry_at(module, address);
    memset(out, 0, sizeof *out);
    const uint64_t id = number(&reader, 4), version = number(&reader, 1);
    const char *const letters = (const char *)reader.at;
    while (number(&reader, 1) != 0)
        continue;
    out->code_step = plain(&reader);
    out->data_step = with_sign(&reader);
    out->ra = version == 1 ? number(&reader, 1) : plain(&reader);
    if (reader.bad || id != 0)
        return false;
    read_augmentation(&reader, letters, out);
    out->program = reader;
    return !reader.bad;
}

static bool read_entry(const struct coir__module *module, uintptr_t address, struct entry *out) {
    struct reader reader = entry_at(module, address);
    const uintptr_t here = reader.address;
    if (!read_common(module, here - number(&reader, 4), &out->common))
        return false;
    out->begin = pointer(&reader, out->common.encoding);
    out->end = out->begin + pointer(&reader, out->common.encoding & FORMAT);
    if (out->common.has_data)
        (void)take(&reader, plain(&reader));
    out->program = reader;
    return !reader.bad;
}

/* A line of the table: both numbers count from its beginning. */
struct line {
    int32_t begin, entry;
};

static bool find_entry(const struct coir__module *module, uintptr_t address, struct entry *out) {
    uintptr_t table;
    if (!coir__module_segment(module, PT_GNU_EH_FRAME, &table))
        return false;
    struct reader reader = reader_at(module, table);
    const uint64_t version = number(&reader, 1), frames = number(&reader, 1);
    const uint64_t counted = number(&reader, 1), lines = number(&reader, 1);
    (void)pointer(&reader, (unsigned)frames);
    size_t after = pointer(&reader, (unsigned)counted), before = 0;
    const uintptr_t first = (uintptr_t)reader.at;
    if (version != 1 || lines != TABLE || first % 4 != 0 ||
        take(&reader, after * sizeof(struct line)) == NULL)
        return false;
    const struct line *const all = (const struct line *)first;
    while (after - before > 1) {
        const size_t middle = before + (after - before) / 2;
        if (table + (uintptr_t)all[middle].begin <= address)
            before = middle;
        else
            after = middle;
    }
    return after > before && read_entry(module, table + (uintptr_t)all[before].entry, out) &&
           address >= out->begin && address < out->end;
}

/* ---- Programs ---- */

struct rules {
    enum coir__cfi_base base;
    int64_t offset;
    struct coir__cfi_rule fp, ra;
};

#define REMEMBERED 8

struct machine {
    const struct common *common;
    uintptr_t at, until;
    struct rules now, initial;
    struct rules remembered[REMEMBERED];
    unsigned depth;
};

enum instruction {                 /* DW_CFA_* */
                   ADVANCE = 0x40, /* these three in the upper two bits */
                   OFFSET = 0x80,
                   RESTORE = 0xc0,
                   NOP = 0x00,
                   SET_LOCATION = 0x01,
                   ADVANCE_1 = 0x02,
                   ADVANCE_2 = 0x03,
                   ADVANCE_4 = 0x04,
                   OFFSET_EXTENDED = 0x05,
                   RESTORE_EXTENDED = 0x06,
                   UNDEFINED = 0x07,
                   SAME_VALUE = 0x08,
                   REGISTER = 0x09,
                   REMEMBER = 0x0a,
                   RECALL = 0x0b,
                   DEFINE = 0x0c,
                   DEFINE_REGISTER = 0x0d,
                   DEFINE_OFFSET = 0x0e,
                   DEFINE_EXPRESSION = 0x0f,
                   EXPRESSION = 0x10,
                   OFFSET_EXTENDED_SIGNED = 0x11,
                   DEFINE_SIGNED = 0x12,
                   DEFINE_OFFSET_SIGNED = 0x13,
                   VALUE_OFFSET = 0x14,
                   VALUE_OFFSET_SIGNED = 0x15,
                   VALUE_EXPRESSION = 0x16,
                   SIGN_RETURN_ADDRESS = 0x2d, /* of aarch64; stripped whenever one is read */
                   ARGUMENTS_SIZE = 0x2e,
};

enum operation { /* DW_OP_* */
                 OP_DEREF = 0x06,
                 OP_AND = 0x1a,
                 OP_PLUS = 0x22,
                 OP_SHL = 0x24,
                 OP_GE = 0x2a,
                 OP_LITERAL = 0x30,  /* and up to 31 */
                 OP_REGISTER = 0x70, /* its value and an offset */
};

static void set(struct machine *machine, uint64_t column, enum coir__cfi_where where,
                int64_t offset) {
    const struct coir__cfi_rule rule = {.where = where, .offset = (int32_t)offset};
    if (column == machine->common->ra)
        machine->now.ra = rule;
    else if (column == COIR_DWARF_FP)
        machine->now.fp = rule;
}

static void restore(struct machine *machine, uint64_t column) {
    if (column == machine->common->ra)
        machine->now.ra = machine->initial.ra;
    else if (column == COIR_DWARF_FP)
        machine->now.fp = machine->initial.fp;
}

static void set_base(struct machine *machine, uint64_t column) {
    machine->now.base = column == COIR_DWARF_SP   ? COIR_CFI_SP
                        : column == COIR_DWARF_FP ? COIR_CFI_FP
                                                  : COIR_CFI_NONE;
}

/* An expression that is "frame pointer plus offset", with `tail` after it. */
static bool is_at_fp(struct reader block, int tail, int64_t *offset) {
    const bool fp = number(&block, 1) == OP_REGISTER + COIR_DWARF_FP;
    *offset = with_sign(&block);
    return fp && (tail == 0 || number(&block, 1) == (uint64_t)tail) && !block.bad && !more(&block);
}

/* Of linkage tables: how far the end is from the stack pointer depends on how far the program
 * counter is in a stub of 16 bytes: "sp + 8 + (((pc & 15) >= 11) << 3)". False if it is not that.
 */
static bool is_of_stub(struct reader block, uint64_t pc_column, uintptr_t pc, int64_t *offset) {
    const bool sp = number(&block, 1) == OP_REGISTER + COIR_DWARF_SP;
    *offset = with_sign(&block);
    const bool and = number(&block, 1) == OP_REGISTER + pc_column && with_sign(&block) == 0 &&
                     number(&block, 1) == OP_LITERAL + 15 && number(&block, 1) == OP_AND;
    const uint64_t from = number(&block, 1) - OP_LITERAL;
    const bool ge = from < 16 && number(&block, 1) == OP_GE;
    const uint64_t shift = number(&block, 1) - OP_LITERAL;
    if (!sp || !and || !ge || shift >= 16 || number(&block, 1) != OP_SHL ||
        number(&block, 1) != OP_PLUS || block.bad || more(&block))
        return false;
    *offset += (int64_t)((pc & 15) >= from) << shift;
    return true;
}

static void define_by_expression(struct machine *machine, struct reader block) {
    int64_t *const offset = &machine->now.offset;
    if (is_at_fp(block, OP_DEREF, offset))
        machine->now.base = COIR_CFI_AT_FP;
    else if (is_of_stub(block, machine->common->ra, machine->until, offset))
        machine->now.base = COIR_CFI_SP;
    else
        machine->now.base = COIR_CFI_NONE;
}

static void set_by_expression(struct machine *machine, uint64_t column, struct reader block) {
    int64_t offset;
    const bool known = is_at_fp(block, 0, &offset);
    set(machine, column, known ? COIR_CFI_SAVED_AT_FP : COIR_CFI_NOWHERE, offset);
}

/* Rules for registers and for the base. False for what is not known. */
static bool run_rule(struct machine *machine, struct reader *program, unsigned instruction) {
    const int64_t step = machine->common->data_step;
    uint64_t column = 0;
    switch (instruction) {
    case NOP:
    case SIGN_RETURN_ADDRESS:
        return true;
    case REMEMBER:
        if (machine->depth == REMEMBERED)
            return false;
        machine->remembered[machine->depth++] = machine->now;
        return true;
    case RECALL:
        if (machine->depth == 0)
            return false;
        machine->now = machine->remembered[--machine->depth];
        return true;
    case DEFINE_OFFSET:
        machine->now.offset = (int64_t)plain(program);
        return true;
    case DEFINE_OFFSET_SIGNED:
        machine->now.offset = with_sign(program) * step;
        return true;
    case DEFINE_EXPRESSION:
        define_by_expression(machine, part(program, plain(program)));
        return true;
    default:
        column = plain(program); /* the others begin with a register */
        break;
    }
    switch (instruction) {
    case ARGUMENTS_SIZE:
        return true;
    case DEFINE:
        set_base(machine, column);
        machine->now.offset = (int64_t)plain(program);
        return true;
    case DEFINE_SIGNED:
        set_base(machine, column);
        machine->now.offset = with_sign(program) * step;
        return true;
    case DEFINE_REGISTER:
        set_base(machine, column);
        return true;
    case OFFSET_EXTENDED:
        set(machine, column, COIR_CFI_SAVED, (int64_t)plain(program) * step);
        return true;
    case OFFSET_EXTENDED_SIGNED:
        set(machine, column, COIR_CFI_SAVED, with_sign(program) * step);
        return true;
    case RESTORE_EXTENDED:
        restore(machine, column);
        return true;
    case SAME_VALUE:
        set(machine, column, COIR_CFI_SAME, 0);
        return true;
    case UNDEFINED:
        set(machine, column, COIR_CFI_NOWHERE, 0);
        return true;
    case REGISTER: {
        const bool linked = plain(program) == COIR_DWARF_LR && column == machine->common->ra;
        set(machine, column, linked ? COIR_CFI_SAME : COIR_CFI_NOWHERE, 0);
        return true;
    }
    case VALUE_OFFSET:
    case VALUE_OFFSET_SIGNED:
        (void)plain(program); /* of a register that leads outwards nobody says such a thing */
        set(machine, column, COIR_CFI_NOWHERE, 0);
        return true;
    case EXPRESSION:
        set_by_expression(machine, column, part(program, plain(program)));
        return true;
    case VALUE_EXPRESSION:
        (void)take(program, plain(program));
        set(machine, column, COIR_CFI_NOWHERE, 0);
        return true;
    default:
        return false;
    }
}

/* Up to the address, or to the end of the program. */
static bool run(struct machine *machine, struct reader program) {
    while (more(&program)) {
        const unsigned instruction = (unsigned)number(&program, 1);
        const unsigned operand = instruction & 0x3f, step = instruction & 0xc0;
        uintptr_t next = machine->at;
        if (step == ADVANCE)
            next += operand * machine->common->code_step;
        else if (step == OFFSET)
            set(machine, operand, COIR_CFI_SAVED,
                (int64_t)plain(&program) * machine->common->data_step);
        else if (step == RESTORE)
            restore(machine, operand);
        else if (instruction == SET_LOCATION)
            next = pointer(&program, machine->common->encoding);
        else if (instruction == ADVANCE_1 || instruction == ADVANCE_2 || instruction == ADVANCE_4)
            next += number(&program, 1U << (instruction - ADVANCE_1)) * machine->common->code_step;
        else if (!run_rule(machine, &program, instruction))
            return false;
        if (next > machine->until)
            break;
        machine->at = next;
    }
    return !program.bad;
}

/* ---- Rows ---- */

static bool compute(struct coir__cfi *cfi, uintptr_t pc, struct coir__cfi_row *out) {
    uintptr_t address;
    struct entry entry;
    const struct coir__module *const module = coir__module_at(cfi->symbols, pc - 1, &address);
    if (module == NULL || !find_entry(module, address, &entry))
        return false;
    struct machine machine = {.common = &entry.common, .at = entry.begin, .until = address};
    if (!run(&machine, entry.common.program))
        return false;
    machine.initial = machine.now;
    machine.at = entry.begin;
    if (!run(&machine, entry.program) || machine.now.base == COIR_CFI_NONE)
        return false;
    const uintptr_t shift = pc - 1 - address;
    *out = (struct coir__cfi_row){.pc = pc,
                                  .begin = entry.begin + shift,
                                  .end = entry.end + shift,
                                  .base = machine.now.base,
                                  .offset = (int32_t)machine.now.offset,
                                  .fp = machine.now.fp,
                                  .ra = machine.now.ra};
    return true;
}

const struct coir__cfi_row *coir__cfi_row(struct coir__cfi *cfi, uintptr_t pc) {
    const uint64_t mixed = pc * UINT64_C(0x9e3779b97f4a7c15);
    struct coir__cfi_row *const row = &cfi->rows[(mixed >> 32) % COIR_CFI_ROWS];
    if (row->pc != pc && !compute(cfi, pc, row)) {
        row->pc = 0;
        return NULL;
    }
    return row;
}

#else

const struct coir__cfi_row *coir__cfi_row(struct coir__cfi *cfi, uintptr_t pc) {
    (void)cfi, (void)pc;
    return NULL;
}
#endif
