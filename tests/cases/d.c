/* CASES.md, section D: tasks and cancelling them. Each test bears the number of its case. */
#include "support.h"

SUITE(cases_d);

static uint64_t timers_armed(void) {
    coir_stats stats;
    check_rc(coir_stats_get(&stats), 0);
    return stats.timers_armed;
}

/* What a task came to, step by step. */
struct steps {
    int rc[4];
    int value;
};

static int sleep_twice(void *arg) {
    struct steps *const steps = arg;
    steps->rc[0] = coir_sleep(COIR_SEC(10));
    steps->rc[1] = coir_sleep(COIR_SEC(10));
    return steps->rc[1];
}

static int return_zero(UNUSED void *arg) {
    return 0;
}

TASK_TEST_SEEDS(cases_d, D01_a_sleeping_task_is_cut_and_its_timer_removed) {
    struct steps steps = {.value = 0};
    coir_task task;
    COIR_SCOPE(s);
    check_rc(coir_spawn_task(&s, sleep_twice, &steps, &task), 0);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    check_int(timers_armed(), 1);
    check(coir_task_cancel(task));
    check_int(timers_armed(), 0);
    check_rc(coir_join(task, NULL), 0);
    check_rc(coir_task_result(task), -ECANCELED);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

TASK_TEST_SEEDS(cases_d, D02_cancelling_a_finished_task_does_nothing) {
    coir_task task;
    COIR_SCOPE(s);
    check_rc(coir_spawn_task(&s, return_zero, NULL, &task), 0);
    check_rc(coir_join(task, NULL), 0);
    check(!coir_task_cancel(task));
    check_rc(coir_task_result(task), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

static bool count_and_agree(coir_waiter *wait) {
    ++*(int *)(uintptr_t)wait->object;
    return true;
}

static int park_counting_cuts(void *arg) {
    coir_waiter wait = {.cut = count_and_agree, .what = "test", .object = arg};
    return coir_park(&wait);
}

TASK_TEST_SEEDS(cases_d, D03_a_second_cancel_does_not_interrupt_the_same_call_again) {
    int cuts = 0;
    coir_task task;
    COIR_SCOPE(s);
    check_rc(coir_spawn_task(&s, park_counting_cuts, &cuts, &task), 0);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    check(coir_task_cancel(task));
    check(!coir_task_cancel(task));
    coir_scope_cancel(&s);
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(cuts, 1);
    return 0;
}

static int note_cancelled_start(void *arg) {
    struct steps *const steps = arg;
    steps->value++;
    steps->rc[0] = coir_check();
    steps->rc[1] = coir_yield();
    return steps->rc[1];
}

TASK_TEST(cases_d, D04_a_task_cancelled_before_it_starts_still_runs) {
    struct steps steps = {.value = 0};
    coir_task task;
    COIR_SCOPE(s);
    check_rc(coir_spawn_task(&s, note_cancelled_start, &steps, &task), 0);
    check(coir_task_cancel(task));
    check_int(steps.value, 0);
    check_rc(coir_join(task, NULL), 0);
    check_rc(coir_task_result(task), -ECANCELED);
    check_int(steps.value, 1);
    check_rc(steps.rc[0], -ECANCELED);
    check_rc(steps.rc[1], -ECANCELED);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

static int yield_and_count(void *arg) {
    struct steps *const steps = arg;
    int rc;
    while ((rc = coir_yield()) == 0)
        steps->value++;
    return rc;
}

TASK_TEST(cases_d, D05_a_task_between_two_yields_is_cut_at_the_next) {
    struct steps steps = {.value = 0};
    coir_task task;
    COIR_SCOPE(s);
    check_rc(coir_spawn_task(&s, yield_and_count, &steps, &task), 0);
    for (int i = 0; i < 3; i++)
        check_rc(coir_yield(), 0);
    const int before = steps.value;
    check(coir_task_cancel(task)); /* it is ready: the yield it is in still succeeds */
    check_rc(coir_join(task, NULL), 0);
    check_int(steps.value, before + 1);
    check_rc(coir_task_result(task), -ECANCELED);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

static int join_arg(void *arg) {
    int rc = 0;
    check_rc(coir_join(*(const coir_task *)arg, &rc), 0);
    check_rc(rc, -ECANCELED);
    check_rc(coir_check(), 0);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    return 0;
}

TASK_TEST_SEEDS(cases_d, D06_cancelling_what_a_task_waits_for_is_a_result_to_it) {
    coir_task waiter, target;
    COIR_SCOPE(s);
    check_rc(coir_spawn_task(&s, sleep_for_ever, NULL, &target), 0);
    check_rc(coir_spawn_task(&s, join_arg, &target, &waiter), 0);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    check(coir_task_cancel(target));
    check_rc(coir_join(waiter, NULL), 0);
    check_rc(coir_task_result(waiter), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

TASK_TEST_SEEDS(cases_d, D09_after_an_ignored_cut_the_later_waits_are_cut_too) {
    struct steps steps = {.value = 0};
    coir_task task;
    COIR_SCOPE(s);
    check_rc(coir_spawn_task(&s, sleep_twice, &steps, &task), 0);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    const coir_time then = coir_now();
    check(coir_task_cancel(task));
    check_rc(coir_join(task, NULL), 0);
    check_rc(steps.rc[0], -ECANCELED);
    check_rc(steps.rc[1], -ECANCELED);
    check_int(coir_now(), then);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

static int cancel_itself_then_wait(UNUSED void *arg) {
    check(coir_task_cancel(coir_self()));
    check_rc(coir_check(), -ECANCELED);
    return coir_sleep(COIR_SEC(1));
}

TASK_TEST_SEEDS(cases_d, D10_a_task_that_cancels_itself_is_cut_at_once) {
    coir_task task;
    const coir_time began = coir_now();
    COIR_SCOPE(s);
    check_rc(coir_spawn_task(&s, cancel_itself_then_wait, NULL, &task), 0);
    check_rc(coir_join(task, NULL), 0);
    check_rc(coir_task_result(task), -ECANCELED);
    check_int(coir_now(), began);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

static int cancel_itself_and_return_5(UNUSED void *arg) {
    check(coir_task_cancel(coir_self()));
    return 5;
}

TASK_TEST_SEEDS(cases_d, D11_a_task_that_cancels_itself_and_does_not_wait_completes) {
    coir_task task;
    COIR_SCOPE(s);
    check_rc(coir_spawn_task(&s, cancel_itself_and_return_5, NULL, &task), 0);
    check_rc(coir_join(task, NULL), 0);
    check_rc(coir_task_result(task), 5);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

TASK_TEST_SEEDS(cases_d, D13_leaving_the_cancelled_scope_is_the_uncancel) {
    for (int i = 0; i < 3; i++) {
        COIR_SCOPE(s);
        coir_scope_cancel(&s);
        check_rc(coir_sleep(COIR_MS(1)), -ECANCELED);
        check_rc(coir_scope_close(&s, -ECANCELED), 0);
        check_rc(coir_check(), 0);
        check_rc(coir_sleep(COIR_MS(1)), 0);
    }
    return 0;
}

static int fail_when_cut(UNUSED void *arg) {
    return coir_sleep(COIR_NEVER) == -ECANCELED ? -EPIPE : 0;
}

TASK_TEST_SEEDS(cases_d, D14_an_error_returned_instead_of_the_cut_is_the_tasks_status) {
    coir_task task;
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    check_rc(coir_spawn_task(&s, fail_when_cut, NULL, &task), 0);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    check(coir_task_cancel(task));
    check_rc(coir_join(task, NULL), 0);
    check_rc(coir_task_result(task), -EPIPE);
    (void)coir_scope_close(&s, 0);
    return 0;
}

TASK_TEST_SEEDS(cases_d, D15_a_cut_sleep_removes_its_timer) {
    coir_task tasks[100];
    struct steps steps[100];
    const uint64_t before = timers_armed();
    COIR_SCOPE(s);
    for (size_t i = 0; i < COUNT_OF(tasks); i++)
        check_rc(coir_spawn_task(&s, sleep_twice, &steps[i], &tasks[i]), 0);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    for (size_t i = 0; i < COUNT_OF(tasks); i++) {
        check_int(timers_armed(), before + COUNT_OF(tasks) - i);
        check(coir_task_cancel(tasks[i]));
    }
    check_int(timers_armed(), before);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

TASK_TEST_SEEDS(cases_d, D16_the_joiner_of_a_cancelled_task_is_not_cancelled) {
    int rc = 0;
    coir_task task;
    COIR_SCOPE(s);
    check_rc(coir_spawn_task(&s, sleep_for_ever, NULL, &task), 0);
    check_rc(coir_yield(), 0);
    check(coir_task_cancel(task));
    check_rc(coir_join(task, &rc), 0);
    check_rc(rc, -ECANCELED);
    check_rc(coir_check(), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

static int join_itself(UNUSED void *arg) {
    return coir_join(coir_self(), NULL);
}

TASK_TEST_SEEDS(cases_d, D17_joining_oneself_is_a_deadlock) {
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, join_itself, NULL), 0);
    check_rc(coir_scope_close(&s, 0), -EDEADLK);
    return 0;
}

static int check_self(void *arg) {
    coir_task *const own = arg;
    *own = coir_self();
    for (int i = 0; i < 10; i++) {
        check_rc(i % 2 == 0 ? coir_yield() : coir_sleep(COIR_MS(1)), 0);
        check(coir_task_equal(*own, coir_self()));
    }
    return 0;
}

TASK_TEST_SEEDS(cases_d, D18_the_current_handle_is_right_across_switches) {
    coir_task own[10];
    const coir_task main_task = coir_self();
    COIR_SCOPE(s);
    for (size_t i = 0; i < COUNT_OF(own); i++)
        check_rc(coir_spawn(&s, check_self, &own[i]), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check(coir_task_equal(main_task, coir_self()));
    for (size_t i = 0; i < COUNT_OF(own); i++)
        for (size_t k = 0; k < i; k++)
            check(!coir_task_equal(own[i], own[k]));
    return 0;
}

Test(cases_d, D18_outside_there_is_no_current_task) {
    check(coir_task_equal(coir_self(), (coir_task){0}));
}

static int note_ends(void *arg) {
    trace("%s", (const char *)arg);
    (void)coir_yield();
    trace("%s", (const char *)arg);
    return 0;
}

TASK_TEST(cases_d, D21_sleep_0_yields_exactly_once) {
    char name[] = "other";
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, note_ends, name), 0);
    check_rc(coir_sleep(0), 0);
    trace("main");
    check_rc(coir_sleep(0), 0);
    check_trace("other main other");
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

TASK_TEST(cases_d, D22_invalid_durations_are_refused) {
    check_rc(coir_sleep(-1), -EINVAL);
    check_rc(coir_sleep(INT64_MIN), -EINVAL);
    return 0;
}

static int deep_within(int depth) {
    if (depth == 0)
        return coir_sleep(COIR_NEVER);
    const int rc = deep_within(depth - 1);
    trace("%d", depth);
    return rc;
}

static int wait_deep_within(UNUSED void *arg) {
    return deep_within(3);
}

TASK_TEST(cases_d, D23_a_cut_passes_through_nested_calls) {
    coir_task task;
    COIR_SCOPE(s);
    check_rc(coir_spawn_task(&s, wait_deep_within, NULL, &task), 0);
    check_rc(coir_yield(), 0);
    check(coir_task_cancel(task));
    check_rc(coir_join(task, NULL), 0);
    check_rc(coir_task_result(task), -ECANCELED);
    check_trace("1 2 3");
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}
