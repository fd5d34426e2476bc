/* Looking inside a running program. */
#ifndef COIR_DEBUG_H
#define COIR_DEBUG_H

#include <stdio.h>

#include "base.h"
#include "task.h"

COIR_BEGIN_DECLS

/* ---- The listing ---- */

typedef enum coir_dump_format {
    COIR_DUMP_TEXT,
    COIR_DUMP_JSON /* one object; see coir_dump_with */
} coir_dump_format;

/* Whether tasks that do the same in the same place are told of once, with their number: children of
 * one scope with the same entry function, state, kind of wait and backtrace, alike in what is
 * inside them too. */
typedef enum coir_dump_grouping {
    COIR_GROUPING_DEFAULT, /* in text they are, in JSON not */
    COIR_GROUPING_ALIKE,
    COIR_GROUPING_NONE
} coir_dump_grouping;

/* A zero in any field means the default. */
typedef struct coir_dump_options {
    coir_dump_format format;
    coir_dump_grouping grouping;
    bool no_backtraces; /* shorter, and without a look at the stacks */
    size_t tasks_max;   /* list no more tasks (or groups of them) than that; default: all */
} coir_dump_options;

/* Writes the tree of scopes and tasks of this runtime. Of each task: its number and its name (or
 * entry function), what it does or waits for, and since when, the deadline that reaches it, the
 * stack in use, its backtrace, and where it was spawned. Functions are named as far as the files
 * they come from have symbols, lines as far as they have debug information and the system has
 * libdw.so.1, of the elfutils (libunwind: as coir_backtrace).
 *
 * Runs while everything else waits, and the thread with it if writing to `out` blocks; `out` must
 * not be a stream whose functions call Coir. 100,000 tasks take less than a second, also on a small
 * stack: the work is done on another one. Returns how many tasks there are. Never parks. Errors:
 * -EPERM outside the runtime; -EINVAL out is NULL. */
COIR_API int coir_dump(FILE *out);

/* The same with options (NULL: all defaults). Further errors: -EINVAL a format or grouping that
 * does not exist. JSON is one object:
 *   now_ns, tasks_alive, grouped, cut_short (tasks_max was reached);
 *   scopes: [{id, name, owner (the number of a task), outer (the id of another scope of the owner),
 *     tasks, cancelled, expired, shielded, deadline_in_ns}];
 *   tasks: [{number, name, entry, scope (its id), state ("running", "ready", "new", "waiting"),
 *     waits_for (in words), object (its address), fd, waited_ns, cancelled, deadline_in_ns,
 *     stack_used_bytes, stack_size_bytes, spawned_at, backtrace: [address], and, if they are
 *     grouped: count, others: [the numbers of some]}];
 *   symbols: {address: {offset, module, function, file, line, inlined: [{level, function, file,
 *     line}], the innermost first}}.
 * Ids and addresses are strings such as "0x7f2e10"; what there is not is null. */
COIR_API int coir_dump_with(FILE *out, const coir_dump_options *options);

/* ---- Where tasks are ---- */

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

/* The same for profilers, from a handler (SA_SIGINFO) of a signal that has interrupted this thread:
 * stores where the running task, coir_self(), was interrupted; of the loop, where the handler finds
 * coir_self() zeroed, and halfway from one task to another, only the innermost place.
 * Each is to be looked up one byte before it. Safe in signal handlers, as coir_self and the number
 * and name of that task are. `context` is the handler's third argument. Takes some 3 KiB of stack
 * (set SA_ONSTACK for small tasks), and a tenth of a millisecond or two: it looks into the files of
 * the functions. Returns how many were stored. Errors: -EINVAL context or pcs is NULL; -EPERM
 * outside the runtime. */
COIR_API ssize_t coir_backtrace_interrupted(const void *context, void **pcs, size_t capacity);

/* Writes the name of the function in which a place of a backtrace lies: "fetch", or "app+0x12ab",
 * as `addr2line -e app` takes it, where the file has no symbol for it. Cut to fit, with a final
 * zero. Reads the table of symbols of a file: keep what you will need again. Also outside a
 * runtime, and in signal handlers. Returns `out`. */
COIR_API const char *coir_frame_name(const void *pc, char *out, size_t size_bytes);

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
