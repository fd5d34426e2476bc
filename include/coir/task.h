/* Tasks: spawned into a scope, run one at a time on the runtime's thread, each on its own stack.
 *
 * A task runs until it waits, yields or ends. Handles are values that may be kept for ever: one
 * whose task is gone answers -ESRCH. In C++ an exception must not leave a task's function, and a
 * catch block must not wait: the language keeps the exceptions being handled per thread. */
#ifndef COIR_TASK_H
#define COIR_TASK_H

#include "base.h"
#include "scope.h"

COIR_BEGIN_DECLS

/* A handle. The zeroed one names no task. Compare with coir_task_equal. */
typedef struct coir_task {
    void *coir__record;
    uint64_t coir__generation;
} coir_task;

/* Least and most that may be asked for as a stack, in bytes. */
#define COIR_STACK_SIZE_MIN ((size_t)16 << 10)
#define COIR_STACK_SIZE_MAX ((size_t)1 << 30)

typedef struct coir_spawn_options {
    const char *name;        /* copied; default: none */
    size_t stack_size_bytes; /* COIR_STACK_SIZE_MIN to _MAX; default: the runtime's */
    coir_task *task;         /* where to put a handle; default: none is made */
    size_t arg_size_bytes;   /* copy that many bytes from arg onto the new stack, and pass the
                                address of the copy; at most a quarter of the stack. Default: pass
                                arg itself */
    int *result;             /* where to put what it returns; must stay in place until then, as all
                                does that lives as long as the scope. Default: nowhere */
    bool own_fp_environment; /* give it its own floating-point control words (rounding mode and so
                                on), beginning with the spawner's. Costs every switch of this
                                runtime a little while such a task lives */
} coir_spawn_options;

/* Starts fn(arg) as a child of the scope. The child runs later, when the caller waits, and always
 * runs, even if the scope is cancelled by then (it is cut at its first wait), so that it can
 * dispose of arg. Leaves nothing behind when it ends. Never parks.
 * Errors, with arg still the caller's: -EPERM outside the runtime; -EINVAL fn or scope is NULL, or
 * the scope is not open (a scope whose opening failed: that error); -ENOMEM no stack to be had. */
COIR_API COIR_MUST_CHECK int coir_spawn(coir_scope *scope, coir_fn fn, void *arg);

/* The same, and stores a handle in *task. A small record of the task (its result) stays until the
 * scope is closed. -EINVAL too if task is NULL. */
COIR_API COIR_MUST_CHECK int coir_spawn_task(coir_scope *scope, coir_fn fn, void *arg,
                                             coir_task *task);

/* The same with options (NULL: none). Further errors: -EINVAL a size out of its range. */
COIR_API COIR_MUST_CHECK int coir_spawn_with(coir_scope *scope, coir_fn fn, void *arg,
                                             const coir_spawn_options *options);

/* Waits until the task has ended and stores what it returned in *rc (may be NULL). Parks unless it
 * has ended; then it is not cut either. Errors: -ECANCELED cut, the task runs on; -ESRCH no such
 * task: its scope is closed, or it was spawned without a handle and has ended; -EDEADLK a task
 * waiting for itself; -EPERM. */
COIR_API COIR_MUST_CHECK int coir_join(coir_task task, int *rc);

/* Cancels one task: every call in it that would wait returns -ECANCELED from now on (except within
 * a shielded scope). If it then ends with -ECANCELED, that is no failure in its scope; a real error
 * still is. Never waits. Returns whether it was alive and not cancelled before. */
COIR_API bool coir_task_cancel(coir_task task);

typedef struct coir_done coir_done;

/* Private: somebody who shall be told when a task ends. */
struct coir__watch {
    struct coir__link link; /* in the task's record; next is NULL while it watches none */
    void (*ended)(struct coir__watch *watch, int rc);
};

/* A call to be made when a task ends. Zeroed, but for `fn` and `arg`; the memory stays the
 * caller's, and in place until the call was made or coir_done_remove has taken it back. */
struct coir_done {
    void (*fn)(coir_task task, int rc, void *arg); /* rc: what the task returned */
    void *arg;

    coir_task coir__task; /* private, as the next one */
    struct coir__watch coir__watch;
};

/* Has done->fn called once, when the task ends, before anybody who waits for it runs: on the ending
 * task's stack, as its last act. It must not wait, which would hold up all who wait for the task.
 * Calls of one task are made in the order they were asked for. If the task has ended, it is called
 * at once, by the caller. Never parks. Errors: -EINVAL done or its fn is NULL, or the call is still
 * to be made; -ESRCH as coir_join; -EPERM outside the runtime. */
COIR_API COIR_MUST_CHECK int coir_task_on_done(coir_task task, coir_done *done);

/* Takes it back. Whether it was still to be made. Zeroed memory and NULL: false. Never parks. */
COIR_API bool coir_done_remove(coir_done *done);

/* Whether it has ended. A stale handle: true. */
COIR_API bool coir_task_done(coir_task task);

/* What it returned; -EINPROGRESS while it lives; -ESRCH for a stale handle. */
COIR_API int coir_task_result(coir_task task);

/* Whether two handles name the same task. */
COIR_API bool coir_task_equal(coir_task a, coir_task b);

/* The number of a task, also of one that has ended: 1 for the main task, and so on in the order in
 * which its runtime spawned them; 0 for the zeroed handle. Never parks. */
COIR_API uint64_t coir_task_number(coir_task task);

/* The calling task; the zeroed handle outside the runtime. */
COIR_API coir_task coir_self(void);

/* Copies the task's name into out (empty if it has none), cut to fit, always terminated. Errors:
 * -ESRCH it has ended or never was; -EINVAL no room; -EPERM outside the runtime. */
COIR_API int coir_task_name(coir_task task, char *out, size_t size_bytes);

/* Names a task. `name` is copied; NULL removes it. Errors as above. */
COIR_API int coir_task_set_name(coir_task task, const char *name);

/* Lets the other ready tasks run. Returns 0, or -ECANCELED at once if cancelled. -EPERM outside. */
COIR_API int coir_yield(void);

/* 0, or -ECANCELED if the caller is cancelled. Does not wait; but as any call that says -ECANCELED
 * again and again, it lets the other tasks run now and then. -EPERM outside the runtime. */
COIR_API int coir_check(void);

/* Waits for `duration` nanoseconds (0: yields once; COIR_NEVER: until cut). Never less; more by
 * what the system takes to wake the thread (Linux: some 50 us, and, because it lets idle threads
 * sleep in, up to a thousandth of what the sleep was long, at most 100 ms), and, of a tenth of a
 * second or more, by up to a millisecond where others have ended within the last one: an idle
 * program with many sleeps and deadlines wakes a thousand times a second for all of them. While one
 * of less than a tenth is outstanding, none waits for others. Errors: -ECANCELED; -EINVAL negative;
 * -EPERM outside the runtime. */
COIR_API int coir_sleep(coir_time duration);

/* Waits until `deadline`, as exactly as that; one in the past yields once. Errors: -ECANCELED;
 * -EPERM. */
COIR_API int coir_sleep_until(coir_time deadline);

/* ---- Task locals: values that children inherit, like Python's contextvars ---- */

/* A key is a static variable of this type; its address is what counts. */
typedef struct coir_local {
    char coir__unused;
} coir_local;

/* The value in the calling task: what it, or else the task that spawned it had before the spawn,
 * set last. NULL if none, and outside the runtime. */
COIR_API void *coir_local_get(const coir_local *key);

/* Sets it for the calling task and the tasks it spawns from now on. The value stays the caller's.
 * Errors: -ENOMEM; -EPERM outside the runtime; -EINVAL key is NULL. Never parks. */
COIR_API COIR_MUST_CHECK int coir_local_set(const coir_local *key, void *value);

/* ---- Park and unpark: the primitive on which all waiting is built ---- */

typedef struct coir_waiter coir_waiter;

/* One wait of one task, in the frame of the waiting function. Set the fields of the first group,
 * link the record wherever the waker will find it, park. It is left exactly once: by
 * coir_unpark, or by a cut. Whoever ends it must unlink it first, so that nobody else can. */
struct coir_waiter {
    /* Called at the moment the task is cut, not when it next runs, in the middle of the
     * canceller's call: unlink the record and return true; or return false to wait on (a job that
     * cannot be stopped), and perhaps be asked again. Must not call into the runtime. NULL: this
     * wait cannot be cut. */
    bool (*cut)(coir_waiter *wait);
    const char *what;   /* for listings: "read", "mutex"; a static string */
    const void *object; /* for listings: the object waited for */
    long number;        /* for listings: its number, such as a descriptor; if `numbered` */
    bool numbered;

    struct coir__task *coir__task; /* private, as the next one */
    coir_time coir__since;         /* when it was parked, by the clock of that turn */
};

/* Waits until unparked and returns the value given there; or -ECANCELED, with the record unlinked
 * by `cut`. Checks for cancellation before it waits: then too `cut` is called. Errors: -EPERM
 * outside the runtime; -EINVAL for NULL. */
COIR_API int coir_park(coir_waiter *wait);

/* Ends the wait: the task becomes ready and its coir_park returns `value`. Never waits; the woken
 * task runs later. From the runtime's own thread only. Errors: -EINVAL the record is not parked. */
COIR_API int coir_unpark(coir_waiter *wait, int value);

COIR_END_DECLS

#endif
