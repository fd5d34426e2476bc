/* Locks with an owner: the common part of mutex and rwlock.
 *
 * A task knows the locks it holds, so that the others can be told when it ends without unlocking.
 * Its list is a stack: to unlock in the reverse order of locking costs the same however many there
 * are; another order, a look at each lock taken since. */
#ifndef COIR_SYNC_LOCK_H
#define COIR_SYNC_LOCK_H

#include "sync/queued.h"

/* The owner of a lock whose owner ended. */
#define COIR_LOCK_DEAD ((struct coir__task *)1)

/* A task waiting on a condition: in the condition's queue and asleep with the lock, then in the
 * queue of those who wait for the lock. */
struct coir__sleeper {
    struct coir__queued queued;
    struct coir__link asleep;
    struct coir__lock *lock;
    bool was_cut; /* and could not have the lock at once */
};

/* Makes the task the owner of a lock that is free. */
coir__inline void coir__lock_take(struct coir__lock *lock, struct coir__task *task) {
    lock->owner = task;
    lock->next = task->held;
    task->held = lock;
}

/* Ends the program: the chain of locks a task holds is broken (mutex.c). */
_Noreturn void coir__lock_lost(const struct coir__task *owner);

/* Leaves the lock without owner. */
static inline void coir__lock_drop(struct coir__lock *lock) {
    struct coir__task *const owner = lock->owner;
    struct coir__lock **place = &owner->held;
    while (*place != lock) {
        if (unlikely(*place == NULL || (*place)->owner != owner))
            coir__lock_lost(owner);
        place = &(*place)->next;
    }
    *place = lock->next;
    lock->owner = NULL;
}

/* Whether a task holds it. */
static inline bool coir__lock_held(const struct coir__lock *lock) {
    return lock->owner != NULL && lock->owner != COIR_LOCK_DEAD;
}

/* Why the task cannot wait for the lock, or 0. */
static inline int coir__lock_refused(const struct coir__lock *lock, const struct coir__task *self) {
    if (lock->owner == self)
        return -EDEADLK;
    return lock->owner == COIR_LOCK_DEAD ? -EOWNERDEAD : 0;
}

/* Drops a mutex that the running task holds, for the first waiter if there is one (mutex.c). */
void coir__mutex_pass_on(struct coir__runtime *rt, struct coir__lock *lock);

#endif
