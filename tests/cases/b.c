/* CASES.md, section B: timeouts, which are scopes with a deadline. Each test bears the number of
 * its case. */
#include "support.h"

SUITE(cases_b);

static uint64_t timers_armed(void) {
    coir_stats stats;
    check_rc(coir_stats_get(&stats), 0);
    return stats.timers_armed;
}

TASK_TEST(cases_b, B01_a_deadline_cuts_a_long_sleep) {
    COIR_SCOPE(s, .deadline = coir_after(COIR_MS(10)));
    const int rc = coir_sleep(COIR_SEC(10));
    check_rc(coir_scope_close(&s, rc), -ETIMEDOUT);
    check(coir_scope_expired(&s));
    return 0;
}

TASK_TEST(cases_b, B02_a_deadline_is_readable_unchanged) {
    const coir_time deadline = coir_after(COIR_MS(10));
    COIR_SCOPE(s, .deadline = deadline);
    check_int(coir_scope_deadline(&s), deadline);
    (void)coir_sleep(COIR_SEC(10));
    check_int(coir_scope_deadline(&s), deadline);
    check_rc(coir_scope_close(&s, 0), -ETIMEDOUT);
    check_int(coir_scope_deadline(&s), deadline);
    return 0;
}

TASK_TEST(cases_b, B04_the_cut_call_says_canceled) {
    COIR_SCOPE(s, .deadline = coir_after(COIR_MS(10)));
    check_rc(coir_sleep(COIR_SEC(10)), -ECANCELED);
    check_rc(coir_yield(), -ECANCELED);
    check_rc(coir_scope_close(&s, 0), -ETIMEDOUT);
    return 0;
}

TASK_TEST(cases_b, B05_work_that_ends_first_removes_the_timer) {
    COIR_SCOPE(s, .deadline = coir_after(COIR_MS(10)));
    check_rc(coir_sleep(COIR_MS(5)), 0);
    check_int(timers_armed(), 1);
    check_rc(coir_scope_close(&s, 0), 0);
    check(!coir_scope_expired(&s));
    check_int(timers_armed(), 0);
    return 0;
}

TASK_TEST(cases_b, B06_never_does_not_come) {
    COIR_SCOPE(s, .deadline = COIR_NEVER);
    check_int(timers_armed(), 0);
    check_rc(coir_sleep(COIR_SEC(1000000)), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

TASK_TEST(cases_b, B07_a_deadline_of_now_cuts_the_first_wait) {
    COIR_SCOPE(s, .deadline = coir_after(0));
    check_rc(coir_sleep(COIR_SEC(1)), -ECANCELED);
    check_rc(coir_scope_close(&s, 0), -ETIMEDOUT);
    check(coir_scope_expired(&s));
    return 0;
}

TASK_TEST(cases_b, B08_even_sleep_0_is_cut) {
    COIR_SCOPE(s, .deadline = coir_after(0));
    check_rc(coir_sleep(0), -ECANCELED);
    check_rc(coir_scope_close(&s, 0), -ETIMEDOUT);
    return 0;
}

TASK_TEST(cases_b, B09_a_negative_delay_is_expired_on_entry) {
    const coir_time delays[] = {-1, COIR_SEC(-1), COIR_SEC(-1000), INT64_MIN};
    for (size_t i = 0; i < COUNT_OF(delays); i++) {
        COIR_SCOPE(s, .deadline = coir_after(delays[i]));
        check_rc(coir_yield(), -ECANCELED);
        check(coir_scope_expired(&s));
        check_rc(coir_scope_close(&s, 0), -ETIMEDOUT);
    }
    return 0;
}

TASK_TEST(cases_b, B10_the_bodys_error_before_expiry_passes) {
    COIR_SCOPE(s, .deadline = coir_after(COIR_MS(10)));
    check_rc(coir_scope_close(&s, -EIO), -EIO);
    check(!coir_scope_expired(&s));
    return 0;
}

static int cancel_after_5_ms(void *scope) {
    COIR_TRY(coir_sleep(COIR_MS(5)));
    coir_scope_cancel(scope);
    return 0;
}

TASK_TEST_SEEDS(cases_b, B12_a_cancel_from_outside_is_no_timeout) {
    COIR_SCOPE(around);
    COIR_SCOPE(outer);
    check_rc(coir_spawn(&around, cancel_after_5_ms, &outer), 0);
    COIR_SCOPE(s, .deadline = coir_after(COIR_MS(10)));
    const int rc = coir_sleep(COIR_SEC(1));
    check_rc(coir_scope_close(&s, rc), -ECANCELED);
    check(!coir_scope_expired(&s));
    check_rc(coir_scope_close(&outer, 0), 0);
    check_rc(coir_scope_close(&around, 0), 0);
    return 0;
}

TASK_TEST(cases_b, B13_after_a_timeout_the_task_is_not_cancelled) {
    COIR_SCOPE(s, .deadline = coir_after(COIR_MS(10)));
    (void)coir_sleep(COIR_SEC(1));
    check_rc(coir_scope_close(&s, 0), -ETIMEDOUT);
    check_rc(coir_check(), 0);
    check_rc(coir_sleep(COIR_SEC(1)), 0);
    return 0;
}

TASK_TEST_SEEDS(cases_b, B16_extended_then_disabled_then_cancelled_from_outside) {
    COIR_SCOPE(around);
    COIR_SCOPE(outer);
    COIR_SCOPE(s, .deadline = coir_after(COIR_MS(10)));
    check_rc(coir_scope_set_deadline(&s, coir_after(COIR_MS(20))), 0);
    check_rc(coir_sleep(COIR_MS(15)), 0);
    check_rc(coir_scope_set_deadline(&s, COIR_NEVER), 0);
    check_rc(coir_sleep(COIR_SEC(1)), 0);
    check_rc(coir_spawn(&around, cancel_after_5_ms, &outer), 0);
    check_rc(coir_sleep(COIR_SEC(1)), -ECANCELED);
    check_rc(coir_scope_close(&s, 0), -ECANCELED);
    check(!coir_scope_expired(&s));
    check_rc(coir_scope_close(&outer, 0), 0);
    check_rc(coir_scope_close(&around, 0), 0);
    return 0;
}

TASK_TEST(cases_b, B18_scopes_opened_after_a_swallowed_cancel_are_cut_unless_shielded) {
    COIR_SCOPE(outer);
    coir_scope_cancel(&outer);
    check_rc(coir_yield(), -ECANCELED); /* swallowed */
    COIR_SCOPE(plain, .deadline = coir_after(COIR_MS(10)));
    check_rc(coir_sleep(COIR_SEC(1)), -ECANCELED);
    check_rc(coir_scope_close(&plain, 0), -ECANCELED);
    check(!coir_scope_expired(&plain));
    COIR_SCOPE(shielded, .shield = true, .deadline = coir_after(COIR_MS(10)));
    check_rc(coir_sleep(COIR_MS(5)), 0);
    check_rc(coir_sleep(COIR_SEC(1)), -ECANCELED);
    check_rc(coir_scope_close(&shielded, 0), -ETIMEDOUT);
    check_rc(coir_scope_close(&outer, 0), 0);
    return 0;
}

TASK_TEST(cases_b, B19_a_deadline_cannot_be_changed_in_a_wrong_state) {
    coir_scope s = {.coir__state = 0};
    const coir_time later = coir_after(COIR_SEC(1));
    check_rc(coir_scope_set_deadline(&s, later), -EINVAL); /* not entered */
    check_rc(coir_scope_open(&s, .deadline = coir_after(COIR_MS(1))), 0);
    check_rc(coir_scope_set_deadline(&s, coir_after(COIR_MS(2))), 0);
    (void)coir_sleep(COIR_SEC(1));
    check_rc(coir_scope_set_deadline(&s, later), -EINVAL); /* expired */
    check_rc(coir_scope_close(&s, 0), -ETIMEDOUT);
    check_rc(coir_scope_set_deadline(&s, later), -EINVAL); /* finished */
    return 0;
}

static int fail_in_cleanup(UNUSED void *arg) {
    check_rc(coir_sleep(COIR_SEC(1)), -ECANCELED);
    return -EPIPE;
}

TASK_TEST_SEEDS(cases_b, B20_a_timeout_around_a_group_whose_child_fails_in_cleanup) {
    COIR_SCOPE(timeout, .deadline = coir_after(COIR_MS(10)));
    COIR_SCOPE(group);
    check_rc(coir_spawn(&group, fail_in_cleanup, NULL), 0);
    const int rc = coir_scope_close(&group, 0);
    check_rc(rc, -EPIPE);
    check_rc(coir_scope_close(&timeout, rc), -EPIPE);
    check(coir_scope_expired(&timeout));
    return 0;
}

TASK_TEST(cases_b, B21_move_on_makes_expiry_no_error) {
    COIR_SCOPE(s, .deadline = coir_after(COIR_MS(10)), .move_on = true);
    const int rc = coir_sleep(COIR_SEC(1));
    check_rc(coir_scope_close(&s, rc), 0);
    check(coir_scope_expired(&s));
    return 0;
}

TASK_TEST(cases_b, B23_a_shielded_scope_has_its_own_deadline) {
    COIR_SCOPE(s, .deadline = coir_after(COIR_MS(10)), .move_on = true, .shield = true);
    check_rc(coir_sleep(COIR_SEC(1)), -ECANCELED);
    check_rc(coir_scope_close(&s, -ECANCELED), 0);
    check(coir_scope_expired(&s));
    return 0;
}

TASK_TEST(cases_b, B24_negative_durations_sleep_refuses_and_after_clamps) {
    check_rc(coir_sleep(-1), -EINVAL);
    check_rc(coir_sleep(COIR_SEC(-0.5)), -EINVAL);
    check_int(coir_after(INT64_MIN), 1);
    check_int(coir_after(COIR_SEC(-5)), 1);
    return 0;
}

TASK_TEST(cases_b, B25_a_delay_counts_from_where_it_was_computed) {
    const coir_time began = coir_now();
    check_rc(coir_sleep(COIR_MS(7)), 0);
    COIR_SCOPE(s, .deadline = coir_after(COIR_MS(10)));
    (void)coir_sleep(COIR_SEC(1));
    check_int(coir_now() - began, COIR_MS(17));
    check_rc(coir_scope_close(&s, 0), -ETIMEDOUT);
    return 0;
}

TASK_TEST(cases_b, B26_sleep_until_now_in_an_expired_scope_is_cut) {
    COIR_SCOPE(s, .deadline = coir_after(0));
    check_rc(coir_sleep_until(coir_now()), -ECANCELED);
    check_rc(coir_sleep_until(1), -ECANCELED);
    check_rc(coir_scope_close(&s, 0), -ETIMEDOUT);
    return 0;
}
