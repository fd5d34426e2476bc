/* coir_next: results as they complete. */
#include "support.h"

SUITE(flow_next);

enum { N = 4 };

/* Checks that the next to be told is this task with this result. */
static void check_next(coir_scope *s, coir_task task, int result) {
    coir_task told;
    int rc;
    check_rc(coir_next(s, &told, &rc), 0);
    check(coir_task_equal(told, task));
    check_rc(rc, result);
}

TASK_TEST_SEEDS(flow_next, results_come_as_they_complete) {
    struct job jobs[N] = {JOB(40, 4), JOB(10, 1), JOB(30, -EPROTO), JOB(20, 2)};
    coir_task tasks[N];
    const coir_time began = coir_now();
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    for (size_t i = 0; i < N; i++)
        check_rc(coir_spawn_task(&s, do_job, &jobs[i], &tasks[i]), 0);
    const size_t order[N] = {1, 3, 2, 0};
    for (int i = 0; i < N; i++) {
        check_next(&s, tasks[order[i]], jobs[order[i]].result);
        check_int(coir_now() - began, COIR_MS(10) * (i + 1));
    }
    check_rc(coir_next(&s, NULL, NULL), -ENOENT);
    check_rc(coir_next(&s, NULL, NULL), -ENOENT);
    check_rc(coir_scope_close(&s, 0), -EPROTO);
    return 0;
}

TASK_TEST_SEEDS(flow_next, what_has_ended_queues_in_order) {
    struct job jobs[N] = {JOB(40, 4), JOB(10, 1), JOB(30, 3), JOB(20, 2)};
    coir_task tasks[N];
    COIR_SCOPE(s);
    for (size_t i = 0; i < N; i++)
        check_rc(coir_spawn_task(&s, do_job, &jobs[i], &tasks[i]), 0);
    check_rc(coir_join(tasks[1], NULL), 0); /* joined or not, each is told */
    check_rc(coir_sleep(COIR_MS(50)), 0);
    const coir_time began = coir_now();
    const size_t order[N] = {1, 3, 2, 0};
    for (size_t i = 0; i < N; i++)
        check_next(&s, tasks[order[i]], jobs[order[i]].result);
    check_rc(coir_next(&s, NULL, NULL), -ENOENT);
    check_int(coir_now(), began);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

TASK_TEST_SEEDS(flow_next, tasks_without_handles_are_not_told) {
    struct job with = JOB(20, 2), without = JOB(10, 1), later = JOB(30, 3);
    coir_task task;
    COIR_SCOPE(s);
    check_rc(coir_next(&s, NULL, NULL), -ENOENT);
    check_rc(coir_spawn(&s, do_job, &without), 0);
    check_rc(coir_next(&s, NULL, NULL), -ENOENT);
    check_rc(coir_spawn_task(&s, do_job, &with, &task), 0);
    check_rc(coir_spawn(&s, do_job, &later), 0);
    check_next(&s, task, 2);
    check_rc(coir_next(&s, NULL, NULL), -ENOENT);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

TASK_TEST_SEEDS(flow_next, tasks_spawned_later_are_told_too) {
    struct job jobs[N] = {JOB(10, 1), JOB(10, 2), JOB(10, 3), JOB(10, 4)};
    coir_task tasks[N];
    COIR_SCOPE(s);
    for (size_t i = 0; i < N; i++) {
        check_rc(coir_spawn_task(&s, do_job, &jobs[i], &tasks[i]), 0);
        check_next(&s, tasks[i], jobs[i].result);
    }
    check_rc(coir_next(&s, NULL, NULL), -ENOENT);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

/* One task that takes results in a scope until there are none. */
struct taker {
    coir_scope *scope;
    int results[N], count, rc;
};

static int take_all(void *arg) {
    struct taker *const taker = arg;
    int rc;
    while ((taker->rc = coir_next(taker->scope, NULL, &rc)) == 0)
        taker->results[taker->count++] = rc;
    return 0;
}

TASK_TEST(flow_next, those_who_wait_are_told_in_turn_and_at_the_end_all_know) {
    struct job jobs[N] = {JOB(40, 4), JOB(10, 1), JOB(30, 3), JOB(20, 2)};
    coir_task task;
    COIR_SCOPE(takers);
    COIR_SCOPE(s);
    for (size_t i = 0; i < N; i++)
        check_rc(coir_spawn_task(&s, do_job, &jobs[i], &task), 0);
    struct taker taker[3] = {{.scope = &s}, {.scope = &s}, {.scope = &s}};
    for (size_t i = 0; i < COUNT_OF(taker); i++)
        check_rc(coir_spawn(&takers, take_all, &taker[i]), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(coir_scope_close(&takers, 0), 0);
    check_int(taker[0].count, 2);
    check_int(taker[0].results[0], 1);
    check_int(taker[0].results[1], 4);
    check_int(taker[1].count, 1);
    check_int(taker[1].results[0], 2);
    check_int(taker[2].count, 1);
    check_int(taker[2].results[0], 3);
    for (size_t i = 0; i < COUNT_OF(taker); i++)
        check_rc(taker[i].rc, -ENOENT);
    return 0;
}

TASK_TEST_SEEDS(flow_next, cut_it_takes_nothing) {
    struct job job = JOB(20, 2);
    coir_task task;
    COIR_SCOPE(s);
    check_rc(coir_spawn_task(&s, do_job, &job, &task), 0);
    COIR_SCOPE(limit, .deadline = coir_after(COIR_MS(10)));
    check_rc(coir_next(&s, NULL, NULL), -ECANCELED);
    check_rc(coir_next(&s, NULL, NULL), -ECANCELED);
    check_rc(coir_scope_close(&limit, -ECANCELED), -ETIMEDOUT);
    check_next(&s, task, 2);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

TASK_TEST_SEEDS(flow_next, a_cut_comes_before_what_lies_ready) {
    int five = 5;
    coir_task task;
    COIR_SCOPE(s);
    check_rc(coir_spawn_task(&s, return_int, &five, &task), 0);
    check_rc(coir_join(task, NULL), 0);
    COIR_SCOPE(inner);
    coir_scope_cancel(&inner);
    check_rc(coir_next(&s, NULL, NULL), -ECANCELED);
    check_rc(coir_scope_close(&inner, -ECANCELED), 0);
    check_next(&s, task, 5);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

TASK_TEST_SEEDS(flow_next, the_failure_that_cancels_a_scope_is_told_to_the_one_who_waits) {
    struct job jobs[2] = {JOB(10, -EPROTO), JOB(20, 1)};
    coir_task tasks[2];
    COIR_SCOPE(s);
    for (size_t i = 0; i < 2; i++)
        check_rc(coir_spawn_task(&s, do_job, &jobs[i], &tasks[i]), 0);
    check_next(&s, tasks[0], -EPROTO);
    check_rc(coir_next(&s, NULL, NULL), -ECANCELED);
    check_rc(coir_scope_close(&s, -ECANCELED), -EPROTO);
    return 0;
}

TASK_TEST(flow_next, in_the_main_scope) {
    int five = 5;
    coir_task task;
    check_rc(coir_next(coir_main_scope(), NULL, NULL), -ENOENT);
    check_rc(coir_spawn_task(coir_main_scope(), return_int, &five, &task), 0);
    check_next(coir_main_scope(), task, 5);
    return 0;
}

TASK_TEST(flow_next, nonsense_is_refused) {
    coir_scope fresh = {0};
    check_rc(coir_next(NULL, NULL, NULL), -EINVAL);
    check_rc(coir_next(&fresh, NULL, NULL), -EINVAL);
    COIR_SCOPE(s);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(coir_next(&s, NULL, NULL), -EINVAL);
    return 0;
}

Test(flow_next, outside_the_runtime) {
    coir_scope fresh = {0};
    check_rc(coir_next(&fresh, NULL, NULL), -EPERM);
}
