/* Results as they complete: what coir_next tells, and to whom.
 *
 * A scope keeps the records of its tasks with handles. Those that have ended queue in coir__untold
 * until told; a task that waits for the next one queues in coir__nexters. At most one of the two
 * has members. What serves them is set up with the first handle, so that a scope without handles
 * pays nothing. */
#include "coir/combine.h"
#include "core/runtime.h"

/* One task waiting in coir_next. */
struct nexter {
    coir_waiter wait;
    struct coir__link link;
    coir_task task; /* these two are filled in by the end of a task */
    int rc;
};

void coir__next_expect(coir_scope *scope, struct coir__record *record) {
    if (scope->coir__records == NULL) {
        scope->coir__expected = 0;
        list_init(&scope->coir__untold);
        list_init(&scope->coir__nexters);
    }
    record->next = scope->coir__records;
    scope->coir__records = record;
    scope->coir__expected++;
}

static void tell(struct nexter *nexter, const struct coir__record *record) {
    nexter->task = (coir_task){.coir__record = (void *)(uintptr_t)record,
                               .coir__generation = record->generation};
    nexter->rc = record->result;
}

/* The longest waiting task, taken out of the queue. */
static struct nexter *take_nexter(coir_scope *scope) {
    struct nexter *const nexter = list_entry(scope->coir__nexters.next, struct nexter, link);
    list_take(&nexter->link);
    return nexter;
}

void coir__next_ended(coir_scope *scope, struct coir__record *record) {
    scope->coir__expected--;
    if (list_empty(&scope->coir__nexters)) {
        list_append(&scope->coir__untold, &record->untold);
    } else {
        struct nexter *const nexter = take_nexter(scope);
        tell(nexter, record);
        coir__wake(coir__rt, &nexter->wait, 0);
    }
    while (scope->coir__expected == 0 && !list_empty(&scope->coir__nexters))
        coir__wake(coir__rt, &take_nexter(scope)->wait, -ENOENT);
}

static bool cut_next(coir_waiter *wait) {
    list_take(&((struct nexter *)(void *)wait)->link);
    return true;
}

/* Fills in the nexter; waits if need be. */
static int next(struct coir__runtime *rt, coir_scope *scope, struct nexter *nexter) {
    if (scope->coir__records == NULL)
        return -ENOENT;
    if (!list_empty(&scope->coir__untold)) {
        struct coir__link *const first = scope->coir__untold.next;
        list_take(first);
        tell(nexter, list_entry(first, struct coir__record, untold));
        return 0;
    }
    if (scope->coir__expected == 0)
        return -ENOENT;
    const struct coir__task *const self = rt->current;
    if (scope->coir__expected == 1 && self->home == scope && self->record != &self->own)
        return -EDEADLK; /* only its own end is left */
    list_append(&scope->coir__nexters, &nexter->link);
    return coir__park(rt, rt->current, &nexter->wait);
}

int coir_next(coir_scope *scope, coir_task *task, int *rc) {
    struct coir__runtime *const rt = coir__rt;
    if (rt == NULL)
        return coir__outside();
    COIR_TRY(coir__check(rt, rt->current));
    if (scope == NULL || scope->coir__state != COIR_SCOPE_OPEN || scope->coir__runtime != rt)
        return -EINVAL;
    struct nexter nexter = {.wait = {.cut = cut_next, .what = coir__what_next, .object = scope}};
    COIR_TRY(next(rt, scope, &nexter));
    if (task != NULL)
        *task = nexter.task;
    if (rc != NULL)
        *rc = nexter.rc;
    return 0;
}
