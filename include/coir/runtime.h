/* Entering and leaving the runtime, its options, its clock, its counters.
 *
 * A runtime belongs to the thread that called coir_run and ends when that call returns. Threads may
 * have one each; they share nothing. Outside a runtime all calls that need one return -EPERM; in
 * the child after fork() they return -ECHILD (exec or _exit there). */
#ifndef COIR_RUNTIME_H
#define COIR_RUNTIME_H

#include "base.h"

COIR_BEGIN_DECLS

struct coir_hooks;
struct coir_scope;

/* A zero in any field means the default. */
typedef struct coir_options {
    /* Bytes of stack for a task that does not ask for its own size: 16 KiB to 1 GiB. Rounded up so
     * that stack, guard and bookkeeping make a power of two. Default: 110 KiB (a slot of 128 KiB,
     * on aarch64, whose guards are larger, of 256; a task that uses little takes one page of it).
     */
    size_t stack_size_bytes;
    /* How many unused stacks are kept ready with their memory. Of more than that, those that no
     * task has needed for a second or two are handed back to the system, while the runtime is idle,
     * or little by little if it never is. (With a virtual clock 256 of them whenever nothing is
     * ready.) Default 4,096. */
    size_t stack_cache;
    /* The order in which ready tasks run: 0 first in, first out; any other value: an order drawn
     * from that seed, the same on every run with the same program and seed. */
    uint64_t seed;
    /* Time stands still while a task is ready and jumps to the next deadline when none is (and no
     * descriptor is ready and no offloaded job is under way). It starts at one second. */
    bool virtual_clock;
    /* SIGINT and SIGTERM, unless ignored, cancel the main scope. A second signal has the action
     * that was installed before the run. One runtime in a process may ask for this at a time. With
     * it, a program in which all tasks wait is not deadlocked: a signal can still wake it. */
    bool cancel_on_signals;
    /* SIGQUIT (control and backslash at a terminal) writes what coir_dump writes to stderr, between
     * two turns, and the program goes on. If a task is running, which one and where is written at
     * once, so that one that never waits can be found. At most 64 runtimes of a process. */
    bool dump_on_sigquit;
    /* Signals that end a program (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT) are otherwise
     * handled while the runtime runs: what they do to a task is said on stderr, with the task's
     * name and frames, a stack overflow with what to do about it. Then the handler that was
     * installed before is called, or the default action follows; with a handler it is said once,
     * should the program live on such faults. A handler installed during the run takes precedence.
     * True: no signal is touched, but for those that another option asks for. (Nor is one of these
     * in a library built with a sanitizer, which reports them itself.) */
    bool leave_signals;
    /* Nanoseconds. A task that holds the thread longer than that, without a wait or a yield, is
     * named on stderr while it does, once, with the place where it is; at most once a second.
     * COIR_NEVER: none is. Default: none, but 100 ms in a library built for debugging (and not for
     * a sanitizer, nor under Valgrind). A second thread looks four times in that time, and sends
     * SIGURG to this one to see its stack, if it computes: a system call that begins in that very
     * moment, and is of those that are not restarted, may then fail with EINTR. */
    coir_time slow_task;
    /* Told of what tasks do, from the first on; see hooks.h. Copied. */
    const struct coir_hooks *hooks;
    /* Count how long each task runs, for coir_task_run_time. Reads the clock at every switch. */
    bool account_time;
    /* Upper bound of threads for coir_offload and name look-ups. Default 8, at most 1,024. */
    unsigned offload_threads;
} coir_options;

/* Runs fn(arg) as the main task of a new runtime on this thread and returns what it returned.
 * Tasks left over in the main scope by then are cancelled and joined first (and, in a library built
 * for debugging, listed on stderr).
 * Errors: -EPERM nested inside a runtime of this thread (-ECHILD in a forked child of a task);
 * -EINVAL fn is NULL; -ENOMEM, -EMFILE, -ENFILE, -ENOSPC (of epoll: too much is watched) when the
 * runtime cannot be set up; -EDEADLK when all tasks were parked with nothing left to wake them:
 * they are listed on stderr, and all are cut, shielded or not, so that the run ends (where a wait
 * of the program's own cannot be cut, see coir_waiter, the program is ended). */
COIR_API COIR_MUST_CHECK int coir_run(coir_fn fn, void *arg);

/* The same with options (NULL: all defaults). Further errors: -EINVAL for an option out of its
 * range; -EBUSY when another runtime of this process already holds the signals. */
COIR_API COIR_MUST_CHECK int coir_run_with(coir_fn fn, void *arg, const coir_options *options);

/* The scope that holds the main task, open as long as the runtime runs. Spawn into it what shall
 * live as long as the program; when the main task ends it is cancelled and joined. Failures in it
 * cancel nothing (it supervises). Cancelling it ends the program in order. NULL outside. */
COIR_API struct coir_scope *coir_main_scope(void);

/* The time now: the monotonic clock, or the virtual one. Outside a runtime: the monotonic clock. */
COIR_API coir_time coir_now(void);

/* The point in time `duration` from now, for deadlines. Never 0 ("none"): a negative duration gives
 * a point in the past, at least 1; one that would overflow, and COIR_NEVER, give COIR_NEVER. */
COIR_API coir_time coir_after(coir_time duration);

/* What the runtime of this thread has done and holds. */
typedef struct coir_stats {
    uint64_t tasks_alive;      /* now, the main task included */
    uint64_t tasks_ever;       /* since the run began */
    uint64_t switches;         /* from one task (or the loop) to another */
    uint64_t polls;            /* calls of the poller */
    uint64_t stacks_mapped;    /* stacks with memory: in use or cached */
    uint64_t stacks_cached;    /* unused, with their memory, ready for the next spawn */
    uint64_t stacks_unguarded; /* in use without a guard: checked by canary instead */
    uint64_t timers_armed;     /* deadlines and sleeps outstanding */
    uint64_t descriptors;      /* known to the runtime: adopted, accepted, connected, listening */
    uint64_t io_waiting;       /* tasks that wait for a descriptor */
    uint64_t offload_jobs;     /* queued or running */
    uint64_t offload_threads;  /* alive */
    uint64_t scopes_left_open; /* left without close; the guard of COIR_SCOPE cancelled, joined */
    uint64_t cuts_ignored;     /* times a task was made to yield because it ignored being cut */
    uint64_t slow_stretches;   /* times a task held the thread longer than coir_options.slow_task */
    uint64_t accept_backoffs;  /* times an accept waited because no descriptor was to be had */
} coir_stats;

/* Fills `out`. Errors: -EPERM outside the runtime; -EINVAL for NULL. Never parks. */
COIR_API int coir_stats_get(coir_stats *out);

COIR_END_DECLS

#endif
