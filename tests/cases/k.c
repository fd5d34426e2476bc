/* CASES.md, section K: cancel scopes. Each test bears the number of its case. K15 is a program that
 * must die: tests/fatal.c. */
#include "support.h"

SUITE(cases_k);

static int return_zero(UNUSED void *arg) {
    return 0;
}

static int count_cut(void *arg) {
    const int rc = coir_sleep(COIR_NEVER);
    *(int *)arg += rc == -ECANCELED;
    return rc;
}

static int fail_after_10_ms(UNUSED void *arg) {
    COIR_TRY(coir_sleep(COIR_MS(10)));
    return -EPROTO;
}

TASK_TEST(cases_k, K01_every_cancel_point_notices) {
    COIR_SCOPE(s);
    check_rc(coir_check(), 0);
    check_rc(coir_yield(), 0);
    coir_scope_cancel(&s);
    check_rc(coir_check(), -ECANCELED);
    check_rc(coir_yield(), -ECANCELED);
    check_rc(coir_sleep(COIR_NEVER), -ECANCELED);
    COIR_SCOPE(shielded, .shield = true);
    check_rc(coir_yield(), 0);
    check_rc(coir_scope_close(&shielded, 0), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

TASK_TEST(cases_k, K02_a_double_cancel_and_two_waits_are_two_cuts) {
    COIR_SCOPE(s);
    coir_scope_cancel(&s);
    coir_scope_cancel(&s);
    check_rc(coir_sleep(COIR_NEVER), -ECANCELED);
    check_rc(coir_sleep(COIR_NEVER), -ECANCELED);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

TASK_TEST_SEEDS(cases_k, K03_close_drops_its_own_cuts_and_keeps_the_one_real_error) {
    int cuts = 0;
    coir_error errors[COIR_SCOPE_ERRORS];
    COIR_SCOPE(s);
    for (int i = 0; i < 3; i++)
        check_rc(coir_spawn(&s, count_cut, &cuts), 0);
    check_rc(coir_spawn(&s, fail_after_10_ms, NULL), 0);
    check_rc(coir_scope_close(&s, 0), -EPROTO);
    check_int(cuts, 3);
    check_int(coir_scope_errors(&s, errors, COUNT_OF(errors)), 1);
    check_rc(errors[0].rc, -EPROTO);
    return 0;
}

static int start_then_wait(void *arg) {
    trace("started");
    return count_cut(arg);
}

TASK_TEST(cases_k, K04_a_task_in_a_cancelled_scope_starts_then_is_cut) {
    int cuts = 0;
    COIR_SCOPE(s);
    coir_scope_cancel(&s);
    check_rc(coir_spawn(&s, start_then_wait, &cuts), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_trace("started");
    check_int(cuts, 1);
    return 0;
}

TASK_TEST(cases_k, K05_a_shield_toggles_live_and_lets_inner_cancels_work) {
    COIR_SCOPE(outer);
    COIR_SCOPE(inner);
    coir_scope_cancel(&outer);
    check_rc(coir_yield(), -ECANCELED);
    check_rc(coir_scope_set_shield(&inner, true), 0);
    check_rc(coir_yield(), 0);
    COIR_SCOPE(innermost);
    coir_scope_cancel(&innermost);
    check_rc(coir_yield(), -ECANCELED);
    check_rc(coir_scope_close(&innermost, 0), 0);
    check_rc(coir_yield(), 0);
    coir_scope_cancel(&inner);
    check_rc(coir_yield(), -ECANCELED);
    check_rc(coir_scope_close(&inner, 0), 0);
    check_rc(coir_scope_close(&outer, 0), 0);
    return 0;
}

static int have_a_grandchild(void *arg) {
    COIR_SCOPE(s);
    COIR_TRY(coir_spawn(&s, count_cut, arg));
    const int rc = coir_sleep(COIR_NEVER);
    return coir_scope_close(&s, rc);
}

TASK_TEST_SEEDS(cases_k, K06_grandchildren_are_cut_at_once) {
    int cuts = 0;
    coir_stats stats;
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, have_a_grandchild, &cuts), 0);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    check_rc(coir_stats_get(&stats), 0);
    check_int(stats.tasks_alive, 3);
    const coir_time then = coir_now();
    coir_scope_cancel(&s);
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(cuts, 1);
    check_int(coir_now(), then);
    return 0;
}

static int unshield_after_10_ms(void *scope) {
    check_rc(coir_sleep(COIR_MS(10)), 0);
    check_rc(coir_scope_set_shield(scope, false), 0);
    return 0;
}

TASK_TEST_SEEDS(cases_k, K07_unshielding_aborts_a_sleep_that_began_under_the_shield) {
    const coir_time began = coir_now();
    COIR_SCOPE(around);
    COIR_SCOPE(outer);
    coir_scope_cancel(&outer);
    COIR_SCOPE(inner, .shield = true);
    check_rc(coir_spawn(&around, unshield_after_10_ms, &inner), 0);
    check_rc(coir_sleep(COIR_SEC(1)), -ECANCELED);
    check_int(coir_now() - began, COIR_MS(10));
    check_rc(coir_scope_close(&inner, 0), -ECANCELED);
    check_rc(coir_scope_close(&outer, 0), 0);
    check_rc(coir_scope_close(&around, 0), 0);
    return 0;
}

TASK_TEST(cases_k, K08_a_deadline_set_later_and_moved_into_the_past) {
    COIR_SCOPE(s);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    check_rc(coir_scope_set_deadline(&s, coir_after(COIR_SEC(1))), 0);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    check_rc(coir_scope_set_deadline(&s, coir_now() - 1), 0);
    check_rc(coir_sleep(COIR_SEC(10)), -ECANCELED);
    check(coir_scope_expired(&s));
    check_rc(coir_scope_close(&s, 0), -ETIMEDOUT);
    return 0;
}

TASK_TEST(cases_k, K09_cancelled_together_the_outer_gets_the_credit) {
    for (int inner_first = 0; inner_first < 2; inner_first++) {
        COIR_SCOPE(outer);
        COIR_SCOPE(inner);
        coir_scope_cancel(inner_first ? &inner : &outer);
        coir_scope_cancel(inner_first ? &outer : &inner);
        const int rc = coir_sleep(COIR_SEC(1));
        check_rc(rc, -ECANCELED);
        check_rc(coir_scope_close(&inner, rc), -ECANCELED);
        check_rc(coir_scope_close(&outer, -ECANCELED), 0);
    }
    return 0;
}

/* Its inner scope expires first, and cuts who waits; then the outer one, before that one runs. */
TASK_TEST(cases_k, K09_the_outer_gets_the_credit_for_who_was_cut_already) {
    const coir_time deadline = coir_after(COIR_MS(10));
    COIR_SCOPE(outer);
    COIR_SCOPE(inner, .deadline = deadline);
    check_rc(coir_scope_set_deadline(&outer, deadline), 0); /* armed later, it fires later */
    check_rc(coir_sleep(COIR_SEC(1)), -ECANCELED);
    check(coir_scope_expired(&inner) && coir_scope_expired(&outer));
    check_rc(coir_scope_close(&inner, -ECANCELED), -ECANCELED);
    check_rc(coir_scope_close(&outer, 0), -ETIMEDOUT);
    return 0;
}

static int sleep_in_scope(void *arg) {
    COIR_SCOPE(inner, .deadline = *(const coir_time *)arg);
    return coir_scope_close(&inner, coir_sleep(COIR_SEC(1)));
}

TASK_TEST(cases_k, K09_nor_is_it_lost_where_a_child_was_cut) {
    coir_time deadline = coir_after(COIR_MS(10));
    COIR_SCOPE(outer);
    check_rc(coir_spawn(&outer, sleep_in_scope, &deadline), 0);
    check_rc(coir_yield(), 0);
    check_rc(coir_scope_set_deadline(&outer, deadline), 0);
    check_rc(coir_scope_close(&outer, 0), -ETIMEDOUT);
    return 0;
}

TASK_TEST(cases_k, K10_a_cancel_that_no_wait_met_is_not_counted) {
    COIR_SCOPE(outer);
    COIR_SCOPE(s);
    coir_scope_cancel(&outer);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(coir_scope_close(&outer, 0), 0);
    COIR_SCOPE(timed, .deadline = coir_now());
    check_rc(coir_scope_close(&timed, 0), 0);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    return 0;
}

static int cancel_scope(void *scope) {
    coir_scope_cancel(scope);
    return 0;
}

TASK_TEST_SEEDS(cases_k, K12_cancelled_before_entry_and_from_another_task) {
    coir_scope before = {.coir__state = 0};
    coir_scope_cancel(&before);
    check_rc(coir_scope_open(&before), 0);
    check_rc(coir_yield(), -ECANCELED);
    check_rc(coir_scope_close(&before, 0), 0);
    check_rc(coir_scope_open(&before), -EINVAL);

    COIR_SCOPE(around);
    COIR_SCOPE(s);
    check_rc(coir_spawn(&around, cancel_scope, &s), 0);
    check_rc(coir_sleep(COIR_SEC(1)), -ECANCELED);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(coir_scope_close(&around, 0), 0);
    return 0;
}

static int open_and_close_anothers(void *scope) {
    check_rc(coir_scope_open((coir_scope *)scope), -EINVAL);
    check_rc(coir_scope_close(scope, 0), -EPERM);
    return 0;
}

TASK_TEST_SEEDS(cases_k, K14_closing_anothers_scope_is_refused_and_changes_nothing) {
    int cuts = 0;
    coir_task task;
    COIR_SCOPE(s);
    check_rc(coir_spawn_task(&s, open_and_close_anothers, &s, &task), 0);
    check_rc(coir_join(task, NULL), 0);
    check(!coir_scope_cancelled(&s));
    check_rc(coir_spawn(&s, count_cut, &cuts), 0);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    coir_scope_cancel(&s);
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(cuts, 1);
    return 0;
}

TASK_TEST_REAL(cases_k, K19_a_yield_after_the_deadline_passed_is_cut) {
    COIR_SCOPE(s, .deadline = coir_after(COIR_MS(1)));
    const coir_time began = real_now();
    while (real_now() - began < COIR_MS(2)) {
    }
    check_rc(coir_yield(), -ECANCELED);
    check_rc(coir_scope_close(&s, 0), -ETIMEDOUT);
    return 0;
}

TASK_TEST(cases_k, K20_the_effective_deadline) {
    const coir_time now = coir_now();
    check_int(coir_effective_deadline(), COIR_NEVER);
    COIR_SCOPE(a, .deadline = now + COIR_SEC(10));
    COIR_SCOPE(b, .deadline = now + COIR_SEC(5));
    check_int(coir_effective_deadline(), now + COIR_SEC(5));
    check_rc(coir_scope_set_deadline(&b, now + COIR_SEC(15)), 0);
    check_int(coir_effective_deadline(), now + COIR_SEC(10));
    COIR_SCOPE(c, .shield = true);
    check_int(coir_effective_deadline(), COIR_NEVER);
    check_rc(coir_scope_close(&c, 0), 0);
    coir_scope_cancel(&a);
    check_int(coir_effective_deadline(), 0);
    check_rc(coir_scope_close(&b, 0), 0);
    check_rc(coir_scope_close(&a, 0), 0);
    check_int(coir_effective_deadline(), COIR_NEVER);
    return 0;
}

/* K21, five thousand nested scopes, is flow/nesting.c. */

TASK_TEST(cases_k, K23_an_empty_group_neither_yields_nor_is_a_cancel_point) {
    int cuts = 0;
    COIR_SCOPE(around);
    check_rc(coir_spawn(&around, start_then_wait, &cuts), 0);
    COIR_SCOPE(empty);
    check_rc(coir_scope_close(&empty, 0), 0);
    check_trace("");
    coir_scope_cancel(&around);
    COIR_SCOPE(in_cancelled);
    check_rc(coir_scope_close(&in_cancelled, 0), 0);
    check_rc(coir_scope_close(&around, 0), 0);
    return 0;
}

static int spawn_into_the_closing(void *scope) {
    check_rc(coir_sleep(COIR_MS(5)), 0);
    check_rc(coir_spawn(scope, return_zero, NULL), 0);
    return 0;
}

TASK_TEST_SEEDS(cases_k, K24_spawning_is_allowed_during_close_and_refused_after) {
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, spawn_into_the_closing, &s), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(coir_spawn(&s, return_zero, NULL), -EINVAL);
    return 0;
}

TASK_TEST_SEEDS(cases_k, K25_a_child_crashes) {
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, fail_after_10_ms, NULL), 0);
    check_rc(coir_scope_close(&s, 0), -EPROTO);
    return 0;
}

TASK_TEST_SEEDS(cases_k, K25_a_crashing_child_wakes_the_parent) {
    const coir_time began = coir_now();
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, fail_after_10_ms, NULL), 0);
    check_rc(coir_sleep(COIR_NEVER), -ECANCELED);
    check_int(coir_now() - began, COIR_MS(10));
    check_rc(coir_scope_close(&s, -ECANCELED), -EPROTO);
    return 0;
}

TASK_TEST_SEEDS(cases_k, K25_two_children_crash) {
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, fail_after_10_ms, NULL), 0);
    check_rc(coir_spawn(&s, fail_after_10_ms, NULL), 0);
    check_rc(coir_scope_close(&s, 0), -EPROTO);
    check_int(coir_scope_errors(&s, NULL, 0), 2); /* both had slept to the same moment */
    return 0;
}

TASK_TEST_SEEDS(cases_k, K25_body_and_child_crash) {
    coir_error errors[COIR_SCOPE_ERRORS];
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, fail_after_10_ms, NULL), 0);
    check_rc(coir_sleep(COIR_SEC(1)), -ECANCELED);
    check_rc(coir_scope_close(&s, -EIO), -EIO);
    check_int(coir_scope_errors(&s, errors, COUNT_OF(errors)), 2);
    check_rc(errors[0].rc, -EPROTO);
    check_rc(errors[1].rc, -EIO);
    return 0;
}

/* A body for coir_start: gets ready for 10 ms, says `value` unless negative, works for 10 ms. */
struct service {
    int value, result;
    int said; /* what coir_started returned */
    int works;
};

static int serve(void *arg) {
    struct service *const service = arg;
    COIR_TRY(coir_sleep(COIR_MS(10)));
    if (service->value >= 0) {
        service->said = coir_started(service->value);
        COIR_TRY(coir_sleep(COIR_MS(10)));
        service->works++;
    }
    return service->result;
}

TASK_TEST_SEEDS(cases_k, K27_start_returns_when_the_child_is_ready_with_its_value) {
    struct service service = {.value = 7};
    const coir_time began = coir_now();
    COIR_SCOPE(s);
    check_rc(coir_start(&s, serve, &service, NULL), 7);
    check_int(coir_now() - began, COIR_MS(10));
    check_int(service.works, 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(service.works, 1);
    return 0;
}

TASK_TEST_SEEDS(cases_k, K27_an_error_before_comes_out_of_start) {
    struct service service = {.value = -1, .result = -EPROTO};
    COIR_SCOPE(s);
    check_rc(coir_start(&s, serve, &service, NULL), -EPROTO);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

TASK_TEST_SEEDS(cases_k, K27_an_error_after_comes_out_of_the_scope) {
    struct service service = {.value = 1, .result = -EPROTO};
    COIR_SCOPE(s);
    check_rc(coir_start(&s, serve, &service, NULL), 1);
    check_rc(coir_scope_close(&s, 0), -EPROTO);
    return 0;
}

TASK_TEST_SEEDS(cases_k, K27_an_exit_without_started_is_an_error) {
    struct service service = {.value = -1};
    COIR_SCOPE(s);
    check_rc(coir_start(&s, serve, &service, NULL), -EPROTO);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

static int say_it_twice(void *arg) {
    check_rc(coir_started(1), 0);
    *(int *)arg = coir_started(2);
    return 0;
}

TASK_TEST_SEEDS(cases_k, K27_a_second_started_is_rejected) {
    int second = 0;
    COIR_SCOPE(s);
    check_rc(coir_start(&s, say_it_twice, &second, NULL), 1);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(second, -EALREADY);
    return 0;
}

static int start_after_its_cut(void *arg) {
    const int rc = coir_sleep(COIR_SEC(1));
    *(int *)arg = coir_started(1);
    return rc;
}

TASK_TEST_SEEDS(cases_k, K28_start_cancelled_before_started_cancels_the_child) {
    int said = 0;
    COIR_SCOPE(s);
    COIR_SCOPE(limit, .deadline = coir_after(COIR_MS(10)));
    check_rc(coir_start(&s, start_after_its_cut, &said, NULL), -ECANCELED);
    check_rc(said, -ECANCELED); /* no effect: start does not return its value */
    check_rc(coir_scope_close(&limit, -ECANCELED), -ETIMEDOUT);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

static void dump_into(char *text, size_t size_bytes) {
    FILE *const file = fmemopen(text, size_bytes, "w");
    check(file != NULL);
    check(coir_dump(file) >= 1);
    fclose(file);
}

static int named_parent(void *arg) {
    COIR_SCOPE(s, .name = "family");
    check_rc(coir_spawn_with(&s, count_cut, arg, &(const coir_spawn_options){.name = "grandchild"}),
             0);
    const int rc = coir_sleep(COIR_NEVER);
    return coir_scope_close(&s, rc);
}

TASK_TEST(cases_k, K31_the_tree_of_tasks_can_be_seen_in_every_phase) {
    static char text[8192];
    int cuts = 0;
    coir_task task;
    COIR_SCOPE(s, .name = "outermost");
    check_rc(coir_spawn_with(&s, named_parent, &cuts,
                             &(const coir_spawn_options){.name = "child", .task = &task}),
             0);
    dump_into(text, sizeof text);
    check_contains(text, "outermost");
    check_contains(text, "child");
    check(strstr(text, "grandchild") == NULL);
    check_rc(coir_sleep(COIR_MS(1)), 0);

    dump_into(text, sizeof text);
    const char *const outermost = strstr(text, "outermost"), *const child = strstr(text, "'child'");
    const char *const family = strstr(text, "family"), *const below = strstr(text, "grandchild");
    check(outermost != NULL && child != NULL && family != NULL && below != NULL);
    check(outermost < child && child < family && family < below);
    check_contains(text, "sleep");

    check(coir_task_cancel(task));
    check_rc(coir_join(task, NULL), 0);
    dump_into(text, sizeof text);
    check(strstr(text, "child") == NULL);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

Test(cases_k, K32_an_error_of_main_reaches_the_caller_of_run) {
    const int error = -ENOTTY;
    check_rc(run_task(return_int, (void *)(uintptr_t)&error), -ENOTTY);
}

TASK_TEST(cases_k, K32_run_inside_run_is_refused) {
    check_rc(coir_run(return_zero, NULL), -EPERM);
    return 0;
}
