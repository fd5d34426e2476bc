/* Mutexes: who holds them, in what order, and what becomes of them when a holder or a waiter is
 * cancelled or ends. */
#include "help.h"

SUITE(sync_mutex);

/* One task that locks, stays, and unlocks. Whoever has locked is seen to be alone. */
struct visitor {
    coir_mutex *mutex;
    const char *name;
    int at_ms, stay_ms;
    int rc;       /* of the lock */
    int *inside;  /* how many are */
    bool forgets; /* to unlock */
};

static int visit(void *arg) {
    struct visitor *const v = arg;
    COIR_TRY(coir_sleep(COIR_MS(v->at_ms)));
    v->rc = coir_mutex_lock(v->mutex);
    if (v->rc < 0) {
        check_rc(coir_mutex_unlock(v->mutex), -EPERM);
        trace("%s%s", v->name, v->rc == -ECANCELED ? "-cut" : v->rc == -EOWNERDEAD ? "-dead" : "?");
        return v->rc;
    }
    check(coir_task_equal(coir_mutex_owner(v->mutex), coir_self()));
    trace("%s", v->name);
    if (v->inside != NULL)
        check_int(++*v->inside, 1);
    (void)coir_sleep(COIR_MS(v->stay_ms));
    if (v->inside != NULL)
        check_int(--*v->inside, 0);
    if (!v->forgets)
        check_rc(coir_mutex_unlock(v->mutex), 0);
    return 0;
}

static bool is_free(const coir_mutex *mutex) {
    return coir_task_equal(coir_mutex_owner(mutex), (coir_task){0});
}

/* ---- Holding ---- */

TASK_TEST(sync_mutex, zeroed_memory_is_a_free_mutex) {
    coir_mutex mutex = {0};
    check(is_free(&mutex));
    for (int i = 0; i < 3; i++) {
        check_rc(coir_mutex_lock(&mutex), 0);
        check(coir_task_equal(coir_mutex_owner(&mutex), coir_self()));
        check_rc(coir_mutex_unlock(&mutex), 0);
        check(is_free(&mutex));
        check_rc(coir_mutex_try_lock(&mutex), 0);
        check_rc(coir_mutex_unlock(&mutex), 0);
        check_rc(coir_mutex_destroy(&mutex), 0);
    }
    return 0;
}

Test(sync_mutex, outside_the_runtime_it_is_refused) {
    coir_mutex mutex = {0};
    check_rc(coir_mutex_lock(&mutex), -EPERM);
    check_rc(coir_mutex_try_lock(&mutex), -EPERM);
    check_rc(coir_mutex_unlock(&mutex), -EPERM);
    check(is_free(&mutex));
    check_rc(coir_mutex_destroy(&mutex), 0);
    check_rc(coir_mutex_destroy(NULL), 0);
}

TASK_TEST(sync_mutex, null_is_refused) {
    check_rc(coir_mutex_lock(NULL), -EINVAL);
    check_rc(coir_mutex_try_lock(NULL), -EINVAL);
    check_rc(coir_mutex_unlock(NULL), -EINVAL);
    check(is_free(NULL));
    check_rc(coir_mutex_destroy(NULL), 0);
    return 0;
}

static int meddle(void *mutex) {
    check_rc(coir_mutex_try_lock(mutex), -EAGAIN);
    check_rc(coir_mutex_unlock(mutex), -EPERM);
    check_rc(coir_mutex_destroy(mutex), -EBUSY);
    return 0;
}

TASK_TEST_SEEDS(sync_mutex, relock_and_a_strangers_unlock_are_refused) {
    coir_mutex mutex = {0};
    COIR_SCOPE(s);
    check_rc(coir_mutex_unlock(&mutex), -EPERM);
    check_rc(coir_mutex_lock(&mutex), 0);
    check_rc(coir_mutex_lock(&mutex), -EDEADLK);
    check_rc(coir_mutex_try_lock(&mutex), -EDEADLK);
    check_rc(coir_spawn(&s, meddle, &mutex), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(coir_mutex_unlock(&mutex), 0);
    check_rc(coir_mutex_unlock(&mutex), -EPERM);
    check_rc(coir_mutex_destroy(&mutex), 0);
    return 0;
}

TASK_TEST(sync_mutex, several_are_unlocked_in_any_order) {
    static const size_t orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                       {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    coir_mutex mutexes[3] = {0};
    for (size_t i = 0; i < COUNT_OF(orders); i++) {
        for (size_t k = 0; k < 3; k++)
            check_rc(coir_mutex_lock(&mutexes[k]), 0);
        for (size_t k = 0; k < 3; k++) {
            check_rc(coir_mutex_unlock(&mutexes[orders[i][k]]), 0);
            check(is_free(&mutexes[orders[i][k]]));
        }
    }
    return 0;
}

/* ---- Order ---- */

TASK_TEST_SEEDS(sync_mutex, waiters_get_it_in_the_order_they_came) {
    coir_mutex mutex = {0};
    int inside = 0;
    struct visitor visitors[] = {
        {.name = "d", .at_ms = 4}, {.name = "a", .at_ms = 1}, {.name = "e", .at_ms = 5},
        {.name = "c", .at_ms = 3}, {.name = "b", .at_ms = 2},
    };
    COIR_SCOPE(s);
    for (size_t i = 0; i < COUNT_OF(visitors); i++) {
        visitors[i].mutex = &mutex;
        visitors[i].inside = &inside;
        visitors[i].stay_ms = 10;
        check_rc(coir_spawn(&s, visit, &visitors[i]), 0);
    }
    check_rc(coir_scope_close(&s, 0), 0);
    check_trace("a b c d e");
    check(is_free(&mutex));
    return 0;
}

TASK_TEST_SEEDS(sync_mutex, unlock_hands_over_there_and_then) {
    coir_mutex mutex = {0};
    struct visitor visitor = {.mutex = &mutex, .name = "waiter"};
    COIR_SCOPE(s);
    check_rc(coir_mutex_lock(&mutex), 0);
    const coir_task waiter = spawn_now(&s, visit, &visitor);
    check_rc(coir_mutex_unlock(&mutex), 0);
    check(coir_task_equal(coir_mutex_owner(&mutex), waiter));
    check_rc(coir_mutex_try_lock(&mutex), -EAGAIN);
    check_rc(coir_mutex_unlock(&mutex), -EPERM);
    check_rc(coir_mutex_lock(&mutex), 0);
    trace("main");
    check_rc(coir_mutex_unlock(&mutex), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_trace("waiter main");
    return 0;
}

/* ---- Cancellation ---- */

TASK_TEST_SEEDS(sync_mutex, a_cut_waiter_lets_the_next_one_through) {
    for (int cut = 0; cut < 3; cut++) {
        static const char *const left[] = {"a-cut b c", "b-cut a c", "c-cut a b"};
        coir_mutex mutex = {0};
        struct visitor visitors[] = {{.name = "a"}, {.name = "b"}, {.name = "c"}};
        coir_task tasks[3];
        trace_clear();
        COIR_SCOPE(s);
        check_rc(coir_mutex_lock(&mutex), 0);
        for (int i = 0; i < 3; i++) {
            visitors[i].mutex = &mutex;
            tasks[i] = spawn_now(&s, visit, &visitors[i]);
        }
        check(coir_task_cancel(tasks[cut]));
        pass(1);
        check_rc(coir_mutex_unlock(&mutex), 0);
        check_rc(coir_scope_close(&s, 0), 0);
        check_trace(left[cut]);
        check_rc(coir_mutex_destroy(&mutex), 0);
    }
    return 0;
}

static int lock_and_keep_calling(void *arg) {
    coir_mutex *const mutex = arg;
    check_rc(coir_mutex_lock(mutex), 0);
    check_rc(coir_yield(), -ECANCELED);
    check_rc(coir_mutex_lock(mutex), -ECANCELED);
    check_rc(coir_mutex_unlock(mutex), 0);
    check_rc(coir_mutex_lock(mutex), -ECANCELED);
    check_rc(coir_mutex_try_lock(mutex), 0);
    return coir_mutex_unlock(mutex);
}

TASK_TEST_SEEDS(sync_mutex, what_was_handed_over_survives_a_cancel) {
    coir_mutex mutex = {0};
    COIR_SCOPE(s);
    check_rc(coir_mutex_lock(&mutex), 0);
    const coir_task waiter = spawn_now(&s, lock_and_keep_calling, &mutex);
    check_rc(coir_mutex_unlock(&mutex), 0);
    check(coir_task_cancel(waiter));
    check_rc(coir_scope_close(&s, 0), 0);
    check(is_free(&mutex));
    return 0;
}

TASK_TEST_SEEDS(sync_mutex, a_cancelled_task_does_not_even_get_a_free_one) {
    coir_mutex mutex = {0};
    COIR_SCOPE(s);
    coir_scope_cancel(&s);
    check_rc(coir_mutex_lock(&mutex), -ECANCELED);
    check(is_free(&mutex));
    check_rc(coir_mutex_try_lock(&mutex), 0);
    check_rc(coir_mutex_unlock(&mutex), 0);
    check_rc(coir_scope_close(&s, -ECANCELED), 0);
    return 0;
}

/* Locks within a scope that has a deadline. */
struct hurried {
    coir_mutex *mutex;
    int deadline_ms;
    int rc, close_rc;
};

static int lock_in_time(void *arg) {
    struct hurried *const h = arg;
    COIR_SCOPE(s, .deadline = coir_after(COIR_MS(h->deadline_ms)));
    h->rc = coir_mutex_lock(h->mutex);
    if (h->rc == 0)
        check_rc(coir_mutex_unlock(h->mutex), 0);
    h->close_rc = coir_scope_close(&s, h->rc);
    return 0;
}

TASK_TEST_SEEDS(sync_mutex, a_deadline_before_at_and_after_the_unlock) {
    for (int deadline = 0; deadline <= 4; deadline++) {
        coir_mutex mutex = {0};
        struct hurried hurried = {.mutex = &mutex, .deadline_ms = deadline};
        COIR_SCOPE(s);
        check_rc(coir_mutex_lock(&mutex), 0);
        check_rc(coir_spawn(&s, lock_in_time, &hurried), 0);
        pass(2);
        check_rc(coir_mutex_unlock(&mutex), 0);
        check_rc(coir_scope_close(&s, 0), 0);
        if (deadline != 2)
            check_rc(hurried.rc, deadline < 2 ? -ECANCELED : 0);
        check_rc(hurried.close_rc, hurried.rc == 0 ? 0 : -ETIMEDOUT);
        check(is_free(&mutex));
        check_rc(coir_mutex_destroy(&mutex), 0);
    }
    return 0;
}

/* Three visitors who come one after the other, one of whom is cancelled at some instant: before it
 * comes, while it waits, at the moment it gets the mutex, while it has it, after. */
TASK_TEST_SEEDS(sync_mutex, a_cancel_at_every_instant_loses_nothing) {
    for (int victim = 0; victim < 3; victim++) {
        for (int at = 0; at <= 12; at++) {
            coir_mutex mutex = {0};
            int inside = 0;
            struct visitor visitors[3];
            coir_task tasks[3];
            COIR_SCOPE(s);
            for (int i = 0; i < 3; i++) {
                visitors[i] = (struct visitor){.mutex = &mutex,
                                               .name = "x",
                                               .at_ms = 1 + i,
                                               .stay_ms = 3,
                                               .rc = 1,
                                               .inside = &inside};
                check_rc(coir_spawn_task(&s, visit, &visitors[i], &tasks[i]), 0);
            }
            pass(at);
            (void)coir_task_cancel(tasks[victim]);
            check_rc(coir_scope_close(&s, 0), 0);
            for (int i = 0; i < 3; i++)
                if (i != victim)
                    check_rc(visitors[i].rc, 0);
            check_int(inside, 0);
            check(is_free(&mutex));
            check_rc(coir_mutex_destroy(&mutex), 0);
            trace_clear();
        }
    }
    return 0;
}

/* ---- Owners that end ---- */

TASK_TEST_SEEDS(sync_mutex, an_owner_that_ends_is_reported_to_all) {
    coir_mutex mutex = {0};
    struct visitor visitors[] = {{.name = "owner", .stay_ms = 5, .forgets = true},
                                 {.name = "a", .at_ms = 1},
                                 {.name = "b", .at_ms = 2},
                                 {.name = "late", .at_ms = 9}};
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    for (size_t i = 0; i < COUNT_OF(visitors); i++) {
        visitors[i].mutex = &mutex;
        check_rc(coir_spawn(&s, visit, &visitors[i]), 0);
    }
    check_rc(coir_scope_close(&s, 0), -EOWNERDEAD);
    check_int(occurrences(traced(), "-dead"), 3);
    check_rc(coir_mutex_try_lock(&mutex), -EOWNERDEAD);
    check_rc(coir_mutex_lock(&mutex), -EOWNERDEAD);
    check_rc(coir_mutex_unlock(&mutex), -EPERM);
    check(is_free(&mutex));
    check_rc(coir_mutex_destroy(&mutex), 0);
    check_rc(coir_mutex_lock(&mutex), 0);
    check_rc(coir_mutex_unlock(&mutex), 0);
    return 0;
}

/* The second of three forgets to unlock, which it got by a hand-over; it is cancelled at some
 * instant, which may save the third. */
TASK_TEST_SEEDS(sync_mutex, an_owner_by_hand_over_that_ends_is_reported) {
    for (int at = 0; at <= 8; at++) {
        coir_mutex mutex = {0};
        struct visitor visitors[] = {
            {.mutex = &mutex, .name = "a", .at_ms = 1, .stay_ms = 3},
            {.mutex = &mutex, .name = "b", .at_ms = 2, .stay_ms = 2, .rc = 1, .forgets = true},
            {.mutex = &mutex, .name = "c", .at_ms = 3}};
        coir_task second;
        COIR_SCOPE(s, .policy = COIR_SUPERVISE);
        check_rc(coir_spawn(&s, visit, &visitors[0]), 0);
        check_rc(coir_spawn_task(&s, visit, &visitors[1], &second), 0);
        check_rc(coir_spawn(&s, visit, &visitors[2]), 0);
        pass(at);
        (void)coir_task_cancel(second);
        check_rc(coir_scope_close(&s, 0), visitors[2].rc);
        check_rc(visitors[0].rc, 0);
        check_rc(visitors[2].rc, visitors[1].rc == 0 ? -EOWNERDEAD : 0);
        check_rc(coir_mutex_destroy(&mutex), 0);
        trace_clear();
    }
    return 0;
}

static int lock_three_unlock_one(void *arg) {
    coir_mutex *const mutexes = arg;
    for (int i = 0; i < 3; i++)
        check_rc(coir_mutex_lock(&mutexes[i]), 0);
    return coir_mutex_unlock(&mutexes[1]);
}

TASK_TEST_SEEDS(sync_mutex, all_that_an_owner_held_are_reported) {
    coir_mutex mutexes[3] = {0};
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, lock_three_unlock_one, mutexes), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(coir_mutex_lock(&mutexes[0]), -EOWNERDEAD);
    check_rc(coir_mutex_try_lock(&mutexes[1]), 0);
    check_rc(coir_mutex_lock(&mutexes[2]), -EOWNERDEAD);
    return coir_mutex_unlock(&mutexes[1]);
}

/* A task that uses the stack of one that ended is not taken for it. */
TASK_TEST_SEEDS(sync_mutex, a_later_task_is_not_taken_for_the_owner) {
    coir_mutex mutex = {0};
    struct visitor first = {.mutex = &mutex, .name = "first", .forgets = true};
    struct visitor second = {.mutex = &mutex, .name = "second"};
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    check_rc(coir_spawn(&s, visit, &first), 0);
    pass(1);
    check_rc(coir_spawn(&s, visit, &second), 0);
    check_rc(coir_scope_close(&s, 0), -EOWNERDEAD);
    check_trace("first second-dead");
    return 0;
}

static int lock_arg(void *mutex) {
    return coir_mutex_lock(mutex);
}

Test(sync_mutex, an_owner_may_end_with_its_runtime) {
    coir_mutex mutex = {0};
    check_rc(run_task(lock_arg, &mutex), 0);
    check_rc(run_task(lock_arg, &mutex), -EOWNERDEAD);
    check_rc(coir_mutex_destroy(&mutex), 0);
    check_rc(run_task(lock_arg, &mutex), 0);
}

static void unlock_at_the_end(UNUSED coir_task task, UNUSED int rc, void *mutex) {
    check_rc(coir_mutex_unlock(mutex), 0);
}

static int lock_until_done(void *mutex) {
    static coir_done done;
    done = (coir_done){.fn = unlock_at_the_end, .arg = mutex};
    check_rc(coir_task_on_done(coir_self(), &done), 0);
    return coir_mutex_lock(mutex);
}

TASK_TEST_SEEDS(sync_mutex, a_last_act_may_be_to_unlock) {
    coir_mutex mutex = {0};
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, lock_until_done, &mutex), 0);
    pass(1);
    check_rc(coir_mutex_lock(&mutex), 0);
    check_rc(coir_mutex_unlock(&mutex), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

/* ---- Destroying, looking ---- */

TASK_TEST_SEEDS(sync_mutex, one_that_is_held_or_waited_for_is_not_destroyed) {
    coir_mutex mutex = {0};
    struct visitor visitor = {.mutex = &mutex, .name = "waiter"};
    COIR_SCOPE(s);
    check_rc(coir_mutex_lock(&mutex), 0);
    check_rc(coir_mutex_destroy(&mutex), -EBUSY);
    (void)spawn_now(&s, visit, &visitor);
    check_rc(coir_mutex_destroy(&mutex), -EBUSY);
    check_rc(coir_mutex_unlock(&mutex), 0);
    check_rc(coir_mutex_destroy(&mutex), -EBUSY);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(visitor.rc, 0);
    check_rc(coir_mutex_destroy(&mutex), 0);
    return 0;
}

TASK_TEST(sync_mutex, a_listing_says_what_a_task_waits_for) {
    coir_mutex mutex = {0};
    struct visitor visitor = {.mutex = &mutex, .name = "waiter"};
    COIR_SCOPE(s);
    check_rc(coir_mutex_lock(&mutex), 0);
    (void)spawn_now(&s, visit, &visitor);
    check_contains(listing(), named("mutex", &mutex));
    check_rc(coir_mutex_unlock(&mutex), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

static int lock_both(void *arg) {
    coir_mutex *const *const order = arg;
    COIR_TRY(coir_mutex_lock(order[0]));
    int rc = coir_yield();
    if (rc == 0)
        rc = coir_mutex_lock(order[1]);
    if (rc == 0)
        check_rc(coir_mutex_unlock(order[1]), 0);
    check_rc(coir_mutex_unlock(order[0]), 0);
    return rc;
}

static int embrace(void *arg) {
    coir_mutex *const mutexes = arg;
    coir_mutex *orders[2][2] = {{&mutexes[0], &mutexes[1]}, {&mutexes[1], &mutexes[0]}};
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, lock_both, orders[0]), 0);
    check_rc(coir_spawn(&s, lock_both, orders[1]), 0);
    return coir_scope_close(&s, 0);
}

Test(sync_mutex, a_deadly_embrace_is_reported) {
    coir_mutex mutexes[2] = {0};
    capture_stderr();
    const int rc = run_task(embrace, mutexes);
    const char *const text = captured_stderr();
    check_rc(rc, -EDEADLK);
    check_contains(text, named("mutex", &mutexes[0]));
    check_contains(text, named("mutex", &mutexes[1]));
    check(is_free(&mutexes[0]));
    check(is_free(&mutexes[1]));
}

/* ---- Many ---- */

struct worker {
    coir_mutex *mutex;
    uint32_t *state;
    int *inside, *rounds;
};

static int work(void *arg) {
    const struct worker *const w = arg;
    for (int i = 0; i < 20; i++) {
        COIR_TRY(coir_mutex_lock(w->mutex));
        check_int(++*w->inside, 1);
        for (unsigned yields = draw(w->state, 3); yields > 0; yields--)
            (void)coir_yield();
        check_int(--*w->inside, 0);
        ++*w->rounds;
        check_rc(coir_mutex_unlock(w->mutex), 0);
    }
    return 0;
}

TASK_TEST_SEEDS(sync_mutex, never_two_inside_whoever_is_cancelled) {
    static uint32_t state = 1;
    coir_mutex mutex = {0};
    int inside = 0, rounds = 0;
    struct worker worker = {&mutex, &state, &inside, &rounds};
    coir_task tasks[12];
    COIR_SCOPE(s);
    for (size_t i = 0; i < COUNT_OF(tasks); i++)
        check_rc(coir_spawn_task(&s, work, &worker, &tasks[i]), 0);
    for (int i = 0; i < 6; i++) {
        for (unsigned yields = draw(&state, 20); yields > 0; yields--)
            check_rc(coir_yield(), 0);
        (void)coir_task_cancel(tasks[draw(&state, COUNT_OF(tasks))]);
    }
    check_rc(coir_scope_close(&s, 0), 0);
    check(rounds >= 6 * 20);
    check_int(inside, 0);
    check(is_free(&mutex));
    check_rc(coir_mutex_destroy(&mutex), 0);
    return 0;
}
