/* Backtraces by libunwind. Declared here is what is used of its interface, that of libunwind.so.8,
 * which has been the same since version 1.0. */
#include "debug/unwind.h"

#ifdef __linux__
#include <pthread.h>
#include <string.h>

#include "debug/load.h"

/* ---- The library ---- */

/* unw_save_loc_t: where a register of the caller is to be found. */
struct location {
    int kind;
    uint64_t address;
    uint64_t room[2];
};
enum { IN_MEMORY = 1 };

static struct {
    int (*init)(void *cursor, void *context);
    int (*step)(void *cursor);
    int (*get)(void *cursor, int number, uint64_t *value);
    int (*locate)(void *cursor, int number, struct location *where);
} libunwind;

static bool is_loaded;

static void load(void) {
    const struct coir__import imports[] = {
        {COIR_UNWIND(init_local), &libunwind.init},
        {COIR_UNWIND(step), &libunwind.step},
        {COIR_UNWIND(get_reg), &libunwind.get},
        {COIR_UNWIND(get_save_loc), &libunwind.locate},
    };
    is_loaded = coir__load("libunwind.so.8", imports, sizeof imports / sizeof imports[0]);
}

static bool is_there(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, load);
    return is_loaded;
}

/* ---- Rules ---- */

static struct coir__rule *rule_at(struct coir__unwinder *unwinder, uintptr_t pc) {
    const uint64_t mixed = pc * UINT64_C(0x9e3779b97f4a7c15);
    return &unwinder->rules[(mixed >> 32) % COIR_RULES];
}

/* Goes to the caller's frame by the rule for this one. False if there is none, or it does not fit:
 * where the frame pointer lay in the frame when the rule was found out, that may be what the end is
 * counted from, so it has to be in the same place now. */
COIR_RAW_MEMORY static bool go_out(struct coir__unwinder *unwinder, struct coir__registers *at,
                                   uintptr_t high) {
    const struct coir__rule *const rule = rule_at(unwinder, at->pc);
    const uintptr_t end = at->sp + rule->size;
    if (rule->pc != at->pc || end > high || (rule->fp_size != 0 && at->fp + rule->fp_size != end))
        return false;
    at->sp = end;
    at->pc = coir__return_address(*(const uintptr_t *)(end - rule->pc_slot));
    if (rule->fp_slot != 0)
        at->fp = *(const uintptr_t *)(end - rule->fp_slot);
    return true;
}

/* Whether all of the way could be gone by rules. */
static bool follow_rules(struct coir__unwinder *unwinder, struct coir__registers at, uintptr_t high,
                         struct coir__trace *out) {
    while (coir__trace_add(out, at.pc) && !coir__is_base(at.pc))
        if (!go_out(unwinder, &at, high))
            return false;
    return true;
}

/* How far below the end of a frame the library has found a register of the caller; 0 if elsewhere.
 */
static uint32_t slot_of(struct coir__unwinder *unwinder, int number, uintptr_t sp, uintptr_t end) {
    struct location where = {.kind = 0};
    if (libunwind.locate(unwinder->cursor, number, &where) < 0 || where.kind != IN_MEMORY ||
        where.address < sp || where.address >= end)
        return 0;
    return (uint32_t)(end - where.address);
}

/* Remembers how the library went from one frame to the next, if there is no more to it than a rule
 * can say. */
static void learn(struct coir__unwinder *unwinder, const struct coir__registers *from,
                  const struct coir__registers *to) {
    const struct coir__rule rule = {
        .pc = from->pc,
        .size = (uint32_t)(to->sp - from->sp),
        .fp_size = from->fp >= from->sp && from->fp < to->sp ? (uint32_t)(to->sp - from->fp) : 0,
        .fp_slot = slot_of(unwinder, COIR_UNWIND_FP, from->sp, to->sp),
        .pc_slot = COIR_UNWIND_PC_SLOT != 0 ? COIR_UNWIND_PC_SLOT
                                            : slot_of(unwinder, COIR_UNWIND_PC, from->sp, to->sp)};
    const bool fits = to->sp > from->sp && to->sp - from->sp <= UINT32_MAX && rule.pc_slot != 0;
    if (fits && (rule.fp_slot != 0 || to->fp == from->fp))
        *rule_at(unwinder, from->pc) = rule;
}

/* ---- Walking ---- */

static struct coir__registers registers_of(struct coir__unwinder *unwinder) {
    uint64_t pc = 0, sp = 0, fp = 0;
    (void)libunwind.get(unwinder->cursor, COIR_UNWIND_PC, &pc);
    (void)libunwind.get(unwinder->cursor, COIR_UNWIND_SP, &sp);
    (void)libunwind.get(unwinder->cursor, COIR_UNWIND_FP, &fp);
    return (struct coir__registers){.pc = coir__return_address(pc), .sp = sp, .fp = fp};
}

static bool follow_library(struct coir__unwinder *unwinder, const struct coir_frame *frame,
                           struct coir__trace *out) {
    memset(&unwinder->registers, 0, sizeof unwinder->registers);
    coir__registers_describe(frame, &unwinder->registers);
    struct coir__registers at = coir__registers_saved(frame);
    int rc = libunwind.init(unwinder->cursor, &unwinder->registers);
    while (rc >= 0 && coir__trace_add(out, at.pc) && !coir__is_base(at.pc)) {
        const struct coir__registers from = at;
        rc = libunwind.step(unwinder->cursor);
        if (rc <= 0)
            return false;
        at = registers_of(unwinder);
        learn(unwinder, &from, &at);
    }
    return rc >= 0;
}

bool coir__unwind(struct coir__unwinder *unwinder, const struct coir__task *task,
                  struct coir__trace *out) {
    const struct coir_frame *const frame = task->context.sp;
    const uintptr_t high = (uintptr_t)task->shadow.low + task->shadow.size_bytes;
    const struct coir__trace empty = *out;
    if (!is_there())
        return false;
    if (follow_rules(unwinder, coir__registers_saved(frame), high, out))
        return true;
    *out = empty;
    return follow_library(unwinder, frame, out);
}

#else

/* Elsewhere frame pointers have to do. */
bool coir__unwind(struct coir__unwinder *unwinder, const struct coir__task *task,
                  struct coir__trace *out) {
    (void)unwinder, (void)task, (void)out;
    return false;
}
#endif
