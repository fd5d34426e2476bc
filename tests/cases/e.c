/* CASES.md, section E: waiting for several tasks, results as they complete, gathering, and joining
 * as asyncio's shield. Each test bears the number of its case. */
#include "support.h"

SUITE(cases_e);

#define WAIT(tasks, when, deadline) coir_wait(tasks, COUNT_OF(tasks), when, deadline)
#define GATHER(calls, policy) coir_gather(calls, COUNT_OF(calls), policy)

static void spawn_jobs(coir_scope *s, struct job *jobs, coir_task *tasks, size_t n) {
    for (size_t i = 0; i < n; i++)
        check_rc(coir_spawn_task(s, do_job, &jobs[i], &tasks[i]), 0);
}

/* ---- Waiting ---- */

TASK_TEST_SEEDS(cases_e, E01_waiting_for_all_takes_as_long_as_the_last_and_again_no_time) {
    struct job jobs[] = {JOB(30, 3), JOB(10, 1), JOB(20, 2)};
    coir_task tasks[COUNT_OF(jobs)];
    const coir_time began = coir_now();
    COIR_SCOPE(s);
    spawn_jobs(&s, jobs, tasks, COUNT_OF(jobs));
    for (int round = 0; round < 2; round++) {
        check_rc(WAIT(tasks, COIR_ALL_COMPLETED, COIR_NEVER), 3);
        for (size_t i = 0; i < COUNT_OF(jobs); i++)
            check_rc(coir_task_result(tasks[i]), jobs[i].result);
        check_int(coir_now() - began, COIR_MS(30));
    }
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

TASK_TEST(cases_e, E03_waiting_for_nothing_or_in_no_mode_is_refused) {
    coir_task task;
    COIR_SCOPE(s);
    check_rc(coir_spawn_task(&s, sleep_for_ever, NULL, &task), 0);
    check_rc(coir_wait(&task, 0, COIR_ALL_COMPLETED, COIR_NEVER), -EINVAL);
    check_rc(coir_wait(NULL, 0, COIR_ALL_COMPLETED, COIR_NEVER), -EINVAL);
    check_rc(coir_wait(&task, 1, (coir_when)(COIR_FIRST_EXCEPTION + 1), COIR_NEVER), -EINVAL);
    coir_scope_cancel(&s);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

TASK_TEST_SEEDS(cases_e, E04_the_first_to_complete_leaves_the_other_running) {
    struct job jobs[] = {JOB(30, 3), JOB(10, 1)};
    coir_task tasks[COUNT_OF(jobs)];
    COIR_SCOPE(s);
    spawn_jobs(&s, jobs, tasks, COUNT_OF(jobs));
    check_rc(WAIT(tasks, COIR_FIRST_COMPLETED, COIR_NEVER), 1);
    check_rc(coir_task_result(tasks[0]), -EINPROGRESS);
    check_rc(coir_task_result(tasks[1]), 1);
    check_rc(coir_scope_close(&s, 0), 0);
    check(jobs[0].ended != 0 && !jobs[0].cut);
    return 0;
}

TASK_TEST(cases_e, E05_two_that_end_in_one_moment_are_both_done) {
    struct job jobs[] = {JOB(10, 1), JOB(10, 2)};
    coir_task tasks[COUNT_OF(jobs)];
    COIR_SCOPE(s);
    spawn_jobs(&s, jobs, tasks, COUNT_OF(jobs));
    check_rc(WAIT(tasks, COIR_FIRST_COMPLETED, COIR_NEVER), 2);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

TASK_TEST_SEEDS(cases_e, E07_a_failure_ends_the_wait_for_one) {
    struct job jobs[] = {JOB(30, 3), JOB(10, -EPROTO)};
    coir_task tasks[COUNT_OF(jobs)];
    const coir_time began = coir_now();
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    spawn_jobs(&s, jobs, tasks, COUNT_OF(jobs));
    check_rc(WAIT(tasks, COIR_FIRST_EXCEPTION, COIR_NEVER), 1);
    check_int(coir_now() - began, COIR_MS(10));
    check_rc(coir_scope_close(&s, 0), -EPROTO);
    return 0;
}

TASK_TEST_SEEDS(cases_e, E07_a_cancelled_task_is_no_failure) {
    struct job jobs[] = {JOB(30, 3), JOB(20, 2)};
    coir_task tasks[COUNT_OF(jobs)];
    const coir_time began = coir_now();
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    spawn_jobs(&s, jobs, tasks, COUNT_OF(jobs));
    check(coir_task_cancel(tasks[1]));
    check_rc(WAIT(tasks, COIR_FIRST_EXCEPTION, COIR_NEVER), 2);
    check_int(coir_now() - began, COIR_MS(30));
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

TASK_TEST_SEEDS(cases_e, E08_a_failure_does_not_end_the_wait_for_all) {
    struct job jobs[] = {JOB(30, 3), JOB(10, -EPROTO)};
    coir_task tasks[COUNT_OF(jobs)];
    const coir_time began = coir_now();
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    spawn_jobs(&s, jobs, tasks, COUNT_OF(jobs));
    check_rc(WAIT(tasks, COIR_ALL_COMPLETED, COIR_NEVER), 2);
    check_int(coir_now() - began, COIR_MS(30));
    check_rc(coir_scope_close(&s, 0), -EPROTO);
    return 0;
}

TASK_TEST_SEEDS(cases_e, E09_a_limit_on_waiting_cancels_nothing) {
    struct job jobs[] = {JOB(10, 1), JOB(50, 2)};
    coir_task tasks[COUNT_OF(jobs)];
    COIR_SCOPE(s);
    spawn_jobs(&s, jobs, tasks, COUNT_OF(jobs));
    check_rc(WAIT(tasks, COIR_ALL_COMPLETED, coir_after(COIR_MS(20))), 1);
    check_rc(coir_task_result(tasks[0]), 1);
    check_rc(coir_task_result(tasks[1]), -EINPROGRESS);
    check_rc(WAIT(tasks, COIR_ALL_COMPLETED, COIR_NEVER), 2);
    check_rc(coir_task_result(tasks[1]), 2);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

TASK_TEST(cases_e, E10_a_task_that_ends_at_the_limit_is_done) {
    struct job jobs[] = {JOB(10, 1), JOB(15, 2)};
    coir_task tasks[COUNT_OF(jobs)];
    COIR_SCOPE(s);
    spawn_jobs(&s, jobs, tasks, COUNT_OF(jobs));
    check_rc(WAIT(tasks, COIR_ALL_COMPLETED, coir_after(COIR_MS(10))), 1);
    check(coir_task_done(tasks[0]));
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

/* ---- As completed ---- */

TASK_TEST_SEEDS(cases_e, E12_E13_results_as_they_complete_with_the_handles_of_their_tasks) {
    struct job jobs[] = {JOB(30, 3), JOB(10, 1), JOB(20, 2)};
    coir_task tasks[COUNT_OF(jobs)], told;
    int rc = 0;
    COIR_SCOPE(s);
    spawn_jobs(&s, jobs, tasks, COUNT_OF(jobs));
    for (int i = 1; i <= 3; i++) {
        check_rc(coir_next(&s, &told, &rc), 0);
        check_int(rc, i);
        check(coir_task_equal(told, tasks[i % 3]));
    }
    check_rc(coir_next(&s, &told, &rc), -ENOENT);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

TASK_TEST_SEEDS(cases_e, E15_a_limit_that_is_not_used_leaves_no_timer) {
    struct job jobs[] = {JOB(10, 1)};
    coir_task tasks[COUNT_OF(jobs)];
    coir_stats stats;
    COIR_SCOPE(s);
    spawn_jobs(&s, jobs, tasks, COUNT_OF(jobs));
    COIR_SCOPE(limit, .deadline = coir_after(COIR_SEC(10)));
    check_rc(coir_next(&s, NULL, NULL), 0);
    check_rc(coir_scope_close(&limit, 0), 0);
    check_rc(WAIT(tasks, COIR_ALL_COMPLETED, coir_after(COIR_SEC(10))), 1);
    check_rc(coir_stats_get(&stats), 0);
    check_int(stats.timers_armed, 0);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

/* ---- Gathering ---- */

TASK_TEST_SEEDS(cases_e, E18_gathered_results_are_in_the_order_of_the_calls) {
    struct job jobs[] = {JOB(30, 3), JOB(10, 1), JOB(20, 2)};
    coir_call calls[] = {COIR_CALL(do_job, &jobs[0]), COIR_CALL(do_job, &jobs[1]),
                         COIR_CALL(do_job, &jobs[2])};
    check_rc(GATHER(calls, COIR_FAIL_FAST), 0);
    for (size_t i = 0; i < COUNT_OF(jobs); i++)
        check_rc(calls[i].rc, jobs[i].result);
    return 0;
}

TASK_TEST_SEEDS(cases_e, E19_one_failure_is_returned_the_siblings_are_cancelled_and_waited_for) {
    struct job jobs[] = {JOB(30, 3), JOB(10, -EPROTO)};
    coir_call calls[] = {COIR_CALL(do_job, &jobs[0]), COIR_CALL(do_job, &jobs[1])};
    check_rc(GATHER(calls, COIR_FAIL_FAST), -EPROTO);
    check(jobs[0].cut && jobs[0].ended != 0);
    return 0;
}

TASK_TEST_SEEDS(cases_e, E20_under_supervision_all_run_to_their_end) {
    struct job jobs[] = {JOB(30, 3), JOB(10, -EPROTO), JOB(20, 2)};
    coir_call calls[] = {COIR_CALL(do_job, &jobs[0]), COIR_CALL(do_job, &jobs[1]),
                         COIR_CALL(do_job, &jobs[2])};
    check_rc(GATHER(calls, COIR_SUPERVISE), -EPROTO);
    for (size_t i = 0; i < COUNT_OF(jobs); i++)
        check_rc(calls[i].rc, jobs[i].result);
    return 0;
}

TASK_TEST(cases_e, E21_gathering_nothing_is_a_success) {
    check_rc(coir_gather(NULL, 0, COIR_FAIL_FAST), 0);
    return 0;
}

/* A job that tells its handle. */
struct known_job {
    struct job job;
    coir_task task;
};

static int do_known_job(void *arg) {
    struct known_job *const known = arg;
    known->task = coir_self();
    return do_job(&known->job);
}

static int cancel_after_10_ms(void *arg) {
    COIR_TRY(coir_sleep(COIR_MS(10)));
    check(coir_task_cancel(((struct known_job *)arg)->task));
    return 0;
}

TASK_TEST_SEEDS(cases_e, E22_one_cancelled_from_outside_is_its_own_status) {
    struct known_job known = {.job = JOB(30, 3)};
    struct job job = JOB(20, 2);
    coir_call calls[] = {COIR_CALL(do_known_job, &known), COIR_CALL(do_job, &job),
                         COIR_CALL(cancel_after_10_ms, &known)};
    check_rc(GATHER(calls, COIR_FAIL_FAST), 0);
    check_rc(calls[0].rc, -ECANCELED);
    check_rc(calls[1].rc, 2);
    return 0;
}

struct two_jobs {
    struct job jobs[2];
    int rc;
};

static int gather_two(void *arg) {
    struct two_jobs *const two = arg;
    coir_call calls[] = {COIR_CALL(do_job, &two->jobs[0]), COIR_CALL(do_job, &two->jobs[1])};
    return two->rc = GATHER(calls, COIR_SUPERVISE);
}

TASK_TEST_SEEDS(cases_e, E23_cancelling_the_caller_cancels_every_call_and_waits_for_them) {
    struct two_jobs two = {.jobs = {JOB(30, 3), JOB(20, 2)}};
    coir_task task;
    COIR_SCOPE(s);
    check_rc(coir_spawn_task(&s, gather_two, &two, &task), 0);
    check_rc(coir_sleep(COIR_MS(10)), 0);
    check(coir_task_cancel(task));
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(two.rc, -ECANCELED);
    check(two.jobs[0].cut && two.jobs[1].cut);
    return 0;
}

/* ---- Shielded: joined by one who may be cut ---- */

static int join_the_work(void *arg) {
    return coir_join(*(const coir_task *)arg, NULL);
}

TASK_TEST_SEEDS(cases_e, E26_cancelling_the_waiter_leaves_the_work_running) {
    struct job job = JOB(20, 4);
    coir_task work, waiter;
    int rc = 0;
    COIR_SCOPE(s);
    check_rc(coir_spawn_task(&s, do_job, &job, &work), 0);
    check_rc(coir_spawn_task(&s, join_the_work, &work, &waiter), 0);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    check(coir_task_cancel(waiter));
    check_rc(coir_join(waiter, &rc), 0);
    check_rc(rc, -ECANCELED);
    check_rc(coir_task_result(work), -EINPROGRESS);
    check_rc(coir_join(work, &rc), 0);
    check_rc(rc, 4);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

TASK_TEST_SEEDS(cases_e, E27_work_that_is_cancelled_is_a_status_to_the_waiter) {
    coir_task work;
    int rc = 0;
    COIR_SCOPE(s);
    check_rc(coir_spawn_task(&s, sleep_for_ever, NULL, &work), 0);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    check(coir_task_cancel(work));
    check_rc(coir_join(work, &rc), 0);
    check_rc(rc, -ECANCELED);
    check_rc(coir_check(), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

/* Joins work that fails after 20 ms, for 10 ms; joins it again if asked. The failure is in the
 * scope of the work once, and nowhere else. */
static void leave_work_that_fails(bool join_again) {
    struct job job = JOB(20, -EPROTO);
    coir_task work;
    coir_error errors[COIR_SCOPE_ERRORS];
    int rc = 0;
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    check_rc(coir_spawn_task(&s, do_job, &job, &work), 0);
    COIR_SCOPE(limit, .deadline = coir_after(COIR_MS(10)));
    check_rc(coir_join(work, &rc), -ECANCELED);
    check_rc(coir_scope_close(&limit, -ECANCELED), -ETIMEDOUT);
    check_int(coir_scope_errors(&limit, NULL, 0), 0);
    if (join_again) {
        check_rc(coir_join(work, &rc), 0);
        check_rc(rc, -EPROTO);
    }
    check_rc(coir_scope_close(&s, 0), -EPROTO);
    check_int(coir_scope_errors(&s, errors, COUNT_OF(errors)), 1);
    check_rc(errors[0].rc, -EPROTO);
    check_rc(coir_check(), 0);
}

TASK_TEST_SEEDS(cases_e, E28_an_error_after_the_waiter_left_is_reported_once) {
    capture_stderr();
    leave_work_that_fails(false);
    leave_work_that_fails(true);
    check_str(captured_stderr(), ""); /* nothing is printed about it, joined again or not */
    return 0;
}

TASK_TEST_SEEDS(cases_e, E29_gathering_what_shields_its_work) {
    struct job jobs[] = {JOB(30, 3), JOB(40, 4)};
    coir_task works[COUNT_OF(jobs)];
    coir_call calls[] = {COIR_CALL(join_the_work, &works[0]), COIR_CALL(join_the_work, &works[1])};
    COIR_SCOPE(s);
    spawn_jobs(&s, jobs, works, COUNT_OF(jobs));
    COIR_SCOPE(limit, .deadline = coir_after(COIR_MS(10)));
    check_rc(GATHER(calls, COIR_FAIL_FAST), -ECANCELED);
    check_rc(coir_scope_close(&limit, -ECANCELED), -ETIMEDOUT);
    check_rc(coir_scope_close(&s, 0), 0);
    check(!jobs[0].cut && !jobs[1].cut);
    return 0;
}

TASK_TEST_SEEDS(cases_e, E29_shielding_what_gathers) {
    struct two_jobs two = {.jobs = {JOB(30, 3), JOB(20, 2)}};
    coir_task work;
    int rc = -1;
    COIR_SCOPE(s);
    check_rc(coir_spawn_task(&s, gather_two, &two, &work), 0);
    COIR_SCOPE(limit, .deadline = coir_after(COIR_MS(10)));
    check_rc(coir_join(work, &rc), -ECANCELED);
    check_rc(coir_scope_close(&limit, -ECANCELED), -ETIMEDOUT);
    check_rc(coir_join(work, &rc), 0);
    check_rc(rc, 0);
    check(!two.jobs[0].cut && !two.jobs[1].cut);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}
