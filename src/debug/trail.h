/* The frames of whoever was interrupted, innermost first: by the tables for exceptions, and where
 * there are none, along frame pointers. Safe in signal handlers: it calls nothing that is not, and
 * reads nothing but the files of the program and the stack within its bounds.
 *
 * A trail is a value: a copy of it walks again from where the original stood. */
#ifndef COIR_DEBUG_TRAIL_H
#define COIR_DEBUG_TRAIL_H

#include "debug/backtrace.h"
#include "debug/cfi.h"

struct coir__trail {
    struct coir__registers at; /* pc: as a walk yields it, see debug/backtrace.h; 0 at the end */
    uintptr_t low, high;       /* what there is of the stack */
    bool fp_unknown; /* may be set at the beginning; the frame pointer is then looked for */
};

/* Begins where the running task, or the loop, was interrupted. */
void coir__trail_begin(struct coir__trail *trail, const struct coir__runtime *rt,
                       const struct coir__registers *registers);
/* The same within the stack of a task, whatever runs by now. */
void coir__trail_begin_in(struct coir__trail *trail, const struct coir__task *task,
                          const struct coir__registers *registers);
/* Begins where the task is that has the thread, which was interrupted: there, or, while the library
 * works aside for it (inspector.h), where it has gone there. False halfway between two stacks. */
bool coir__trail_begin_at(struct coir__trail *trail, const struct coir__runtime *rt,
                          const struct coir__task *task, const struct coir__registers *registers);
/* The next frame, the base frame last; NULL when there is none. */
void *coir__trail_next(struct coir__trail *trail, struct coir__cfi *cfi);

#endif
