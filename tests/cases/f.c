/* CASES.md, section F: locks and events. Each test bears the number of its case. */
#include "sync/help.h"

SUITE(cases_f);

/* Locks, traces its name, stays, unlocks. */
struct locker {
    coir_mutex *mutex;
    const char *name;
    int stay_ms;
    int rc;
};

static int lock_once(void *arg) {
    struct locker *const l = arg;
    l->rc = coir_mutex_lock(l->mutex);
    COIR_TRY(l->rc);
    trace("%s", l->name);
    (void)coir_sleep(COIR_MS(l->stay_ms));
    return coir_mutex_unlock(l->mutex);
}

/* Lockers a, b, c wait in that order when this returns; the caller holds the mutex. */
static void spawn_lockers(coir_scope *s, coir_mutex *mutex, struct locker lockers[3],
                          coir_task tasks[3]) {
    static const char *const names[] = {"a", "b", "c"};
    for (int i = 0; i < 3; i++) {
        lockers[i] = (struct locker){.mutex = mutex, .name = names[i], .rc = 1};
        tasks[i] = spawn_now(s, lock_once, &lockers[i]);
    }
}

TASK_TEST_SEEDS(cases_f, F01_three_waiters_are_served_in_order) {
    coir_mutex mutex = {0};
    struct locker lockers[3];
    coir_task tasks[3];
    COIR_SCOPE(s);
    check_rc(coir_mutex_lock(&mutex), 0);
    spawn_lockers(&s, &mutex, lockers, tasks);
    check_rc(coir_mutex_unlock(&mutex), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_trace("a b c");
    return 0;
}

TASK_TEST_SEEDS(cases_f, F02_a_cancelled_waiter_leaves_no_entry) {
    coir_mutex mutex = {0};
    struct locker lockers[3];
    coir_task tasks[3];
    COIR_SCOPE(s);
    check_rc(coir_mutex_lock(&mutex), 0);
    spawn_lockers(&s, &mutex, lockers, tasks);
    coir_scope_cancel(&s);
    COIR_SCOPE(shielded, .shield = true);
    check_rc(coir_mutex_unlock(&mutex), 0);
    check_rc(coir_mutex_destroy(&mutex), 0); /* nobody waits, nobody was handed it */
    check_rc(coir_scope_close(&shielded, 0), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    for (int i = 0; i < 3; i++)
        check_rc(lockers[i].rc, -ECANCELED);
    return 0;
}

/* The first waiter is cancelled in the very tick of the unlock, before it or after. */
TASK_TEST_SEEDS(cases_f, F04_cancel_and_release_meet_and_one_of_the_rest_gets_the_lock) {
    for (int cancel_first = 0; cancel_first < 2; cancel_first++) {
        coir_mutex mutex = {0};
        struct locker lockers[3];
        coir_task tasks[3];
        COIR_SCOPE(s);
        check_rc(coir_mutex_lock(&mutex), 0);
        spawn_lockers(&s, &mutex, lockers, tasks);
        if (cancel_first)
            check(coir_task_cancel(tasks[0]));
        check_rc(coir_mutex_unlock(&mutex), 0);
        if (!cancel_first)
            check(coir_task_cancel(tasks[0]));
        check(coir_task_equal(coir_mutex_owner(&mutex), tasks[cancel_first ? 1 : 0]));
        check_rc(coir_scope_close(&s, 0), 0);
        check_rc(lockers[0].rc, cancel_first ? -ECANCELED : 0);
        check_rc(lockers[1].rc, 0);
        check_rc(lockers[2].rc, 0);
        check_rc(coir_mutex_destroy(&mutex), 0);
    }
    return 0;
}

TASK_TEST(cases_f, F06_releasing_what_was_not_acquired_is_refused) {
    coir_mutex mutex = {0};
    check_rc(coir_mutex_unlock(&mutex), -EPERM);
    check_rc(coir_mutex_lock(&mutex), 0);
    check_rc(coir_mutex_unlock(&mutex), 0);
    check_rc(coir_mutex_unlock(&mutex), -EPERM);
    return 0;
}

static int unlock_anothers(void *mutex) {
    return coir_mutex_unlock(mutex);
}

TASK_TEST_SEEDS(cases_f, F07_relock_and_unlock_by_another_are_refused) {
    coir_mutex mutex = {0};
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    check_rc(coir_mutex_lock(&mutex), 0);
    check_rc(coir_mutex_lock(&mutex), -EDEADLK);
    check_rc(coir_mutex_try_lock(&mutex), -EDEADLK);
    check_rc(coir_spawn(&s, unlock_anothers, &mutex), 0);
    check_rc(coir_scope_close(&s, 0), -EPERM);
    check(coir_task_equal(coir_mutex_owner(&mutex), coir_self()));
    return coir_mutex_unlock(&mutex);
}

static int lock_and_end(void *mutex) {
    check_rc(coir_mutex_lock(mutex), 0);
    return coir_sleep(COIR_MS(5));
}

TASK_TEST_SEEDS(cases_f, F08_an_owner_that_ends_is_reported_to_waiters_and_later_callers) {
    coir_mutex mutex = {0};
    struct locker lockers[3];
    coir_task tasks[3];
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    (void)spawn_now(&s, lock_and_end, &mutex);
    spawn_lockers(&s, &mutex, lockers, tasks);
    check_rc(coir_scope_close(&s, 0), -EOWNERDEAD);
    for (int i = 0; i < 3; i++)
        check_rc(lockers[i].rc, -EOWNERDEAD);
    check_rc(coir_mutex_lock(&mutex), -EOWNERDEAD);
    check_rc(coir_mutex_try_lock(&mutex), -EOWNERDEAD);
    return 0;
}

struct exclusion {
    coir_mutex mutex;
    int inside, rounds;
};

static int exclude(void *arg) {
    struct exclusion *const e = arg;
    for (int i = 0; i < 10; i++) {
        check_rc(coir_mutex_lock(&e->mutex), 0);
        check_int(e->inside++, 0);
        check_rc(coir_yield(), 0);
        check_rc(coir_yield(), 0);
        check_int(--e->inside, 0);
        e->rounds++;
        check_rc(coir_mutex_unlock(&e->mutex), 0);
    }
    return 0;
}

TASK_TEST_SEEDS(cases_f, F10_never_two_inside) {
    struct exclusion exclusion = {.inside = 0};
    COIR_SCOPE(s);
    for (int i = 0; i < 8; i++)
        check_rc(coir_spawn(&s, exclude, &exclusion), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(exclusion.rounds, 80);
    return 0;
}

static int lock_five_times(void *arg) {
    const struct locker *const l = arg;
    for (int i = 0; i < 5; i++) {
        check_rc(coir_mutex_lock(l->mutex), 0);
        trace("%s", l->name);
        check_rc(coir_yield(), 0);
        check_rc(coir_mutex_unlock(l->mutex), 0);
    }
    return 0;
}

TASK_TEST_SEEDS(cases_f, F11_repeated_rounds_keep_the_first_order) {
    coir_mutex mutex = {0};
    struct locker lockers[] = {{.mutex = &mutex, .name = "a"},
                               {.mutex = &mutex, .name = "b"},
                               {.mutex = &mutex, .name = "c"}};
    COIR_SCOPE(s);
    check_rc(coir_mutex_lock(&mutex), 0);
    for (int i = 0; i < 3; i++)
        (void)spawn_now(&s, lock_five_times, &lockers[i]);
    check_rc(coir_mutex_unlock(&mutex), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_trace("a b c a b c a b c a b c a b c");
    return 0;
}

static int wait_for_event(void *event) {
    return coir_event_wait(event);
}

TASK_TEST_SEEDS(cases_f, F13_event_wait_and_wait_on_set_and_clear) {
    coir_event event = {0};
    COIR_SCOPE(s);
    const coir_task first = spawn_now(&s, wait_for_event, &event);
    const coir_task second = spawn_now(&s, wait_for_event, &event);
    check(!coir_task_done(first) && !coir_task_done(second));
    check_rc(coir_event_set(&event), 0);
    check_rc(coir_event_wait(&event), 0); /* at once */
    pass(1);
    check_rc(coir_task_result(first), 0);
    check_rc(coir_task_result(second), 0);
    check_rc(coir_event_clear(&event), 0);
    const coir_task third = spawn_now(&s, wait_for_event, &event);
    check(!coir_task_done(third));
    check_rc(coir_event_set(&event), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

TASK_TEST_SEEDS(cases_f, F15_a_cancelled_wait_leaves_no_waiter) {
    coir_event event = {0};
    COIR_SCOPE(s);
    const coir_task task = spawn_now(&s, wait_for_event, &event);
    check_rc(coir_event_destroy(&event), -EBUSY);
    check(coir_task_cancel(task));
    check_rc(coir_event_destroy(&event), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(coir_event_set(&event), 0);
    return 0;
}
