/* Once. The right to run is handed on like a lock: while somebody runs, the others wait; one that
 * fails makes the first of them the runner; one that succeeds makes an end. */
#include <limits.h>

#include "sync/queued.h"

/* What the wait of one returns whose turn it is; no success, and no errno. */
#define YOUR_TURN INT_MIN

static void pass_on(struct coir__runtime *rt, coir_once *once) {
    struct coir__queued *const next = coir__queued_pop(&once->coir__waiters);
    once->coir__runner = next != NULL ? next->wait.coir__task : NULL;
    if (next != NULL)
        coir__wake(rt, &next->wait, YOUR_TURN);
}

static int run(struct coir__runtime *rt, coir_once *once, coir_fn fn, void *arg) {
    const int rc = fn(arg);
    if (rc < 0) {
        pass_on(rt, once);
        return rc;
    }
    once->coir__runner = NULL;
    once->coir__done = true;
    once->coir__value = rc;
    coir__wake_all(rt, &once->coir__waiters, rc);
    return rc;
}

int coir_once_run(coir_once *once, coir_fn fn, void *arg) {
    struct coir__runtime *const rt = coir__rt;
    COIR_TRY(coir__refused(rt, once));
    if (fn == NULL)
        return -EINVAL;
    struct coir__task *const self = rt->current;
    COIR_TRY(coir__check(rt, self));
    if (once->coir__done)
        return once->coir__value;
    if (once->coir__runner == self) {
        coir__misuse(rt, "calls coir_once_run from within its function, which would never end");
        return -EDEADLK;
    }
    if (once->coir__runner != NULL) {
        const int rc = coir__wait_in(rt, &once->coir__waiters, coir__what_once, once);
        if (rc != YOUR_TURN)
            return rc;
    }
    once->coir__runner = self;
    return run(rt, once, fn, arg);
}

int coir_once_destroy(coir_once *once) {
    if (once == NULL)
        return 0;
    if (once->coir__runner != NULL)
        return -EBUSY;
    *once = (coir_once){.coir__done = false};
    return 0;
}
