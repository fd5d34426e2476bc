/* Frames in words. What repeats is found by function, not by address: a function may call itself
 * from several places. */
#include "debug/frame_text.h"

#include <string.h>

#define PERIOD_MAX 8 /* functions that call one another in turn */
#define TIMES_MIN 3  /* before that it is no repetition */
#define LINES_FIRST 24
#define FRAMES_LAST 8
#define RAW_MAX 8
#define KNOWN 64

struct teller {
    struct coir__frames_source source;
    size_t left; /* frames not yet told */
    size_t index;
    struct coir__cfi *cfi;
    const void *known[KNOWN]; /* addresses looked up, the latest; few, where a function repeats */
    uint64_t ids[KNOWN];      /* of their functions */
    size_t next;              /* where the next one goes */
};

static void *next(struct coir__frames_source *source, struct coir__cfi *cfi) {
    if (source->pcs == NULL)
        return coir__trail_next(&source->trail, cfi);
    return source->count-- > 0 ? *source->pcs++ : NULL;
}

static bool is_body(uintptr_t pc, struct coir__cfi *cfi) {
    const struct coir__cfi_row *const row = coir__cfi_row(cfi, pc);
    return row != NULL && row->begin == (uintptr_t)&coir__task_body;
}

/* Without the two at the base that every task has. */
static size_t count_frames(struct coir__frames_source source, struct coir__cfi *cfi) {
    size_t count = 0;
    uintptr_t pc, last = 0;
    for (; (pc = (uintptr_t)next(&source, cfi)) != 0 && !coir__is_base(pc); count++)
        last = pc;
    return count > 0 && is_body(last, cfi) ? count - 1 : count;
}

/* ---- Functions ---- */

/* FNV-1a */
static uint64_t hash(const char *text) {
    uint64_t value = UINT64_C(0xcbf29ce484222325);
    for (; *text != '\0'; text++)
        value = (value ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return value;
}

/* A number for the function that the frame is of. */
static uint64_t id_of(struct teller *teller, const void *pc) {
    for (size_t i = 0; i < KNOWN; i++)
        if (teller->known[i] == pc)
            return teller->ids[i];
    struct coir__symbol symbol;
    coir__symbol_at(teller->cfi->symbols, pc, &symbol);
    const size_t place = teller->next;
    teller->next = (place + 1) % KNOWN;
    teller->known[place] = pc;
    teller->ids[place] = symbol.function[0] != '\0' ? hash(symbol.function) : (uintptr_t)pc;
    return teller->ids[place];
}

/* After how many frames the next ones repeat; 0 if they do not. */
static size_t period(struct teller *teller) {
    struct coir__frames_source ahead = teller->source;
    uint64_t ids[PERIOD_MAX * TIMES_MIN];
    size_t count = 0;
    for (; count < sizeof ids / sizeof ids[0] && count < teller->left; count++)
        ids[count] = id_of(teller, next(&ahead, teller->cfi));
    for (size_t length = 1; length <= PERIOD_MAX && length * TIMES_MIN <= count; length++)
        if (memcmp(ids, ids + length, length * (TIMES_MIN - 1) * sizeof ids[0]) == 0)
            return length;
    return 0;
}

/* How often the next `length` frames come in a row. */
static size_t times(struct teller *teller, size_t length) {
    struct coir__frames_source ahead = teller->source;
    uint64_t ids[PERIOD_MAX];
    size_t count = 0;
    for (; count < teller->left; count++) {
        const uint64_t id = id_of(teller, next(&ahead, teller->cfi));
        if (count < length)
            ids[count] = id;
        else if (id != ids[count % length])
            break;
    }
    return count / length;
}

/* ---- Words ---- */

void coir__text_symbol(struct coir__text *line, struct coir__symbols *symbols, const void *pc) {
    struct coir__symbol symbol;
    coir__symbol_at(symbols, pc, &symbol);
    const char *const slash = strrchr(symbol.module, '/');
    coir__text_add(line, symbol.function[0] != '\0' ? symbol.function : "?");
    coir__text_add(line, " (");
    coir__text_add(line, slash != NULL ? slash + 1 : symbol.module);
    coir__text_add(line, "+");
    coir__text_address(line, (const void *)symbol.offset);
    coir__text_add(line, ")");
}

/* "name at file:12" */
static void add_place(struct coir__text *line, struct coir__frames_source *source,
                      struct coir__cfi *cfi, const void *pc) {
    const struct coir__name *const name =
        source->names != NULL ? coir__name_of(source->names, pc) : NULL;
    if (name == NULL || name->line_count == 0 || name->lines[name->line_count - 1].file == NULL) {
        coir__text_symbol(line, cfi->symbols, pc);
        return;
    }
    coir__text_add(line, name->symbol.function[0] != '\0' ? name->symbol.function : "?");
    coir__text_add(line, " at ");
    coir__text_add(line, name->lines[name->line_count - 1].file);
    coir__text_add(line, ":");
    coir__text_digits(line, (uint64_t)name->lines[name->line_count - 1].number);
}

static void skip(struct teller *teller, size_t count) {
    teller->left -= count;
    teller->index += count;
    while (count-- > 0)
        (void)next(&teller->source, teller->cfi);
}

static void tell_one(struct teller *teller, size_t count) {
    struct coir__text line = {.length = 0};
    coir__text_add(&line, "    #");
    coir__text_digits(&line, teller->index++);
    coir__text_add(&line, " ");
    coir__text_pad(&line, 10);
    add_place(&line, &teller->source, teller->cfi, next(&teller->source, teller->cfi));
    teller->left--;
    if (count > 1) {
        coir__text_add(&line, ", x ");
        coir__text_number(&line, count);
    }
    coir__text_end(&line);
}

/* Functions that repeat: once, and how often. */
static size_t tell_repeated(struct teller *teller, size_t length) {
    const size_t count = times(teller, length);
    for (size_t i = 0; i < length; i++)
        tell_one(teller, length == 1 ? count : 1);
    if (length > 1) {
        struct coir__text line = {.length = 0};
        coir__text_add(&line, "          these ");
        coir__text_number(&line, length);
        coir__text_add(&line, ", x ");
        coir__text_number(&line, count);
        coir__text_end(&line);
    }
    skip(teller, length * (count - 1));
    return count;
}

static void leave_out(struct teller *teller, size_t count) {
    struct coir__text line = {.length = 0};
    coir__text_add(&line, "          ... ");
    coir__text_number(&line, count);
    coir__text_add(&line, " more ...");
    coir__text_end(&line);
    skip(teller, count);
}

size_t coir__frames_tell(struct coir__frames_source source, struct coir__cfi *cfi) {
    struct teller teller = {.source = source, .cfi = cfi, .left = count_frames(source, cfi)};
    size_t most = 1;
    for (size_t lines = 0; teller.left > 0; lines++) {
        if (lines == LINES_FIRST && teller.left > FRAMES_LAST + 1)
            leave_out(&teller, teller.left - FRAMES_LAST);
        const size_t length = period(&teller);
        const size_t count = length > 0 ? tell_repeated(&teller, length) : 1;
        if (length == 0)
            tell_one(&teller, 1);
        most = count > most ? count : most;
    }
    return most;
}

void coir__frames_tell_raw(struct coir__frames_source source, struct coir__cfi *cfi) {
    struct coir__text line = {.length = 0};
    const void *pc;
    coir__text_add(&line, "  at");
    for (size_t i = 0; i < RAW_MAX && (pc = next(&source, cfi)) != NULL; i++) {
        coir__text_add(&line, " ");
        coir__text_address(&line, pc);
    }
    coir__text_end(&line);
}
