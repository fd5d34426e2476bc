/* The laws of synchronisation under every schedule: exclusion, strict order of arrival, hand-over
 * by the waker, nothing lost to a cut or a deadline, and objects that are as new when all have
 * left. */
#include "laws/laws.h"

LAWS(laws_sync);

/* What the tasks of a scenario share. */
static struct {
    struct line line;
    size_t inside, writers; /* in a critical section */
    size_t served;
} shared;

static void share_nothing(void) {
    ends_clear();
    memset(&shared, 0, sizeof shared);
}

/* One task: a call that may wait, a step inside, a call that leaves. */
struct visit {
    void *object;
    int steps; /* before */
    int rc;
};

static void come(const struct visit *visit) {
    for (int i = 0; i < visit->steps; i++)
        (void)coir_yield();
}

/* Runs the visitors, the first of them under a deadline; a canceller cuts the `victim`-th. */
static void run_visits(coir_fn fn, struct visit *visits, size_t n, size_t victim) {
    coir_task tasks[4];
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    COIR_SCOPE(limit, .policy = COIR_SUPERVISE, .deadline = coir_after(COIR_MS(1)));
    for (size_t i = 0; i < n; i++)
        check_rc(coir_spawn_task(i == 0 ? &limit : &s, fn, &visits[i], &tasks[i]), 0);
    struct canceller canceller = {.task = tasks[victim]};
    check_rc(coir_spawn(&s, cancel_later, &canceller), 0);
    (void)coir_scope_close(&limit, 0);
    (void)coir_scope_close(&s, 0);
    check_int(ends.count, n);
    check_int(shared.inside, 0);
    for (size_t i = 0; i < n; i++)
        check(visits[i].rc != -ECANCELED || i == 0 || i == victim);
}

/* ---- Mutex ---- */

static int visit_mutex(void *arg) {
    struct visit *const visit = arg;
    come(visit);
    const size_t number = line_up(&shared.line);
    visit->rc = coir_mutex_lock(visit->object);
    line_served(&shared.line, number, visit->rc == 0);
    if (visit->rc == 0) {
        check_int(++shared.inside, 1);
        (void)coir_yield();
        shared.inside--;
        check_rc(coir_mutex_unlock(visit->object), 0);
    }
    return end(visit->rc);
}

LAW(laws_sync, mutex_lets_one_in_at_a_time_in_order) {
    static const coir_mutex zeroed;
    coir_mutex mutex = zeroed;
    struct visit visits[] = {{&mutex, 0, 1}, {&mutex, 0, 1}, {&mutex, 0, 1}, {&mutex, 0, 1}};
    share_nothing();
    run_visits(visit_mutex, visits, COUNT_OF(visits), 1);
    check_rc(coir_mutex_try_lock(&mutex), 0);
    check_rc(coir_mutex_unlock(&mutex), 0);
    check_rc(coir_mutex_destroy(&mutex), 0);
}

static int try_mutex(void *arg) {
    struct visit *const visit = arg;
    for (int i = 0; i < 2; i++) {
        (void)coir_yield();
        visit->rc = coir_mutex_try_lock(visit->object);
        check(visit->rc == 0 || visit->rc == -EAGAIN);
        if (visit->rc == 0) {
            line_tried(&shared.line);
            check_int(++shared.inside, 1);
            shared.inside--;
            check_rc(coir_mutex_unlock(visit->object), 0);
        }
    }
    return 0;
}

LAW(laws_sync, mutex_tries_do_not_barge) {
    coir_mutex mutex = {{0}};
    struct visit visits[] = {{&mutex, 1, 1}, {&mutex, 1, 1}, {&mutex, 0, 1}}, try = {&mutex, 0, 1};
    coir_task task;
    share_nothing();
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    for (size_t i = 0; i < COUNT_OF(visits); i++)
        check_rc(coir_spawn_task(&s, visit_mutex, &visits[i], &task), 0);
    check_rc(coir_spawn(&s, try_mutex, &try), 0);
    check(coir_task_cancel(task));
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(coir_mutex_destroy(&mutex), 0);
}

static int end_with_mutex(void *arg) {
    check_rc(coir_mutex_lock(arg), 0);
    (void)coir_yield();
    return 0;
}

static int expect_no_mutex(void *arg) {
    struct visit *const visit = arg;
    const size_t number = line_up(&shared.line);
    visit->rc = coir_mutex_lock(visit->object);
    line_served(&shared.line, number, visit->rc == 0);
    if (visit->rc == 0)
        check_rc(coir_mutex_unlock(visit->object), 0);
    return end(visit->rc);
}

LAW(laws_sync, mutex_of_an_ended_owner_is_told_to_all) {
    coir_mutex mutex = {{0}};
    struct visit visits[] = {{&mutex, 0, 1}, {&mutex, 0, 1}, {&mutex, 0, 1}};
    coir_task task;
    share_nothing();
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    check_rc(coir_mutex_lock(&mutex), 0); /* so that the owner to be is not late */
    check_rc(coir_spawn(&s, end_with_mutex, &mutex), 0);
    check_rc(coir_yield(), 0);
    check_rc(coir_spawn_task(&s, expect_no_mutex, &visits[0], &task), 0);
    check_rc(coir_spawn(&s, expect_no_mutex, &visits[1]), 0);
    check_rc(coir_spawn(&s, expect_no_mutex, &visits[2]), 0);
    struct canceller canceller = {.task = task};
    check_rc(coir_spawn(&s, cancel_later, &canceller), 0);
    check_rc(coir_mutex_unlock(&mutex), 0);
    (void)coir_scope_close(&s, 0);
    check_int(ends.count, 3);
    for (size_t i = 0; i < 3; i++)
        check(visits[i].rc == 0 || visits[i].rc == -EOWNERDEAD ||
              (i == 0 && visits[i].rc == -ECANCELED));
    check_rc(coir_mutex_lock(&mutex), -EOWNERDEAD);
    check_rc(coir_mutex_destroy(&mutex), 0);
    check_rc(coir_mutex_try_lock(&mutex), 0);
    check_rc(coir_mutex_unlock(&mutex), 0);
}

/* ---- Rwlock ---- */

static int visit_rwlock(struct visit *visit, bool writes) {
    come(visit);
    const size_t number = line_up(&shared.line);
    visit->rc =
        writes ? coir_rwlock_write_lock(visit->object) : coir_rwlock_read_lock(visit->object);
    line_served(&shared.line, number, visit->rc == 0);
    if (visit->rc == 0) {
        shared.inside++;
        shared.writers += writes;
        check(shared.writers == 0 || shared.inside == 1);
        (void)coir_yield();
        shared.inside--;
        shared.writers -= writes;
        check_rc(coir_rwlock_unlock(visit->object), 0);
    }
    return end(visit->rc);
}

static int read_rwlock(void *arg) {
    return visit_rwlock(arg, false);
}

static int write_rwlock(void *arg) {
    return visit_rwlock(arg, true);
}

LAW(laws_sync, rwlock_parts_readers_from_writers_and_loses_nobody) {
    coir_rwlock rwlock = {.coir__readers = 0};
    struct visit visits[] = {{&rwlock, 0, 1}, {&rwlock, 0, 1}, {&rwlock, 0, 1}};
    coir_task tasks[3];
    share_nothing();
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    COIR_SCOPE(limit, .policy = COIR_SUPERVISE, .deadline = coir_after(COIR_MS(1)));
    check_rc(coir_spawn_task(&s, read_rwlock, &visits[0], &tasks[0]), 0);
    check_rc(coir_spawn_task(&limit, write_rwlock, &visits[1], &tasks[1]), 0);
    check_rc(coir_spawn_task(&s, read_rwlock, &visits[2], &tasks[2]), 0);
    struct canceller canceller = {.task = tasks[choose(2)]};
    check_rc(coir_spawn(&s, cancel_later, &canceller), 0);
    (void)coir_scope_close(&limit, 0);
    (void)coir_scope_close(&s, 0);
    check_int(ends.count, 3);
    check_rc(coir_rwlock_try_write_lock(&rwlock), 0);
    check_rc(coir_rwlock_unlock(&rwlock), 0);
    check_rc(coir_rwlock_destroy(&rwlock), 0);
}

LAW(laws_sync, rwlock_serves_writers_and_readers_in_order) {
    coir_rwlock rwlock = {.coir__readers = 0};
    struct visit visits[] = {{&rwlock, 0, 1}, {&rwlock, 0, 1}, {&rwlock, 1, 1}, {&rwlock, 0, 1}};
    coir_task task;
    share_nothing();
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    check_rc(coir_spawn(&s, write_rwlock, &visits[0]), 0);
    check_rc(coir_spawn_task(&s, write_rwlock, &visits[1], &task), 0);
    check_rc(coir_spawn(&s, read_rwlock, &visits[2]), 0);
    check_rc(coir_spawn(&s, read_rwlock, &visits[3]), 0);
    struct canceller canceller = {.task = task};
    check_rc(coir_spawn(&s, cancel_later, &canceller), 0);
    (void)coir_scope_close(&s, 0);
    check_int(ends.count, 4);
    check_rc(coir_rwlock_try_write_lock(&rwlock), 0);
    check_rc(coir_rwlock_unlock(&rwlock), 0);
    check_rc(coir_rwlock_destroy(&rwlock), 0);
}

/* A reader that stays until the one behind the writer is inside too. */
struct pair_of_readers {
    coir_rwlock rwlock;
    coir_event both_inside;
};

static int read_until_both(void *arg) {
    struct pair_of_readers *const pair = arg;
    check_rc(coir_rwlock_read_lock(&pair->rwlock), 0);
    check_rc(coir_event_wait(&pair->both_inside), 0);
    check_rc(coir_rwlock_unlock(&pair->rwlock), 0);
    return 0;
}

static int read_and_tell(void *arg) {
    struct pair_of_readers *const pair = arg;
    check_rc(coir_yield(), 0);
    check_rc(coir_rwlock_read_lock(&pair->rwlock), 0);
    check_rc(coir_event_set(&pair->both_inside), 0);
    check_rc(coir_rwlock_unlock(&pair->rwlock), 0);
    return 0;
}

LAW(laws_sync, rwlock_lets_the_next_in_when_a_writer_is_cut) {
    struct pair_of_readers pair = {.both_inside = {.coir__set = false}};
    struct visit writer = {&pair.rwlock, 1, 1};
    coir_task task;
    share_nothing();
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    check_rc(coir_spawn(&s, read_until_both, &pair), 0);
    check_rc(coir_spawn(&s, read_and_tell, &pair), 0);
    check_rc(coir_spawn_task(&s, write_rwlock, &writer, &task), 0);
    struct canceller canceller = {.task = task, .steps = 2};
    check_rc(coir_spawn(&s, cancel_later, &canceller), 0);
    (void)coir_scope_close(&s, 0);
    check_rc(coir_rwlock_destroy(&pair.rwlock), 0);
}

/* ---- Condition ---- */

struct meeting {
    coir_mutex mutex;
    coir_cond cond;
    int woken; /* told by the signals */
};

static int wait_for_signal(void *arg) {
    struct meeting *const meeting = arg;
    int rc = coir_mutex_lock(&meeting->mutex);
    if (rc == 0) {
        const size_t number = line_up(&shared.line);
        rc = coir_cond_wait(&meeting->cond, &meeting->mutex);
        check_int(++shared.inside, 1); /* law 12: it holds the mutex, cut or not */
        line_served(&shared.line, number, rc == 0);
        shared.served += rc == 0;
        (void)coir_yield();
        shared.inside--;
        check_rc(coir_mutex_unlock(&meeting->mutex), 0);
    }
    return end(rc);
}

static int signal_once(void *arg) {
    struct meeting *const meeting = arg;
    check_rc(coir_mutex_lock(&meeting->mutex), 0);
    check_int(++shared.inside, 1);
    const int rc = coir_cond_signal(&meeting->cond, &meeting->mutex, 1);
    check(rc == 0 || rc == 1);
    meeting->woken += rc;
    (void)coir_yield();
    shared.inside--;
    check_rc(coir_mutex_unlock(&meeting->mutex), 0);
    return 0;
}

LAW(laws_sync, condition_loses_no_signal_and_returns_with_the_mutex) {
    struct meeting meeting = {.woken = 0};
    coir_task waiters[3], signaller;
    share_nothing();
    COIR_SCOPE(around);
    COIR_SCOPE(s);
    for (size_t i = 0; i < 3; i++)
        check_rc(coir_spawn_task(&s, wait_for_signal, &meeting, &waiters[i]), 0);
    check_rc(coir_spawn_task(&around, signal_once, &meeting, &signaller), 0);
    struct canceller canceller = {.task = waiters[0], .steps = 1};
    check_rc(coir_spawn(&around, cancel_later, &canceller), 0);
    check_rc(coir_join(signaller, NULL), 0);
    coir_scope_cancel(&s); /* those who were not signalled */
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(coir_scope_close(&around, 0), 0);
    check_int(ends.count, 3);
    check_int((int)shared.served, meeting.woken);
    check_rc(coir_cond_destroy(&meeting.cond), 0);
    check_rc(coir_mutex_destroy(&meeting.mutex), 0);
}

/* ---- Event ---- */

static int wait_for_event(void *arg) {
    struct visit *const visit = arg;
    come(visit);
    visit->rc = coir_event_wait(visit->object);
    return end(visit->rc);
}

static int set_then_clear(void *arg) {
    check_rc(coir_yield(), 0);
    check_rc(coir_event_set(arg), 0);
    check_rc(coir_yield(), 0);
    check_rc(coir_event_clear(arg), 0);
    return 0;
}

LAW(laws_sync, event_wakes_all_who_wait_when_it_is_set) {
    coir_event event = {.coir__set = false};
    struct visit visits[] = {{&event, 0, 1}, {&event, 0, 1}, {&event, 1, 1}};
    coir_task tasks[3], setter;
    share_nothing();
    COIR_SCOPE(around);
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    for (size_t i = 0; i < COUNT_OF(visits); i++)
        check_rc(coir_spawn_task(&s, wait_for_event, &visits[i], &tasks[i]), 0);
    check_rc(coir_spawn_task(&around, set_then_clear, &event, &setter), 0);
    struct canceller canceller = {.task = tasks[0]};
    check_rc(coir_spawn(&around, cancel_later, &canceller), 0);
    check_rc(coir_join(setter, NULL), 0);
    check(!coir_event_is_set(&event));
    check_rc(coir_event_set(&event), 0); /* for those who came after it was cleared */
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(coir_scope_close(&around, 0), 0);
    check_int(ends.count, 3);
    check(visits[0].rc == 0 || visits[0].rc == -ECANCELED);
    check_rc(visits[1].rc, 0);
    check_rc(visits[2].rc, 0);
    check_rc(coir_event_destroy(&event), 0);
}

/* ---- Semaphore ---- */

static size_t permits;

static int visit_semaphore(void *arg) {
    struct visit *const visit = arg;
    come(visit);
    const size_t number = line_up(&shared.line);
    visit->rc = coir_semaphore_acquire(visit->object);
    line_served(&shared.line, number, visit->rc == 0);
    if (visit->rc == 0) {
        check(++shared.inside <= permits);
        (void)coir_yield();
        shared.inside--;
        check_rc(coir_semaphore_release(visit->object), 0);
    }
    return end(visit->rc);
}

static void visit_with_permits(size_t n) {
    coir_semaphore semaphore;
    struct visit visits[] = {{&semaphore, 0, 1}, {&semaphore, 0, 1}, {&semaphore, 0, 1}};
    share_nothing();
    permits = n;
    check_rc(coir_semaphore_init(&semaphore, (long)n, (long)n), 0);
    run_visits(visit_semaphore, visits, COUNT_OF(visits), 1);
    check_int(coir_semaphore_value(&semaphore), n);
    check_rc(coir_semaphore_release(&semaphore), -EOVERFLOW);
    check_rc(coir_semaphore_destroy(&semaphore), 0);
}

LAW(laws_sync, semaphore_of_one_loses_no_permit) {
    visit_with_permits(1);
}

LAW(laws_sync, semaphore_of_two_loses_no_permit) {
    visit_with_permits(2);
}

static int try_semaphore(void *arg) {
    for (int i = 0; i < 2; i++) {
        check_rc(coir_yield(), 0);
        const int rc = coir_semaphore_try_acquire(arg);
        check(rc == 0 || rc == -EAGAIN);
        if (rc == 0) {
            line_tried(&shared.line);
            check_rc(coir_semaphore_release(arg), 0);
        }
    }
    return 0;
}

LAW(laws_sync, semaphore_tries_do_not_barge) {
    coir_semaphore semaphore;
    struct visit visits[] = {{&semaphore, 1, 1}, {&semaphore, 1, 1}, {&semaphore, 0, 1}};
    coir_task task;
    share_nothing();
    permits = 1;
    check_rc(coir_semaphore_init(&semaphore, 1, 0), 0);
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    for (size_t i = 0; i < COUNT_OF(visits); i++)
        check_rc(coir_spawn_task(&s, visit_semaphore, &visits[i], &task), 0);
    check_rc(coir_spawn(&s, try_semaphore, &semaphore), 0);
    check(coir_task_cancel(task));
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(coir_semaphore_value(&semaphore), 1);
    check_rc(coir_semaphore_destroy(&semaphore), 0);
}

/* ---- Limiter ---- */

static int visit_limiter(void *arg) {
    struct visit *const visit = arg;
    come(visit);
    const size_t number = line_up(&shared.line);
    visit->rc = coir_limiter_acquire(visit->object);
    line_served(&shared.line, number, visit->rc == 0);
    if (visit->rc == 0) {
        check(++shared.inside <= permits);
        (void)coir_yield();
        shared.inside--;
        check_rc(coir_limiter_release(visit->object), 0);
    }
    return end(visit->rc);
}

static int raise_limit(void *arg) {
    check_rc(coir_yield(), 0);
    permits = 2;
    check_rc(coir_limiter_set_limit(arg, 2), 0);
    return 0;
}

LAW(laws_sync, limiter_follows_its_limit_and_loses_no_permit) {
    coir_limiter limiter = {.coir__limit = 0};
    struct visit visits[] = {{&limiter, 0, 1}, {&limiter, 0, 1}, {&limiter, 0, 1}};
    coir_task task;
    share_nothing();
    permits = (size_t)choose(2); /* none: nobody enters until it is raised */
    check_rc(coir_limiter_set_limit(&limiter, permits), 0);
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    check_rc(coir_spawn(&s, visit_limiter, &visits[0]), 0);
    check_rc(coir_spawn(&s, visit_limiter, &visits[2]), 0);
    check_rc(coir_spawn_task(&s, visit_limiter, &visits[1], &task), 0);
    check_rc(coir_spawn(&s, raise_limit, &limiter), 0);
    struct canceller canceller = {.task = task};
    check_rc(coir_spawn(&s, cancel_later, &canceller), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(ends.count, 3);
    check_rc(visits[0].rc, 0);
    check_rc(visits[2].rc, 0);
    check_int(coir_limiter_holders(&limiter, NULL, 0), 0);
    check_rc(coir_limiter_destroy(&limiter), 0);
}

/* ---- Barrier ---- */

static int visit_barrier(void *arg) {
    struct visit *const visit = arg;
    come(visit);
    visit->rc = coir_barrier_wait(visit->object);
    return end(visit->rc);
}

LAW(laws_sync, barrier_releases_whole_groups) {
    coir_barrier barrier;
    struct visit visits[] = {
        {&barrier, 0, -1}, {&barrier, 0, -1}, {&barrier, 0, -1}, {&barrier, 0, -1}};
    coir_task tasks[4];
    share_nothing();
    check_rc(coir_barrier_init(&barrier, 2), 0);
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    for (size_t i = 0; i < 4; i++)
        check_rc(coir_spawn_task(&s, visit_barrier, &visits[i], &tasks[i]), 0);
    struct canceller canceller = {.task = tasks[0]};
    check_rc(coir_spawn(&s, cancel_later, &canceller), 0);
    for (int i = 0; i < 3; i++)
        check_rc(coir_next(&s, NULL, NULL), 0);
    if (visits[0].rc == -ECANCELED)
        coir_scope_cancel(&s); /* the last one has nobody to meet */
    (void)coir_scope_close(&s, 0);
    size_t first = 0, second = 0, cut = 0;
    check_int(ends.count, 4);
    for (size_t i = 0; i < 4; i++) {
        first += visits[i].rc == 0;
        second += visits[i].rc == 1;
        cut += visits[i].rc == -ECANCELED;
    }
    check_int(first, second);
    check_int(first + second + cut, 4);
    check(cut == 0 || cut == 2);
    check_rc(coir_barrier_destroy(&barrier), 0);
}

static int abort_barrier(void *arg) {
    check_rc(coir_yield(), 0);
    check_rc(coir_barrier_abort(arg), 0);
    return 0;
}

LAW(laws_sync, barrier_once_broken_is_broken_for_all) {
    coir_barrier barrier;
    struct visit visits[] = {{&barrier, 0, -1}, {&barrier, 1, -1}, {&barrier, 0, -1}};
    coir_task task;
    share_nothing();
    check_rc(coir_barrier_init(&barrier, 2), 0);
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    check_rc(coir_spawn_task(&s, visit_barrier, &visits[0], &task), 0);
    check_rc(coir_spawn(&s, visit_barrier, &visits[1]), 0);
    check_rc(coir_spawn(&s, visit_barrier, &visits[2]), 0);
    struct canceller canceller = {.task = task};
    check_rc(coir_spawn(&s, cancel_later, &canceller), 0);
    check_rc(coir_spawn(&s, abort_barrier, &barrier), 0);
    (void)coir_scope_close(&s, 0);
    check_int(ends.count, 3);
    size_t met = 0, broken = 0, cut = 0;
    for (size_t i = 0; i < 3; i++) {
        met += visits[i].rc >= 0;
        broken += visits[i].rc == -EPIPE;
        cut += visits[i].rc == -ECANCELED;
    }
    check_int(met + broken + cut, 3);
    check(met == 0 || met == 2);
    check(cut == 0 || visits[0].rc == -ECANCELED);
    check_rc(coir_barrier_wait(&barrier), -EPIPE);
    check_rc(coir_barrier_destroy(&barrier), 0);
}

/* ---- Once ---- */

static coir_once once;

/* The first run fails, or is cut; the next one succeeds. */
static int do_once(void *arg) {
    check_int(++shared.inside, 1);
    const int rc = coir_yield();
    shared.inside--;
    if (rc < 0)
        return rc;
    if (shared.served == 0 && *(const int *)arg < 0) {
        *(int *)arg = 0;
        return -EIO;
    }
    shared.served++;
    return 7;
}

static int first_fails;

static int run_once(void *arg) {
    struct visit *const visit = arg;
    visit->rc = coir_once_run(&once, do_once, &first_fails);
    return end(visit->rc);
}

LAW(laws_sync, once_succeeds_once_and_is_tried_again_after_a_failure) {
    struct visit visits[4] = {{NULL, 0, 1}};
    coir_task task;
    share_nothing();
    memset(&once, 0, sizeof once);
    const bool fails = choose(2) != 0;
    first_fails = fails ? -1 : 0;
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    check_rc(coir_spawn_task(&s, run_once, &visits[0], &task), 0);
    for (size_t i = 1; i < COUNT_OF(visits); i++)
        check_rc(coir_spawn(&s, run_once, &visits[i]), 0);
    struct canceller canceller = {.task = task};
    check_rc(coir_spawn(&s, cancel_later, &canceller), 0);
    (void)coir_scope_close(&s, 0);
    check_int(ends.count, COUNT_OF(visits));
    check_int(shared.served, 1);
    size_t failed = 0;
    for (size_t i = 0; i < COUNT_OF(visits); i++) {
        check(visits[i].rc == 7 || visits[i].rc == -EIO || (i == 0 && visits[i].rc == -ECANCELED));
        failed += visits[i].rc == -EIO;
    }
    check_int(failed, fails);
    check_rc(coir_once_destroy(&once), 0);
}
