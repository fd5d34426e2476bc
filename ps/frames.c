/* Backtraces and names: see frames.h. */
#include "frames.h"

#include <dwarf.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "map.h"

/* ---- What the tables say of one place in the program ---- */

enum how {
    SAME,  /* the caller's register is as it is here */
    LOST,  /* it is not known */
    AT,    /* it was saved at the frame's end, plus `offset` */
    IS,    /* it is the frame's end, plus `offset` */
    AT_OP, /* it was saved where an expression says */
    IS_OP  /* an expression gives it */
};

struct expression {
    const Dwarf_Op *operations;
    size_t count;
};

/* How to go from here to the caller: the frame's end, of which the tables speak as the canonical
 * frame address, and then each register. */
struct row {
    bool found;
    bool by_signal; /* the caller was interrupted, not calling */
    unsigned return_address;
    int end_register; /* the end is this register plus the offset; -1: an expression */
    int64_t end_offset;
    struct expression end;
    struct {
        enum how how;
        int64_t offset;
        struct expression expression;
        Dwarf_Op room[3]; /* where the library puts short ones */
    } registers[REGISTERS];
    Dwarf_Frame *frame; /* which owns the expressions */
};

static void free_row(void *value) {
    struct row *const row = value;
    free(row->frame);
    free(row);
}

/* Finds the frame information of a place: that for exceptions, or else that for debuggers. */
static Dwarf_Frame *frame_at(const struct target *target, uint64_t pc) {
    Dwfl_Module *const module = dwfl_addrmodule(target->dwfl, pc);
    Dwarf_Frame *frame = NULL;
    Dwarf_Addr bias;
    if (module == NULL)
        return NULL;
    Dwarf_CFI *cfi = dwfl_module_eh_cfi(module, &bias);
    if (cfi != NULL && dwarf_cfi_addrframe(cfi, pc - bias, &frame) == 0)
        return frame;
    cfi = dwfl_module_dwarf_cfi(module, &bias);
    return cfi != NULL && dwarf_cfi_addrframe(cfi, pc - bias, &frame) == 0 ? frame : NULL;
}

/* The register that an operation adds a number to; -1 if it does something else. */
static int based_on(const Dwarf_Op *operation, int64_t *offset) {
    if (operation->atom >= DW_OP_breg0 && operation->atom <= DW_OP_breg31) {
        *offset = (int64_t)operation->number;
        return operation->atom - DW_OP_breg0;
    }
    if (operation->atom == DW_OP_bregx && operation->number < REGISTERS) {
        *offset = (int64_t)operation->number2;
        return (int)operation->number;
    }
    return -1;
}

static void note_register(struct row *row, unsigned number) {
    Dwarf_Op *operations;
    size_t count;
    const Dwarf_Op *const room = row->registers[number].room;
    if (dwarf_frame_register(row->frame, (int)number, row->registers[number].room, &operations,
                             &count) != 0) {
        row->registers[number].how = LOST;
        return;
    }
    if (count == 0) {
        row->registers[number].how = operations == NULL ? SAME : LOST;
        return;
    }
    const bool value = operations[count - 1].atom == DW_OP_stack_value;
    count -= value;
    row->registers[number].expression = (struct expression){operations, count};
    row->registers[number].how = value ? IS_OP : AT_OP;
    if (count > 0 && count <= 2 && operations == room &&
        operations[0].atom == DW_OP_call_frame_cfa &&
        (count == 1 || operations[1].atom == DW_OP_plus_uconst)) {
        row->registers[number].how = value ? IS : AT;
        row->registers[number].offset = count == 2 ? (int64_t)operations[1].number : 0;
    }
}

static struct row *make_row(const struct target *target, uint64_t pc) {
    struct row *const row = allocate(sizeof *row);
    Dwarf_Op *operations;
    row->frame = frame_at(target, pc);
    const int return_address =
        row->frame != NULL ? dwarf_frame_info(row->frame, NULL, NULL, &row->by_signal) : -1;
    if (return_address < 0 || return_address >= REGISTERS ||
        dwarf_frame_cfa(row->frame, &operations, &row->end.count) != 0 || row->end.count == 0)
        return row;
    row->found = true;
    row->return_address = (unsigned)return_address;
    row->end.operations = operations;
    row->end_register = row->end.count == 1 ? based_on(operations, &row->end_offset) : -1;
    for (unsigned i = 0; i < REGISTERS; i++)
        note_register(row, i);
    return row;
}

static struct map rows;

static const struct row *row_at(const struct target *target, uint64_t pc) {
    struct row *row = map_get(&rows, pc);
    if (row == NULL) {
        row = make_row(target, pc);
        map_put(&rows, pc, row);
    }
    return row;
}

/* ---- One walk ---- */

struct walk {
    const struct target *target;
    const struct task *task;
    struct registers at;
};

static bool knows(const struct walk *walk, unsigned number) {
    return (walk->at.known >> number & 1) != 0;
}

/* From the copies. False: it does not lie in them. */
static bool read_stack(const struct walk *walk, uint64_t address, uint64_t *out) {
    for (size_t i = 0; i < sizeof walk->task->pieces / sizeof *walk->task->pieces; i++) {
        const struct piece *const piece = &walk->task->pieces[i];
        if (address >= piece->low && address < piece->high &&
            piece->high - address >= sizeof *out) {
            memcpy(out, piece->bytes + (address - piece->low), sizeof *out);
            return true;
        }
    }
    return false;
}

/* What a function's frame is when it comes to expressions: few operations are ever used there. */
static bool evaluate(const struct walk *walk, const struct expression *expression, uint64_t end,
                     uint64_t *out) {
    enum { DEPTH = 16 };
    uint64_t stack[DEPTH] = {end};
    size_t depth = 0;
    for (size_t i = 0; i < expression->count; i++) {
        const Dwarf_Op *const it = &expression->operations[i];
        int64_t offset = 0;
        const int base = based_on(it, &offset);
        uint64_t *const top = &stack[depth > 0 ? depth - 1 : 0];
        uint64_t *const below = &stack[depth > 1 ? depth - 2 : 0];
        if (depth == DEPTH)
            return false;
        if (base >= 0) {
            if (!knows(walk, (unsigned)base))
                return false;
            stack[depth++] = walk->at.value[base] + (uint64_t)offset;
            continue;
        }
        if (it->atom >= DW_OP_lit0 && it->atom <= DW_OP_lit31) {
            stack[depth++] = it->atom - DW_OP_lit0;
            continue;
        }
        switch (it->atom) {
        case DW_OP_call_frame_cfa:
            stack[depth++] = end;
            continue;
        case DW_OP_const1u:
        case DW_OP_const1s:
        case DW_OP_const2u:
        case DW_OP_const2s:
        case DW_OP_const4u:
        case DW_OP_const4s:
        case DW_OP_const8u:
        case DW_OP_constu:
        case DW_OP_consts:
            stack[depth++] = it->number;
            continue;
        case DW_OP_dup:
            if (depth < 1)
                return false;
            stack[depth++] = *top;
            continue;
        case DW_OP_plus_uconst:
            if (depth < 1)
                return false;
            *top += it->number;
            continue;
        case DW_OP_deref:
            if (depth < 1 || !read_stack(walk, *top, top))
                return false;
            continue;
        case DW_OP_nop:
            continue;
        default:
            break;
        }
        if (depth < 2)
            return false;
        depth--;
        switch (it->atom) {
        case DW_OP_plus:
            *below += *top;
            break;
        case DW_OP_minus:
            *below -= *top;
            break;
        case DW_OP_and:
            *below &= *top;
            break;
        case DW_OP_or:
            *below |= *top;
            break;
        case DW_OP_mul:
            *below *= *top;
            break;
        case DW_OP_shl:
            *below = *top < 64 ? *below << *top : 0;
            break;
        case DW_OP_shr:
            *below = *top < 64 ? *below >> *top : 0;
            break;
        case DW_OP_ge:
            *below = (int64_t)*below >= (int64_t)*top;
            break;
        default:
            return false;
        }
    }
    *out = stack[depth > 0 ? depth - 1 : 0];
    return depth > 0;
}

static bool find_end(const struct walk *walk, const struct row *row, uint64_t *out) {
    if (row->end_register < 0)
        return evaluate(walk, &row->end, 0, out);
    if (!knows(walk, (unsigned)row->end_register))
        return false;
    *out = walk->at.value[row->end_register] + (uint64_t)row->end_offset;
    return true;
}

/* The value that a register has in the caller. False: not known. */
static bool find_register(const struct walk *walk, const struct row *row, unsigned number,
                          uint64_t end, uint64_t *out) {
    uint64_t place;
    switch (row->registers[number].how) {
    case SAME:
        *out = walk->at.value[number];
        return knows(walk, number);
    case AT:
        return read_stack(walk, end + (uint64_t)row->registers[number].offset, out);
    case IS:
        *out = end + (uint64_t)row->registers[number].offset;
        return true;
    case AT_OP:
        return evaluate(walk, &row->registers[number].expression, end, &place) &&
               read_stack(walk, place, out);
    case IS_OP:
        return evaluate(walk, &row->registers[number].expression, end, out);
    default:
        return false;
    }
}

static uint64_t without_signature(const struct walk *walk, uint64_t pc) {
    return walk->target->machine == EM_AARCH64 ? pc & UINT64_C(0xffffffffffff) : pc;
}

static void set(struct registers *registers, unsigned number, uint64_t value) {
    registers->value[number] = value;
    registers->known |= UINT64_C(1) << number;
}

/* By the tables. Whether there is a caller. */
static bool go_out(struct walk *walk, const struct row *row) {
    struct registers outer = {.known = 0};
    const unsigned sp = walk->target->machine == EM_AARCH64 ? 31 : 7;
    uint64_t end, value;
    if (!find_end(walk, row, &end) || end < walk->at.value[sp])
        return false;
    for (unsigned i = 0; i < REGISTERS; i++)
        if (find_register(walk, row, i, end, &value))
            set(&outer, i, value);
    if (row->registers[sp].how == SAME)
        set(&outer, sp, end); /* which is what the end means */
    if ((outer.known >> row->return_address & 1) == 0)
        return false;
    set(&outer, PC, without_signature(walk, outer.value[row->return_address]));
    walk->at = outer;
    return true;
}

/* Along the chain of frame pointers. */
static bool go_out_by_frame_pointer(struct walk *walk) {
    const bool arm = walk->target->machine == EM_AARCH64;
    const unsigned fp = arm ? 29 : 6, sp = arm ? 31 : 7;
    const uint64_t record = walk->at.value[fp];
    uint64_t outer, pc;
    if (!knows(walk, fp) || record < walk->at.value[sp] || !read_stack(walk, record, &outer) ||
        !read_stack(walk, record + 8, &pc))
        return false;
    walk->at = (struct registers){.known = 0};
    set(&walk->at, fp, outer);
    set(&walk->at, sp, record + 16);
    set(&walk->at, PC, without_signature(walk, pc));
    return true;
}

/* Stores the address of each frame, plus one where it is not a return address; how many. */
static size_t follow(struct walk *walk, uint64_t *out, size_t capacity) {
    size_t count = 0;
    bool exact = walk->task->state == RUNNING;
    while (count < capacity && walk->at.value[PC] != 0) {
        const uint64_t pc = walk->at.value[PC] - !exact;
        out[count++] = pc + 1;
        const struct row *const row = row_at(walk->target, pc);
        exact = row->found && row->by_signal;
        if (row->found ? !go_out(walk, row) : !go_out_by_frame_pointer(walk))
            break;
    }
    return count;
}

/* Where it goes on, from its stack. */
static bool begin(struct walk *walk, const struct table *table) {
    const struct task *const task = walk->task;
    if (task->registers != NULL) {
        walk->at = *task->registers;
        return true;
    }
    uint64_t value;
    for (unsigned i = 0; i <= PC; i++) {
        if (table->frame[i] == NOT_SAVED)
            continue;
        if (!read_stack(walk, task->sp + table->frame[i], &value))
            return false;
        set(&walk->at, i, i == PC ? without_signature(walk, value) : value);
    }
    set(&walk->at, walk->target->machine == EM_AARCH64 ? 31 : 7, task->sp + table->frame_size);
    return true;
}

static void find_frames(const struct target *target, const struct table *table, struct task *task) {
    uint64_t found[FRAMES_MAX] = {0};
    struct walk walk = {.target = target, .task = task};
    size_t count = 0;
    if (task->state == NEW)
        found[count++] = task->fn + 1;
    else if (begin(&walk, table))
        count = follow(&walk, found, FRAMES_MAX);
    task->frames = allocate((count + 1) * sizeof *found);
    memcpy(task->frames, found, count * sizeof *found);
    task->frame_count = count;
}

void frames_find(struct world *world) {
    for (size_t i = 0; i < world->count; i++) {
        struct runtime *const runtime = &world->runtimes[i];
        for (size_t n = 0; n < runtime->count; n++)
            if (runtime->places[n].kind == TASK)
                find_frames(world->target, runtime->table, &runtime->places[n].task);
    }
}

/* ---- Names ---- */

static struct map names;
static struct name *first, **last = &first;

/* The compilation unit that an address lies in: by the table of ranges, which clang does not write
 * by default, or one by one. */
static Dwarf_Die *unit_at(Dwfl_Module *module, uint64_t pc, Dwarf_Addr *bias) {
    Dwarf_Die *unit = dwfl_module_addrdie(module, pc, bias);
    if (unit != NULL)
        return unit;
    while ((unit = dwfl_module_nextcu(module, unit, bias)) != NULL)
        if (dwarf_haspc(unit, pc - *bias) > 0)
            break;
    return unit;
}

/* From where a function that was inlined was called. */
static struct source caller_of(Dwarf_Die *unit, Dwarf_Die *inlined) {
    Dwarf_Attribute attribute;
    Dwarf_Word file = 0, line = 0;
    Dwarf_Files *files = NULL;
    size_t count = 0;
    if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_line, &attribute), &line) != 0 ||
        dwarf_formudata(dwarf_attr(inlined, DW_AT_call_file, &attribute), &file) != 0 ||
        dwarf_getsrcfiles(unit, &files, &count) != 0 || file >= count)
        return (struct source){.file = NULL};
    return (struct source){.file = dwarf_filesrc(files, file, NULL, NULL), .line = (int)line};
}

static void find_sources(Dwfl_Module *module, uint64_t pc, struct name *name) {
    Dwarf_Addr bias = 0;
    Dwarf_Die *const unit = unit_at(module, pc, &bias);
    Dwarf_Line *const line = unit != NULL ? dwarf_getsrc_die(unit, pc - bias) : NULL;
    Dwarf_Die *innermost = NULL, *scopes = NULL;
    struct source at = {.file = NULL};
    if (line == NULL || dwarf_lineno(line, &at.line) != 0)
        return;
    at.file = dwarf_linesrc(line, NULL, NULL);
    /* the first call goes on to where inlined functions are defined, the second one stays here */
    const int any = dwarf_getscopes(unit, pc - bias, &innermost);
    const int count = any > 0 ? dwarf_getscopes_die(innermost, &scopes) : 0;
    for (int i = 0; i < count && dwarf_tag(&scopes[i]) != DW_TAG_subprogram; i++) {
        if (dwarf_tag(&scopes[i]) != DW_TAG_inlined_subroutine || name->source_count == INLINED_MAX)
            continue;
        at.function = dwarf_diename(&scopes[i]);
        name->sources[name->source_count++] = at;
        at = caller_of(unit, &scopes[i]);
    }
    at.function = name->function;
    name->sources[name->source_count++] = at;
    free(innermost);
    free(scopes);
}

const struct name *name_of(const struct target *target, uint64_t pc) {
    struct name *name = map_get(&names, pc);
    if (name != NULL)
        return name;
    name = allocate(sizeof *name);
    name->pc = pc;
    map_put(&names, pc, name);
    *last = name;
    last = &name->next;

    Dwfl_Module *const module = dwfl_addrmodule(target->dwfl, pc - 1);
    if (module == NULL)
        return name;
    Dwarf_Addr start = 0;
    GElf_Addr bias = 0;
    const char *file = NULL;
    const char *const given = dwfl_module_info(module, NULL, &start, NULL, NULL, NULL, &file, NULL);
    name->function = dwfl_module_addrname(module, pc - 1);
    name->module = file != NULL ? file : given;
    name->offset = pc - 1 - (dwfl_module_getelf(module, &bias) != NULL ? bias : start);
    find_sources(module, pc - 1, name);
    return name;
}

const struct name *names_first(void) {
    return first;
}

void frames_free(void) {
    map_free(&rows, free_row);
    map_free(&names, free);
    first = NULL;
    last = &first;
}
