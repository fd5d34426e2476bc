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

/* Stores where a living task is: the return addresses of its calls, innermost first, as far as
 * there is room. The last one lies in the base frame, coir__entry, if there was room for all. Each
 * is to be looked up one byte before it: that is in the call. Of the calling task it is the calls
 * from this one outwards; a task that has yet to begin is about to enter its entry function.
 * Returns how many were stored. Uses libunwind where the system has it (libunwind.so.8, loaded at
 * the first call), otherwise frame pointers: then functions that were compiled without them (with
 * gcc and clang at -O1 and above, unless -fno-omit-frame-pointer is given) are left out. Takes
 * some 100 ns, at places not seen before half a microsecond a frame. Never parks. Errors: -ESRCH
 * there is no such task, or it has ended; -EINVAL pcs is NULL; -EPERM outside the runtime. */
COIR_API ssize_t coir_backtrace(coir_task task, void **pcs, size_t capacity);

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
