/* CASES.md, section A: task groups. Each test bears the number of its case. */
#include "support.h"

SUITE(cases_a);

static int return_zero(UNUSED void *arg) {
    return 0;
}

static int never_called(UNUSED void *arg) {
    cr_assert(false, "a body ran that must not");
    return 0;
}

static int fail_at_once(UNUSED void *arg) {
    return -EPROTO;
}

static int fail_after_10_ms(UNUSED void *arg) {
    COIR_TRY(coir_sleep(COIR_MS(10)));
    return -EPROTO;
}

/* Waits for ever, and counts in *arg how often a task was cut. */
static int count_cut(void *arg) {
    const int rc = coir_sleep(COIR_NEVER);
    *(int *)arg += rc == -ECANCELED;
    return rc;
}

struct sum {
    int in, out;
};

static int double_it(void *arg) {
    struct sum *const sum = arg;
    COIR_TRY(coir_sleep(COIR_MS(sum->in)));
    sum->out = 2 * sum->in;
    return 0;
}

TASK_TEST_SEEDS(cases_a, A01_close_waits_for_both_and_results_are_readable) {
    struct sum a = {.in = 3}, b = {.in = 5};
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, double_it, &a), 0);
    check_rc(coir_spawn(&s, double_it, &b), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(a.out, 6);
    check_int(b.out, 10);
    return 0;
}

TASK_TEST_SEEDS(cases_a, A02_spawning_later_works) {
    struct sum sums[] = {{.in = 1}, {.in = 2}, {.in = 3}};
    COIR_SCOPE(s);
    for (size_t i = 0; i < COUNT_OF(sums); i++) {
        check_rc(coir_spawn(&s, double_it, &sums[i]), 0);
        check_rc(coir_sleep(COIR_MS(10)), 0);
        check_int(sums[i].out, 2 * sums[i].in);
    }
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

TASK_TEST_SEEDS(cases_a, A03_cancelling_one_child_is_no_error) {
    struct sum other = {.in = 20};
    int cuts = 0;
    coir_task task;
    COIR_SCOPE(s);
    check_rc(coir_spawn_task(&s, count_cut, &cuts, &task), 0);
    check_rc(coir_spawn(&s, double_it, &other), 0);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    check(coir_task_cancel(task));
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(cuts, 1);
    check_int(other.out, 40);
    return 0;
}

static int group_with_a_failing_child(int *cuts) {
    COIR_SCOPE(s);
    COIR_TRY(coir_spawn(&s, fail_after_10_ms, NULL));
    COIR_TRY(coir_spawn(&s, count_cut, cuts));
    COIR_TRY(coir_scope_close(&s, 0));
    trace("not run");
    return 0;
}

TASK_TEST_SEEDS(cases_a, A04_one_child_fails_cuts_sibling) {
    int cuts = 0;
    check_rc(group_with_a_failing_child(&cuts), -EPROTO);
    check_int(cuts, 1);
    check_trace("");
    return 0;
}

static int fail_when_cut(UNUSED void *arg) {
    check_rc(coir_sleep(COIR_NEVER), -ECANCELED);
    return -EPIPE;
}

TASK_TEST_SEEDS(cases_a, A05_several_errors_cut_the_body_and_are_recorded) {
    coir_error errors[COIR_SCOPE_ERRORS];
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, fail_after_10_ms, NULL), 0);
    check_rc(coir_spawn(&s, fail_when_cut, NULL), 0);
    check_rc(coir_spawn(&s, fail_when_cut, NULL), 0);
    check_rc(coir_sleep(COIR_SEC(10)), -ECANCELED);
    check_rc(coir_scope_close(&s, -ECANCELED), -EPROTO);
    check_int(coir_scope_errors(&s, errors, COUNT_OF(errors)), 3);
    check_rc(errors[0].rc, -EPROTO);
    check_rc(errors[1].rc, -EPIPE);
    check_rc(errors[2].rc, -EPIPE);
    return 0;
}

struct parent {
    int cuts, closed_with, body;
    bool body_waits;
};

static int parent_of_five(void *arg) {
    struct parent *const parent = arg;
    COIR_SCOPE(s);
    for (int i = 0; i < 5; i++)
        COIR_TRY(coir_spawn(&s, count_cut, &parent->cuts));
    int rc = 0;
    if (parent->body_waits) {
        rc = coir_sleep(COIR_NEVER);
        parent->body += rc == -ECANCELED;
    }
    parent->closed_with = coir_scope_close(&s, rc);
    return parent->closed_with;
}

static void cancel_the_parent(struct parent *parent) {
    coir_task task;
    COIR_SCOPE(s);
    check_rc(coir_spawn_task(&s, parent_of_five, parent, &task), 0);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    check(coir_task_cancel(task));
    check_rc(coir_scope_close(&s, 0), 0);
}

TASK_TEST_SEEDS(cases_a, A06_cancelling_the_parent_in_close_cancels_the_children) {
    struct parent parent = {.body_waits = false};
    cancel_the_parent(&parent);
    check_int(parent.cuts, 5);
    check_rc(parent.closed_with, -ECANCELED);
    return 0;
}

TASK_TEST_SEEDS(cases_a, A07_cancelling_the_parent_while_its_body_waits) {
    struct parent parent = {.body_waits = true};
    cancel_the_parent(&parent);
    check_int(parent.cuts, 5);
    check_int(parent.body, 1);
    check_rc(parent.closed_with, -ECANCELED);
    return 0;
}

TASK_TEST_SEEDS(cases_a, A09_a_failing_body_cuts_the_children) {
    int cuts = 0;
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, count_cut, &cuts), 0);
    check_rc(coir_spawn(&s, count_cut, &cuts), 0);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    check_rc(coir_scope_close(&s, -EIO), -EIO);
    check_int(cuts, 2);
    return 0;
}

static int count_runs_and_cuts(void *arg) {
    struct sum *const sum = arg;
    sum->in++;
    return count_cut(&sum->out);
}

TASK_TEST_SEEDS(cases_a, A10_a_body_that_fails_at_once_lets_the_children_run_and_be_cut) {
    struct sum sum = {.in = 0};
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, count_runs_and_cuts, &sum), 0);
    check_rc(coir_spawn(&s, count_runs_and_cuts, &sum), 0);
    check_rc(coir_scope_close(&s, -EIO), -EIO);
    check_int(sum.in, 2);
    check_int(sum.out, 2);
    return 0;
}

struct nested {
    bool with_outer_child;
    int cuts, inner_rc, outer_rc;
};

static int nested_groups(void *arg) {
    struct nested *const nested = arg;
    COIR_SCOPE(outer);
    if (nested->with_outer_child)
        COIR_TRY(coir_spawn(&outer, count_cut, &nested->cuts));
    COIR_SCOPE(inner);
    COIR_TRY(coir_spawn(&inner, count_cut, &nested->cuts));
    nested->inner_rc = coir_scope_close(&inner, 0);
    nested->outer_rc = coir_scope_close(&outer, nested->inner_rc);
    return nested->outer_rc;
}

static void cancel_nested_groups(struct nested *nested) {
    coir_task task;
    COIR_SCOPE(s);
    check_rc(coir_spawn_task(&s, nested_groups, nested, &task), 0);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    check(coir_task_cancel(task));
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(nested->inner_rc, -ECANCELED);
    check_rc(nested->outer_rc, -ECANCELED);
}

TASK_TEST_SEEDS(cases_a, A11_a_cancel_unwinds_an_inner_and_an_empty_outer_group) {
    struct nested nested = {.with_outer_child = false};
    cancel_nested_groups(&nested);
    check_int(nested.cuts, 1);
    return 0;
}

TASK_TEST_SEEDS(cases_a, A12_a_cancel_reaches_the_child_of_the_outer_group_too) {
    struct nested nested = {.with_outer_child = true};
    cancel_nested_groups(&nested);
    check_int(nested.cuts, 2);
    return 0;
}

TASK_TEST_SEEDS(cases_a, A14_an_inner_error_goes_through_both_closes) {
    int cuts = 0;
    COIR_SCOPE(outer);
    check_rc(coir_spawn(&outer, count_cut, &cuts), 0);
    COIR_SCOPE(inner);
    check_rc(coir_spawn(&inner, fail_after_10_ms, NULL), 0);
    const int rc = coir_scope_close(&inner, 0);
    check_rc(rc, -EPROTO);
    check_int(cuts, 0);
    check_rc(coir_scope_close(&outer, rc), -EPROTO);
    check_int(cuts, 1);
    return 0;
}

static int clean_up_for_20_ms(UNUSED void *arg) {
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, fail_when_cut, NULL), 0);
    const int rc = coir_sleep(COIR_NEVER);
    check_rc(rc, -ECANCELED);
    COIR_SCOPE(cleanup, .shield = true);
    check_rc(coir_sleep(COIR_MS(20)), 0);
    check_rc(coir_scope_close(&cleanup, 0), 0);
    return coir_scope_close(&s, rc);
}

TASK_TEST_SEEDS(cases_a, A15_an_error_during_slow_cleanup_wins_over_the_cut) {
    coir_task task;
    const coir_time began = coir_now();
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    check_rc(coir_spawn_task(&s, clean_up_for_20_ms, NULL, &task), 0);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    check(coir_task_cancel(task));
    check_rc(coir_join(task, NULL), 0);
    check_rc(coir_task_result(task), -EPIPE);
    check_int(coir_now() - began, COIR_MS(21));
    (void)coir_scope_close(&s, 0);
    return 0;
}

static int empty_group_with_a_waiting_body(void *arg) {
    COIR_SCOPE(s);
    const int rc = count_cut(arg);
    return coir_scope_close(&s, rc);
}

TASK_TEST_SEEDS(cases_a, A17_a_cancel_of_an_empty_group_cuts_the_body_once) {
    int cuts = 0;
    coir_task task;
    COIR_SCOPE(s);
    check_rc(coir_spawn_task(&s, empty_group_with_a_waiting_body, &cuts, &task), 0);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    check(coir_task_cancel(task));
    check_rc(coir_join(task, NULL), 0);
    check_rc(coir_task_result(task), -ECANCELED);
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(cuts, 1);
    return 0;
}

TASK_TEST_SEEDS(cases_a, A18_a_cut_turned_into_an_error_is_that_error) {
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, fail_when_cut, NULL), 0);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    coir_scope_cancel(&s);
    check_rc(coir_yield(), -ECANCELED);
    check_rc(coir_scope_close(&s, -EIO), -EIO);
    return 0;
}

TASK_TEST_SEEDS(cases_a, A19_the_errors_of_child_and_body_are_both_recorded) {
    coir_error errors[COIR_SCOPE_ERRORS];
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, fail_after_10_ms, NULL), 0);
    check_rc(coir_sleep(COIR_NEVER), -ECANCELED);
    check_rc(coir_scope_close(&s, -EIO), -EIO);
    check_int(coir_scope_errors(&s, errors, COUNT_OF(errors)), 2);
    check_rc(errors[0].rc, -EPROTO);
    check(errors[0].fn == fail_after_10_ms);
    check_rc(errors[1].rc, -EIO);
    check(errors[1].fn == NULL);
    return 0;
}

TASK_TEST_SEEDS(cases_a, A21_a_cancel_after_50_ms_leaves_nobody_running) {
    struct parent parent = {.body_waits = false};
    coir_stats stats;
    coir_task task;
    COIR_SCOPE(s);
    check_rc(coir_spawn_task(&s, parent_of_five, &parent, &task), 0);
    check_rc(coir_sleep(COIR_MS(50)), 0);
    check(coir_task_cancel(task));
    check_rc(coir_join(task, NULL), 0);
    check_rc(coir_task_result(task), -ECANCELED);
    check_rc(coir_stats_get(&stats), 0);
    check_int(stats.tasks_alive, 1);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

TASK_TEST_SEEDS(cases_a, A22_finished_children_are_reaped_while_the_group_is_open) {
    struct sum sums[10];
    coir_stats stats;
    COIR_SCOPE(s);
    for (int i = 0; i < 10; i++) {
        sums[i] = (struct sum){.in = i < 6 ? 1 : 50};
        check_rc(coir_spawn(&s, double_it, &sums[i]), 0);
    }
    check_rc(coir_sleep(COIR_MS(10)), 0);
    check_rc(coir_stats_get(&stats), 0);
    check_int(stats.tasks_alive, 1 + 4);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

struct spawner {
    coir_scope *scope;
    struct sum sums[3];
};

static int spawn_more_later(void *arg) {
    struct spawner *const spawner = arg;
    COIR_TRY(coir_sleep(COIR_MS(10)));
    for (size_t i = 0; i < COUNT_OF(spawner->sums); i++)
        COIR_TRY(coir_spawn(spawner->scope, double_it, &spawner->sums[i]));
    return 0;
}

TASK_TEST_SEEDS(cases_a, A23_a_child_spawns_more_after_the_body_ended) {
    COIR_SCOPE(s);
    struct spawner spawner = {&s, {{.in = 1}, {.in = 2}, {.in = 3}}};
    check_rc(coir_spawn(&s, spawn_more_later, &spawner), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    for (size_t i = 0; i < COUNT_OF(spawner.sums); i++)
        check_int(spawner.sums[i].out, 2 * spawner.sums[i].in);
    return 0;
}

static int fail_under_a_name(UNUSED void *arg) {
    char name[COIR_NAME_SIZE];
    check_rc(coir_task_name(coir_self(), name, sizeof name), 0);
    check_str(name, "fetcher");
    return -EPROTO;
}

TASK_TEST_SEEDS(cases_a, A25_a_name_is_readable_in_the_child_and_in_errors) {
    coir_error error;
    COIR_SCOPE(s);
    check_rc(coir_spawn_with(&s, fail_under_a_name, NULL,
                             &(const coir_spawn_options){.name = "fetcher"}),
             0);
    check_rc(coir_scope_close(&s, 0), -EPROTO);
    check_int(coir_scope_errors(&s, &error, 1), 1);
    check_str(error.name, "fetcher");
    check(error.fn == fail_under_a_name);
    return 0;
}

TASK_TEST_SEEDS(cases_a, A26_spawning_after_a_failure_succeeds_and_is_cut) {
    int cuts = 0;
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, fail_at_once, NULL), 0);
    check_rc(coir_sleep(COIR_NEVER), -ECANCELED);
    check_rc(coir_spawn(&s, count_cut, &cuts), 0);
    check_rc(coir_scope_close(&s, 0), -EPROTO);
    check_int(cuts, 1);
    return 0;
}

TASK_TEST_SEEDS(cases_a, A27_cleanup_that_fails_keeps_both_errors_and_no_cancel_is_left) {
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, fail_after_10_ms, NULL), 0);
    COIR_SCOPE(inner);
    check_rc(coir_sleep(COIR_NEVER), -ECANCELED);
    const int rc = coir_scope_close(&inner, -EIO); /* the cleanup's own error */
    check_rc(rc, -EIO);
    check_rc(coir_scope_close(&s, rc), -EIO);
    check_int(coir_scope_errors(&s, NULL, 0), 2);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    return 0;
}

TASK_TEST(cases_a, A28_opening_twice_is_detected) {
    COIR_SCOPE(s);
    check_rc(coir_scope_open(&s), -EINVAL);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(coir_scope_open(&s), -EINVAL);
    memset(&s, 0, sizeof s);
    check_rc(coir_scope_open(&s), 0); /* zeroed, it is a new one */
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

TASK_TEST(cases_a, A29_spawning_after_close_is_refused) {
    coir_task task = {0};
    COIR_SCOPE(s);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(coir_spawn(&s, never_called, NULL), -EINVAL);
    check_rc(coir_spawn_task(&s, never_called, NULL, &task), -EINVAL);
    check(coir_task_equal(task, (coir_task){0}));
    return 0;
}

TASK_TEST(cases_a, A30_spawning_before_open_is_refused) {
    coir_scope s = {.coir__state = 0};
    check_rc(coir_spawn(&s, never_called, NULL), -EINVAL);
    return 0;
}

Test(cases_a, A31_opening_outside_the_runtime_is_refused) {
    coir_scope s = {.coir__state = 0};
    check_rc(coir_scope_open(&s), -EPERM);
}

TASK_TEST_SEEDS(cases_a, A32_after_a_failed_group_the_parent_is_not_cancelled) {
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, fail_after_10_ms, NULL), 0);
    check_rc(coir_scope_close(&s, 0), -EPROTO);
    check_rc(coir_check(), 0);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    return 0;
}

static int spawn_a_failing_one_and_wait(void *arg) {
    struct spawner *const spawner = arg;
    COIR_TRY(coir_spawn(spawner->scope, fail_at_once, NULL));
    return count_cut(&spawner->sums[0].out);
}

TASK_TEST_SEEDS(cases_a, A35_a_child_whose_own_spawn_fails_at_once_is_cut) {
    COIR_SCOPE(s);
    struct spawner spawner = {.scope = &s};
    check_rc(coir_spawn(&s, spawn_a_failing_one_and_wait, &spawner), 0);
    check_rc(coir_scope_close(&s, 0), -EPROTO);
    check_int(spawner.sums[0].out, 1);
    return 0;
}

TASK_TEST_SEEDS(cases_a, A36_a_child_that_fails_before_it_waits_leaves_no_cancel) {
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, fail_at_once, NULL), 0);
    check_rc(coir_scope_close(&s, 0), -EPROTO);
    check_rc(coir_check(), 0);
    check_rc(coir_yield(), 0);
    return 0;
}

TASK_TEST(cases_a, A39_a_group_may_be_cancelled_before_any_spawn_again_and_after_close) {
    int cuts = 0;
    COIR_SCOPE(s);
    coir_scope_cancel(&s);
    coir_scope_cancel(&s);
    check_rc(coir_spawn(&s, count_cut, &cuts), 0);
    check_rc(coir_spawn(&s, return_zero, NULL), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(cuts, 1);
    coir_scope_cancel(&s);
    check_rc(coir_yield(), 0);
    return 0;
}
