/* Cancellation and deadlines: which of them reach where, and cutting those who wait there.
 *
 * Each scope knows whether it is effectively cancelled and the earliest deadline that reaches its
 * inside; each task keeps both for its innermost place, folded into `due`. When a property of a
 * scope changes, the change is carried inwards: along the owner's chain of scopes, and, through a
 * work list of those that changed, to the tasks that live in them. Nothing recurses or allocates.
 */
#include "core/runtime.h"

/* Scopes that changed, of whose children that is not yet known. */
struct worklist {
    coir_scope *head, **tail;
};

/* The scope around a scope; NULL for the root. */
static coir_scope *around(const coir_scope *scope) {
    if (scope->coir__outer != NULL)
        return scope->coir__outer;
    return scope->coir__owner != NULL ? scope->coir__owner->home : NULL;
}

/* Remembers which scopes a cut came from, from this one outwards: their close reports it. Stops
 * where another cut has been since anything changed: the way on is marked. */
static void mark_outwards(coir_scope *scope) {
    const uint64_t epoch = coir__rt->epoch;
    for (; scope != NULL && scope->coir__effective && scope->coir__cut != epoch;
         scope = around(scope)) {
        scope->coir__cut = epoch;
        if (scope->coir__shield)
            break;
    }
}

void coir__mark_cut(struct coir__task *task) {
    task->told |= task->effective;
    mark_outwards(coir__innermost(task));
}

void coir__cut_around(const coir_scope *scope) {
    struct coir__task *const owner = scope->coir__owner;
    owner->told |= owner->effective;
    if (!scope->coir__shield)
        mark_outwards(around(scope));
}

static void cut(struct coir__task *task) {
    coir_waiter *const wait = task->wait;
    if (wait->cut == NULL || !wait->cut(wait))
        return;
    coir__mark_cut(task); /* `wait` may be gone by now */
    coir__resume(coir__rt, task, -ECANCELED);
}

static void add(struct worklist *work, coir_scope *scope) {
    scope->coir__visit = NULL;
    *work->tail = scope;
    work->tail = &scope->coir__visit;
}

/* Carries what reaches `scope` from outside inwards to the owner's present place. Stops where
 * nothing changes. `task` is the owner; NULL for the root scope. */
static void carry(struct worklist *work, struct coir__task *task, coir_scope *scope, bool effective,
                  coir_time due) {
    const bool doomed = coir__rt->doomed;
    for (; scope != NULL; scope = scope->coir__inner) {
        const coir_time own = scope->coir__timer.deadline;
        if (scope->coir__shield) {
            effective = false;
            due = COIR_NEVER;
        }
        effective = doomed || effective || scope->coir__cancelled;
        due = own < due ? own : due;
        if (!doomed && effective == scope->coir__effective && due == scope->coir__due)
            return;
        scope->coir__effective = effective;
        scope->coir__due = due;
        add(work, scope);
    }
    if (task == NULL)
        return;
    task->due = effective ? COIR_CUT : due;
    if (effective && task->wait != NULL)
        cut(task);
}

static void carry_from_home(struct worklist *work, struct coir__task *task) {
    task->effective = coir__rt->doomed || task->cancelled || task->home->coir__effective;
    carry(work, task, task->outermost, task->effective, task->home->coir__due);
}

static struct coir__task *child_of(struct coir__link *sibling) {
    return list_entry(sibling, struct coir__task, sibling);
}

/* So many further, but not beyond the head, which is the end. */
static struct coir__link *further(struct coir__link *link, const struct coir__link *head,
                                  unsigned count) {
    for (; count > 0 && link != head; count--)
        link = link->next;
    return link;
}

static void fetch_wait(const struct coir__task *task) {
    const char *const wait = (const char *)task->wait;
    if (wait == NULL)
        return;
    __builtin_prefetch(wait, 1);
    __builtin_prefetch(wait + COIR_CACHE_LINE, 1);
}

/* In the order in which they were spawned; a cut takes nobody out of the list. Each child has a
 * page of its own, and of many most are in no cache. So two look-outs go ahead: one finds where the
 * blocks are, the other, to whom those have come by then, what the tasks wait with. */
static void reach_children(struct worklist *work, coir_scope *scope) {
    enum { AHEAD = 4 };
    struct coir__link *const head = &scope->coir__children;
    struct coir__link *near = further(head->next, head, AHEAD);
    struct coir__link *far = further(near, head, AHEAD);
    for (struct coir__link *link = head->next; link != head; link = link->next) {
        if (far != head)
            __builtin_prefetch(child_of(far), 1);
        if (near != head)
            fetch_wait(child_of(near));
        near = further(near, head, 1);
        far = further(far, head, 1);
        carry_from_home(work, child_of(link));
    }
}

static void finish(struct worklist *work) {
    while (work->head != NULL) {
        coir_scope *const scope = work->head;
        work->head = scope->coir__visit;
        if (work->head == NULL)
            work->tail = &work->head;
        reach_children(work, scope);
    }
}

void coir__refresh(coir_scope *scope) {
    struct worklist work = {.head = NULL, .tail = &work.head};
    struct coir__task *const owner = scope->coir__owner;
    const coir_scope *const outer = scope->coir__outer;
    coir__rt->epoch++;
    if (outer != NULL)
        carry(&work, owner, scope, outer->coir__effective, outer->coir__due);
    else if (owner != NULL)
        carry(&work, owner, scope, owner->effective, owner->home->coir__due);
    else
        carry(&work, NULL, scope, false, COIR_NEVER);
    finish(&work);
}

void coir__refresh_task(struct coir__task *task) {
    struct worklist work = {.head = NULL, .tail = &work.head};
    coir__rt->epoch++;
    carry_from_home(&work, task);
    finish(&work);
}

void coir__cancel(coir_scope *scope) {
    scope->coir__cancelled = true;
    if (unlikely(coir__rt->observer.reasons != 0))
        coir__observe_cancel(coir__rt, scope);
    coir__refresh(scope);
}

void coir__expire(coir_scope *scope) {
    coir__wheel_disarm(&coir__rt->wheel, &scope->coir__timer);
    if (scope->coir__cancelled) /* something else has cut it; this deadline has not */
        return;
    scope->coir__expired = true;
    coir__cancel(scope);
}

/* Expires every scope around the task whose deadline has passed, though its timer has not fired
 * yet: the outermost too, because that one shall have the credit. */
static void expire_around(struct coir__task *self, coir_time now) {
    for (coir_scope *scope = coir__innermost(self); scope != NULL; scope = around(scope)) {
        if (!scope->coir__cancelled && scope->coir__timer.deadline <= now)
            coir__expire(scope);
        if (scope->coir__shield)
            break;
    }
}

/* A task that goes on calling after it was told to stop must not keep the others from running. */
static void count_ignored(struct coir__runtime *rt, struct coir__task *self, const void *from) {
    enum { YIELD_EVERY = 16, NAME_AT = 1024 };
    self->cuts_in_a_row++;
    self->tidy_up |= COIR_TIDY_MORE;
    if (self->cuts_in_a_row % YIELD_EVERY != 0)
        return;
    rt->cuts_ignored++;
    if (self->cuts_in_a_row == NAME_AT)
        coir__ignored_tell(rt, NAME_AT, from);
    coir__yield_turn(rt, self);
}

bool coir__is_cut(struct coir__runtime *rt, struct coir__task *self) {
    if (self->due != COIR_CUT && self->due != COIR_NEVER) {
        const coir_time now = coir__clock(rt);
        if (now >= self->due)
            expire_around(self, now);
    }
    return self->due == COIR_CUT;
}

void coir__told(struct coir__runtime *rt, struct coir__task *self) {
    coir__mark_cut(self);
    count_ignored(rt, self, __builtin_return_address(0));
}

coir__noinline int coir__check_slow(struct coir__runtime *rt, struct coir__task *self) {
    if (!coir__is_cut(rt, self))
        return 0;
    coir__told(rt, self);
    return -ECANCELED;
}
