/* The machine: what a runtime, a task and a record are, and the few operations that all else uses.
 *
 * Invariants:
 *   A task is in one of four places: running (rt->current), ready (in the FIFO, wait == NULL),
 *   parked (wait != NULL, in no queue of the scheduler), or dead (its stack in a cache).
 *   Whoever ends a wait unlinks it from its primitive, sets wait = NULL, stores the value that
 *   coir_park shall return, and makes the task ready. A ready task can be touched by nobody.
 *   task->due is COIR_NEVER exactly when neither a cancel nor a deadline can reach the task:
 *   the one comparison each call that may park begins with.
 *
 *      slot of an arena, low to high
 *      | guard | stack grows down ............... | struct coir__task | colour |
 *                                                 ^ shadow.low + shadow.size_bytes
 */
#ifndef COIR_CORE_RUNTIME_H
#define COIR_CORE_RUNTIME_H

#include <signal.h>
#include <stdatomic.h>

#include "arch/frame.h"
#include "base/list.h"
#include "base/sanitizer.h"
#include "base/sys.h"
#include "coir/context.h"
#include "coir/hooks.h"
#include "coir/runtime.h"
#include "coir/scope.h"
#include "coir/task.h"
#include "core/ready.h"
#include "core/stack.h"
#include "core/timer.h"
#include "poll/poll.h"

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define coir__noinline __attribute__((noinline))
#define coir__cold __attribute__((noinline, cold))
#define coir__inline static inline __attribute__((always_inline))

#ifndef COIR_DEBUG
#define COIR_DEBUG 0
#endif

/* ---- Tasks (task.c) ---- */

/* What a handle points to. Lives in the task's block, or, for a task spawned with a handle, in a
 * pool of the runtime until its scope closes. Its memory stays readable as long as the runtime.
 * A free one has no watchers and the result -EINPROGRESS, so that taking it sets neither. */
struct coir__record {
    uint64_t generation;        /* of the handle; 0 when free */
    struct coir__task *task;    /* NULL once it has ended; in a block always its task */
    struct coir__link watchers; /* struct coir__watch: those who shall know of its end */
    struct coir__record *next;  /* in its scope's list, or the free list */
    struct coir__link
        untold; /* in its scope's list of those ended that coir_next has yet to tell */
    int result;
};

/* A task's wait for a channel, in the channel's list of senders or of receivers. */
struct coir__offer {
    struct coir__link link;
    void *item;                  /* where it lies, or where to put it */
    struct coir__select *select; /* whose case this is; NULL: of a call of its own, in the seat */
};

/* A task's wait in a queue (sync/queued.h). */
struct coir__queued {
    coir_waiter wait; /* first, so that a cut finds the rest */
    struct coir__link link;
    struct coir__queue *queue; /* the one it waits in */
};

/* A call that waits for one or both directions of a descriptor (io/fd.h). */
struct coir__fd_wait {
    coir_waiter wait;    /* first, so that a cut finds the rest */
    unsigned directions; /* COIR_POLL_READ, COIR_POLL_WRITE */
    bool parked;
    /* What a wake does if it is not simply to make the task ready. */
    void (*fired)(struct coir__fd_wait *wait, int value);
    struct coir__fd *fd;
};

/* Room for the wait of a call that has no frame meanwhile, because it ends in a jump into the
 * switch; or where whoever ends it shall not have to look into the task's stack. */
struct coir__seat {
    union {
        struct coir__queued queued;
        struct coir__fd_wait fd;
        struct {
            struct coir__offer offer;
            coir_waiter wait;
        };
    };
};

/* On a stack that was never used, or whose task has ended, these are as they shall be at the next
 * spawn: wait, scope, outermost, held, locals, result and watchers (nothing), cuts_in_a_row (0),
 * name (empty), own_fp (false), own (free), record (own).
 *
 * Begins at a line of the cache, and where there are many tasks most blocks are in no cache. What a
 * switch needs is in the first line, what a spawn, a cut and an end need beside that in the next
 * one: unless there is something to tidy up, which that line says. */
struct coir__task {
    coir_context context;
    coir_time due;           /* COIR_CUT, the earliest deadline around it, or COIR_NEVER */
    coir_waiter *wait;       /* non-NULL exactly while parked */
    coir_scope *scope;       /* innermost open scope of its own, or NULL */
    struct coir__lock *held; /* what it locked and has to unlock */
    coir_scope *home;        /* the scope it was spawned into */
    int value;               /* what the call that suspended it will return */
    int saved_errno;
    int budget;      /* calls it may still make without a wait before it has to yield */
    bool effective;  /* cancelled, or home is effectively cancelled */
    bool cancelled;  /* by coir_task_cancel */
    bool told;       /* that it is cancelled, by a call that returned -ECANCELED */
    uint8_t tidy_up; /* COIR_TIDY_..., what its end has to do beyond what every one does */

    struct coir__link sibling; /* in home's children */
    coir_scope *outermost;     /* of its own scopes */
    coir_fn fn;
    void *arg;
    const void *origin;      /* where it was spawned: a return address; NULL if not known */
    struct coir__record own; /* two of its words are in this line, the rest in the next */

    struct coir__record *record; /* &own, or one from the pool */
    struct coir__locals *locals;
    int *result; /* where else to put the result, or NULL */
    struct coir__pool *pool;
    struct coir__arena *arena; /* NULL for the loop */
    struct coir__seat seat;    /* such that who ends a wait finds all it needs in one line */
    bool guarded;
    bool own_fp;            /* has floating-point control words of its own */
    uint8_t mark;           /* of a walk over tasks that shall not come by twice (debug/) */
    unsigned cuts_in_a_row; /* times it was told -ECANCELED since it last left a cancelled scope */
    char name[COIR_NAME_SIZE];
    union {
        struct coir__task *visit; /* the way back of such a walk */
        uint64_t likeness;        /* while tasks are listed: a hash of what it does (debug/) */
    };
    coir_time run_time; /* so far, if the runtime accounts for it */
    struct coir_fp fp;
    struct coir__shadow shadow;
    size_t slot; /* in the arena */
};

_Static_assert(offsetof(struct coir__task, sibling) == COIR_CACHE_LINE, "what a switch needs");
_Static_assert(offsetof(struct coir__task, own.watchers) == (size_t)2 * COIR_CACHE_LINE,
               "what a spawn and an end need");

#define COIR_LINE_OF(member) (offsetof(struct coir__task, member) / COIR_CACHE_LINE)
_Static_assert(COIR_LINE_OF(seat.fd.wait.coir__task) == COIR_LINE_OF(seat.fd.fired),
               "the poller's wake looks at one line of the seat");

/* Only to store the result; or what some field from `record` on asks for. */
enum { COIR_TIDY_RESULT = 1, COIR_TIDY_MORE = 2 };

#define COIR_CUT INT64_MIN /* task->due: already cancelled */
#define COIR_IO_BUDGET 64

/* What a task begins with, in the base frame. */
void coir__task_body(void *value, void *arg, coir_context *context);
/* The end of the running task: does not return, which is not said so that it, and what it calls
 * last, is jumped to. A call would leave something with the return predictor that is never taken
 * off. */
void coir__task_exit(struct coir__task *self, int rc);
/* Spawns without looking at the scope's state. */
int coir__spawn(coir_scope *scope, coir_fn fn, void *arg, const coir_spawn_options *options,
                const void *origin);
/* The record a handle names, or NULL if it is stale, foreign or zeroed, or there is no runtime. */
struct coir__record *coir__record_find(coir_task handle);
/* Gives a chain of records back to the pool. */
void coir__records_free(coir_scope *scope);

/* ---- The runtime (runtime.c, sched.c) ---- */

struct coir__fds;
struct coir__offload;
struct coir__inspector;
struct coir__watchdog;

/* Who picks among the ready tasks when neither order of arrival nor a seed shall: returns a number
 * below `count`, which is at least 2. How tests enumerate schedules. */
struct coir__chooser {
    unsigned (*choose)(void *context, unsigned count);
    void (*before)(void *context); /* each pick; may fire timers and look at descriptors. Or NULL */
    void *context;
};
/* For the next run on this thread. */
extern __thread struct coir__chooser coir__next_chooser __attribute__((visibility("hidden")));

enum { COIR_OBSERVE_HOOKS = 1, COIR_OBSERVE_TIME = 2, COIR_OBSERVE_PROBES = 4 };

/* Those who watch what tasks do (debug/hooks.c). While there are some, switches take the long way,
 * and coir__observe_* are called there. */
struct coir__observer {
    unsigned reasons; /* COIR_OBSERVE_..., those that are on */
    coir_hooks hooks;
    size_t seen;         /* where in the ready ring those lie that were made ready since */
    const char *telling; /* the hook that is being called, or NULL */
    coir_task running;   /* who has the thread */
    coir_time since;     /* when it got it, if accounting */
};

/* Not 0 while a tracer wants the probes of this process. */
extern volatile unsigned short coir__probes_wanted __attribute__((visibility("hidden")));

/* What is said of a program's mistakes, by kind, each so many times in a run. */
enum coir__remark { COIR_REMARK_MISUSE, COIR_REMARK_IGNORED, COIR_REMARK_LEFT, COIR_REMARKS };

struct coir__runtime {
    struct coir__task *current;
    struct coir__ready ready; /* room for each task that has a stack; when empty, the loop runs */
    size_t turn_end; /* where the head is when the loop has its say; while careful, where it is */
    int *errno_address;
    coir_time turn_began; /* to a few milliseconds: what a wait has begun at */

    /* Reasons to take the long way at every switch: tasks with floating-point words of their own,
     * unguarded stacks, a seed, debug checks. */
    unsigned careful;
    size_t careful_left; /* switches until the loop has its say, while careful */
    size_t turn_budget;  /* switches the present turn began with */
    uint64_t random;     /* state of the seeded pick; 0 without seed */
    uint64_t draws;      /* state of coir__draw */
    struct coir__chooser chooser;
    struct coir_fp fp; /* the floating-point words of tasks without their own */
    struct coir__observer observer;

    struct coir__task loop; /* the thread's own stack, as if it were a task */
    coir_scope root;        /* holds the main task */
    struct coir__stacks stacks;
    struct coir__poller poller;
    struct coir__fds *fds;
    struct coir__offload *offload;
    struct coir__inspector *inspector;
    struct coir__watchdog *watchdog; /* or NULL */

    uint64_t epoch;      /* counts changes of what is effectively cancelled */
    uint64_t generation; /* serial of the runtime in the upper bits, tasks counted below */
    struct coir__record *records_free;
    struct coir__slab *slabs;

    coir_time virtual_now; /* 0: the system's clock */
    coir_time trimmed;     /* when stacks were last given back */
    bool doomed;           /* deadlocked: everything is cut, shields or not */
    bool holds_signals;
    bool leaves_signals; /* installs no handlers of its own accord */
    coir_fn main_fn;
    void *main_arg;
    int main_rc;
    size_t default_stack_size;
    struct coir__pool *default_pool;
    unsigned offload_threads;
    size_t io_waiting;   /* tasks parked on descriptors */
    size_t offload_jobs; /* queued or running, whose end wakes a task */
    size_t descriptors;
    _Atomic int signalled;     /* COIR_ASKED_..., by signals that have come */
    struct coir__link starved; /* accepts waiting for a descriptor to be closed */
    uint64_t turns, polls, scopes_left_open, cuts_ignored, accept_backoffs;
    struct coir__link listed;       /* among all that run in the process, for tools */
    unsigned remarks[COIR_REMARKS]; /* so far, of each kind */
    long thread;                    /* the system's number of the thread */
    struct coir__wheel wheel;       /* last: most of it is touched only where there are timers */
};

#define COIR_GENERATION_BITS 44
enum { COIR_ASKED_CANCEL = 1, COIR_ASKED_DUMP = 2 };

enum coir__scope_state {
    COIR_SCOPE_FRESH = 0,
    COIR_SCOPE_OPEN = COIR__SCOPE_IS_OPEN,
    COIR_SCOPE_CLOSED = 0x4705ed5c,
    COIR_SCOPE_REFUSED = 0x4ef5ed01, /* open failed; coir__refused says why */
};

extern __thread struct coir__runtime *coir__rt
    __attribute__((visibility("hidden"), tls_model("initial-exec")));

/* Why there is no runtime here: -EPERM, or -ECHILD in a forked child. */
int coir__outside(void);

/* The main loop, on the thread's own stack; ends when the root scope is empty. */
void coir__loop(struct coir__runtime *rt);
/* All tasks are parked and nothing can wake one: says so, and cuts them all, so that the run ends.
 */
void coir__break_deadlock(struct coir__runtime *rt);
/* The next task when it is not simply the head of the FIFO. */
struct coir__task *coir__next_slow(struct coir__runtime *rt, struct coir__task *self);
/* Begins or ends a reason to be careful. */
void coir__careful(struct coir__runtime *rt, int change);
/* A number below `count`, which is at least 2, for a choice that shall be fair: the same in every
 * run with the same program and seed. */
unsigned coir__draw(struct coir__runtime *rt, unsigned count);
/* Lets the others run without checking for cancellation; ends the turn. */
void coir__yield_turn(struct coir__runtime *rt, struct coir__task *self);
/* The time now. */
coir_time coir__clock(const struct coir__runtime *rt);

/* ---- Cancellation (cancel.c) ---- */

/* Recomputes what cancels and deadlines reach the inside of `scope`, after any of its own
 * properties changed; cuts whoever waits where a cancel newly reaches. Does not recurse. */
void coir__refresh(coir_scope *scope);
/* The same for a task that was itself cancelled. */
void coir__refresh_task(struct coir__task *task);
/* Marks the open scope cancelled, and cuts who waits inside. */
void coir__cancel(coir_scope *scope);
/* The same, by its deadline. */
void coir__expire(coir_scope *scope);
/* The part of coir__check that is not a comparison: is_cut, and told if so. */
int coir__check_slow(struct coir__runtime *rt, struct coir__task *self);
/* Whether the running task is cancelled, deadlines that have just passed included. */
bool coir__is_cut(struct coir__runtime *rt, struct coir__task *self);
/* Remembers where the cut came from that the task is given now: for a `cut` that makes the task
 * wait for something else first. */
void coir__mark_cut(struct coir__task *task);
/* What was cut inside the scope, perhaps before anything around it was cancelled, is told to be cut
 * by what is around it now: that has to report it. */
void coir__cut_around(const coir_scope *scope);
/* The running task is about to be told -ECANCELED. Makes it yield if it does not listen. */
void coir__told(struct coir__runtime *rt, struct coir__task *self);

/* ---- Upcalls: what the machine asks of the layers below it ---- */

/* A child has ended with rc, which is a failure, or a success that may end a race: runs the policy
 * of its scope (flow/scope.c). */
void coir__scope_judge(coir_scope *scope, const struct coir__task *child, int rc);
/* A task spawned into the scope with a handle begins, and has ended (flow/next.c). */
void coir__next_expect(coir_scope *scope, struct coir__record *record);
void coir__next_ended(coir_scope *scope, struct coir__record *record);
/* The task ends holding locks: tells those who wait for them (sync/mutex.c). */
void coir__locks_abandon(struct coir__runtime *rt, struct coir__task *self);
/* Opens the root scope, which no task owns (flow/scope.c). */
void coir__scope_open_root(coir_scope *scope);
/* A descriptor is ready (io/fd.c). */
coir__poll_event coir__fd_event;
void coir__fds_fini(struct coir__runtime *rt);
/* Wakes the tasks whose jobs have ended (io/offload.c). */
void coir__offload_reap(struct coir__runtime *rt);
/* Ends the threads and waits for them. */
void coir__offload_fini(struct coir__runtime *rt);
uint64_t coir__offload_threads(const struct coir__runtime *rt);
/* Routes SIGINT and SIGTERM to the runtime, and back (io/signal.c). 0, or -EBUSY. */
int coir__signals_take(struct coir__runtime *rt);
void coir__signals_release(struct coir__runtime *rt);
/* In the child of a fork, whichever thread forked: they are nobody's there. */
void coir__signals_forked(void);
/* The same for SIGQUIT, which asks for the listing (debug/quit.c). */
int coir__quit_take(struct coir__runtime *rt);
void coir__quit_release(struct coir__runtime *rt);
void coir__quit_forked(void);
void coir__fault_forked(void);
void coir__hold_forked(void);

/* What the options and the tracers of the system ask for (debug/hooks.c). */
void coir__observe_init(struct coir__runtime *rt, const coir_options *options);
void coir__observe_probes(struct coir__runtime *rt);
/* `self` stops running; afterwards `next` gets the thread; it returns for ever; the scope has just
 * been cancelled. */
void coir__observe_stop(struct coir__runtime *rt, struct coir__task *self);
void coir__observe_run(struct coir__runtime *rt, struct coir__task *self, struct coir__task *next);
void coir__observe_exit(struct coir__runtime *rt, struct coir__task *self, int rc);
void coir__observe_cancel(struct coir__runtime *rt, const coir_scope *scope);

/* ---- Messages (debug/) ---- */

/* coir_waiter.what of the waits of which more is known than these words, told apart by address.
 * What lies in `object` and `number` is said in debug/wait.c. */
#define COIR__WHAT(kind) extern const char coir__what_##kind[] __attribute__((visibility("hidden")))
COIR__WHAT(mutex);
COIR__WHAT(read);
COIR__WHAT(write);
COIR__WHAT(once);
COIR__WHAT(join);
COIR__WHAT(close);
COIR__WHAT(start);
COIR__WHAT(next);
COIR__WHAT(sleep);
COIR__WHAT(ends);
COIR__WHAT(select);
COIR__WHAT(send);
COIR__WHAT(receive);
COIR__WHAT(items);
COIR__WHAT(condition);
COIR__WHAT(limiter);
COIR__WHAT(barrier);
COIR__WHAT(offload);
COIR__WHAT(lookup);
#undef COIR__WHAT

/* What to call a task in a message: by its name, or else its entry function; what to call a scope;
 * and a function: "fetch", or "app+0x1234" (debug/label.c). All return `out`. */
const char *coir__task_label(const struct coir__task *task, char *out, size_t size_bytes);
const char *coir__scope_label(const coir_scope *scope, char *out, size_t size_bytes);
const char *coir__function_label(coir_fn fn, char *out, size_t size_bytes);

/* Prints "coir: fatal: ..." and aborts. */
_Noreturn void coir__fatal(const char *format, ...) __attribute__((format(printf, 1, 2), cold));
/* Prints "coir: ..." */
void coir__warn(const char *format, ...) __attribute__((format(printf, 1, 2), cold));
/* Whether one more message of the kind may be printed in this run: counts it, and says when that
 * was the last. */
bool coir__may_remark(struct coir__runtime *rt, enum coir__remark kind) __attribute__((cold));
/* The running task calls what returns an error because only a mistake can have led there: "misuse:
 * task 'a' unlocks mutex 0x1, held by task 'b'; only its owner may" (debug/misuse.c). */
void coir__misuse(struct coir__runtime *rt, const char *what) __attribute__((cold));
void coir__misuse_of_lock(struct coir__runtime *rt, const char *verb, const struct coir__lock *lock,
                          const char *advice) __attribute__((cold));
void coir__misuse_of_end(struct coir__runtime *rt, const struct coir__lock *held)
    __attribute__((cold));
void coir__misuse_of_scope(struct coir__runtime *rt, const coir_scope *scope) __attribute__((cold));
/* What is allowed, and mostly a mistake (debug/habits.c): the running task goes on though it was
 * told so often that it is cancelled; in debug builds, it is about to leave the open scope without
 * closing it, and the main scope has ended with failures. `from` is the return address from which
 * on the calls of the task are told. */
void coir__ignored_tell(struct coir__runtime *rt, unsigned times, const void *from)
    __attribute__((cold));
void coir__left_tell(struct coir__runtime *rt, const coir_scope *scope, const void *from);
void coir__unseen_tell(const coir_scope *root);
/* Lists all tasks; returns how many. */
int coir__dump(struct coir__runtime *rt, FILE *out);
/* All tasks wait and nothing can wake one: lists them, and names those who wait for one another. */
void coir__deadlock_report(struct coir__runtime *rt);
/* They still do, though all were cut: names those whose waits cannot be, and ends the program. */
_Noreturn void coir__deadlock_fatal(struct coir__runtime *rt);
/* Tools outside the process find the runtime, which is the calling thread's, from here to there. */
void coir__layout_list(struct coir__runtime *rt);
void coir__layout_unlist(struct coir__runtime *rt);
/* In the child of a fork no runtime runs. */
void coir__layout_forked(void);
/* Gives back what looking inside took. */
void coir__inspector_fini(struct coir__runtime *rt);
/* Says so if the thread ends while its runtime runs, and no more (debug/thread_end.c). */
void coir__thread_end_watch(const struct coir__runtime *rt);
void coir__thread_end_leave(void);
/* Turns crashes of tasks into messages, for this thread's runtime (debug/fault.c). */
void coir__fault_init(struct coir__runtime *rt);
void coir__fault_fini(struct coir__runtime *rt);
/* Has tasks that hold the thread longer than `limit` nanoseconds named; 0: the default. And no more
 * (debug/watchdog.c). */
void coir__watchdog_start(struct coir__runtime *rt, coir_time limit);
void coir__watchdog_stop(struct coir__runtime *rt);
/* How often one has. */
uint64_t coir__watchdog_stretches(const struct coir__runtime *rt);
/* Set before this thread calls abort after a message: what called coir__fatal. */
extern __thread const void *coir__fatal_place
    __attribute__((visibility("hidden"), tls_model("initial-exec")));

/* ---- Inline parts ---- */

/* A task block on top of a stack of its own. NULL if there is no memory. */
coir__inline struct coir__task *coir__stack_take(struct coir__stacks *stacks,
                                                 struct coir__pool *pool) {
    if (unlikely(pool->top == pool->first))
        return coir__stack_make(stacks, pool);
    struct coir__task *const task = pool->cached[--pool->top];
    sanitizer_stack_reused(&task->shadow);
    return task;
}

/* Takes a stack back into the cache; the caller may still be running on it until it switches. */
coir__inline void coir__stack_give(struct coir__task *task) {
    struct coir__pool *const pool = task->pool;
    if (unlikely(pool->top == pool->room))
        coir__stack_close_gap(pool);
    pool->cached[pool->top++] = task;
}

/* How many tasks there are, and ever were: each holds a stack, and has a generation. */
static inline size_t coir__alive(const struct coir__runtime *rt) {
    return rt->stacks.mapped - coir__stacks_cached(&rt->stacks);
}

static inline uint64_t coir__spawned(const struct coir__runtime *rt) {
    return rt->generation & ((UINT64_C(1) << COIR_GENERATION_BITS) - 1);
}

/* The scope the task is in. */
coir__inline coir_scope *coir__innermost(const struct coir__task *task) {
    return task->scope != NULL ? task->scope : task->home;
}

/* Every call that may park begins with this, before any effect. 0 or -ECANCELED. */
coir__inline int coir__check(struct coir__runtime *rt, struct coir__task *self) {
    return likely(self->due == COIR_NEVER) ? 0 : coir__check_slow(rt, self);
}

coir__inline void coir__make_ready(struct coir__runtime *rt, struct coir__task *task) {
    coir__ready_add(&rt->ready, task);
}

/* Has fetched what the task returns to, which is not running but will be soon: where there are
 * many, most stacks are in no cache. The top frame, which is enough for a yield; or so much that a
 * wait some calls deep is covered. */
coir__inline void coir__fetch_frame(const struct coir__task *task) {
    const char *const frame = task->context.sp;
    __builtin_prefetch(frame, 1);
    __builtin_prefetch(frame + COIR_CACHE_LINE - 1, 1);
}

coir__inline void coir__fetch_frames(const struct coir__task *task) {
    enum { LINES = 5 };
    const char *const frames = task->context.sp;
    for (unsigned i = 0; i < LINES; i++)
        __builtin_prefetch(frames + (size_t)i * COIR_CACHE_LINE, 1);
}

/* Ends the wait of a parked task: its record has been unlinked from its primitive. */
coir__inline void coir__resume(struct coir__runtime *rt, struct coir__task *task, int value) {
    task->wait = NULL;
    task->value = value;
    coir__make_ready(rt, task);
}

coir__inline void coir__wake(struct coir__runtime *rt, coir_waiter *wait, int value) {
    coir__resume(rt, wait->coir__task, value);
}

/* Has the block fetched of one who comes soon. Returns one who comes sooner, and whose block has
 * been fetched: of that one the caller has the frames fetched. */
coir__inline const struct coir__task *coir__look_ahead(const struct coir__ready *ready) {
    enum { BLOCK_AHEAD = COIR_MANY_READY, FRAMES_AHEAD = BLOCK_AHEAD / 2 };
    __builtin_prefetch(ready->places[(ready->head + BLOCK_AHEAD) & ready->mask], 1);
    return ready->places[(ready->head + FRAMES_AHEAD) & ready->mask];
}

/* Takes the head of the ready tasks, of which there must be one. */
coir__inline struct coir__task *coir__pop_some(struct coir__ready *ready) {
    return ready->places[ready->head++ & ready->mask];
}

/* Whether there are so many ready tasks that looking ahead pays, or none: one comparison. */
coir__inline bool coir__many_or_none(const struct coir__ready *ready) {
    return coir__ready_count(ready) - 1 >= COIR_MANY_READY;
}

/* Takes the head of the ready tasks: the loop, if there is none. */
coir__inline struct coir__task *coir__pop(struct coir__runtime *rt) {
    struct coir__ready *const ready = &rt->ready;
    if (unlikely(coir__many_or_none(ready))) {
        if (coir__ready_count(ready) == 0)
            return &rt->loop;
        coir__fetch_frames(coir__look_ahead(ready));
    }
    return coir__pop_some(ready);
}

/* Whether who comes next has to be thought about. */
coir__inline bool coir__turn_over(const struct coir__runtime *rt) {
    return unlikely(rt->ready.head == rt->turn_end);
}

coir__inline struct coir__task *coir__next(struct coir__runtime *rt, struct coir__task *self) {
    return coir__turn_over(rt) ? coir__next_slow(rt, self) : coir__pop(rt);
}

/* What belongs to the thread and to the running task: from `self` to `next`. */
coir__inline void coir__hand_over(struct coir__runtime *rt, struct coir__task *self,
                                  struct coir__task *next) {
    const int now = *rt->errno_address;
    if (unlikely(now != self->saved_errno))
        self->saved_errno = now;
    if (unlikely(now != next->saved_errno))
        *rt->errno_address = next->saved_errno;
    rt->current = next;
}

/* Gives the processor to `next`, as the last thing that a function does: it ends in a jump into the
 * switch. Returns when somebody resumes `self`, with its value. */
coir__inline int coir__switch_to(struct coir__runtime *rt, struct coir__task *self,
                                 struct coir__task *next) {
    coir__hand_over(rt, self, next);
    return sanitizer_switch(&self->context, &self->shadow, &next->context, &next->shadow,
                            next->value);
}

/* The same in the middle of a function. */
coir__inline int coir__switch_inside_to(struct coir__runtime *rt, struct coir__task *self,
                                        struct coir__task *next) {
    coir__hand_over(rt, self, next);
    return sanitizer_switch_inside(&self->context, &self->shadow, &next->context, &next->shadow,
                                   next->value);
}

/* Whether nothing stands in the way of simply switching to the head of the FIFO: no cancel, no
 * deadline, no end of the turn. Functions that find it so can end in a jump into the switch, which
 * then returns straight to their caller. */
coir__inline bool coir__unhindered(const struct coir__runtime *rt, const struct coir__task *self) {
    return likely(self->due == COIR_NEVER) && !coir__turn_over(rt);
}

/* The calling task runs fn, which it was not spawned with: listings and errors shall name that. */
coir__inline void coir__stands_for(coir_fn fn) {
    coir__rt->current->fn = fn;
}

/* Has watch->ended(watch, rc) called once, when the task of the record, which must be alive, ends:
 * in that task, with the link taken out. It may wake tasks and must not park. The memory is the
 * caller's: a wait that ends otherwise removes it. */
coir__inline void coir__watch_add(struct coir__record *record, struct coir__watch *watch) {
    list_append(&record->watchers, &watch->link);
    record->task->tidy_up |= COIR_TIDY_MORE;
}

/* Takes it back; harmless where it has been called, or, zeroed, was never added. */
coir__inline void coir__watch_remove(struct coir__watch *watch) {
    if (list_linked(&watch->link))
        list_take(&watch->link);
}

/* Fills in what a wait is for, of a record that is used again and again; parking does the rest.
 * Nothing is written twice, and `number`, which says nothing unless `numbered`, is left alone. */
coir__inline void coir__wait_for(coir_waiter *wait, bool (*cut)(coir_waiter *wait),
                                 const char *what, const void *object) {
    wait->cut = cut;
    wait->what = what;
    wait->object = object;
    wait->numbered = false;
}

/* Suspends the running task, which somebody will make ready, or has made ready already. */
coir__inline int coir__suspend(struct coir__runtime *rt, struct coir__task *self) {
    struct coir__task *const next = coir__next(rt, self);
    if (unlikely(next == self))
        return self->value;
    return coir__switch_inside_to(rt, self, next);
}

/* Parks on a record that is linked and will be found. No check. */
coir__inline int coir__park(struct coir__runtime *rt, struct coir__task *self, coir_waiter *wait) {
    wait->coir__task = self;
    wait->coir__since = rt->turn_began;
    self->wait = wait;
    return coir__suspend(rt, self);
}

/* The same where the turn is not over: ends in a jump into the switch. */
coir__inline int coir__park_unhindered(struct coir__runtime *rt, struct coir__task *self,
                                       coir_waiter *wait) {
    wait->coir__task = self;
    wait->coir__since = rt->turn_began;
    self->wait = wait;
    return coir__switch_to(rt, self, coir__pop(rt));
}

#endif
