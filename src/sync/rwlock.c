/* Rwlocks: one queue for readers and writers, so that neither side starves.
 *
 * Whoever leaves, the lock or the queue, lets in from the head of the queue as many as fit: readers
 * until a writer comes, or one writer. So the queue is empty unless its head cannot enter. */
#include "sync/lock.h"

struct rw_waiter {
    struct coir__queued queued;
    coir_rwlock *rwlock;
    bool writes;
};

static bool has_room(const coir_rwlock *rwlock, bool writes) {
    return rwlock->coir__lock.owner == NULL && (!writes || rwlock->coir__readers == 0);
}

static void enter(coir_rwlock *rwlock, struct coir__task *task, bool writes) {
    if (writes)
        coir__lock_take(&rwlock->coir__lock, task);
    else
        rwlock->coir__readers++;
}

/* Returns 0. */
static coir__noinline int let_in(struct coir__runtime *rt, coir_rwlock *rwlock) {
    struct coir__queue *const waiters = &rwlock->coir__lock.waiters;
    while (!queue_empty(waiters)) {
        struct rw_waiter *const first = (struct rw_waiter *)(void *)coir__queued_of(waiters->first);
        if (!has_room(rwlock, first->writes))
            break;
        queue_take(waiters, &first->queued.link);
        enter(rwlock, first->queued.wait.coir__task, first->writes);
        coir__wake(rt, &first->queued.wait, 0);
    }
    return 0;
}

/* A writer that was first may have kept readers out. */
static bool cut_waiter(coir_waiter *wait) {
    coir_rwlock *const rwlock = ((struct rw_waiter *)(void *)wait)->rwlock;
    (void)coir__queued_cut(wait);
    (void)let_in(coir__rt, rwlock);
    return true;
}

static bool is_open(const coir_rwlock *rwlock, bool writes) {
    return has_room(rwlock, writes) && queue_empty(&rwlock->coir__lock.waiters);
}

static coir__noinline int lock_slow(struct coir__runtime *rt, coir_rwlock *rwlock, bool writes) {
    COIR_TRY(coir__check(rt, rt->current));
    if (rwlock->coir__lock.owner == rt->current)
        coir__misuse_of_lock(rt, "locks rwlock", &rwlock->coir__lock, "it would wait for itself");
    COIR_TRY(coir__lock_refused(&rwlock->coir__lock, rt->current));
    if (is_open(rwlock, writes)) {
        enter(rwlock, rt->current, writes);
        return 0;
    }
    struct rw_waiter waiter = {.queued.wait = {.cut = cut_waiter,
                                               .what = writes ? coir__what_write : coir__what_read,
                                               .object = rwlock},
                               .rwlock = rwlock,
                               .writes = writes};
    return coir__queued_park(rt, &rwlock->coir__lock.waiters, &waiter.queued);
}

coir__inline int lock(coir_rwlock *rwlock, bool writes) {
    struct coir__runtime *const rt = coir__rt;
    if (unlikely(rt == NULL))
        return coir__outside();
    if (unlikely(rwlock == NULL))
        return -EINVAL;
    if (unlikely(rt->current->due != COIR_NEVER) || unlikely(!is_open(rwlock, writes)))
        return lock_slow(rt, rwlock, writes);
    enter(rwlock, rt->current, writes);
    return 0;
}

static int try_lock(coir_rwlock *rwlock, bool writes) {
    const struct coir__runtime *const rt = coir__rt;
    COIR_TRY(coir__refused(rt, rwlock));
    COIR_TRY(coir__lock_refused(&rwlock->coir__lock, rt->current));
    if (!is_open(rwlock, writes))
        return -EAGAIN;
    enter(rwlock, rt->current, writes);
    return 0;
}

int coir_rwlock_read_lock(coir_rwlock *rwlock) {
    return lock(rwlock, false);
}

int coir_rwlock_try_read_lock(coir_rwlock *rwlock) {
    return try_lock(rwlock, false);
}

int coir_rwlock_write_lock(coir_rwlock *rwlock) {
    return lock(rwlock, true);
}

int coir_rwlock_try_write_lock(coir_rwlock *rwlock) {
    return try_lock(rwlock, true);
}

int coir_rwlock_unlock(coir_rwlock *rwlock) {
    struct coir__runtime *const rt = coir__rt;
    if (unlikely(rt == NULL))
        return coir__outside();
    if (unlikely(rwlock == NULL))
        return -EINVAL;
    if (rwlock->coir__lock.owner == rt->current) {
        coir__lock_drop(&rwlock->coir__lock);
    } else if (rwlock->coir__readers > 0) {
        rwlock->coir__readers--;
    } else {
        coir__misuse_of_lock(rt, "unlocks rwlock", &rwlock->coir__lock, "only who locked it may");
        return -EPERM;
    }
    return likely(queue_empty(&rwlock->coir__lock.waiters)) ? 0 : let_in(rt, rwlock);
}

int coir_rwlock_destroy(coir_rwlock *rwlock) {
    if (rwlock == NULL)
        return 0;
    if (rwlock->coir__readers > 0 || coir__lock_held(&rwlock->coir__lock))
        return -EBUSY;
    *rwlock = (coir_rwlock){.coir__readers = 0};
    return 0;
}
