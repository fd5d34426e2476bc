/* Scopes: the lifetime of tasks, cancellation and deadlines, in one noun.
 *
 * A task opens a scope in its own frame, spawns tasks into it, and closes it; closing waits for all
 * of them. A scope can be cancelled, by hand, by its deadline or by the failure of a child; then
 * every call inside it that would wait returns -ECANCELED, again and again, until it is left.
 * Scopes of one task nest like brackets. The design follows trio's nurseries and cancel scopes. */
#ifndef COIR_SCOPE_H
#define COIR_SCOPE_H

#include "base.h"

COIR_BEGIN_DECLS

/* What the end of one child means for the others. */
typedef enum coir_policy {
    COIR_FAIL_FAST, /* the first failure, of a child or the body, cancels the rest */
    COIR_SUPERVISE, /* nothing: all run to their end */
    COIR_RACE       /* the first success of a child, or a failure of the body, cancels the rest */
} coir_policy;

#define COIR_NAME_SIZE 32 /* longest name of a task, with its final zero; a longer one is cut */

/* One failure in a scope. */
typedef struct coir_error {
    int rc;                    /* what the child (or the body) returned: negative */
    coir_fn fn;                /* the entry function of the child; NULL for the body */
    char name[COIR_NAME_SIZE]; /* the name of the child; empty if it had none */
} coir_error;

#define COIR_SCOPE_ERRORS 4 /* failures a scope stores without storage given to it */

typedef struct coir_scope coir_scope;

/* A zero in any field means the default. */
typedef struct coir_scope_options {
    coir_scope *coir__scope; /* private to the macros below */
    coir_policy policy;      /* default COIR_FAIL_FAST */
    /* Absolute, default none, and kept as exactly as coir_sleep keeps a time. In the past: the
     * first wait inside is cut. */
    coir_time deadline;
    bool shield;           /* not reached by a cancel or deadline from outside */
    bool move_on;          /* expiry closes with 0 instead of -ETIMEDOUT */
    const char *name;      /* for listings; borrowed until close */
    coir_error *errors;    /* room for failures beyond the first COIR_SCOPE_ERRORS; borrowed */
    size_t error_capacity; /* how many fit there */
} coir_scope_options;

/* Private: the links below are the runtime's. Listed so that a scope can live in a frame. */
struct coir__link {
    struct coir__link *next, *prev;
};
struct coir__timer {
    struct coir__link link; /* in a slot of the wheel; next is NULL while disarmed */
    coir_time deadline;
    void (*fire)(struct coir__timer *timer);
};

/* Must be zeroed before it is opened (COIR_SCOPE needs no zeroing); cannot be opened twice. */
struct coir_scope {
    uint32_t coir__state;
    bool coir__cancelled; /* by hand, by policy or by its deadline */
    bool coir__effective; /* cancelled itself, or by an outer scope that no shield keeps off */
    bool coir__shield, coir__move_on;

    /* Zero in a scope just opened, but for what its options say, from here, at a multiple of 8
     * bytes, ... */
    coir_policy coir__policy;
    int coir__refused;                  /* why open failed; 0 if it did not */
    int coir__first_error;              /* of a child, other than -ECANCELED */
    bool coir__lone_cut;                /* a child, or the body, was cut though nobody had cancelled
                                           it */
    bool coir__won;                     /* COIR_RACE: a child has succeeded */
    bool coir__expired;                 /* cancelled by its deadline */
    bool coir__blank;                   /* so that these four words are all known */
    uint64_t coir__cut;                 /* when a call inside last returned -ECANCELED because of
                                           it; 0 never */
    coir_scope *coir__inner;            /* the next scope of the same task */
    size_t coir__live;                  /* children not yet ended */
    struct coir_waiter *coir__closer;   /* the owner, waiting in close */
    struct coir__record *coir__records; /* of tasks spawned with a handle */
    size_t coir__error_count;
    size_t coir__error_capacity;
    const char *coir__name;
    struct coir__timer coir__timer; /* its own deadline; its link is the last that is zero */
    /* ... to here. */

    coir_time coir__due; /* earliest deadline that reaches inside */
    void *coir__runtime;
    struct coir__task *coir__owner;
    coir_scope *coir__outer; /* the scope around it, of the same task */
    struct coir__link coir__children;
    coir_scope *coir__visit; /* while a cancel or deadline spreads: the next that it has reached */
    coir_error *coir__more_errors;
    coir_error coir__errors[COIR_SCOPE_ERRORS];

    /* For coir_next; set once there are records. */
    size_t coir__expected;           /* how many of them have not ended */
    struct coir__link coir__untold;  /* those that have, and were not told of */
    struct coir__link coir__nexters; /* tasks waiting to be told */

    /* In builds for debugging. */
    unsigned coir__unseen; /* failures of children whose results nobody has, and who were not cut */
    bool coir__read;       /* coir_scope_errors was called */
};

/* Opens a zeroed scope in the calling task, inside the scope that is innermost there. Never parks,
 * not even when already cancelled from outside. Errors: -EPERM outside the runtime; -EINVAL for
 * NULL, a scope that is open, was open before or is not zeroed, a policy that does not exist or a
 * negative deadline. After an error, spawning into it and closing it return that same error. A
 * cancel before the opening counts. `options` may be NULL. */
COIR_API int coir_scope_open_with(coir_scope *scope, const coir_scope_options *options);

#ifndef __cplusplus
/* coir_scope_open(&s, .deadline = coir_after(COIR_MS(40)), .policy = COIR_SUPERVISE) */
#define coir_scope_open(...)                                                                       \
    coir__scope_open(&(const coir_scope_options){.coir__scope = __VA_ARGS__})

/* COIR_SCOPE(name, .deadline = ...): declares a scope variable, opens it, and guards it: when the
 * block is left without coir_scope_close, it is cancelled and joined (and counted). */
#define COIR_SCOPE(...)                                                                            \
    coir_scope COIR__FIRST(__VA_ARGS__, ) __attribute__((cleanup(coir__scope_end)));               \
    coir__scope_declared(&(const coir_scope_options){.coir__scope = &__VA_ARGS__})
#define COIR__FIRST(first, ...) first
#endif

/* Waits until every child has ended, then closes the scope and returns what it came to. `rc` is
 * what the body came to: the caller's own result so far. Parks while children live; cannot be cut
 * (it waits out children that are being cut). Returns, the first that holds:
 *   the body's own error, other than -ECANCELED;
 *   the earliest error of a child, other than -ECANCELED (COIR_RACE: only if none succeeded);
 *   -ECANCELED if something inside was cut because of an outer scope (or of the task itself);
 *   -ETIMEDOUT if something inside was cut because this scope's deadline passed (move_on: 0);
 *   -ECANCELED if the body, or a child (COIR_RACE: only if none succeeded), returned that though
 *     nobody had cancelled it;
 *   0 if the body returned -ECANCELED because this scope was cancelled;
 *   `rc`.
 * Errors of use: -EPERM outside the runtime or from a task that did not open it; -EINVAL if it is
 * not open. Closing a scope while an inner one of the same task is open ends the program. */
COIR_API int coir_scope_close(coir_scope *scope, int rc);

/* Cancels: from now on every call inside that would wait returns -ECANCELED, and those that wait
 * now are cut. Never waits, never fails, may be repeated, is ignored after close. */
COIR_API void coir_scope_cancel(coir_scope *scope);

/* Whether the scope itself was cancelled, by hand, by policy or by its deadline. Stays readable
 * after close. */
COIR_API bool coir_scope_cancelled(const coir_scope *scope);

/* Whether it was cancelled by its own deadline. Stays readable after close. A deadline that passed
 * while nothing inside waited has cancelled nothing. */
COIR_API bool coir_scope_expired(const coir_scope *scope);

/* The deadline it was given: COIR_NEVER if none. */
COIR_API coir_time coir_scope_deadline(const coir_scope *scope);

/* Moves the deadline of an open scope (COIR_NEVER: removes it; in the past: expires it). Never
 * parks. Errors: -EINVAL if it is not open, already cancelled or expired, or for a negative or zero
 * deadline; -EPERM outside the runtime. */
COIR_API int coir_scope_set_deadline(coir_scope *scope, coir_time deadline);

/* Raises or lowers the shield of an open scope, with effect at once on those who wait inside. Never
 * parks. Errors: -EINVAL if it is not open; -EPERM outside the runtime. */
COIR_API int coir_scope_set_shield(coir_scope *scope, bool shield);

/* Copies the failures so far, earliest first, up to `capacity`, and returns how many there were.
 * A cancelled child is no failure. The first COIR_SCOPE_ERRORS are always kept, further ones as
 * far as the options gave room. May be called after close, as long as the scope's memory lives. */
COIR_API size_t coir_scope_errors(const coir_scope *scope, coir_error *out, size_t capacity);

/* The earliest deadline that can cut the caller, over all scopes around it up to the nearest
 * shield; COIR_NEVER if none, and 0 if the caller is cancelled already. */
COIR_API coir_time coir_effective_deadline(void);

/* What COIR_SCOPE runs at the end of its block, if the scope is open there. */
COIR_API void coir_scope_guard(coir_scope *scope);
/* What the macros call: open a zeroed scope, or one whose memory was never set, with options or
 * without. */
COIR_API int coir__scope_open(const coir_scope_options *options);
COIR_API void coir__scope_begin(const coir_scope_options *options);
COIR_API void coir__scope_begin_usual(coir_scope *scope);

#ifndef __cplusplus
#define COIR__SCOPE_IS_OPEN 0x0be75c09 /* the state; unlikely in memory that was never zeroed */

/* Where the compiler sees that there are no options, they are not even stored. */
__attribute__((always_inline)) static inline void
coir__scope_declared(const coir_scope_options *options) {
    const bool usual = options->policy == COIR_FAIL_FAST && options->deadline == 0 &&
                       !options->shield && !options->move_on && options->name == NULL &&
                       options->errors == NULL && options->error_capacity == 0;
    if (__builtin_constant_p(usual) && usual)
        coir__scope_begin_usual(options->coir__scope);
    else
        coir__scope_begin(options);
}

__attribute__((always_inline)) static inline void coir__scope_end(coir_scope *scope) {
    if (scope->coir__state == COIR__SCOPE_IS_OPEN)
        coir_scope_guard(scope);
}
#endif

COIR_END_DECLS

#endif
