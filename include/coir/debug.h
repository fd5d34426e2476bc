/* Looking inside a running program. */
#ifndef COIR_DEBUG_H
#define COIR_DEBUG_H

#include <stdio.h>

#include "base.h"
#include "task.h"

COIR_BEGIN_DECLS

/* Writes the tree of scopes and tasks of this runtime: each task with its name (or entry
 * function), state and what it waits for. Returns how many tasks; -EPERM outside the runtime;
 * -EINVAL for NULL. Never parks. */
COIR_API int coir_dump(FILE *out);

/* The stack of a task, in bytes. */
typedef struct coir_stack_use {
    size_t size;       /* what it may use */
    size_t now;        /* in use (for the calling task: at this call) */
    size_t high_water; /* deepest use so far; includes earlier tasks on the same recycled stack */
    bool guarded;      /* an overflow faults; otherwise a canary is checked at each wait */
} coir_stack_use;

/* Fills `out` for a living task. Reads the stack to its deepest page: not for hot paths. Errors:
 * -ESRCH, -EPERM, -EINVAL. Never parks. */
COIR_API int coir_task_stack(coir_task task, coir_stack_use *out);

COIR_END_DECLS

#endif
