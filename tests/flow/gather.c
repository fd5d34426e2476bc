/* coir_gather: all calls at once, results in the order of the calls. */
#include "support.h"

SUITE(flow_gather);

#define GATHER(calls, policy) coir_gather(calls, COUNT_OF(calls), policy)

TASK_TEST_SEEDS(flow_gather, results_come_in_the_order_of_the_calls) {
    struct job jobs[] = {JOB(30, 3), JOB(10, 1), JOB(20, 2)};
    coir_call calls[] = {COIR_CALL(do_job, &jobs[0]), COIR_CALL(do_job, &jobs[1]),
                         COIR_CALL(do_job, &jobs[2])};
    const coir_time began = coir_now();
    check_rc(GATHER(calls, COIR_FAIL_FAST), 0);
    check_int(coir_now() - began, COIR_MS(30));
    for (size_t i = 0; i < COUNT_OF(calls); i++)
        check_rc(calls[i].rc, jobs[i].result);
    return 0;
}

TASK_TEST_SEEDS(flow_gather, the_first_failure_cancels_the_others) {
    struct job jobs[] = {JOB(30, 3), JOB(10, -EPROTO), JOB(5, 2)};
    coir_call calls[] = {COIR_CALL(do_job, &jobs[0]), COIR_CALL(do_job, &jobs[1]),
                         COIR_CALL(do_job, &jobs[2])};
    const coir_time began = coir_now();
    check_rc(GATHER(calls, COIR_FAIL_FAST), -EPROTO);
    check_int(coir_now() - began, COIR_MS(10));
    check_rc(calls[0].rc, -ECANCELED);
    check_rc(calls[1].rc, -EPROTO);
    check_rc(calls[2].rc, 2);
    check_rc(coir_check(), 0);
    return 0;
}

TASK_TEST_SEEDS(flow_gather, under_supervision_all_run_to_their_end) {
    struct job jobs[] = {JOB(30, 3), JOB(10, -EPROTO), JOB(20, -EIO)};
    coir_call calls[] = {COIR_CALL(do_job, &jobs[0]), COIR_CALL(do_job, &jobs[1]),
                         COIR_CALL(do_job, &jobs[2])};
    const coir_time began = coir_now();
    check_rc(GATHER(calls, COIR_SUPERVISE), -EPROTO); /* the earliest */
    check_int(coir_now() - began, COIR_MS(30));
    check_rc(calls[0].rc, 3);
    check_rc(calls[1].rc, -EPROTO);
    check_rc(calls[2].rc, -EIO);
    return 0;
}

TASK_TEST(flow_gather, no_calls_are_a_success) {
    check_rc(coir_gather(NULL, 0, COIR_FAIL_FAST), 0);
    check_rc(coir_gather(NULL, 0, COIR_SUPERVISE), 0);
    return 0;
}

TASK_TEST(flow_gather, nonsense_is_refused_before_anything_starts) {
    struct job job = JOB(1, 1);
    coir_call calls[] = {COIR_CALL(do_job, &job), COIR_CALL(NULL, &job)};
    check_rc(GATHER(calls, COIR_FAIL_FAST), -EINVAL);
    check_rc(coir_gather(NULL, 1, COIR_FAIL_FAST), -EINVAL);
    check_rc(coir_gather(calls, 1, COIR_RACE), -EINVAL);
    check_rc(coir_gather(calls, 1, (coir_policy)7), -EINVAL);
    check_rc(coir_sleep(COIR_MS(2)), 0);
    check(!job.began);
    return 0;
}

Test(flow_gather, outside_the_runtime_nothing_runs) {
    struct job job = JOB(1, 1);
    coir_call call = COIR_CALL(do_job, &job);
    check_rc(coir_gather(&call, 1, COIR_FAIL_FAST), -EPERM);
    check(!job.began);
    check_rc(call.rc, -EINPROGRESS);
}

TASK_TEST_SEEDS(flow_gather, a_cut_reaches_every_call_and_waits_for_them) {
    struct job jobs[] = {JOB(30, 3), JOB(10, 1), JOB(COIR_MS(1), 2)};
    coir_call calls[] = {COIR_CALL(do_job, &jobs[0]), COIR_CALL(do_job, &jobs[1]),
                         COIR_CALL(do_job, &jobs[2])};
    COIR_SCOPE(s, .deadline = coir_after(COIR_MS(20)));
    check_rc(GATHER(calls, COIR_SUPERVISE), -ECANCELED);
    check_rc(calls[0].rc, -ECANCELED);
    check_rc(calls[1].rc, 1);
    check_rc(calls[2].rc, -ECANCELED);
    check_rc(coir_scope_close(&s, -ECANCELED), -ETIMEDOUT);
    return 0;
}

TASK_TEST(flow_gather, in_a_cancelled_scope_each_call_begins_and_is_cut) {
    struct job jobs[] = {JOB(1, 1), JOB(1, 2)};
    coir_call calls[] = {COIR_CALL(do_job, &jobs[0]), COIR_CALL(do_job, &jobs[1])};
    COIR_SCOPE(s);
    coir_scope_cancel(&s);
    check_rc(GATHER(calls, COIR_FAIL_FAST), -ECANCELED);
    check(jobs[0].began && jobs[1].began && jobs[0].cut && jobs[1].cut);
    check_rc(coir_scope_close(&s, -ECANCELED), 0);
    return 0;
}

enum { MANY = 200 }; /* more stacks than are mapped at first */

static int gather_many(void *arg) {
    return coir_gather(arg, MANY, COIR_FAIL_FAST);
}

TASK_TEST_BARE(flow_gather, without_memory_for_all_those_started_are_cancelled) {
    struct job jobs[MANY] = {{0}};
    coir_call calls[MANY];
    size_t started = 0;
    for (size_t i = 0; i < MANY; i++) {
        jobs[i].ms = 1;
        calls[i] = (coir_call)COIR_CALL(do_job, &jobs[i]);
    }
    check_rc(without_memory(gather_many, calls), -ENOMEM);
    while (started < MANY && jobs[started].began)
        check_rc(calls[started++].rc, -ECANCELED);
    check(started > 0 && started < MANY);
    for (size_t i = started; i < MANY; i++) {
        check(!jobs[i].began);
        check_rc(calls[i].rc, -EINPROGRESS);
    }
    return 0;
}
