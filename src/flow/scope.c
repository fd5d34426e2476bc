/* Scopes: opening, closing, policies and errors. The laws are those of DESIGN: nothing outlives its
 * scope; cancellation is level triggered; a deadline's -ETIMEDOUT comes out of close alone.
 *
 * How a cancel spreads is core/cancel.c's; this file decides when there is one, and what close
 * returns. It reaches the scheduler through park and wake only. */
#include <string.h>

#include "core/runtime.h"

static bool is_open(const coir_scope *scope) {
    return scope != NULL && scope->coir__state == COIR_SCOPE_OPEN;
}

/* Whether something outside the scope is cancelled, and its shield does not keep that off. */
static bool cancelled_from_outside(const coir_scope *scope) {
    if (scope->coir__shield)
        return false;
    if (scope->coir__outer != NULL)
        return scope->coir__outer->coir__effective;
    return scope->coir__owner != NULL && scope->coir__owner->effective;
}

/* ---- Opening ---- */

coir__inline bool are_valid(const coir_scope_options *options) {
    return (unsigned)options->policy <= COIR_RACE && options->deadline >= 0 &&
           (options->errors != NULL || options->error_capacity == 0);
}

#define ZERO_FROM offsetof(coir_scope, coir__policy)
#define ZERO_MID offsetof(coir_scope, coir__records)
#define ZERO_TO offsetof(coir_scope, coir__timer.link.prev) + sizeof(struct coir__link *)

/* Sets what has no option. In two parts: for more at once gcc takes a string instruction, which is
 * slow to start. */
coir__inline void clear(coir_scope *scope, struct coir__runtime *rt) {
    memset((char *)scope + ZERO_FROM, 0, ZERO_MID - ZERO_FROM);
    memset((char *)scope + ZERO_MID, 0, ZERO_TO - ZERO_MID);
    list_init(&scope->coir__children);
    scope->coir__runtime = rt;
    if (COIR_DEBUG) {
        scope->coir__unseen = 0;
        scope->coir__read = false;
    }
}

/* Sets every field but the state, the storage of errors, and the links to other scopes. */
coir__inline void prepare(coir_scope *scope, const coir_scope_options *options,
                          struct coir__runtime *rt) {
    clear(scope, rt);
    scope->coir__policy = options->policy;
    scope->coir__shield = options->shield;
    scope->coir__move_on = options->move_on;
    scope->coir__timer.deadline = options->deadline != 0 ? options->deadline : COIR_NEVER;
    scope->coir__name = options->name;
    scope->coir__error_capacity = options->error_capacity;
    scope->coir__more_errors = options->errors;
}

static void fire_deadline(struct coir__timer *timer) {
    coir__expire(list_entry(timer, coir_scope, coir__timer));
}

static void arm_deadline(struct coir__runtime *rt, coir_scope *scope) {
    scope->coir__timer.fire = fire_deadline;
    coir__wheel_arm(&rt->wheel, &scope->coir__timer);
}

/* Makes the scope the innermost of the calling task. Returns what is around it. */
coir__inline const coir_scope *link_in(coir_scope *scope, struct coir__task *self) {
    coir_scope *const outer = self->scope;
    scope->coir__owner = self;
    scope->coir__outer = outer;
    self->scope = scope;
    if (outer != NULL) {
        outer->coir__inner = scope;
        return outer;
    }
    self->outermost = scope;
    return self->home;
}

/* The same, and computes what reaches its inside. */
coir__inline void enter(coir_scope *scope, struct coir__task *self, struct coir__runtime *rt) {
    const coir_scope *const around = link_in(scope, self);
    const coir_time own = scope->coir__timer.deadline;
    const coir_time due = scope->coir__shield || own < around->coir__due ? own : around->coir__due;
    scope->coir__due = due;
    scope->coir__effective =
        scope->coir__cancelled || rt->doomed || (self->due == COIR_CUT && !scope->coir__shield);
    self->due = scope->coir__effective ? COIR_CUT : due;
    scope->coir__state = COIR_SCOPE_OPEN;
    if (own != COIR_NEVER)
        arm_deadline(rt, scope);
}

/* Why the scope cannot be opened; leaves it such that asking it for errors is harmless. */
static coir__cold int refuse(coir_scope *scope) {
    static const coir_scope_options defaults;
    const int rc = coir__rt != NULL ? -EINVAL : coir__outside();
    prepare(scope, &defaults, NULL);
    scope->coir__state = COIR_SCOPE_REFUSED;
    scope->coir__refused = rc;
    return rc;
}

coir__inline int open_fresh(coir_scope *scope, const coir_scope_options *options) {
    struct coir__runtime *const rt = coir__rt;
    if (unlikely(rt == NULL) || unlikely(!are_valid(options)))
        return refuse(scope);
    prepare(scope, options, rt);
    enter(scope, rt->current, rt);
    return 0;
}

void coir__scope_begin(const coir_scope_options *options) {
    options->coir__scope->coir__cancelled = false;
    (void)open_fresh(options->coir__scope, options);
}

static coir__noinline void begin_usual_slow(coir_scope *scope) {
    coir__scope_begin(&(const coir_scope_options){.coir__scope = scope});
}

/* Without options and a cancel the inside is reached by what reaches the place it is opened at. */
void coir__scope_begin_usual(coir_scope *scope) {
    struct coir__runtime *const rt = coir__rt;
    if (unlikely(rt == NULL) || unlikely(rt->current->due == COIR_CUT)) {
        begin_usual_slow(scope);
        return;
    }
    clear(scope, rt);
    scope->coir__timer.deadline = COIR_NEVER;
    scope->coir__due = link_in(scope, rt->current)->coir__due;
    scope->coir__cancelled = scope->coir__effective = false;
    scope->coir__shield = scope->coir__move_on = false;
    scope->coir__state = COIR_SCOPE_OPEN;
}

int coir__scope_open(const coir_scope_options *options) {
    return coir_scope_open_with(options->coir__scope, options);
}

int coir_scope_open_with(coir_scope *scope, const coir_scope_options *options) {
    static const coir_scope_options defaults;
    if (scope == NULL || scope->coir__state != COIR_SCOPE_FRESH)
        return coir__rt != NULL ? -EINVAL : coir__outside();
    return open_fresh(scope, options != NULL ? options : &defaults);
}

void coir__scope_open_root(coir_scope *scope) {
    prepare(scope, &(const coir_scope_options){.policy = COIR_SUPERVISE, .name = "main"}, coir__rt);
    scope->coir__due = COIR_NEVER;
    scope->coir__state = COIR_SCOPE_OPEN;
}

/* ---- Ends of children ---- */

static void note_error(coir_scope *scope, const struct coir__task *child, int rc) {
    if (COIR_DEBUG && child != NULL && !child->told && child->result == NULL &&
        child->record == &child->own)
        scope->coir__unseen++;
    if (rc == -ECANCELED)
        scope->coir__lone_cut = true;
    else if (scope->coir__first_error == 0)
        scope->coir__first_error = rc;
    const size_t index = scope->coir__error_count++;
    coir_error *place = NULL;
    if (index < COIR_SCOPE_ERRORS)
        place = &scope->coir__errors[index];
    else if (index - COIR_SCOPE_ERRORS < scope->coir__error_capacity)
        place = &scope->coir__more_errors[index - COIR_SCOPE_ERRORS];
    if (place == NULL)
        return;
    *place = (coir_error){.rc = rc, .fn = child != NULL ? child->fn : NULL};
    if (child != NULL)
        memcpy(place->name, child->name, sizeof place->name);
}

/* One that was told to stop and says so has not failed. */
static bool is_failure(int rc, bool cancelled) {
    return rc < 0 && !(rc == -ECANCELED && cancelled);
}

void coir__scope_judge(coir_scope *scope, const struct coir__task *child, int rc) {
    if (rc < 0) {
        if (is_failure(rc, child->effective || child->told)) {
            note_error(scope, child, rc);
            if (scope->coir__policy == COIR_FAIL_FAST)
                coir_scope_cancel(scope);
        }
    } else if (scope->coir__policy == COIR_RACE) {
        scope->coir__won = true;
        coir_scope_cancel(scope);
    }
}

/* ---- Closing ---- */

/* Until the last child has ended; once it has, a task from elsewhere may spawn another one before
 * the owner runs. */
coir__inline void wait_for_last(struct coir__runtime *rt, coir_scope *scope) {
    coir_waiter wait = {.cut = NULL, .what = coir__what_close, .object = scope};
    scope->coir__closer = &wait;
    (void)coir__park(rt, rt->current, &wait);
}

static coir__noinline void wait_for_children(struct coir__runtime *rt, coir_scope *scope) {
    while (scope->coir__live > 0)
        wait_for_last(rt, scope);
}

/* What the close comes to, if anything but `rc`: law 7, in its order. `lone`: the body came to
 * -ECANCELED though nobody had cancelled it. */
static coir__noinline int outcome(const coir_scope *scope, int rc, bool lone) {
    if (rc < 0 && rc != -ECANCELED)
        return rc;
    if (scope->coir__first_error != 0 && !scope->coir__won)
        return scope->coir__first_error;
    const bool cut = scope->coir__cut != 0;
    if (cut && (cancelled_from_outside(scope) || !scope->coir__cancelled)) {
        coir__cut_around(scope); /* or what was around it, until it was shielded */
        return -ECANCELED;
    }
    if (cut && scope->coir__expired)
        return scope->coir__move_on ? 0 : -ETIMEDOUT;
    if (lone || (scope->coir__lone_cut && !scope->coir__won))
        return -ECANCELED;
    if (rc == -ECANCELED && scope->coir__cancelled)
        return 0;
    return rc;
}

/* Not 0 where a child failed or won, or something was cut. */
coir__inline uint64_t events(const coir_scope *scope) {
    uint64_t ends;
    memcpy(&ends, &scope->coir__first_error, sizeof ends);
    return ends | scope->coir__cut;
}

/* Takes the scope out of its owner's chain, whose due is that of the place it gets back to. */
coir__inline void leave(struct coir__task *owner, coir_scope *scope) {
    coir_scope *const outer = scope->coir__outer;
    bool effective;
    coir_time due;
    owner->scope = outer;
    if (outer != NULL) {
        outer->coir__inner = NULL;
        effective = outer->coir__effective;
        due = outer->coir__due;
    } else {
        owner->outermost = NULL;
        effective = owner->effective;
        due = owner->home->coir__due;
    }
    scope->coir__state = COIR_SCOPE_CLOSED;
    if (unlikely(effective)) {
        owner->due = COIR_CUT;
    } else {
        owner->due = due;
        owner->cuts_in_a_row = 0;
    }
}

static _Noreturn coir__cold void refuse_crossing(const struct coir__task *self,
                                                 const coir_scope *scope) {
    char task[128], outer[64], inner[64];
    coir__fatal("%s closes %s while %s, opened inside it, is still open; close the inner one first",
                coir__task_label(self, task, sizeof task),
                coir__scope_label(scope, outer, sizeof outer),
                coir__scope_label(self->scope, inner, sizeof inner));
}

static coir__noinline int finish_slow(struct coir__runtime *rt, coir_scope *scope, int rc,
                                      bool lone) {
    const int result = rc < 0 || events(scope) != 0 ? outcome(scope, rc, lone) : rc;
    if (list_linked(&scope->coir__timer.link))
        coir__wheel_disarm(&rt->wheel, &scope->coir__timer);
    if (scope->coir__records != NULL)
        coir__records_free(scope);
    leave(rt->current, scope);
    return result;
}

/* Once all children have ended. */
coir__inline int finish(struct coir__runtime *rt, coir_scope *scope, int rc) {
    const uint64_t kept = (uintptr_t)scope->coir__records | (uintptr_t)scope->coir__timer.link.next;
    if (unlikely((events(scope) | kept) != 0))
        return finish_slow(rt, scope, rc, false);
    leave(rt->current, scope);
    return rc;
}

static coir__noinline int close_waiting(struct coir__runtime *rt, coir_scope *scope, int rc) {
    wait_for_last(rt, scope);
    if (unlikely(scope->coir__live > 0))
        wait_for_children(rt, scope);
    return finish(rt, scope, rc);
}

/* The body has come to an error. */
static coir__noinline int close_failed(struct coir__runtime *rt, coir_scope *scope, int rc) {
    const bool failed = is_failure(rc, scope->coir__effective || scope->coir__cut != 0);
    if (failed) {
        note_error(scope, NULL, rc);
        if (scope->coir__policy != COIR_SUPERVISE)
            coir_scope_cancel(scope);
    }
    wait_for_children(rt, scope);
    return finish_slow(rt, scope, rc, failed && rc == -ECANCELED);
}

/* Why the scope cannot be closed. */
static coir__cold int refuse_close(const coir_scope *scope) {
    if (coir__rt == NULL)
        return coir__outside();
    if (is_open(scope)) {
        if (scope->coir__owner == coir__rt->current)
            refuse_crossing(scope->coir__owner, scope);
        coir__misuse_of_scope(coir__rt, scope);
        return -EPERM;
    }
    return scope != NULL && scope->coir__state == COIR_SCOPE_REFUSED ? scope->coir__refused
                                                                     : -EINVAL;
}

int coir_scope_close(coir_scope *scope, int rc) {
    struct coir__runtime *const rt = coir__rt;
    if (unlikely(rt == NULL) || unlikely(scope == NULL) || unlikely(rt->current->scope != scope))
        return refuse_close(scope);
    if (unlikely(rc < 0))
        return close_failed(rt, scope, rc);
    return scope->coir__live > 0 ? close_waiting(rt, scope, rc) : finish(rt, scope, rc);
}

static coir__cold void leave_open(struct coir__runtime *rt, coir_scope *scope, const void *from) {
    if (COIR_DEBUG)
        coir__left_tell(rt, scope, from);
    rt->scopes_left_open++;
    coir_scope_cancel(scope);
    (void)coir_scope_close(scope, 0);
}

void coir_scope_guard(coir_scope *scope) {
    if (is_open(scope) && coir__rt != NULL)
        leave_open(coir__rt, scope, __builtin_return_address(0));
}

/* ---- Cancelling, looking, changing ---- */

void coir_scope_cancel(coir_scope *scope) {
    if (scope == NULL || scope->coir__cancelled)
        return;
    if (scope->coir__state == COIR_SCOPE_FRESH) {
        scope->coir__cancelled = true; /* counts from the opening on */
    } else if (is_open(scope) && coir__rt != NULL && scope->coir__runtime == coir__rt) {
        coir__cancel(scope);
    }
}

bool coir_scope_cancelled(const coir_scope *scope) {
    return scope != NULL && scope->coir__cancelled;
}

bool coir_scope_expired(const coir_scope *scope) {
    return scope != NULL && scope->coir__expired;
}

coir_time coir_scope_deadline(const coir_scope *scope) {
    return scope != NULL && scope->coir__timer.deadline != 0 ? scope->coir__timer.deadline
                                                             : COIR_NEVER;
}

int coir_scope_set_deadline(coir_scope *scope, coir_time deadline) {
    struct coir__runtime *const rt = coir__rt;
    if (rt == NULL)
        return coir__outside();
    if (!is_open(scope) || scope->coir__runtime != rt || scope->coir__cancelled || deadline <= 0)
        return -EINVAL;
    const coir_time now = coir__clock(rt);
    if (scope->coir__timer.deadline <= now) { /* its timer just has not fired yet */
        coir__expire(scope);
        return -EINVAL;
    }
    coir__wheel_disarm(&rt->wheel, &scope->coir__timer);
    scope->coir__timer.deadline = deadline;
    if (deadline <= now) {
        coir__expire(scope);
    } else {
        if (deadline != COIR_NEVER)
            arm_deadline(rt, scope);
        coir__refresh(scope);
    }
    return 0;
}

int coir_scope_set_shield(coir_scope *scope, bool shield) {
    if (coir__rt == NULL)
        return coir__outside();
    if (!is_open(scope) || scope->coir__runtime != coir__rt)
        return -EINVAL;
    scope->coir__shield = shield;
    coir__refresh(scope);
    return 0;
}

size_t coir_scope_errors(const coir_scope *scope, coir_error *out, size_t capacity) {
    if (scope == NULL)
        return 0;
    if (COIR_DEBUG)
        ((coir_scope *)(uintptr_t)scope)->coir__read = true;
    for (size_t i = 0; out != NULL && i < capacity && i < scope->coir__error_count; i++) {
        if (i < COIR_SCOPE_ERRORS)
            out[i] = scope->coir__errors[i];
        else if (i - COIR_SCOPE_ERRORS < scope->coir__error_capacity)
            out[i] = scope->coir__more_errors[i - COIR_SCOPE_ERRORS];
        else
            break;
    }
    return scope->coir__error_count;
}

coir_time coir_effective_deadline(void) {
    if (coir__rt == NULL)
        return COIR_NEVER;
    const coir_time due = coir__rt->current->due;
    return due == COIR_CUT ? 0 : due;
}
