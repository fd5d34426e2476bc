/* Mutexes, and what becomes of locks whose owner ends.
 *
 * A mutex with waiters is never free: unlock makes the first of them the owner, long before it
 * runs. Among the waiters may be tasks on their way back from a condition (cond.c). */
#include "sync/lock.h"

/* ---- Owners ---- */

void coir__mutex_pass_on(struct coir__runtime *rt, struct coir__lock *lock) {
    coir__lock_drop(lock);
    struct coir__queued *const next = coir__queued_pop(&lock->waiters);
    if (next == NULL)
        return;
    coir__lock_take(lock, next->wait.coir__task);
    coir__wake(rt, &next->wait, 0);
}

/* Those asleep too: nobody can signal them any more, because nobody can lock the mutex. */
static void abandon(struct coir__runtime *rt, struct coir__lock *lock) {
    struct coir__link *link;
    coir__lock_drop(lock);
    lock->owner = COIR_LOCK_DEAD;
    coir__wake_all(rt, &lock->waiters, -EOWNERDEAD);
    while ((link = queue_pop(&lock->asleep)) != NULL) {
        struct coir__sleeper *const sleeper = list_entry(link, struct coir__sleeper, asleep);
        queue_take(sleeper->queued.queue, &sleeper->queued.link);
        coir__wake(rt, &sleeper->queued.wait, -EOWNERDEAD);
    }
}

coir__cold void coir__lock_lost(const struct coir__task *owner) {
    char label[128];
    coir__fatal("%s locked a mutex or rwlock whose memory was freed or overwritten before it was "
                "unlocked; unlock it on every path",
                coir__task_label(owner, label, sizeof label));
}

/* Whether the lock lies on the stack of the task itself, in a frame that is gone when it ends. */
static bool is_on_stack_of(const struct coir__lock *lock, const struct coir__task *task) {
    const uintptr_t low = (uintptr_t)task->shadow.low;
    return (uintptr_t)lock >= low && (uintptr_t)lock < low + task->shadow.size_bytes;
}

void coir__locks_abandon(struct coir__runtime *rt, struct coir__task *self) {
    while (self->held != NULL) {
        if (is_on_stack_of(self->held, self) || self->held->owner != self)
            coir__lock_lost(self);
        coir__misuse_of_end(rt, self->held);
        abandon(rt, self->held);
    }
}

/* ---- Locking ---- */

static coir__noinline int lock_slow(struct coir__runtime *rt, struct coir__lock *lock) {
    COIR_TRY(coir__check(rt, rt->current));
    if (lock->owner == rt->current)
        coir__misuse_of_lock(rt, "locks mutex", lock, "it would wait for itself");
    COIR_TRY(coir__lock_refused(lock, rt->current));
    if (lock->owner != NULL)
        return coir__wait_in(rt, &lock->waiters, coir__what_mutex, lock);
    coir__lock_take(lock, rt->current);
    return 0;
}

/* Where the mutex is another task's, and nothing else is in the way, it waits without a frame. */
static coir__noinline int lock_contended(struct coir__runtime *rt, struct coir__lock *lock) {
    struct coir__task *const self = rt->current;
    if (lock->owner == self || !coir__lock_held(lock) || !coir__unhindered(rt, self))
        return lock_slow(rt, lock);
    return coir__park_unhindered(rt, self,
                                 coir__queue_up(self, &lock->waiters, coir__what_mutex, lock));
}

int coir_mutex_lock(coir_mutex *mutex) {
    struct coir__runtime *const rt = coir__rt;
    if (unlikely(rt == NULL))
        return coir__outside();
    if (unlikely(mutex == NULL))
        return -EINVAL;
    struct coir__lock *const lock = &mutex->coir__lock;
    struct coir__task *const self = rt->current;
    if (unlikely(self->due != COIR_NEVER) || unlikely(lock->owner != NULL))
        return lock_contended(rt, lock);
    coir__lock_take(lock, self);
    return 0;
}

int coir_mutex_try_lock(coir_mutex *mutex) {
    struct coir__runtime *const rt = coir__rt;
    COIR_TRY(coir__refused(rt, mutex));
    struct coir__lock *const lock = &mutex->coir__lock;
    COIR_TRY(coir__lock_refused(lock, rt->current));
    if (lock->owner != NULL)
        return -EAGAIN;
    coir__lock_take(lock, rt->current);
    return 0;
}

static coir__noinline int unlock_slow(struct coir__runtime *rt, struct coir__lock *lock) {
    if (lock->owner != rt->current) {
        coir__misuse_of_lock(rt, "unlocks mutex", lock, "only its owner may");
        return -EPERM;
    }
    coir__mutex_pass_on(rt, lock);
    return 0;
}

int coir_mutex_unlock(coir_mutex *mutex) {
    struct coir__runtime *const rt = coir__rt;
    if (unlikely(rt == NULL))
        return coir__outside();
    if (unlikely(mutex == NULL))
        return -EINVAL;
    struct coir__lock *const lock = &mutex->coir__lock;
    struct coir__task *const self = rt->current;
    if (unlikely(self->held != lock) || unlikely(!queue_empty(&lock->waiters)))
        return unlock_slow(rt, lock);
    self->held = lock->next;
    lock->owner = NULL;
    return 0;
}

coir_task coir_mutex_owner(const coir_mutex *mutex) {
    if (coir__rt == NULL || mutex == NULL || !coir__lock_held(&mutex->coir__lock))
        return (coir_task){.coir__record = NULL};
    struct coir__record *const record = mutex->coir__lock.owner->record;
    return (coir_task){.coir__record = record, .coir__generation = record->generation};
}

int coir_mutex_destroy(coir_mutex *mutex) {
    if (mutex == NULL)
        return 0;
    if (coir__lock_held(&mutex->coir__lock) || !queue_empty(&mutex->coir__lock.asleep))
        return -EBUSY;
    *mutex = (coir_mutex){.coir__lock.owner = NULL};
    return 0;
}
