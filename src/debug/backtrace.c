/* Backtraces: by frame pointers, a chain of records each above the one before it; and the choice
 * between that and libunwind. */
#include "debug/backtrace.h"

#include "coir/debug.h"
#include "debug/inspector.h"

/* ---- By frame pointers ---- */

/* A frame record, on each architecture. */
struct record {
    uintptr_t outer, return_address;
};

static bool holds(const struct coir__walk *walk, uintptr_t at, size_t size_bytes) {
    return at >= walk->low && at < walk->high && walk->high - at >= size_bytes &&
           at % sizeof(uintptr_t) == 0;
}

/* Stacks as tools see them end at the task block, which is where the first frame begins. */
static void begin(struct coir__walk *walk, const struct coir__task *task) {
    const uintptr_t low = (uintptr_t)task->shadow.low;
    *walk = (struct coir__walk){.low = low, .high = low + task->shadow.size_bytes};
}

COIR_RAW_MEMORY void coir__walk_suspended(struct coir__walk *walk, const struct coir__task *task) {
    begin(walk, task);
    const struct coir_frame *const frame = task->context.sp;
    if (!holds(walk, (uintptr_t)frame, sizeof *frame))
        return;
    const struct coir__registers saved = coir__registers_saved(frame);
    walk->pc = coir__return_address(saved.pc);
    walk->fp = saved.fp;
    walk->low = saved.sp;
    if (walk->pc == (uintptr_t)&coir__entry + COIR_ENTRY_PAD) { /* it has yet to begin */
        walk->after = walk->pc;
        walk->pc = (uintptr_t)task->fn + 1;
    }
}

void coir__walk_interrupted(struct coir__walk *walk, const struct coir__task *task,
                            const ucontext_t *context) {
    const struct coir__registers saved = coir__registers_interrupted(context);
    begin(walk, task);
    walk->pc = saved.pc + 1;
    walk->fp = saved.fp;
    if (holds(walk, saved.sp, 0)) /* not so where the stack has overflowed */
        walk->low = saved.sp;
}

COIR_RAW_MEMORY void *coir__walk_next(struct coir__walk *walk) {
    const uintptr_t pc = walk->pc;
    const struct record *const record = (const struct record *)walk->fp;
    walk->pc = walk->after;
    walk->after = 0;
    if (pc != 0 && walk->pc == 0 && holds(walk, walk->fp, sizeof *record)) {
        walk->low = (uintptr_t)(record + 1);
        walk->fp = record->outer;
        walk->pc = coir__return_address(record->return_address);
    }
    return (void *)pc;
}

/* Whether it got to the base frame, or filled `out`. */
static bool collect(struct coir__walk *walk, struct coir__trace *out) {
    uintptr_t pc = 1;
    while (pc != 0 && !coir__is_base(pc)) {
        pc = (uintptr_t)coir__walk_next(walk);
        if (pc != 0 && !coir__trace_add(out, pc))
            return true;
    }
    return pc != 0;
}

size_t coir__frames(const struct coir__task *task, void **pcs, size_t capacity) {
    struct coir__walk walk;
    struct coir__trace out = {.pcs = pcs, .capacity = capacity};
    coir__walk_suspended(&walk, task);
    (void)collect(&walk, &out);
    return out.count;
}

size_t coir__frames_interrupted(const struct coir__task *task, const ucontext_t *context,
                                void **pcs, size_t capacity) {
    struct coir__walk walk;
    struct coir__trace out = {.pcs = pcs, .capacity = capacity};
    coir__walk_interrupted(&walk, task, context);
    (void)collect(&walk, &out);
    return out.count;
}

/* ---- The best of both ---- */

bool coir__has_begun(const struct coir__task *task) {
    struct coir__walk walk;
    coir__walk_suspended(&walk, task);
    return walk.after == 0;
}

/* Where there is no base to be found, the one who comes farther is taken. */
static void trace_suspended(struct coir__runtime *rt, const struct coir__task *task,
                            struct coir__trace *out) {
    struct coir__unwinder *const unwinder = rt->inspector != NULL ? &rt->inspector->unwinder : NULL;
    const struct coir__trace empty = *out;
    if (unwinder != NULL && coir__has_begun(task) && coir__unwind(unwinder, task, out))
        return;
    const size_t found = out->count;
    struct coir__walk walk;
    *out = empty;
    coir__walk_suspended(&walk, task);
    if (!collect(&walk, out) && out->count < found) {
        *out = empty;
        (void)coir__unwind(unwinder, task, out);
    }
}

void coir__backtrace(struct coir__runtime *rt, const struct coir__task *task,
                     struct coir__trace *out) {
    struct coir__walk walk;
    sanitizer_look_away();
    if (coir__is_suspended(rt, task)) {
        trace_suspended(rt, task, out);
    } else {
        const struct record *const here = __builtin_frame_address(0);
        begin(&walk, task);
        walk.pc = coir__return_address(here->return_address);
        walk.fp = here->outer;
        (void)collect(&walk, out);
    }
    sanitizer_look_again();
}

struct request {
    struct coir__runtime *rt;
    const struct coir__task *task;
    struct coir__trace out;
};

static void fulfil(void *arg) {
    struct request *const it = arg;
    coir__backtrace(it->rt, it->task, &it->out);
}

ssize_t coir_backtrace(coir_task task, void **pcs, size_t capacity) {
    struct coir__runtime *const rt = coir__rt;
    if (rt == NULL)
        return coir__outside();
    const struct coir__record *const record = coir__record_find(task);
    if (record == NULL || record->task == NULL)
        return -ESRCH;
    if (pcs == NULL && capacity > 0)
        return -EINVAL;
    struct request request = {
        .rt = rt, .task = record->task, .out = {.pcs = pcs, .capacity = capacity}};
    if (record->task == rt->current)
        request.out.from = (void *)coir__return_address((uintptr_t)__builtin_return_address(0));
    coir__aside(rt, fulfil, &request);
    return (ssize_t)request.out.count;
}
