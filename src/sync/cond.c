/* Conditions. A wait is one park: first in the queue of the condition, then in that of the mutex.
 *
 * A signal moves the first waiter from the one queue to the other, where an unlock will make it the
 * owner, and ready. A cut moves it the same way, unless the mutex is free, which it takes then; so
 * it comes back as the owner always. Once on its way it can be cut no more: either it was
 * signalled, and completion wins, or it was cut already.
 *
 * While in the condition's queue a waiter is also asleep in the mutex: if a task ends holding that,
 * there can be no signal any more, and the sleepers are told. */
#include <limits.h>

#include "sync/lock.h"

static void leave(struct coir__sleeper *sleeper) {
    queue_take(sleeper->queued.queue, &sleeper->queued.link);
    queue_take(&sleeper->lock->asleep, &sleeper->asleep);
}

/* From the condition to the queue of the mutex, which somebody holds. */
static void queue_for_mutex(struct coir__sleeper *sleeper) {
    struct coir__queued *const queued = &sleeper->queued;
    leave(sleeper);
    queued->wait.cut = NULL;
    queued->wait.what = coir__what_mutex;
    queued->wait.object = sleeper->lock;
    queue_append(&sleeper->lock->waiters, &queued->link);
}

static bool cut_sleeper(coir_waiter *wait) {
    struct coir__sleeper *const sleeper = (struct coir__sleeper *)(void *)wait;
    if (sleeper->lock->owner != NULL) {
        sleeper->was_cut = true;
        coir__mark_cut(wait->coir__task); /* by the time it can say so, things may have changed */
        queue_for_mutex(sleeper);
        return false;
    }
    leave(sleeper);
    coir__lock_take(sleeper->lock, wait->coir__task);
    return true;
}

/* Why the calling task cannot use the condition with the mutex; 0 if it can. */
static int refused(struct coir__runtime *rt, const coir_cond *cond, const coir_mutex *mutex) {
    COIR_TRY(coir__refused(rt, cond));
    COIR_TRY(coir__refused(rt, mutex));
    if (mutex->coir__lock.owner != rt->current) {
        coir__misuse_of_lock(rt, "uses a condition with mutex", &mutex->coir__lock,
                             "lock it first");
        return -EPERM;
    }
    if (queue_empty(&cond->coir__waiters))
        return 0;
    const struct coir__sleeper *const first =
        (struct coir__sleeper *)(void *)coir__queued_of(cond->coir__waiters.first);
    return first->lock == &mutex->coir__lock ? 0 : -EINVAL;
}

int coir_cond_wait(coir_cond *cond, coir_mutex *mutex) {
    struct coir__runtime *const rt = coir__rt;
    COIR_TRY(refused(rt, cond, mutex));
    COIR_TRY(coir__check(rt, rt->current));
    struct coir__sleeper sleeper = {
        .queued.wait = {.cut = cut_sleeper, .what = coir__what_condition, .object = cond},
        .lock = &mutex->coir__lock};
    queue_append(&mutex->coir__lock.asleep, &sleeper.asleep);
    coir__mutex_pass_on(rt, &mutex->coir__lock);
    const int rc = coir__queued_park(rt, &cond->coir__waiters, &sleeper.queued);
    if (rc == 0 && sleeper.was_cut) {
        coir__told(rt, rt->current);
        return -ECANCELED;
    }
    return rc;
}

int coir_cond_wait_for(coir_cond *cond, coir_mutex *mutex, bool (*ready)(void *arg), void *arg) {
    struct coir__runtime *const rt = coir__rt;
    COIR_TRY(refused(rt, cond, mutex));
    if (ready == NULL)
        return -EINVAL;
    COIR_TRY(coir_check());
    while (!ready(arg))
        COIR_TRY(coir_cond_wait(cond, mutex));
    return 0;
}

int coir_cond_signal(coir_cond *cond, coir_mutex *mutex, size_t count) {
    COIR_TRY(refused(coir__rt, cond, mutex));
    int woken = 0;
    while ((size_t)woken < count && woken < INT_MAX && !queue_empty(&cond->coir__waiters)) {
        struct coir__queued *const first = coir__queued_of(cond->coir__waiters.first);
        queue_for_mutex((struct coir__sleeper *)(void *)first);
        woken++;
    }
    return woken;
}

int coir_cond_broadcast(coir_cond *cond, coir_mutex *mutex) {
    return coir_cond_signal(cond, mutex, SIZE_MAX);
}

int coir_cond_destroy(coir_cond *cond) {
    if (cond != NULL && !queue_empty(&cond->coir__waiters))
        return -EBUSY;
    return 0;
}
