/* Synchronisation between the tasks of one runtime: mutex, rwlock, condition, event, semaphore,
 * limiter, barrier, once.
 *
 * Common to all. Zeroed memory is a valid object (a barrier needs its number first). An object
 * lives in the caller's memory, allocates nothing (but the limiter's table) and belongs to one
 * runtime at a time; between threads there are messages, not these. Waiters are served first come,
 * first served: whoever unlocks, releases or sets hands over to the first waiter there and then, so
 * that nobody who comes later can get in before it, by a try either. A waiter that is cut leaves
 * the queue at once, with no effect; one that was handed something keeps it.
 *
 * Calls that may park are marked so; they check for cancellation first, even if there is nothing
 * to wait for, and return -ECANCELED then. All others, the try-calls too, never park and never fail
 * by cancellation. A try-call returns -EAGAIN where its namesake would wait. Errors common to all:
 * -EPERM outside the runtime; -EINVAL for NULL. Init and destroy work outside the runtime too;
 * destroy leaves the object zeroed, does nothing for NULL, and returns -EBUSY, changing nothing, as
 * long as the object is held or waited for. */
#ifndef COIR_SYNC_H
#define COIR_SYNC_H

#include "base.h"
#include "task.h"

COIR_BEGIN_DECLS

/* Private: the tasks waiting for an object. */
struct coir__queue {
    struct coir__link *first; /* of a ring; NULL if empty */
};

/* Private: a lock with an owner. */
struct coir__lock {
    struct coir__task *owner;   /* NULL: free */
    struct coir__lock *next;    /* another lock of the same owner */
    struct coir__queue waiters; /* for the lock */
    struct coir__queue asleep;  /* on a condition, to come back to this lock */
};

/* ---- Mutex: held by one task at a time. After trio's Lock ---- */

typedef struct coir_mutex {
    struct coir__lock coir__lock;
} coir_mutex;

/* Waits until the mutex is the caller's. May park. Errors: -ECANCELED, it is not held; -EDEADLK the
 * caller holds it already; -EOWNERDEAD a task ended while it held the mutex: what the mutex
 * protects may be half-done, and every lock fails like this until coir_mutex_destroy. */
COIR_API COIR_MUST_CHECK int coir_mutex_lock(coir_mutex *mutex);

/* The same without waiting. -EAGAIN: somebody else holds it. */
COIR_API COIR_MUST_CHECK int coir_mutex_try_lock(coir_mutex *mutex);

/* Hands the mutex to the first waiter, or frees it. Errors: -EPERM the caller does not hold it. */
COIR_API int coir_mutex_unlock(coir_mutex *mutex);

/* Who holds it; the zeroed handle if nobody does, and outside the runtime. */
COIR_API coir_task coir_mutex_owner(const coir_mutex *mutex);

/* -EBUSY too while tasks wait on a condition with this mutex. */
COIR_API int coir_mutex_destroy(coir_mutex *mutex);

/* ---- Rwlock: many readers, or one writer, in order of arrival ---- */

/* Neither side starves: a reader that finds a writer waiting waits behind it, and readers that wait
 * one behind the other enter together. */
typedef struct coir_rwlock {
    struct coir__lock coir__lock; /* the owner: the writer */
    size_t coir__readers;         /* inside */
} coir_rwlock;

/* Waits until no writer is inside or waiting. May park. Readers are counted, not known: one that
 * locks again behind a writer that waits, or locks for writing too, waits for itself, and one that
 * ends inside leaves its lock taken. Errors: -ECANCELED; -EDEADLK the caller is the writer;
 * -EOWNERDEAD a writer ended inside, as with a mutex. */
COIR_API COIR_MUST_CHECK int coir_rwlock_read_lock(coir_rwlock *rwlock);
COIR_API COIR_MUST_CHECK int coir_rwlock_try_read_lock(coir_rwlock *rwlock);

/* Waits until nobody is inside. May park. Errors as above. */
COIR_API COIR_MUST_CHECK int coir_rwlock_write_lock(coir_rwlock *rwlock);
COIR_API COIR_MUST_CHECK int coir_rwlock_try_write_lock(coir_rwlock *rwlock);

/* Ends what the caller locked, be it reading or writing, and lets in whom that makes room for.
 * Errors: -EPERM another task is writing, or nobody is inside. */
COIR_API int coir_rwlock_unlock(coir_rwlock *rwlock);

COIR_API int coir_rwlock_destroy(coir_rwlock *rwlock);

/* ---- Condition: waiting for a change to what a mutex protects ---- */

typedef struct coir_cond {
    struct coir__queue coir__waiters;
} coir_cond;

/* Unlocks the mutex, waits for a signal, and locks the mutex again before it returns. Parks. Held
 * on return in every case but -EOWNERDEAD: also when cut, which may therefore take as long as the
 * mutex is taken. Returns 0 if it was signalled first, -ECANCELED if it was cut first; then a
 * signal goes to the next waiter. Signalled does not mean that what one waits for still holds: look
 * again, or use coir_cond_wait_for. Errors, with the mutex as it was: -ECANCELED cut on entry;
 * -EPERM the caller does not hold the mutex; -EINVAL others wait here with another mutex. And
 * -EOWNERDEAD: a task ended while it held the mutex; the caller does not hold it. */
COIR_API COIR_MUST_CHECK int coir_cond_wait(coir_cond *cond, coir_mutex *mutex);

/* Waits, again and again, until ready(arg) returns true; it is called with the mutex held, at least
 * once, and must not wait. Returns 0, or the first error of coir_cond_wait; then whether it became
 * ready is not known. */
COIR_API COIR_MUST_CHECK int coir_cond_wait_for(coir_cond *cond, coir_mutex *mutex,
                                                bool (*ready)(void *arg), void *arg);

/* Wakes the first `count` waiters: they queue for the mutex, in their order, behind those who wait
 * for it already. Returns how many were woken. Errors: -EPERM the caller does not hold the mutex
 * (it is asked for so that this can be said whether or not somebody waits); -EINVAL the waiters
 * wait with another mutex. */
COIR_API int coir_cond_signal(coir_cond *cond, coir_mutex *mutex, size_t count);

/* Wakes all. */
COIR_API int coir_cond_broadcast(coir_cond *cond, coir_mutex *mutex);

COIR_API int coir_cond_destroy(coir_cond *cond);

/* ---- Event: a flag to wait for. After asyncio's Event ---- */

typedef struct coir_event {
    struct coir__queue coir__waiters;
    bool coir__set;
} coir_event;

/* Waits until the event is set. May park. Who waited when it was set returns 0, even if the event
 * is cleared before it runs. Errors: -ECANCELED. */
COIR_API COIR_MUST_CHECK int coir_event_wait(coir_event *event);

/* Sets the event and wakes all who wait. Setting twice is setting once. */
COIR_API int coir_event_set(coir_event *event);
COIR_API int coir_event_clear(coir_event *event);
COIR_API bool coir_event_is_set(const coir_event *event);

COIR_API int coir_event_destroy(coir_event *event);

/* ---- Semaphore: a number of permits ---- */

typedef struct coir_semaphore {
    size_t coir__value, coir__bound;
    struct coir__queue coir__waiters;
} coir_semaphore;

/* `value` permits are there; never more than `bound` (0: no bound) shall be. A zeroed semaphore has
 * none and no bound. Errors: -EINVAL negative, or more than the bound. */
COIR_API COIR_MUST_CHECK int coir_semaphore_init(coir_semaphore *semaphore, long value, long bound);

/* Takes a permit; waits until there is one. May park. Errors: -ECANCELED, none was taken. */
COIR_API COIR_MUST_CHECK int coir_semaphore_acquire(coir_semaphore *semaphore);
COIR_API COIR_MUST_CHECK int coir_semaphore_try_acquire(coir_semaphore *semaphore);

/* Adds a permit: hands it to the first waiter, or keeps it for who comes. Any task may. Errors:
 * -EOVERFLOW all permits up to the bound are there; nothing changes. */
COIR_API int coir_semaphore_release(coir_semaphore *semaphore);

/* How many permits are there; 0 for NULL. */
COIR_API long coir_semaphore_value(const coir_semaphore *semaphore);

COIR_API int coir_semaphore_destroy(coir_semaphore *semaphore);

/* ---- Limiter: permits that know who holds them. After trio's CapacityLimiter ---- */

#define COIR_LIMITER_MAX ((size_t)1 << 24) /* most permits of one limiter */

/* Who holds a permit: a task, or, if the task is the zeroed handle, a key. */
typedef struct coir_holder {
    coir_task task;
    const void *key;
} coir_holder;

typedef struct coir_limiter {
    size_t coir__limit, coir__held;
    coir_task *coir__table; /* the holders, by hash; twice the greatest limit so far or more */
    size_t coir__table_size;
    struct coir__queue coir__waiters;
} coir_limiter;

/* Sets how many may hold a permit at a time; a zeroed limiter lets nobody in. More: waiters enter
 * at once. Fewer: nobody enters until enough have left. Allocates, 32 bytes or more for each
 * permit; coir_limiter_destroy frees. Errors, with the limit as it was: -ENOMEM; -EINVAL more than
 * COIR_LIMITER_MAX. Works outside the runtime too if nobody waits. */
COIR_API COIR_MUST_CHECK int coir_limiter_set_limit(coir_limiter *limiter, size_t limit);

/* Takes a permit for the calling task; waits until one is there. May park. A task that ends with a
 * permit in its hands has lost it for good. Errors: -ECANCELED, none was taken; -EDEADLK the caller
 * holds one already. */
COIR_API COIR_MUST_CHECK int coir_limiter_acquire(coir_limiter *limiter);
COIR_API COIR_MUST_CHECK int coir_limiter_try_acquire(coir_limiter *limiter);

/* Hands the permit of the calling task to the first waiter, or keeps it for who comes. Errors:
 * -EPERM the caller holds none. */
COIR_API int coir_limiter_release(coir_limiter *limiter);

/* The same for a permit held by a key, the address of anything: what one task took, another may
 * release. -EDEADLK: the key holds one already, or has been given one while this call waited.
 * -EINVAL the key is NULL. */
COIR_API COIR_MUST_CHECK int coir_limiter_acquire_for(coir_limiter *limiter, const void *key);
COIR_API COIR_MUST_CHECK int coir_limiter_try_acquire_for(coir_limiter *limiter, const void *key);
COIR_API int coir_limiter_release_for(coir_limiter *limiter, const void *key);

/* Stores up to `capacity` of the holders, in no order, and returns how many there are. */
COIR_API size_t coir_limiter_holders(const coir_limiter *limiter, coir_holder *out,
                                     size_t capacity);

/* A permit held by a task that has ended does not keep it busy. */
COIR_API int coir_limiter_destroy(coir_limiter *limiter);

/* ---- Barrier: a number of tasks that go on together. After Python's Barrier ---- */

typedef struct coir_barrier {
    int coir__parties, coir__waiting;
    bool coir__broken;
    struct coir__queue coir__waiters;
} coir_barrier;

/* Errors: -EINVAL fewer than 1. */
COIR_API COIR_MUST_CHECK int coir_barrier_init(coir_barrier *barrier, int parties);

/* Waits until `parties` tasks wait, the caller included. May park. Returns the caller's place among
 * them, 0 for the first, each once; then the barrier is as new. Errors: -ECANCELED, the caller no
 * longer counts and the others wait on; -EPIPE the barrier is or becomes broken; -EINVAL it was
 * never given a number. */
COIR_API COIR_MUST_CHECK int coir_barrier_wait(coir_barrier *barrier);

/* Breaks it: those who wait, and all who come, get -EPIPE. For a party that can not get there. */
COIR_API int coir_barrier_abort(coir_barrier *barrier);

/* Mends it: it is as new. Those who wait get -EPIPE. */
COIR_API int coir_barrier_reset(coir_barrier *barrier);

COIR_API int coir_barrier_destroy(coir_barrier *barrier);

/* ---- Once: what shall be done one time, by whoever needs it first ---- */

typedef struct coir_once {
    bool coir__done;
    int coir__value;
    struct coir__task *coir__runner;
    struct coir__queue coir__waiters;
} coir_once;

/* Runs fn(arg) in the calling task unless that has succeeded before, and returns what it returned
 * when it did. Parks while another task runs it. If that one fails (is cut, for example), the first
 * waiter runs its own fn(arg) instead; so one call at a time does, until one succeeds. Errors:
 * -ECANCELED; -EDEADLK from within fn; what the caller's own fn(arg) failed with. */
COIR_API COIR_MUST_CHECK int coir_once_run(coir_once *once, coir_fn fn, void *arg);

COIR_API int coir_once_destroy(coir_once *once);

COIR_END_DECLS

#endif
