/* coir_race: the first success of several calls. */
#include <stdio.h>

#include "support.h"

SUITE(flow_race);

#define RACE(calls, winner) coir_race(calls, COUNT_OF(calls), winner)

TASK_TEST_SEEDS(flow_race, the_first_success_cancels_the_others) {
    struct job jobs[] = {JOB(30, 3), JOB(10, 1), JOB(20, 2)};
    coir_call calls[] = {COIR_CALL(do_job, &jobs[0]), COIR_CALL(do_job, &jobs[1]),
                         COIR_CALL(do_job, &jobs[2])};
    const coir_time began = coir_now();
    size_t winner = 99;
    check_rc(RACE(calls, &winner), 1);
    check_int(coir_now() - began, COIR_MS(10));
    check_int(winner, 1);
    check_rc(calls[0].rc, -ECANCELED);
    check_rc(calls[1].rc, 1);
    check_rc(calls[2].rc, -ECANCELED);
    check_rc(coir_check(), 0);
    return 0;
}

TASK_TEST_SEEDS(flow_race, a_failure_does_not_end_it) {
    struct job jobs[] = {JOB(30, 3), JOB(10, -EPROTO), JOB(20, -EIO)};
    coir_call calls[] = {COIR_CALL(do_job, &jobs[0]), COIR_CALL(do_job, &jobs[1]),
                         COIR_CALL(do_job, &jobs[2])};
    size_t winner = 99;
    check_rc(RACE(calls, &winner), 3);
    check_int(winner, 0);
    check_rc(calls[1].rc, -EPROTO);
    check_rc(calls[2].rc, -EIO);
    return 0;
}

TASK_TEST_SEEDS(flow_race, if_all_fail_the_earliest_failure_is_returned) {
    struct job jobs[] = {JOB(30, -EPIPE), JOB(10, -EPROTO), JOB(20, -EIO)};
    coir_call calls[] = {COIR_CALL(do_job, &jobs[0]), COIR_CALL(do_job, &jobs[1]),
                         COIR_CALL(do_job, &jobs[2])};
    size_t winner = 99;
    check_rc(RACE(calls, &winner), -EPROTO);
    check_int(winner, 99);
    return 0;
}

/* Succeeds whether it is cut or not. */
static int succeed_late(void *arg) {
    (void)do_job(arg);
    return 7;
}

TASK_TEST_SEEDS(flow_race, a_loser_that_succeeds_too_changes_nothing) {
    struct job jobs[] = {JOB(30, 0), JOB(10, 1)};
    coir_call calls[] = {COIR_CALL(succeed_late, &jobs[0]), COIR_CALL(do_job, &jobs[1])};
    size_t winner = 99;
    check_rc(RACE(calls, &winner), 1);
    check_int(winner, 1);
    check_rc(calls[0].rc, 7);
    return 0;
}

static int clean_up_for_10_ms(void *arg) {
    const int rc = do_job(arg);
    COIR_SCOPE(cleanup, .shield = true);
    check_rc(coir_sleep(COIR_MS(10)), 0);
    return coir_scope_close(&cleanup, rc);
}

TASK_TEST_SEEDS(flow_race, losers_are_waited_for) {
    struct job jobs[] = {JOB(30, 3), JOB(10, 1)};
    coir_call calls[] = {COIR_CALL(clean_up_for_10_ms, &jobs[0]), COIR_CALL(do_job, &jobs[1])};
    const coir_time began = coir_now();
    check_rc(RACE(calls, NULL), 1);
    check_int(coir_now() - began, COIR_MS(20));
    return 0;
}

TASK_TEST_SEEDS(flow_race, a_winner_found_before_a_cut_from_outside_is_returned) {
    struct job jobs[] = {JOB(30, 3), JOB(10, 1)};
    coir_call calls[] = {COIR_CALL(clean_up_for_10_ms, &jobs[0]), COIR_CALL(do_job, &jobs[1])};
    size_t winner = 99;
    COIR_SCOPE(s, .deadline = coir_after(COIR_MS(15)));
    check_rc(RACE(calls, &winner), 1);
    check_int(winner, 1);
    check_rc(coir_check(), -ECANCELED);
    check_rc(coir_scope_close(&s, 0), -ETIMEDOUT);
    return 0;
}

TASK_TEST_SEEDS(flow_race, cut_before_anyone_wins) {
    struct job jobs[] = {JOB(30, 3), JOB(20, 1)};
    coir_call calls[] = {COIR_CALL(do_job, &jobs[0]), COIR_CALL(do_job, &jobs[1])};
    COIR_SCOPE(s, .deadline = coir_after(COIR_MS(15)));
    check_rc(RACE(calls, NULL), -ECANCELED);
    check_rc(calls[0].rc, -ECANCELED);
    check_rc(calls[1].rc, -ECANCELED);
    check_rc(coir_scope_close(&s, -ECANCELED), -ETIMEDOUT);
    return 0;
}

static int cancel_oneself(UNUSED void *arg) {
    (void)coir_task_cancel(coir_self());
    return coir_yield();
}

TASK_TEST(flow_race, if_each_is_cancelled_by_its_handle_nobody_has_won) {
    coir_call calls[] = {COIR_CALL(cancel_oneself, NULL), COIR_CALL(cancel_oneself, NULL)};
    check_rc(RACE(calls, NULL), -ECANCELED);
    return 0;
}

static int dump_of_the_run(void *arg) {
    FILE *const file = fmemopen(arg, 4096, "w");
    check(file != NULL && coir_dump(file) >= 0);
    fclose(file);
    return 0;
}

TASK_TEST(flow_race, a_listing_names_the_callers_functions) {
    static char text[4096];
    coir_call calls[] = {COIR_CALL(sleep_for_ever, NULL), COIR_CALL(dump_of_the_run, text)};
    check_rc(RACE(calls, NULL), 0);
    check_contains(text, "scope 'race'");
    check_contains(text, "'sleep_for_ever': ");
    check_contains(text, "'dump_of_the_run': running");
    return 0;
}

TASK_TEST(flow_race, nonsense_is_refused) {
    struct job job = JOB(1, 1);
    coir_call calls[] = {COIR_CALL(do_job, &job), COIR_CALL(NULL, &job)};
    check_rc(coir_race(calls, 0, NULL), -EINVAL);
    check_rc(coir_race(NULL, 1, NULL), -EINVAL);
    check_rc(RACE(calls, NULL), -EINVAL);
    check(!job.began);
    return 0;
}

Test(flow_race, outside_the_runtime_nothing_runs) {
    struct job job = JOB(1, 1);
    coir_call call = COIR_CALL(do_job, &job);
    check_rc(coir_race(&call, 1, NULL), -EPERM);
    check(!job.began);
}

enum { MANY = 200 }; /* more stacks than are mapped at first */

static int race_many(void *arg) {
    return coir_race(arg, MANY, NULL);
}

TASK_TEST_BARE(flow_race, without_memory_for_all_those_started_are_cancelled) {
    struct job jobs[MANY] = {{0}};
    coir_call calls[MANY];
    for (size_t i = 0; i < MANY; i++) {
        jobs[i].ms = 1;
        calls[i] = (coir_call)COIR_CALL(do_job, &jobs[i]);
    }
    check_rc(without_memory(race_many, calls), -ENOMEM);
    check_rc(calls[0].rc, -ECANCELED);
    check_rc(calls[MANY - 1].rc, -EINPROGRESS);
    return 0;
}
