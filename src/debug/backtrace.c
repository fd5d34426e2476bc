/* Backtraces by frame pointers: a chain of records, each above the one before it. */
#include "debug/backtrace.h"

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

static size_t collect(struct coir__walk *walk, void **pcs, size_t capacity) {
    size_t count = 0;
    while (count < capacity && (pcs[count] = coir__walk_next(walk)) != NULL)
        count++;
    return count;
}

size_t coir__frames(const struct coir__task *task, void **pcs, size_t capacity) {
    struct coir__walk walk;
    coir__walk_suspended(&walk, task);
    return collect(&walk, pcs, capacity);
}

size_t coir__frames_interrupted(const struct coir__task *task, const ucontext_t *context,
                                void **pcs, size_t capacity) {
    struct coir__walk walk;
    coir__walk_interrupted(&walk, task, context);
    return collect(&walk, pcs, capacity);
}
