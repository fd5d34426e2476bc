/* What the interpreter knows of the program's tasks and scopes by itself, to hold against what the
 * library does: a model of laws 1, 2, 5, 6, 7 and 9.
 *
 * The model does not carry anything inwards, as the library does: it walks outwards from a task
 * each time, over the flags that the program itself has set. What only the library can know, the
 * moment at which a deadline was noticed, is read from coir_scope_expired, and has to be possible.
 */
#ifndef TESTS_SIM_MODEL_H
#define TESTS_SIM_MODEL_H

#include <coir.h>

#include "core/runtime.h"
#include "sim/program.h"

#define TASKS_MAX 512
#define SCOPES_MAX 1024
#define DEPTH_MAX 64

struct task;

/* Why a scope or a task was cancelled: what a cut is counted as. */
enum cause {
    CAUSE_NONE,
    CAUSE_SCOPE, /* coir_scope_cancel */
    CAUSE_TASK,  /* coir_task_cancel */
    CAUSE_DEADLINE,
    CAUSE_FAILURE, /* of a child or the body, by policy */
    CAUSE_WON,     /* another has won the race */
    CAUSE_SIGNAL,
    CAUSE_DEADLOCK,
    CAUSES
};

enum maybe { NO, MAYBE, YES };

struct scope {
    coir_scope own;         /* the program's; unused if `seen` is one of the library's */
    const coir_scope *seen; /* where its flags can be read, while it is open; NULL: not known */
    struct task *owner;     /* NULL: the root */
    struct scope *outer;    /* of the same owner; NULL: the owner itself is what is around it */
    coir_policy policy;
    bool open, move_on, shield;
    bool had_shield; /* at any time: then it has a deadline for ever */
    bool unknown_deadline;
    bool closing;                        /* being cancelled: the library does not say so yet */
    coir_time deadline, deadline_latest; /* between these two; COIR_NEVER */
    enum cause cancelled; /* as far as the program has caused it, or it was seen to be */
    bool may_cancel;      /* by a failure that may or may not be one */
    size_t live, failures;
    bool unsure;     /* how many failures there are */
    int first_error; /* of a child, other than -ECANCELED */
    bool won;
    enum maybe body_failed;
    enum maybe lone; /* a child came to -ECANCELED on its own */
    enum maybe told; /* something inside was cut because of it, or of what is around it */
    const struct task *winner;
    struct task *ends; /* tasks with handles that have ended, in order, by next_end */
};

/* Lines of an object in which tasks stand. */
enum { LINE_NONE, LINE_LOCK, LINE_SEND, LINE_RECV };

/* A call in progress. */
struct call {
    struct call *outer; /* the call in whose body this one is */
    enum op op;
    const void *object; /* what it waits for */
    unsigned line;
    const coir_case *cases; /* of a select */
    size_t count;
    long number, when; /* of a wait for tasks: how many, and which */
    uint64_t entered;
    coir_time until;                   /* a sleep */
    bool cut_at_entry;                 /* had to be cut at once */
    bool uncuttable;                   /* waits for something that cannot be stopped */
    enum cause cause;                  /* what first made it effectively cancelled since */
    struct scope *chain[DEPTH_MAX];    /* the scopes that were effectively cancelled then */
    unsigned chain_length, chain_sure; /* how many, and how many of those surely */
    bool task_told;                    /* so was the place around the task's own scopes */
    bool parked;                       /* was seen waiting */
    uint64_t faults;                   /* injected so far in the run, then */
};

struct task {
    unsigned number;
    const struct node *node;
    struct scope *home, *innermost;
    struct task *parent;
    struct coir__task *machine; /* while it runs */
    coir_task handle;
    bool has_handle, begun, ended, unborn;
    bool gone;                /* its scope is closed: the handle names nothing */
    bool starting, unstarted; /* a start waits for it; it ended before it was ready */
    const struct task *starter;
    int ready; /* what it said when it was */
    const struct node *body;
    bool told_end; /* by next */
    enum cause cancelled;
    enum maybe told; /* was told so by a call */
    int rc;
    struct call *call;
    struct task *next_end;
    unsigned done_calls, done_wanted; /* of coir_task_on_done */
    unsigned depth;                   /* of spawns */
    long local;                       /* what the task local should say */
    bool stopping;                    /* its lists are at their end, wherever they are */
    bool stores;                      /* its result goes to: */
    int stored;
};

struct world {
    const struct program *program;
    struct task tasks[TASKS_MAX];
    struct scope scopes[SCOPES_MAX];
    unsigned task_count, scope_count;
    struct scope *root;
    uint64_t clock; /* of entries into calls */
};

extern struct world world;

/* A law does not hold: tells, and ends the process. `law` names the kind of failure: shrinking
 * keeps to it. */
_Noreturn void violated(const char *law, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
#define must(condition, law, ...)                                                                  \
    do {                                                                                           \
        if (!(condition))                                                                          \
            violated(law, __VA_ARGS__);                                                            \
    } while (0)

void world_begin(const struct program *program);

/* ---- Scopes ---- */

/* NULL: the program has too many. */
struct scope *scope_new(struct task *owner, coir_policy policy);
/* The owner has opened it: it is innermost now. */
void scope_entered(struct scope *scope);
/* What the body came to is known, and the close is about to act upon it (or, within a combinator,
 * has done so). */
void scope_closing(struct scope *scope, int body);
/* The close is over, or the combinator that the scope is part of: what it may have returned is
 * checked, and `rc` returned. `body` is what the body came to. */
int scope_left(struct scope *scope, int body, int rc, const char *what);
/* The same where what it came to does not say anything. */
void scope_abandoned(struct scope *scope, const char *what);
/* Says that the program cancels it, before it does. */
void scope_cancelled(struct scope *scope, enum cause cause);
/* Before and after other changes: shields, deadlines. */
void model_sweep(void);
bool scope_is_cancelled(const struct scope *scope);

/* ---- Tasks ---- */

/* NULL: the program has too many. */
struct task *task_new(const struct node *node, struct task *parent, struct scope *home);
void task_begun(struct task *task);
/* The body is about to return rc. */
void task_ended(struct task *task, int rc);
/* Says that the program cancels it, before it does. */
void task_cancelled(struct task *task);
/* The spawn failed. */
void task_unborn(struct task *task);
/* Whether calls of the task that may wait have to fail. */
bool task_is_cancelled(const struct task *task);
/* The same without deadlines that have passed, but that nobody has noticed. */
bool task_is_reached(const struct task *task);

/* ---- Calls ---- */

void call_begin(struct task *task, struct call *call, enum op op, const void *object,
                unsigned line);
/* The call has returned rc. Checks what holds of all calls; counts; returns rc. */
int call_end(struct task *task, int rc);
/* The same for one whose -ECANCELED need not be a cut of the caller. */
int call_end_otherwise(struct task *task, int rc);
/* Whether the task is parked in the library now. */
bool task_is_parked(const struct task *task);
/* It has been served: nobody who came to that line before may still wait there (law 5). */
void line_served(const struct task *task, const void *object, unsigned line, const char *what);
/* A try-call has been served: nobody at all may wait there. */
void line_tried(const void *object, unsigned line, const char *what);
/* How many stand in the line who are not parked: they were served, or cut, and have yet to run. */
unsigned line_handed(const void *object, unsigned line);
/* How many faults the simulation has injected so far that a call may answer for. */
uint64_t faults_so_far(void);
/* Whether rc is what a fault may have brought about during the call in progress. */
bool fault_explains(const struct task *task, int rc);

/* Nothing is ready, time is about to pass: nobody may wait who need not (laws 2, 4). */
void model_idle(void *context, coir_time until);
/* Of one task, and what it waits for (objects.c). */
void check_idle_object(const struct task *task, const struct call *call);

#endif
