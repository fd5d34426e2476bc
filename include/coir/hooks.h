/* Hooks: calls made whenever a task is spawned, starts, waits, is woken, runs or ends.
 *
 * For tracers, profilers and statistics of one's own; examples/trace.c draws each task as a row of
 * a timeline with them. They cost nothing while none are set; while some are, every switch of the
 * runtime takes a longer way (tens of nanoseconds, and what the hooks themselves take). The same
 * events are there as USDT probes of the provider `coir`, for perf, bpftrace and SystemTap, where
 * the library was built with <sys/sdt.h>. */
#ifndef COIR_HOOKS_H
#define COIR_HOOKS_H

#include "base.h"
#include "task.h"

COIR_BEGIN_DECLS

/* Each may be NULL. `context` is the one given below. They run on the stack of the task that caused
 * the event, and must not wait (which ends the program), wake, spawn, cancel, or set hooks;
 * coir_now, coir_backtrace, the names of tasks and statistics are fine. `by` is the task that ran,
 * or the zeroed handle for the runtime's own loop (a timer, a descriptor, a job done elsewhere); it
 * may have ended by then. What one task causes is told in the order in which it happened, but only
 * once it stops running: the time of `spawn` and `ready` is that of the next `run`. */
typedef struct coir_hooks {
    void *context;
    void (*spawn)(void *context, coir_task task, coir_task by);
    /* About to run for the first time. */
    void (*start)(void *context, coir_task task);
    /* Waits; wait->what says for what. */
    void (*park)(void *context, coir_task task, const coir_waiter *wait);
    /* Will run: it was spawned, or woken, or (by itself) has yielded. */
    void (*ready)(void *context, coir_task task, coir_task by);
    /* Gets the thread; the zeroed handle: the loop does. */
    void (*run)(void *context, coir_task task);
    /* Has returned rc. */
    void (*exit)(void *context, coir_task task, int rc);
    /* By hand, by its policy or by its deadline. */
    void (*scope_cancelled)(void *context, const coir_scope *scope);
} coir_hooks;

/* Sets the hooks of this runtime (they are copied), or, with NULL, removes them. coir_options has a
 * field for those that shall see the main task start. Never parks. Error: -EPERM outside the
 * runtime. */
COIR_API int coir_hooks_set(const coir_hooks *hooks);

/* How long a task has been running so far, in nanoseconds: the time in which it held the thread,
 * whatever the system did with that meanwhile. Only in a runtime with coir_options.account_time.
 * Never parks. Errors: -EOPNOTSUPP without that option; -ESRCH it has ended or never was; -EINVAL
 * `out` is NULL; -EPERM outside the runtime. */
COIR_API int coir_task_run_time(coir_task task, coir_time *out);

COIR_END_DECLS

#endif
