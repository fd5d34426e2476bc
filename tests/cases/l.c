/* CASES.md, section L, as far as it concerns tasks, scopes and the clock. Each test bears the
 * number of its case. Threads and descriptors are in tests/io and tests/net. */
#include "support.h"

/* tests/io/cases_l.c has the other part of the suite, and declares it. */

static int sleep_100000_s(UNUSED void *arg) {
    return coir_sleep(COIR_SEC(100000));
}

Test(cases_l, L15_a_virtual_sleep_of_100000_s_takes_no_time) {
    const coir_time began = real_now();
    check_rc(run_task(sleep_100000_s, NULL), 0);
    check(real_now() - began < COIR_SEC(1));
}

static int tick(void *arg) {
    const int ms = *(const int *)arg;
    for (int i = 1; i <= 3; i++) {
        COIR_TRY(coir_sleep(COIR_MS(ms)));
        trace("%d@%d", ms, (int)((coir_now() - COIR_SEC(1)) / COIR_MS(1)));
    }
    return 0;
}

TASK_TEST(cases_l, L15_virtual_time_jumps_only_when_nothing_is_ready) {
    int fast = 10, slow = 25;
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, tick, &fast), 0);
    check_rc(coir_spawn(&s, tick, &slow), 0);
    for (int i = 0; i < 1000; i++)
        check_rc(coir_yield(), 0);
    check_int(coir_now(), COIR_SEC(1));
    check_rc(coir_scope_close(&s, 0), 0);
    check_trace("10@10 10@20 25@25 10@30 25@50 25@75");
    return 0;
}

static bool agree(UNUSED coir_waiter *wait) {
    return true;
}

static int wait_for_nobody(UNUSED void *arg) {
    coir_waiter wait = {.cut = agree, .what = "nobody"};
    return coir_park(&wait);
}

static int all_blocked(UNUSED void *arg) {
    COIR_SCOPE(s, .name = "stuck scope");
    for (int i = 0; i < 3; i++)
        COIR_TRY(coir_spawn_with(&s, wait_for_nobody, NULL,
                                 &(const coir_spawn_options){.name = "stuck task"}));
    return coir_scope_close(&s, 0);
}

Test(cases_l, L17_all_tasks_blocked_is_an_error_with_a_list) {
    capture_stderr();
    const int rc = run_task(all_blocked, NULL);
    const char *const list = captured_stderr();
    check_rc(rc, -EDEADLK);
    check_int(occurrences(list, "stuck task"), 3);
    check_contains(list, "stuck scope");
    check_contains(list, "nobody");
}

static int ignore_cuts_until(void *arg) {
    const volatile bool *const stop = arg;
    while (!*stop)
        (void)coir_sleep(COIR_MS(1));
    return 0;
}

static int count_to_ten(void *arg) {
    COIR_SCOPE(s, .shield = true);
    for (int i = 0; i < 10; i++) {
        COIR_TRY(coir_yield());
        ++*(int *)arg;
    }
    return coir_scope_close(&s, 0);
}

TASK_TEST_REAL(cases_l, L18_others_run_on_beside_one_that_ignores_cuts) {
    bool stop = false;
    int counted = 0;
    capture_stderr();
    COIR_SCOPE(around);
    COIR_SCOPE(s);
    check_rc(
        coir_spawn_with(&s, ignore_cuts_until, &stop, &(const coir_spawn_options){.name = "deaf"}),
        0);
    coir_task counter;
    check_rc(coir_spawn_task(&around, count_to_ten, &counted, &counter), 0);
    coir_scope_cancel(&s);
    COIR_SCOPE(shield, .shield = true);
    check_rc(coir_join(counter, NULL), 0);
    check_rc(coir_scope_close(&shield, 0), 0);
    stop = true;
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(coir_scope_close(&around, 0), 0);
    check_int(counted, 10);
    check(occurrences(captured_stderr(), "deaf") <= 1);
    return 0;
}

static int leave_early(UNUSED void *arg) {
    COIR_SCOPE(s);
    COIR_TRY(coir_spawn(&s, sleep_for_ever, NULL));
    return -EIO;
}

TASK_TEST_SEEDS(cases_l, L19_leaving_early_cancels_joins_and_counts) {
    coir_stats stats;
    check_rc(leave_early(NULL), -EIO);
    check_rc(coir_stats_get(&stats), 0);
    check_int(stats.tasks_alive, 1);
    check_int(stats.scopes_left_open, 1);
    return 0;
}
