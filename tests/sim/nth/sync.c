/* Synchronisation: allocates nothing but the limiter's table, and is to stay whole when the tasks
 * that would have used it cannot be had. */
#include "sim/nth/nth.h"

/* Runs fn(arg) in three tasks side by side, and in the caller. */
static int side_by_side(coir_fn fn, void *arg) {
    COIR_SCOPE(s);
    long rc = 0;
    for (int i = 0; i < 3 && rc == 0; i++)
        rc = CALL(coir_spawn(&s, fn, arg), 0, ENOMEM);
    if (rc == 0)
        rc = fn(arg);
    return close_scope(&s, (int)rc);
}

struct shared {
    coir_mutex mutex;
    coir_rwlock rwlock;
    coir_cond cond;
    coir_event event;
    coir_semaphore semaphore;
    coir_limiter limiter;
    coir_barrier barrier;
    coir_once once;
    int inside, done;
};

/* Within: nobody else is. */
static int stay_inside(struct shared *it) {
    must(it->inside++ == 0, "two are inside");
    const int rc = (int)CALL(coir_yield(), 0);
    it->inside--;
    it->done++;
    return rc;
}

static int use_mutex(void *arg) {
    struct shared *const it = arg;
    TRY(coir_mutex_lock(&it->mutex), 0);
    const int rc = stay_inside(it);
    (void)CALL(coir_mutex_unlock(&it->mutex), 0);
    return rc;
}

static int mutex(void) {
    struct shared it = {.done = 0};
    const int rc = side_by_side(use_mutex, &it);
    must(coir_mutex_destroy(&it.mutex) == 0, "a mutex is in use");
    return rc;
}

static int use_rwlock(void *arg) {
    struct shared *const it = arg;
    TRY(coir_rwlock_read_lock(&it->rwlock), 0);
    (void)CALL(coir_rwlock_unlock(&it->rwlock), 0);
    TRY(coir_rwlock_write_lock(&it->rwlock), 0);
    const int rc = stay_inside(it);
    (void)CALL(coir_rwlock_unlock(&it->rwlock), 0);
    return rc;
}

static int rwlock(void) {
    struct shared it = {.done = 0};
    const int rc = side_by_side(use_rwlock, &it);
    must(coir_rwlock_destroy(&it.rwlock) == 0, "an rwlock is in use");
    return rc;
}

/* The last of four wakes the others. */
static int use_cond(void *arg) {
    struct shared *const it = arg;
    long rc = 0;
    TRY(coir_mutex_lock(&it->mutex), 0);
    if (++it->done == 4)
        rc = CALL(coir_cond_broadcast(&it->cond, &it->mutex), ANY);
    while (rc >= 0 && it->done < 4)
        rc = CALL(coir_cond_wait(&it->cond, &it->mutex), 0);
    (void)CALL(coir_mutex_unlock(&it->mutex), 0);
    return rc < 0 ? (int)rc : 0;
}

static int cond(void) {
    struct shared it = {.done = 0};
    const int rc = side_by_side(use_cond, &it);
    must(coir_cond_destroy(&it.cond) == 0 && coir_mutex_destroy(&it.mutex) == 0,
         "a condition is in use");
    return rc;
}

static int use_event(void *arg) {
    struct shared *const it = arg;
    if (++it->done == 4)
        return (int)CALL(coir_event_set(&it->event), 0);
    return (int)CALL(coir_event_wait(&it->event), 0);
}

static int event(void) {
    struct shared it = {.done = 0};
    const int rc = side_by_side(use_event, &it);
    must(coir_event_destroy(&it.event) == 0, "an event is in use");
    return rc;
}

static int use_semaphore(void *arg) {
    struct shared *const it = arg;
    TRY(coir_semaphore_acquire(&it->semaphore), 0);
    const int rc = stay_inside(it);
    (void)CALL(coir_semaphore_release(&it->semaphore), 0);
    return rc;
}

static int semaphore(void) {
    struct shared it = {.done = 0};
    must(coir_semaphore_init(&it.semaphore, 1, 1) == 0, "no semaphore");
    const int rc = side_by_side(use_semaphore, &it);
    must(coir_semaphore_value(&it.semaphore) == 1, "a permit was lost");
    return rc;
}

static int use_limiter(void *arg) {
    struct shared *const it = arg;
    TRY(coir_limiter_acquire(&it->limiter), 0);
    const int rc = stay_inside(it);
    (void)CALL(coir_limiter_release(&it->limiter), 0);
    return rc;
}

static int limiter_in(struct shared *it) {
    TRY(coir_limiter_set_limit(&it->limiter, 1), 0, ENOMEM);
    TRY(side_by_side(use_limiter, it), 0, ENOMEM);
    TRY(coir_limiter_set_limit(&it->limiter, 500), 0, ENOMEM);
    return 0;
}

static int limiter(void) {
    struct shared it = {.done = 0};
    const int rc = limiter_in(&it);
    must(coir_limiter_holders(&it.limiter, NULL, 0) == 0, "a permit was lost");
    must(coir_limiter_destroy(&it.limiter) == 0, "a limiter is in use");
    return rc;
}

static int use_barrier(void *arg) {
    struct shared *const it = arg;
    return (int)CALL(coir_barrier_wait(&it->barrier), ANY);
}

static int barrier(void) {
    struct shared it = {.done = 0};
    must(coir_barrier_init(&it.barrier, 4) == 0, "no barrier");
    const int rc = side_by_side(use_barrier, &it);
    must(coir_barrier_destroy(&it.barrier) == 0, "a barrier is in use");
    return rc < 0 ? rc : 0;
}

static int do_once(void *arg) {
    return stay_inside(arg);
}

static int use_once(void *arg) {
    struct shared *const it = arg;
    return (int)CALL(coir_once_run(&it->once, do_once, it), 0);
}

static int once(void) {
    struct shared it = {.done = 0};
    const int rc = side_by_side(use_once, &it);
    must(rc < 0 || it.done == 1, "it was done %d times", it.done);
    must(coir_once_destroy(&it.once) == 0, "a once is in use");
    return rc;
}

const struct scenario sync_scenarios[] = {{.name = "mutex", .run = mutex, .rooms = 4},
                                          {.name = "rwlock", .run = rwlock, .rooms = 4},
                                          {.name = "cond", .run = cond, .rooms = 4},
                                          {.name = "event", .run = event, .rooms = 4},
                                          {.name = "semaphore", .run = semaphore, .rooms = 4},
                                          {.name = "limiter", .run = limiter, .rooms = 4},
                                          {.name = "barrier", .run = barrier, .rooms = 4},
                                          {.name = "once", .run = once, .rooms = 4},
                                          {.name = NULL}};
