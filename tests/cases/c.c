/* CASES.md, section C: waiting for one call with a time limit, in the caller's own task
 * (coir_timeout) and in one of its own (a scope with a deadline). Each test bears the number of its
 * case. */
#include "support.h"

SUITE(cases_c);

/* Runs fn(arg) within a time limit, in some task. */
typedef int wait_for_fn(coir_time limit, coir_fn fn, void *arg);

static int in_own_task(coir_time limit, coir_fn fn, void *arg) {
    COIR_SCOPE(s, .deadline = coir_after(limit));
    coir_task task;
    int rc = 0;
    COIR_TRY(coir_spawn_task(&s, fn, arg, &task));
    const int joined = coir_join(task, &rc);
    return coir_scope_close(&s, joined < 0 ? joined : rc);
}

/* A test that is run with each of them as `wait_for`. */
#define WAIT_FOR_TEST(name)                                                                        \
    static void name(wait_for_fn *wait_for);                                                       \
    TASK_TEST_SEEDS(cases_c, name) {                                                               \
        name(coir_timeout);                                                                        \
        name(in_own_task);                                                                         \
        return 0;                                                                                  \
    }                                                                                              \
    static void name(wait_for_fn *wait_for)

static int finish_at_once(void *arg) {
    ++*(int *)arg;
    return 11;
}

static int finish_after_10_ms(void *arg) {
    COIR_TRY(coir_sleep(COIR_MS(10)));
    ++*(int *)arg;
    return 12;
}

static int clean_up_for_30_ms(void *arg) {
    const int rc = coir_sleep(COIR_SEC(10));
    COIR_SCOPE(cleanup, .shield = true);
    COIR_TRY(coir_sleep(COIR_MS(30)));
    ++*(int *)arg;
    COIR_TRY(coir_scope_close(&cleanup, 0));
    return rc;
}

static int ignore_the_first_cut(void *arg) {
    (void)coir_sleep(COIR_SEC(10));
    return clean_up_for_30_ms(arg);
}

WAIT_FOR_TEST(C01_it_does_not_return_before_the_task_ends) {
    int done = 0;
    const coir_time began = coir_now();
    check_rc(wait_for(COIR_MS(10), ignore_the_first_cut, &done), -ETIMEDOUT);
    check_int(done, 1);
    check_int(coir_now() - began, COIR_MS(40));
}

TASK_TEST_SEEDS(cases_c, C02_what_is_done_already_is_returned) {
    int done = 0;
    coir_task task;
    COIR_SCOPE(s);
    check_rc(coir_spawn_task(&s, finish_at_once, &done, &task), 0);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    COIR_SCOPE(limit, .deadline = coir_after(0));
    check_rc(coir_task_result(task), 11); /* no wait, so no cut */
    check_rc(coir_scope_close(&limit, coir_task_result(task)), 11);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

static int note_start_then_wait(void *arg) {
    ++*(int *)arg;
    return coir_sleep(COIR_SEC(1));
}

WAIT_FOR_TEST(C03_without_any_time_the_body_still_runs_and_is_cut) {
    int started = 0;
    const coir_time began = coir_now();
    check_rc(wait_for(0, note_start_then_wait, &started), -ETIMEDOUT);
    check_int(started, 1);
    check_rc(wait_for(-1, note_start_then_wait, &started), -ETIMEDOUT);
    check_int(started, 2);
    check_int(coir_now(), began);
}

TASK_TEST_SEEDS(cases_c, C04_a_running_task_has_ended_before_timedout_is_returned) {
    int done = 0, rc = 0;
    coir_task task;
    COIR_SCOPE(s, .deadline = coir_after(COIR_MS(1)));
    check_rc(coir_spawn_task(&s, clean_up_for_30_ms, &done, &task), 0);
    check_rc(coir_join(task, &rc), -ECANCELED);
    check_int(done, 0);
    check_rc(coir_scope_close(&s, 0), -ETIMEDOUT);
    check_int(done, 1);
    return 0;
}

WAIT_FOR_TEST(C05_without_a_limit_the_plain_result) {
    int done = 0;
    check_rc(wait_for(COIR_NEVER, finish_after_10_ms, &done), 12);
    check_int(done, 1);
}

WAIT_FOR_TEST(C06_a_result_that_was_there_first_wins) {
    int done = 0;
    check_rc(wait_for(COIR_MS(10) + 1, finish_after_10_ms, &done), 12);
    check_rc(wait_for(COIR_MS(10) - 1, finish_after_10_ms, &done), -ETIMEDOUT);
    check_int(done, 1);
}

WAIT_FOR_TEST(C08_shielded_cleanup_is_waited_for) {
    int done = 0;
    const coir_time began = coir_now();
    check_rc(wait_for(COIR_MS(10), clean_up_for_30_ms, &done), -ETIMEDOUT);
    check_int(done, 1);
    check_int(coir_now() - began, COIR_MS(40));
}

struct long_wait {
    wait_for_fn *wait_for;
    int done;
};

static int wait_long_for_cleanup(void *arg) {
    struct long_wait *const wait = arg;
    return wait->wait_for(COIR_SEC(5), clean_up_for_30_ms, &wait->done);
}

WAIT_FOR_TEST(C10_cancelling_the_waiter_cancels_the_callee_and_waits_for_it) {
    struct long_wait wait = {.wait_for = wait_for};
    coir_task task;
    COIR_SCOPE(s);
    check_rc(coir_spawn_task(&s, wait_long_for_cleanup, &wait, &task), 0);
    check_rc(coir_sleep(COIR_MS(10)), 0);
    check(coir_task_cancel(task));
    check_rc(coir_join(task, NULL), 0);
    check_rc(coir_task_result(task), -ECANCELED);
    check_int(wait.done, 1);
    check_rc(coir_scope_close(&s, 0), 0);
}

TASK_TEST_SEEDS(cases_c, C12_a_limit_on_joining_lets_the_joined_run) {
    const coir_time limits[] = {0, COIR_MS(1)};
    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        int done = 0, rc = 0;
        coir_task task;
        COIR_SCOPE(work);
        check_rc(coir_spawn_task(&work, finish_after_10_ms, &done, &task), 0);
        COIR_SCOPE(limit, .deadline = coir_after(limits[i]));
        check_rc(coir_join(task, &rc), -ECANCELED);
        check_rc(coir_scope_close(&limit, -ECANCELED), -ETIMEDOUT);
        check_int(done, 0);
        check_rc(coir_join(task, &rc), 0);
        check_int(rc, 12);
        check_rc(coir_scope_close(&work, 0), 0);
    }
    return 0;
}
