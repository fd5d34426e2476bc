/* Limiters: permits whose holders are known, one each, and a limit that may change at any time. */
#include "help.h"

SUITE(sync_limiter);

static size_t held(const coir_limiter *limiter) {
    return coir_limiter_holders(limiter, NULL, 0);
}

struct visitor {
    coir_limiter *limiter;
    const char *name;
    const void *key; /* NULL: for itself */
    int at_ms, stay_ms;
    int rc;
    int *inside, *most;
};

static int acquire(struct visitor *v) {
    v->rc = v->key != NULL ? coir_limiter_acquire_for(v->limiter, v->key)
                           : coir_limiter_acquire(v->limiter);
    trace("%s%s", v->name, v->rc == 0 ? "" : v->rc == -ECANCELED ? "-cut" : "-twice");
    return v->rc;
}

static int visit(void *arg) {
    struct visitor *const v = arg;
    COIR_TRY(coir_sleep(COIR_MS(v->at_ms)));
    COIR_TRY(acquire(v));
    if (v->inside != NULL && ++*v->inside > *v->most)
        *v->most = *v->inside;
    (void)coir_sleep(COIR_MS(v->stay_ms));
    if (v->inside != NULL)
        --*v->inside;
    return v->key != NULL ? coir_limiter_release_for(v->limiter, v->key)
                          : coir_limiter_release(v->limiter);
}

static coir_limiter made(size_t limit) {
    coir_limiter limiter = {0};
    check_rc(coir_limiter_set_limit(&limiter, limit), 0);
    return limiter;
}

/* ---- Holding ---- */

TASK_TEST_SEEDS(sync_limiter, zeroed_memory_lets_nobody_in_until_the_limit_is_raised) {
    coir_limiter limiter = {0};
    struct visitor visitor = {.limiter = &limiter, .name = "a"};
    COIR_SCOPE(s);
    check_rc(coir_limiter_try_acquire(&limiter), -EAGAIN);
    check_rc(coir_limiter_release(&limiter), -EPERM);
    const coir_task task = spawn_now(&s, visit, &visitor);
    pass(1);
    check(!coir_task_done(task));
    check_rc(coir_limiter_set_limit(&limiter, 1), 0);
    check_rc(coir_limiter_try_acquire(&limiter), -EAGAIN); /* it has been handed over */
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(visitor.rc, 0);
    check_int(held(&limiter), 0);
    check_rc(coir_limiter_destroy(&limiter), 0);
    check_rc(coir_limiter_try_acquire(&limiter), -EAGAIN);
    return 0;
}

Test(sync_limiter, outside_the_runtime_it_is_refused) {
    int key = 0;
    coir_limiter limiter = made(2);
    check_rc(coir_limiter_acquire(&limiter), -EPERM);
    check_rc(coir_limiter_try_acquire(&limiter), -EPERM);
    check_rc(coir_limiter_release(&limiter), -EPERM);
    check_rc(coir_limiter_acquire_for(&limiter, &key), -EPERM);
    check_rc(coir_limiter_try_acquire_for(&limiter, &key), -EPERM);
    check_rc(coir_limiter_release_for(&limiter, &key), -EPERM);
    check_int(held(&limiter), 0);
    check_rc(coir_limiter_destroy(&limiter), 0);
    check_rc(coir_limiter_destroy(NULL), 0);
}

TASK_TEST(sync_limiter, nonsense_is_refused) {
    int key = 0;
    coir_limiter limiter = made(2);
    check_rc(coir_limiter_set_limit(NULL, 1), -EINVAL);
    check_rc(coir_limiter_set_limit(&limiter, COIR_LIMITER_MAX + 1), -EINVAL);
    check_rc(coir_limiter_set_limit(&limiter, SIZE_MAX), -EINVAL);
    check_rc(coir_limiter_acquire(NULL), -EINVAL);
    check_rc(coir_limiter_try_acquire(NULL), -EINVAL);
    check_rc(coir_limiter_release(NULL), -EINVAL);
    check_rc(coir_limiter_acquire_for(NULL, &key), -EINVAL);
    check_rc(coir_limiter_acquire_for(&limiter, NULL), -EINVAL);
    check_rc(coir_limiter_try_acquire_for(NULL, &key), -EINVAL);
    check_rc(coir_limiter_try_acquire_for(&limiter, NULL), -EINVAL);
    check_rc(coir_limiter_release_for(NULL, &key), -EINVAL);
    check_rc(coir_limiter_release_for(&limiter, NULL), -EINVAL);
    check_int(held(NULL), 0);
    check_int(held(&limiter), 0);
    return coir_limiter_destroy(&limiter);
}

static int release_anothers(void *limiter) {
    check_rc(coir_limiter_release(limiter), -EPERM);
    return 0;
}

TASK_TEST_SEEDS(sync_limiter, one_permit_each_and_only_the_holder_releases) {
    int key = 0;
    coir_limiter limiter = made(3);
    COIR_SCOPE(s);
    check_rc(coir_limiter_release(&limiter), -EPERM);
    check_rc(coir_limiter_acquire(&limiter), 0);
    check_rc(coir_limiter_acquire(&limiter), -EDEADLK);
    check_rc(coir_limiter_try_acquire(&limiter), -EDEADLK);
    check_rc(coir_spawn(&s, release_anothers, &limiter), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(coir_limiter_release_for(&limiter, &key), -EPERM);
    check_rc(coir_limiter_try_acquire_for(&limiter, &key), 0);
    check_rc(coir_limiter_try_acquire_for(&limiter, &key), -EDEADLK);
    check_rc(coir_limiter_acquire_for(&limiter, &key), -EDEADLK);
    check_int(held(&limiter), 2);
    check_rc(coir_limiter_release(&limiter), 0);
    check_rc(coir_limiter_release(&limiter), -EPERM);
    check_rc(coir_limiter_release_for(&limiter, &key), 0);
    check_int(held(&limiter), 0);
    return coir_limiter_destroy(&limiter);
}

static int release_key(void *arg) {
    struct visitor *const v = arg;
    return coir_limiter_release_for(v->limiter, v->key);
}

TASK_TEST_SEEDS(sync_limiter, another_task_may_release_for_a_key) {
    int key = 0;
    coir_limiter limiter = made(1);
    struct visitor visitor = {.limiter = &limiter, .key = &key};
    COIR_SCOPE(s);
    check_rc(coir_limiter_acquire_for(&limiter, &key), 0);
    check_rc(coir_spawn(&s, release_key, &visitor), 0);
    check_rc(coir_limiter_acquire(&limiter), 0); /* waits for it */
    check_rc(coir_limiter_release(&limiter), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    return coir_limiter_destroy(&limiter);
}

TASK_TEST_SEEDS(sync_limiter, two_may_wait_for_one_key_but_one_gets_it) {
    int key = 0;
    coir_limiter limiter = made(1);
    struct visitor visitors[] = {{.limiter = &limiter, .name = "a", .key = &key, .stay_ms = 1},
                                 {.limiter = &limiter, .name = "b", .key = &key},
                                 {.limiter = &limiter, .name = "c"}};
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    check_rc(coir_limiter_acquire(&limiter), 0);
    for (int i = 0; i < 3; i++)
        (void)spawn_now(&s, visit, &visitors[i]);
    check_rc(coir_limiter_set_limit(&limiter, 4), 0);
    check_rc(coir_limiter_release(&limiter), 0);
    check_rc(coir_scope_close(&s, 0), -EDEADLK);
    check_rc(visitors[0].rc, 0);
    check_rc(visitors[1].rc, -EDEADLK);
    check_rc(visitors[2].rc, 0);
    check_int(held(&limiter), 0);
    return coir_limiter_destroy(&limiter);
}

/* ---- Order, and the limit ---- */

TASK_TEST_SEEDS(sync_limiter, waiters_get_in_in_the_order_they_came) {
    coir_limiter limiter = made(1);
    struct visitor visitors[] = {
        {.name = "c", .at_ms = 3}, {.name = "a", .at_ms = 1}, {.name = "b", .at_ms = 2}};
    COIR_SCOPE(s);
    for (size_t i = 0; i < COUNT_OF(visitors); i++) {
        visitors[i].limiter = &limiter;
        visitors[i].stay_ms = 5;
        check_rc(coir_spawn(&s, visit, &visitors[i]), 0);
    }
    check_rc(coir_scope_close(&s, 0), 0);
    check_trace("a b c");
    return coir_limiter_destroy(&limiter);
}

TASK_TEST_SEEDS(sync_limiter, release_hands_over_there_and_then) {
    coir_limiter limiter = made(1);
    struct visitor visitor = {.limiter = &limiter, .name = "a"};
    COIR_SCOPE(s);
    check_rc(coir_limiter_acquire(&limiter), 0);
    (void)spawn_now(&s, visit, &visitor);
    check_rc(coir_limiter_release(&limiter), 0);
    check_int(held(&limiter), 1);
    check_rc(coir_limiter_try_acquire(&limiter), -EAGAIN);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(visitor.rc, 0);
    return coir_limiter_destroy(&limiter);
}

TASK_TEST_SEEDS(sync_limiter, the_limit_goes_up_and_down_while_it_is_in_use) {
    coir_limiter limiter = made(1);
    int inside = 0, most = 0;
    struct visitor visitors[8];
    COIR_SCOPE(s);
    for (size_t i = 0; i < COUNT_OF(visitors); i++) {
        visitors[i] = (struct visitor){
            .limiter = &limiter, .name = "x", .stay_ms = 10, .inside = &inside, .most = &most};
        check_rc(coir_spawn(&s, visit, &visitors[i]), 0);
    }
    pass(5);
    check_int(inside, 1);
    check_rc(coir_limiter_set_limit(&limiter, 4), 0);
    pass(1);
    check_int(inside, 4);
    check_rc(coir_limiter_set_limit(&limiter, 2), 0);
    pass(1);
    check_int(inside, 4); /* nobody is thrown out */
    pass(10);
    check_int(inside, 2);
    check_rc(coir_limiter_set_limit(&limiter, 0), 0);
    pass(20);
    check_int(inside, 0);
    check_rc(coir_limiter_try_acquire(&limiter), -EAGAIN);
    check_rc(coir_limiter_set_limit(&limiter, 2), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(most, 4);
    check_int(held(&limiter), 0);
    return coir_limiter_destroy(&limiter);
}

/* ---- Cancellation ---- */

TASK_TEST_SEEDS(sync_limiter, a_cut_waiter_leaves_no_record) {
    coir_limiter limiter = made(1);
    struct visitor visitors[] = {{.limiter = &limiter, .name = "a"},
                                 {.limiter = &limiter, .name = "b"}};
    COIR_SCOPE(s);
    check_rc(coir_limiter_acquire(&limiter), 0);
    const coir_task first = spawn_now(&s, visit, &visitors[0]);
    (void)spawn_now(&s, visit, &visitors[1]);
    check(coir_task_cancel(first));
    check_int(held(&limiter), 1);
    check_rc(coir_limiter_release(&limiter), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(visitors[0].rc, -ECANCELED);
    check_rc(visitors[1].rc, 0);
    check_int(held(&limiter), 0);
    return coir_limiter_destroy(&limiter);
}

TASK_TEST_SEEDS(sync_limiter, a_cancelled_task_takes_no_permit) {
    coir_limiter limiter = made(1);
    COIR_SCOPE(s);
    coir_scope_cancel(&s);
    check_rc(coir_limiter_acquire(&limiter), -ECANCELED);
    check_int(held(&limiter), 0);
    check_rc(coir_limiter_try_acquire(&limiter), 0);
    check_rc(coir_limiter_release(&limiter), 0);
    check_rc(coir_scope_close(&s, -ECANCELED), 0);
    return coir_limiter_destroy(&limiter);
}

TASK_TEST_SEEDS(sync_limiter, a_cancel_at_every_instant_loses_no_permit) {
    for (int victim = 0; victim < 3; victim++) {
        for (int at = 0; at <= 12; at++) {
            coir_limiter limiter = made(1);
            int inside = 0, most = 0;
            struct visitor visitors[3];
            coir_task tasks[3];
            COIR_SCOPE(s);
            for (int i = 0; i < 3; i++) {
                visitors[i] = (struct visitor){.limiter = &limiter,
                                               .name = "x",
                                               .at_ms = 1 + i,
                                               .stay_ms = 3,
                                               .rc = 1,
                                               .inside = &inside,
                                               .most = &most};
                check_rc(coir_spawn_task(&s, visit, &visitors[i], &tasks[i]), 0);
            }
            pass(at);
            (void)coir_task_cancel(tasks[victim]);
            check_rc(coir_scope_close(&s, 0), 0);
            for (int i = 0; i < 3; i++)
                if (i != victim)
                    check_rc(visitors[i].rc, 0);
            check_int(most, 1);
            check_int(held(&limiter), 0);
            check_rc(coir_limiter_destroy(&limiter), 0);
            trace_clear();
        }
    }
    return 0;
}

/* ---- Holders ---- */

TASK_TEST(sync_limiter, the_holders_are_known) {
    int key = 0;
    coir_holder holders[3] = {{.key = NULL}};
    coir_limiter limiter = made(4);
    check_rc(coir_limiter_acquire(&limiter), 0);
    check_rc(coir_limiter_acquire_for(&limiter, &key), 0);
    check_int(coir_limiter_holders(&limiter, holders, 3), 2);
    const int mine = holders[0].key == NULL ? 0 : 1;
    check(coir_task_equal(holders[mine].task, coir_self()));
    check(holders[mine].key == NULL);
    check(holders[1 - mine].key == &key);
    check(coir_task_equal(holders[1 - mine].task, (coir_task){0}));
    check_int(coir_limiter_holders(&limiter, holders, 1), 2);
    check_rc(coir_limiter_release(&limiter), 0);
    check_int(coir_limiter_holders(&limiter, holders, 3), 1);
    check(holders[0].key == &key);
    check_rc(coir_limiter_release_for(&limiter, &key), 0);
    return coir_limiter_destroy(&limiter);
}

/* The table holds what a plain list would, whatever comes and goes and however it grows. */
TASK_TEST(sync_limiter, many_holders_come_and_go) {
    enum { KEYS = 300 };
    static char keys[KEYS];
    bool in[KEYS] = {false};
    uint32_t state = 7;
    size_t limit = 1, count = 0;
    coir_limiter limiter = made(limit);
    for (int i = 0; i < 20000; i++) {
        const unsigned k = draw(&state, KEYS);
        if (i % 100 == 0 && limit < 200)
            check_rc(coir_limiter_set_limit(&limiter, ++limit), 0);
        if (draw(&state, 5) < 3) {
            const int rc = coir_limiter_try_acquire_for(&limiter, &keys[k]);
            check_rc(rc, in[k] ? -EDEADLK : count >= limit ? -EAGAIN : 0);
            count += rc == 0;
            in[k] = in[k] || rc == 0;
        } else {
            const int rc = coir_limiter_release_for(&limiter, &keys[k]);
            check_rc(rc, in[k] ? 0 : -EPERM);
            count -= rc == 0;
            in[k] = false;
        }
        check_int(held(&limiter), count);
    }
    coir_holder holders[KEYS];
    check_int(coir_limiter_holders(&limiter, holders, KEYS), count);
    for (size_t i = 0; i < count; i++) {
        check(in[(const char *)holders[i].key - keys]);
        check_rc(coir_limiter_release_for(&limiter, holders[i].key), 0);
    }
    check_int(held(&limiter), 0);
    return coir_limiter_destroy(&limiter);
}

TASK_TEST(sync_limiter, the_greatest_limit_works) {
    coir_limiter limiter = made(COIR_LIMITER_MAX);
    check_rc(coir_limiter_acquire(&limiter), 0);
    check_rc(coir_limiter_set_limit(&limiter, 1), 0);
    check_rc(coir_limiter_release(&limiter), 0);
    return coir_limiter_destroy(&limiter);
}

/* ---- Destroying, looking ---- */

static int acquire_and_end(void *limiter) {
    return coir_limiter_acquire(limiter);
}

TASK_TEST_SEEDS(sync_limiter, a_holder_that_ends_has_lost_its_permit) {
    coir_limiter limiter = made(2);
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, acquire_and_end, &limiter), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(held(&limiter), 1);
    check_rc(coir_limiter_acquire(&limiter), 0); /* not taken for the other, on the same stack */
    check_int(held(&limiter), 2);
    check_rc(coir_limiter_destroy(&limiter), -EBUSY);
    check_rc(coir_limiter_release(&limiter), 0);
    return coir_limiter_destroy(&limiter);
}

TASK_TEST_SEEDS(sync_limiter, one_that_is_held_or_waited_for_is_not_destroyed) {
    int key = 0;
    coir_limiter limiter = made(1);
    struct visitor visitor = {.limiter = &limiter, .name = "a"};
    COIR_SCOPE(s);
    check_rc(coir_limiter_acquire_for(&limiter, &key), 0);
    check_rc(coir_limiter_destroy(&limiter), -EBUSY);
    (void)spawn_now(&s, visit, &visitor);
    check_rc(coir_limiter_destroy(&limiter), -EBUSY);
    check_contains(listing(), named("limiter", &limiter));
    check_rc(coir_limiter_release_for(&limiter, &key), 0);
    check_rc(coir_limiter_destroy(&limiter), -EBUSY);
    check_rc(coir_scope_close(&s, 0), 0);
    return coir_limiter_destroy(&limiter);
}
