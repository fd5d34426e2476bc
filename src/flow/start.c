/* Starting a task and waiting until it says that it is ready.
 *
 * What joins the two is a watch on the child, the first in its record, since it is put there before
 * anybody else can know of the child. It is there exactly as long as the child has neither said
 * that it is ready nor ended; the starter does not return before. */
#include "coir/combine.h"
#include "core/runtime.h"

struct start {
    coir_waiter wait; /* the starter's */
    struct coir__watch watch;
    bool left;  /* the starter was cut; it will wait for the end of the child */
    bool ended; /* the child, before it was ready */
    int rc;     /* what it returned then */
};

static bool cut_start(coir_waiter *wait) {
    ((struct start *)(void *)wait)->left = true;
    return true;
}

static void wake_starter(struct start *start, int value) {
    if (start->wait.coir__task->wait == &start->wait)
        coir__wake(coir__rt, &start->wait, value);
}

/* In the child: what it came to is told to the starter. For its scope it was cancelled. */
static void ended_before(struct coir__watch *watch, int rc) {
    struct start *const start = list_entry(watch, struct start, watch);
    struct coir__task *const child = coir__rt->current;
    child->effective = true;
    child->record->result = -ECANCELED;
    start->ended = true;
    start->rc = rc < 0 ? rc : -EPROTO;
    wake_starter(start, start->rc);
}

/* The starter was cut: no task is left behind that nobody knows of. */
static int give_up(struct start *start, coir_task child) {
    (void)coir_task_cancel(child);
    start->wait.cut = NULL;
    if (!start->ended)
        (void)coir_park(&start->wait);
    return start->rc != -EPROTO ? start->rc : -ECANCELED;
}

static int wait_for(struct start *start, struct coir__task *child) {
    const coir_task handle = {.coir__record = child->record,
                              .coir__generation = child->record->generation};
    coir__watch_add(child->record, &start->watch);
    const int rc = coir_park(&start->wait);
    return start->left ? give_up(start, handle) : rc;
}

int coir_start(coir_scope *scope, coir_fn fn, void *arg, const coir_spawn_options *options) {
    COIR_TRY(coir_check());
    COIR_TRY(coir_spawn_with(scope, fn, arg, options));
    /* Whose it is has to be known before it is parked: a cut may come in between, and then others,
     * the child too, may run before this does. */
    struct start start = {.wait = {.cut = cut_start,
                                   .what = coir__what_start,
                                   .object = scope,
                                   .coir__task = coir__rt->current},
                          .watch.ended = ended_before};
    /* It is the last of the children; so no record has to be made just to find it. */
    return wait_for(&start, list_entry(scope->coir__children.prev, struct coir__task, sibling));
}

/* The start that waits for the calling task, or NULL. */
static struct start *find_start(struct coir__runtime *rt) {
    struct coir__link *const watchers = &rt->current->record->watchers;
    if (list_empty(watchers))
        return NULL;
    struct coir__watch *const first = list_entry(watchers->next, struct coir__watch, link);
    return first->ended == ended_before ? list_entry(first, struct start, watch) : NULL;
}

int coir_started(int value) {
    if (coir__rt == NULL)
        return coir__outside();
    if (value < 0)
        return -EINVAL;
    struct start *const start = find_start(coir__rt);
    if (start == NULL)
        return -EALREADY;
    if (start->left)
        return -ECANCELED;
    coir__watch_remove(&start->watch);
    wake_starter(start, value);
    return 0;
}
