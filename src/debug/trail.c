/* Following a trail of frames outwards. */
#include "debug/trail.h"

#include "coir/debug.h"
#include "debug/inspector.h"

COIR_RAW_MEMORY void coir__trail_begin_in(struct coir__trail *trail, const struct coir__task *task,
                                          const struct coir__registers *registers) {
    trail->at = *registers;
    trail->at.pc++;
    trail->fp_unknown = false;
    trail->low = (uintptr_t)task->shadow.low;
    trail->high = trail->low + task->shadow.size_bytes;
}

void coir__trail_begin(struct coir__trail *trail, const struct coir__runtime *rt,
                       const struct coir__registers *registers) {
    coir__trail_begin_in(trail, rt->current, registers);
    if (rt->current == &rt->loop) { /* of whose stack only this is known */
        trail->low = registers->sp;
        trail->high = UINTPTR_MAX;
    }
}

COIR_RAW_MEMORY bool coir__trail_begin_at(struct coir__trail *trail, const struct coir__runtime *rt,
                                          const struct coir__task *task,
                                          const struct coir__registers *registers) {
    coir__trail_begin_in(trail, task, registers);
    if (registers->sp - trail->low < trail->high - trail->low)
        return true;
    if (rt->inspector == NULL || !rt->inspector->busy)
        return false;
    const struct coir__registers saved = coir__registers_saved(task->context.sp);
    coir__trail_begin_in(trail, task, &saved);
    trail->at.pc = saved.pc; /* a return address already */
    return true;
}

COIR_RAW_MEMORY static bool load(const struct coir__trail *trail, uintptr_t address,
                                 uintptr_t *out) {
    if (address < trail->low || address >= trail->high ||
        trail->high - address < sizeof(uintptr_t) || address % sizeof(uintptr_t) != 0)
        return false;
    *out = *(const uintptr_t *)address;
    return true;
}

static bool find_end(const struct coir__trail *trail, const struct coir__cfi_row *row,
                     uintptr_t *end) {
    uintptr_t base = row->base == COIR_CFI_SP ? trail->at.sp : trail->at.fp;
    if (row->base == COIR_CFI_AT_FP) {
        if (!load(trail, base + (uintptr_t)row->offset, end))
            return false;
    } else {
        *end = base + (uintptr_t)row->offset;
    }
    const bool on = *end > trail->at.sp || (*end == trail->at.sp && trail->at.lr != 0);
    return on && *end <= trail->high;
}

/* The value of a register in the caller's frame, `now` being that in this one. */
static bool recover(const struct coir__trail *trail, const struct coir__cfi_rule *rule,
                    uintptr_t end, uintptr_t now, uintptr_t *out) {
    switch (rule->where) {
    case COIR_CFI_SAVED:
        return load(trail, end + (uintptr_t)rule->offset, out);
    case COIR_CFI_SAVED_AT_FP:
        return load(trail, trail->at.fp + (uintptr_t)rule->offset, out);
    case COIR_CFI_SAME:
        *out = now;
        return true;
    default:
        *out = 0;
        return true;
    }
}

static bool follow_row(struct coir__trail *trail, const struct coir__cfi_row *row) {
    struct coir__registers next = {.pc = 0};
    if (!find_end(trail, row, &next.sp) ||
        !recover(trail, &row->ra, next.sp, trail->at.lr, &next.pc) ||
        !recover(trail, &row->fp, next.sp, trail->at.fp, &next.fp))
        return false;
    next.pc = coir__return_address(next.pc);
    trail->at = next;
    trail->fp_unknown &= row->fp.where == COIR_CFI_SAME;
    return true;
}

/* A record of {outer frame pointer, return address}. */
static bool follow_frame_pointer(struct coir__trail *trail) {
    const uintptr_t record = trail->at.fp;
    struct coir__registers next = {.sp = record + 2 * sizeof(uintptr_t)};
    if (record < trail->at.sp || !load(trail, record, &next.fp) ||
        !load(trail, record + sizeof(uintptr_t), &next.pc))
        return false;
    next.pc = coir__return_address(next.pc);
    trail->at = next;
    return true;
}

/* ---- A frame pointer that is not known ----
 *
 * Of a thread asleep in a system call only the stack pointer and the program counter can be had. It
 * suffices until a function counts from its frame pointer. That must point to a record somewhere
 * above the stack pointer, from which a chain of others leads to the base. Such records also remain
 * of calls that the function has made before: those lie lower, and return into the function itself.
 */

/* Whether a chain leads from the record to the base; `*own`: the first record in it that lies
 * beyond all those that return into the function. */
static bool leads_to_base(const struct coir__trail *trail, uintptr_t record,
                          const struct coir__cfi_row *row, uintptr_t *own) {
    *own = record;
    for (;;) {
        uintptr_t outer, pc;
        if (!load(trail, record, &outer) || !load(trail, record + sizeof outer, &pc))
            return false;
        pc = coir__return_address(pc);
        if (outer == 0)
            return coir__is_base(pc) && *own != 0;
        if (outer <= record)
            return false;
        if (pc > row->begin && pc <= row->end)
            *own = outer;
        record = outer;
    }
}

static void find_frame_pointer(struct coir__trail *trail, const struct coir__cfi_row *row) {
    uintptr_t record = trail->at.sp > trail->low ? trail->at.sp : trail->low;
    for (; record < trail->high; record += sizeof record) {
        if (leads_to_base(trail, record, row, &trail->at.fp)) {
            trail->fp_unknown = false;
            return;
        }
    }
}

void *coir__trail_next(struct coir__trail *trail, struct coir__cfi *cfi) {
    const uintptr_t pc = trail->at.pc;
    if (pc == 0)
        return NULL;
    const struct coir__cfi_row *const row = coir__cfi_row(cfi, pc);
    if (trail->fp_unknown && row != NULL && row->base != COIR_CFI_SP)
        find_frame_pointer(trail, row);
    if (coir__is_base(pc) ||
        ((row == NULL || !follow_row(trail, row)) && !follow_frame_pointer(trail)))
        trail->at.pc = 0;
    return (void *)pc;
}

/* ---- For others ---- */

ssize_t coir_backtrace_interrupted(const void *context, void **pcs, size_t capacity) {
    const struct coir__runtime *const rt = coir__rt;
    if (rt == NULL)
        return -EPERM;
    if (context == NULL || (pcs == NULL && capacity > 0))
        return -EINVAL;
    const struct coir__registers registers = coir__registers_interrupted(context);
    struct coir__symbols symbols;
    struct coir__cfi cfi = {.symbols = &symbols};
    struct coir__trail trail;
    size_t count = 0;
    if (capacity == 0)
        return 0;
    if (rt->current == &rt->loop || !coir__trail_begin_at(&trail, rt, rt->current, &registers)) {
        pcs[0] = (void *)(registers.pc + 1);
        return 1;
    }
    coir__symbols_open(&symbols);
    while (count < capacity && (pcs[count] = coir__trail_next(&trail, &cfi)) != NULL)
        count++;
    coir__symbols_close(&symbols);
    return (ssize_t)count;
}
