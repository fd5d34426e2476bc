/* CASES.md, section E, as far as tasks and scopes alone can say it: joining for waiting, scopes for
 * gathering. Each test bears the number of its case. */
#include "support.h"

SUITE(cases_e);

TASK_TEST_SEEDS(cases_e, E01_joining_all_takes_as_long_as_the_last_and_again_no_time) {
    struct job jobs[] = {JOB(30, 3), JOB(10, 1), JOB(20, 2)};
    coir_task tasks[COUNT_OF(jobs)];
    const coir_time began = coir_now();
    COIR_SCOPE(s);
    for (size_t i = 0; i < COUNT_OF(jobs); i++)
        check_rc(coir_spawn_task(&s, do_job, &jobs[i], &tasks[i]), 0);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < COUNT_OF(jobs); i++) {
            int rc = 0;
            check_rc(coir_join(tasks[i], &rc), 0);
            check_int(rc, jobs[i].result);
        }
        check_int(coir_now() - began, COIR_MS(30));
    }
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

TASK_TEST_SEEDS(cases_e, E05_two_that_end_in_one_moment_are_both_done) {
    struct job jobs[] = {JOB(10, 1), JOB(10, 2)};
    coir_task tasks[2];
    COIR_SCOPE(s);
    for (size_t i = 0; i < 2; i++)
        check_rc(coir_spawn_task(&s, do_job, &jobs[i], &tasks[i]), 0);
    check_rc(coir_sleep(COIR_MS(11)), 0);
    check(coir_task_done(tasks[0]));
    check(coir_task_done(tasks[1]));
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

TASK_TEST_SEEDS(cases_e, E09_a_limit_on_waiting_cancels_nothing) {
    struct job jobs[] = {JOB(10, 1), JOB(50, 2)};
    coir_task tasks[2];
    COIR_SCOPE(s);
    for (size_t i = 0; i < 2; i++)
        check_rc(coir_spawn_task(&s, do_job, &jobs[i], &tasks[i]), 0);
    COIR_SCOPE(limit, .deadline = coir_after(COIR_MS(20)), .move_on = true);
    check_rc(coir_join(tasks[0], NULL), 0);
    check_rc(coir_join(tasks[1], NULL), -ECANCELED);
    check_rc(coir_scope_close(&limit, 0), 0);
    check_rc(coir_task_result(tasks[0]), 1);
    check_rc(coir_task_result(tasks[1]), -EINPROGRESS);
    check_rc(coir_join(tasks[1], NULL), 0);
    check_rc(coir_task_result(tasks[1]), 2);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

TASK_TEST_SEEDS(cases_e, E20_under_supervision_all_run_to_their_end) {
    struct job jobs[] = {JOB(30, 3), JOB(10, -EPROTO), JOB(20, 2)};
    coir_task tasks[COUNT_OF(jobs)];
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    for (size_t i = 0; i < COUNT_OF(jobs); i++)
        check_rc(coir_spawn_task(&s, do_job, &jobs[i], &tasks[i]), 0);
    for (size_t i = 0; i < COUNT_OF(jobs); i++) {
        int rc = 0;
        check_rc(coir_join(tasks[i], &rc), 0);
        check_rc(rc, jobs[i].result);
    }
    check_rc(coir_scope_close(&s, 0), -EPROTO);
    return 0;
}

TASK_TEST_SEEDS(cases_e, E22_one_cancelled_from_outside_is_its_own_status) {
    struct job jobs[] = {JOB(30, 3), JOB(10, 1)};
    coir_task tasks[2];
    int rc = 0;
    COIR_SCOPE(s);
    for (size_t i = 0; i < 2; i++)
        check_rc(coir_spawn_task(&s, do_job, &jobs[i], &tasks[i]), 0);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    check(coir_task_cancel(tasks[0]));
    check_rc(coir_join(tasks[0], &rc), 0);
    check_rc(rc, -ECANCELED);
    check_rc(coir_join(tasks[1], &rc), 0);
    check_rc(rc, 1);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

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
