/* Once: one call at a time, until one succeeds; everybody learns what that one returned. */
#include "help.h"

#include <limits.h>

SUITE(sync_once);

/* What the calls of one once have done. */
struct work {
    coir_once once;
    int runs, running;
    int fails;   /* so many runs fail first */
    int stay_ms; /* each takes that long */
};

static int do_work(void *arg) {
    struct work *const work = arg;
    check_int(++work->running, 1);
    const int run = ++work->runs;
    const int rc = coir_sleep(COIR_MS(work->stay_ms));
    check_int(--work->running, 0);
    if (rc < 0)
        return rc;
    return run <= work->fails ? -EIO : 40 + run;
}

static int call(void *arg) {
    struct work *const work = arg;
    return coir_once_run(&work->once, do_work, work);
}

static int never_called(UNUSED void *arg) {
    cr_assert(false, "it was run again");
    return 0;
}

TASK_TEST_SEEDS(sync_once, the_first_success_is_the_only_one) {
    struct work work = {.stay_ms = 5};
    coir_task tasks[4];
    COIR_SCOPE(s);
    for (int i = 0; i < 4; i++)
        check_rc(coir_spawn_task(&s, call, &work, &tasks[i]), 0);
    pass(1);
    check_int(work.runs, 1);
    pass(10);
    for (int i = 0; i < 4; i++)
        check_rc(coir_task_result(tasks[i]), 41);
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(coir_once_run(&work.once, never_called, NULL), 41);
    check_rc(coir_once_destroy(&work.once), 0);
    check_int(coir_once_run(&work.once, do_work, &work), 42);
    return 0;
}

Test(sync_once, outside_the_runtime_it_is_refused) {
    coir_once once = {0};
    check_rc(coir_once_run(&once, never_called, NULL), -EPERM);
    check_rc(coir_once_destroy(&once), 0);
    check_rc(coir_once_destroy(NULL), 0);
}

static int run_within(void *once) {
    check_rc(coir_once_run(once, never_called, NULL), -EDEADLK);
    check_rc(coir_once_destroy(once), -EBUSY);
    return 7;
}

TASK_TEST(sync_once, misuse_is_refused) {
    coir_once once = {0};
    check_rc(coir_once_run(NULL, never_called, NULL), -EINVAL);
    check_rc(coir_once_run(&once, NULL, NULL), -EINVAL);
    check_int(coir_once_run(&once, run_within, &once), 7);
    return 0;
}

TASK_TEST_SEEDS(sync_once, after_a_failure_the_next_one_tries) {
    struct work work = {.fails = 2, .stay_ms = 5};
    coir_task tasks[4];
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    for (int i = 0; i < 4; i++)
        tasks[i] = spawn_now(&s, call, &work);
    pass(20);
    check_rc(coir_task_result(tasks[0]), -EIO);
    check_rc(coir_task_result(tasks[1]), -EIO);
    check_rc(coir_task_result(tasks[2]), 43);
    check_rc(coir_task_result(tasks[3]), 43);
    check_int(work.runs, 3);
    check_rc(coir_scope_close(&s, 0), -EIO);
    return 0;
}

TASK_TEST(sync_once, after_the_failure_of_the_only_one_anybody_may_try) {
    struct work work = {.fails = 1};
    check_rc(coir_once_run(&work.once, do_work, &work), -EIO);
    check_rc(coir_once_destroy(&work.once), 0);
    check_int(coir_once_run(&work.once, do_work, &work), 42);
    return 0;
}

static int return_the_least(UNUSED void *arg) {
    return INT_MIN;
}

TASK_TEST(sync_once, every_negative_number_is_a_failure) {
    struct work work = {.stay_ms = 0};
    check_int(coir_once_run(&work.once, return_the_least, NULL), INT_MIN);
    check_int(coir_once_run(&work.once, do_work, &work), 41);
    return 0;
}

TASK_TEST_SEEDS(sync_once, a_waiter_that_is_cut_changes_nothing) {
    struct work work = {.stay_ms = 5};
    COIR_SCOPE(s);
    const coir_task runner = spawn_now(&s, call, &work);
    const coir_task cut = spawn_now(&s, call, &work);
    const coir_task other = spawn_now(&s, call, &work);
    check(coir_task_cancel(cut));
    pass(10);
    check_rc(coir_task_result(runner), 41);
    check_rc(coir_task_result(cut), -ECANCELED);
    check_rc(coir_task_result(other), 41);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

/* The turn was given to it and cannot be taken back; its own call sees the cut, and fails. */
TASK_TEST_SEEDS(sync_once, one_that_is_cut_when_its_turn_has_come_passes_it_on) {
    struct work work = {.stay_ms = 5};
    COIR_SCOPE(s);
    const coir_task first = spawn_now(&s, call, &work);
    const coir_task second = spawn_now(&s, call, &work);
    const coir_task third = spawn_now(&s, call, &work);
    check(coir_task_cancel(first));
    check_rc(coir_join(first, NULL), 0);
    check(coir_task_cancel(second));
    pass(10);
    check_rc(coir_task_result(first), -ECANCELED);
    check_rc(coir_task_result(second), -ECANCELED);
    check_rc(coir_task_result(third), 40 + work.runs);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

/* Three call at once; a run takes 3 ms. One of them is cancelled at some instant. */
TASK_TEST_SEEDS(sync_once, a_cancel_at_every_instant) {
    for (int victim = 0; victim < 3; victim++) {
        for (int at = 0; at <= 8; at++) {
            struct work work = {.stay_ms = 3};
            coir_task tasks[3];
            COIR_SCOPE(s);
            for (int i = 0; i < 3; i++)
                check_rc(coir_spawn_task(&s, call, &work, &tasks[i]), 0);
            pass(at);
            (void)coir_task_cancel(tasks[victim]);
            pass(20);
            for (int i = 0; i < 3; i++)
                if (i != victim)
                    check_rc(coir_task_result(tasks[i]), 40 + work.runs);
            check(work.runs <= 2);
            check_rc(coir_scope_close(&s, 0), 0);
            check_rc(coir_once_destroy(&work.once), 0);
        }
    }
    return 0;
}

TASK_TEST_SEEDS(sync_once, a_cancelled_task_runs_nothing) {
    coir_once once = {0};
    COIR_SCOPE(s);
    coir_scope_cancel(&s);
    check_rc(coir_once_run(&once, never_called, NULL), -ECANCELED);
    check_rc(coir_scope_close(&s, -ECANCELED), 0);
    return 0;
}

TASK_TEST_SEEDS(sync_once, one_that_is_under_way_is_not_destroyed) {
    struct work work = {.stay_ms = 5};
    COIR_SCOPE(s);
    (void)spawn_now(&s, call, &work);
    (void)spawn_now(&s, call, &work);
    check_rc(coir_once_destroy(&work.once), -EBUSY);
    check_contains(listing(), named("once", &work.once));
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(coir_once_destroy(&work.once), 0);
    return 0;
}
