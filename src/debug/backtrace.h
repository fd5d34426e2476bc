/* Where a task is: its frames, innermost first.
 *
 * What a walk yields are addresses to be looked up at one less: return addresses, or, where the
 * task was interrupted or has yet to begin, the address of the instruction plus one. The last one
 * lies in coir__entry, the base frame, unless the walk had to stop before it.
 *
 * The walks along frame pointers are safe in signal handlers: they call nothing, and read nothing
 * but the stack of the task, whatever the frame pointers say. They lose functions that were
 * compiled without one. */
#ifndef COIR_DEBUG_BACKTRACE_H
#define COIR_DEBUG_BACKTRACE_H

#include "arch/registers.h"
#include "core/runtime.h"

/* Where a backtrace is put. */
struct coir__trace {
    void **pcs;
    size_t capacity, count;
    const void *from; /* leave out all before this one; or NULL */
};

/* Appends a frame; false if that fills it. */
coir__inline bool coir__trace_add(struct coir__trace *trace, uintptr_t pc) {
    if (pc == (uintptr_t)trace->from)
        trace->from = NULL;
    if (trace->from == NULL && trace->count < trace->capacity)
        trace->pcs[trace->count++] = (void *)pc;
    return trace->count < trace->capacity;
}

/* Whether it is the base frame, the last of all. */
coir__inline bool coir__is_base(uintptr_t pc) {
    return pc - (uintptr_t)&coir__entry <= COIR_ENTRY_SIZE;
}

struct coir__walk {
    uintptr_t pc;        /* the next to be told; 0 at the end */
    uintptr_t after;     /* the one after it, if it is known; or 0 */
    uintptr_t fp;        /* where to look for it otherwise */
    uintptr_t low, high; /* what there is of the stack from here outwards */
};

/* Begins at a task that does not run: parked, ready, or not begun. */
void coir__walk_suspended(struct coir__walk *walk, const struct coir__task *task);
/* Begins where the running task was interrupted by a signal, whose handler got `context`. */
void coir__walk_interrupted(struct coir__walk *walk, const struct coir__task *task,
                            const ucontext_t *context);
/* The next frame; NULL when there is none. */
void *coir__walk_next(struct coir__walk *walk);

/* Fills pcs as far as there are frames and room; how many. For a task that does not run, and for
 * the one that a signal interrupted. */
size_t coir__frames(const struct coir__task *task, void **pcs, size_t capacity);
size_t coir__frames_interrupted(const struct coir__task *task, const ucontext_t *context,
                                void **pcs, size_t capacity);

/* Whether a suspended task ever ran. */
bool coir__has_begun(const struct coir__task *task);

/* The best that can be had, by libunwind if it is there. Not for signal handlers. Of the running
 * task, which goes aside for that (inspector.h), all that it is in from `out->from` outwards. */
void coir__backtrace(struct coir__runtime *rt, const struct coir__task *task,
                     struct coir__trace *out);

#endif
