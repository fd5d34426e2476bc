/* CASES.md, section H: semaphore, limiter, barrier. Each test bears the number of its case. */
#include "sync/help.h"

SUITE(cases_h);

/* Acquires, traces its name, keeps what it got. */
struct taker {
    coir_semaphore *semaphore;
    const char *name;
    int rc;
};

static int take_one(void *arg) {
    struct taker *const t = arg;
    t->rc = coir_semaphore_acquire(t->semaphore);
    COIR_TRY(t->rc);
    trace("%s", t->name);
    return 0;
}

static coir_task spawn_taker(coir_scope *s, coir_semaphore *semaphore, struct taker *taker,
                             const char *name) {
    *taker = (struct taker){.semaphore = semaphore, .name = name, .rc = 1};
    return spawn_now(s, take_one, taker);
}

static void release(coir_semaphore *semaphore, int times) {
    for (int i = 0; i < times; i++)
        check_rc(coir_semaphore_release(semaphore), 0);
}

TASK_TEST(cases_h, H01_zero_is_a_value_and_less_is_not) {
    coir_semaphore semaphore;
    check_rc(coir_semaphore_init(&semaphore, 0, 0), 0);
    check_rc(coir_semaphore_try_acquire(&semaphore), -EAGAIN);
    check_rc(coir_semaphore_init(&semaphore, -1, 0), -EINVAL);
    check_rc(coir_semaphore_init(&semaphore, -1, 1), -EINVAL);
    return 0;
}

TASK_TEST_SEEDS(cases_h, H02_three_permits_and_the_fourth_waits) {
    coir_semaphore semaphore;
    struct taker fourth;
    check_rc(coir_semaphore_init(&semaphore, 3, 0), 0);
    COIR_SCOPE(s);
    for (int i = 0; i < 3; i++)
        check_rc(coir_semaphore_acquire(&semaphore), 0);
    check_int(coir_semaphore_value(&semaphore), 0);
    const coir_task task = spawn_taker(&s, &semaphore, &fourth, "fourth");
    check(!coir_task_done(task));
    release(&semaphore, 1);
    check_rc(coir_scope_close(&s, 0), 0);
    check_trace("fourth");
    return 0;
}

TASK_TEST_SEEDS(cases_h, H03_a_cancelled_acquire_leaves_the_queue_clean) {
    coir_semaphore semaphore = {0};
    struct taker taker;
    COIR_SCOPE(s);
    const coir_task task = spawn_taker(&s, &semaphore, &taker, "a");
    check(coir_task_cancel(task));
    check_rc(coir_semaphore_destroy(&semaphore), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(taker.rc, -ECANCELED);
    release(&semaphore, 1);
    check_int(coir_semaphore_value(&semaphore), 1);
    return 0;
}

TASK_TEST_SEEDS(cases_h, H05_cancel_and_release_in_one_tick_and_the_second_runs) {
    coir_semaphore semaphore = {0};
    struct taker takers[2];
    COIR_SCOPE(s);
    const coir_task first = spawn_taker(&s, &semaphore, &takers[0], "first");
    (void)spawn_taker(&s, &semaphore, &takers[1], "second");
    check(coir_task_cancel(first));
    release(&semaphore, 1);
    check_rc(coir_scope_close(&s, 0), 0);
    check_trace("second");
    check_int(coir_semaphore_value(&semaphore), 0);
    return 0;
}

TASK_TEST(cases_h, H07_a_release_too_many_is_refused_and_changes_nothing) {
    coir_semaphore semaphore;
    check_rc(coir_semaphore_init(&semaphore, 1, 1), 0);
    check_rc(coir_semaphore_release(&semaphore), -EOVERFLOW);
    check_int(coir_semaphore_value(&semaphore), 1);
    check_rc(coir_semaphore_acquire(&semaphore), 0);
    check_rc(coir_semaphore_release(&semaphore), 0);
    check_rc(coir_semaphore_release(&semaphore), -EOVERFLOW);
    check_int(coir_semaphore_value(&semaphore), 1);
    return 0;
}

TASK_TEST_SEEDS(cases_h, H08_fifo_order) {
    coir_semaphore semaphore = {0};
    struct taker takers[3];
    COIR_SCOPE(s);
    (void)spawn_taker(&s, &semaphore, &takers[0], "a");
    (void)spawn_taker(&s, &semaphore, &takers[1], "b");
    (void)spawn_taker(&s, &semaphore, &takers[2], "c");
    for (int i = 0; i < 3; i++) {
        release(&semaphore, 1);
        pass(1);
    }
    check_trace("a b c");
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

/* One that releases and acquires again goes to the end of the queue. */
TASK_TEST_SEEDS(cases_h, H08_fifo_order_2) {
    coir_semaphore semaphore;
    struct taker takers[2];
    check_rc(coir_semaphore_init(&semaphore, 1, 1), 0);
    COIR_SCOPE(s);
    check_rc(coir_semaphore_acquire(&semaphore), 0);
    (void)spawn_taker(&s, &semaphore, &takers[0], "a");
    release(&semaphore, 1);
    (void)spawn_taker(&s, &semaphore, &takers[1], "b");
    release(&semaphore, 1); /* a's */
    check_rc(coir_semaphore_try_acquire(&semaphore), -EAGAIN);
    pass(1);
    release(&semaphore, 1); /* b's */
    check_rc(coir_semaphore_acquire(&semaphore), 0);
    trace("main");
    check_rc(coir_scope_close(&s, 0), 0);
    check_trace("a b main");
    return 0;
}

TASK_TEST_SEEDS(cases_h, H08_fifo_order_3_a_cancelled_one_is_skipped) {
    coir_semaphore semaphore = {0};
    struct taker takers[3];
    COIR_SCOPE(s);
    (void)spawn_taker(&s, &semaphore, &takers[0], "a");
    const coir_task second = spawn_taker(&s, &semaphore, &takers[1], "b");
    (void)spawn_taker(&s, &semaphore, &takers[2], "c");
    release(&semaphore, 1);
    pass(1);
    check(coir_task_cancel(second));
    release(&semaphore, 1);
    check_rc(coir_scope_close(&s, 0), 0);
    check_trace("a c");
    check_int(coir_semaphore_value(&semaphore), 0);
    return 0;
}

TASK_TEST_SEEDS(cases_h, H08_fifo_order_4_three_releases_wake_three_and_a_newcomer_waits) {
    coir_semaphore semaphore = {0};
    struct taker takers[4];
    COIR_SCOPE(s);
    (void)spawn_taker(&s, &semaphore, &takers[0], "a");
    (void)spawn_taker(&s, &semaphore, &takers[1], "b");
    (void)spawn_taker(&s, &semaphore, &takers[2], "c");
    release(&semaphore, 3);
    check_rc(coir_semaphore_try_acquire(&semaphore), -EAGAIN);
    const coir_task newcomer = spawn_taker(&s, &semaphore, &takers[3], "d");
    for (int i = 0; i < 3; i++)
        check_rc(takers[i].rc, 0);
    check(!coir_task_done(newcomer));
    release(&semaphore, 1);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(takers[3].rc, 0);
    return 0;
}

TASK_TEST_SEEDS(cases_h, H09_a_release_with_a_waiter_keeps_the_value_0) {
    coir_semaphore semaphore;
    struct taker taker;
    check_rc(coir_semaphore_init(&semaphore, 1, 0), 0);
    COIR_SCOPE(s);
    check_rc(coir_semaphore_acquire(&semaphore), 0);
    (void)spawn_taker(&s, &semaphore, &taker, "a");
    release(&semaphore, 1);
    check_int(coir_semaphore_value(&semaphore), 0);
    check_rc(coir_semaphore_try_acquire(&semaphore), -EAGAIN);
    check_rc(coir_scope_close(&s, 0), 0);
    check_trace("a");
    return 0;
}

TASK_TEST(cases_h, H10_a_second_acquire_and_a_strangers_release_are_refused) {
    int key = 0;
    coir_limiter limiter = {0};
    check_rc(coir_limiter_set_limit(&limiter, 2), 0);
    check_rc(coir_limiter_acquire(&limiter), 0);
    check_rc(coir_limiter_acquire(&limiter), -EDEADLK);
    check_rc(coir_limiter_try_acquire(&limiter), -EDEADLK);
    check_rc(coir_limiter_acquire_for(&limiter, &key), 0);
    check_rc(coir_limiter_acquire_for(&limiter, &key), -EDEADLK);
    check_rc(coir_limiter_release(&limiter), 0);
    check_rc(coir_limiter_release(&limiter), -EPERM);
    check_rc(coir_limiter_release_for(&limiter, &key), 0);
    check_rc(coir_limiter_release_for(&limiter, &key), -EPERM);
    return coir_limiter_destroy(&limiter);
}

static int pass_limiter(void *limiter) {
    COIR_TRY(coir_limiter_acquire(limiter));
    return coir_limiter_release(limiter);
}

TASK_TEST_SEEDS(cases_h, H12_a_limit_of_zero_lets_nobody_pass_until_it_is_raised) {
    coir_limiter limiter = {0};
    check_rc(coir_limiter_set_limit(&limiter, 0), 0);
    COIR_SCOPE(s);
    const coir_task task = spawn_now(&s, pass_limiter, &limiter);
    check_rc(coir_limiter_try_acquire(&limiter), -EAGAIN);
    check(!coir_task_done(task));
    check_rc(coir_limiter_set_limit(&limiter, 10), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    return coir_limiter_destroy(&limiter);
}

TASK_TEST_SEEDS(cases_h, H13_a_cancelled_acquire_leaves_no_holder) {
    coir_limiter limiter = {0};
    check_rc(coir_limiter_set_limit(&limiter, 1), 0);
    COIR_SCOPE(s);
    check_rc(coir_limiter_acquire(&limiter), 0);
    const coir_task task = spawn_now(&s, pass_limiter, &limiter);
    check(coir_task_cancel(task));
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(coir_limiter_holders(&limiter, NULL, 0), 1);
    check_rc(coir_limiter_release(&limiter), 0);
    check_int(coir_limiter_holders(&limiter, NULL, 0), 0);
    return coir_limiter_destroy(&limiter);
}

static int wait_at_barrier(void *barrier) {
    return coir_barrier_wait(barrier);
}

TASK_TEST_SEEDS(cases_h, H14_all_are_released_together_each_with_its_index) {
    for (int n = 1; n <= 5; n++) {
        coir_barrier barrier;
        coir_task tasks[5];
        unsigned indices = 0;
        check_rc(coir_barrier_init(&barrier, n), 0);
        COIR_SCOPE(s);
        for (int i = 0; i < n; i++) {
            for (int k = 0; k < i; k++)
                check(!coir_task_done(tasks[k]));
            tasks[i] = spawn_now(&s, wait_at_barrier, &barrier);
        }
        for (int i = 0; i < n; i++) {
            const int index = coir_task_result(tasks[i]);
            check(index >= 0 && index < n);
            indices |= 1U << index;
        }
        check_int(indices, (1U << n) - 1);
        check_rc(coir_scope_close(&s, 0), 0);
    }
    coir_barrier barrier;
    check_rc(coir_barrier_init(&barrier, 0), -EINVAL);
    check_rc(coir_barrier_init(&barrier, -2), -EINVAL);
    return 0;
}

/* A party that meets an error on its way breaks the barrier for the others. */
static int fail_before_the_barrier(void *barrier) {
    pass(2);
    check_rc(coir_barrier_abort(barrier), 0);
    return -EIO;
}

TASK_TEST_SEEDS(cases_h, H19_abort_is_an_error_to_waiters_and_later_callers) {
    coir_barrier barrier;
    check_rc(coir_barrier_init(&barrier, 3), 0);
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    const coir_task first = spawn_now(&s, wait_at_barrier, &barrier);
    const coir_task second = spawn_now(&s, wait_at_barrier, &barrier);
    check_rc(coir_spawn(&s, fail_before_the_barrier, &barrier), 0);
    pass(5);
    check_rc(coir_task_result(first), -EPIPE);
    check_rc(coir_task_result(second), -EPIPE);
    check_rc(coir_barrier_wait(&barrier), -EPIPE);
    check_rc(coir_scope_close(&s, 0), -EIO);
    return 0;
}
