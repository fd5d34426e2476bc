/* coir_timeout: one call within a time limit. */
#include "support.h"

SUITE(flow_timeout);

TASK_TEST(flow_timeout, a_call_in_time) {
    struct job job = JOB(10, 5);
    const coir_time began = coir_now();
    check_rc(coir_timeout(COIR_MS(20), do_job, &job), 5);
    check_int(coir_now() - began, COIR_MS(10));
    return 0;
}

TASK_TEST(flow_timeout, a_call_that_takes_too_long) {
    struct job job = JOB(30, 5);
    const coir_time began = coir_now();
    check_rc(coir_timeout(COIR_MS(20), do_job, &job), -ETIMEDOUT);
    check_int(coir_now() - began, COIR_MS(20));
    check(job.cut);
    check_rc(coir_check(), 0);
    return 0;
}

TASK_TEST(flow_timeout, a_failure_is_passed_on) {
    struct job job = JOB(10, -EPROTO);
    check_rc(coir_timeout(COIR_MS(20), do_job, &job), -EPROTO);
    return 0;
}

TASK_TEST(flow_timeout, without_time_the_call_begins_and_is_cut) {
    const coir_time limits[] = {0, -1, INT64_MIN};
    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        struct job job = JOB(1, 5);
        check_rc(coir_timeout(limits[i], do_job, &job), -ETIMEDOUT);
        check(job.began && job.cut);
    }
    return 0;
}

TASK_TEST(flow_timeout, without_limit) {
    struct job job = JOB(1000000, 5);
    check_rc(coir_timeout(COIR_NEVER, do_job, &job), 5);
    return 0;
}

TASK_TEST(flow_timeout, a_call_that_never_waits_is_never_late) {
    int five = 5;
    check_rc(coir_timeout(0, return_int, &five), 5);
    return 0;
}

static int nest(void *arg) {
    return coir_timeout(COIR_SEC(1), do_job, arg);
}

TASK_TEST(flow_timeout, an_outer_limit_is_no_timeout_of_the_inner_call) {
    struct job job = JOB(30, 5);
    COIR_SCOPE(s, .deadline = coir_after(COIR_MS(20)));
    check_rc(coir_timeout(COIR_SEC(1), nest, &job), -ECANCELED);
    check_rc(coir_scope_close(&s, -ECANCELED), -ETIMEDOUT);
    return 0;
}

static int check_caller(void *arg) {
    check(coir_task_equal(coir_self(), *(const coir_task *)arg));
    return 0;
}

TASK_TEST(flow_timeout, it_runs_in_the_callers_own_task) {
    coir_task self = coir_self();
    check_rc(coir_timeout(COIR_MS(1), check_caller, &self), 0);
    return 0;
}

TASK_TEST(flow_timeout, a_missing_function_is_refused) {
    check_rc(coir_timeout(COIR_MS(1), NULL, NULL), -EINVAL);
    return 0;
}

Test(flow_timeout, outside_the_runtime_nothing_runs) {
    struct job job = JOB(1, 1);
    check_rc(coir_timeout(COIR_MS(1), do_job, &job), -EPERM);
    check(!job.began);
}
