/* coir_wait: several tasks waited for at once, in three modes, with a limit that cancels nothing.
 */
#include "support.h"

SUITE(flow_wait);

enum { SOME = 3, MANY = 100 }; /* few enough for the frame; not so */

/* Spawns a task for each job. */
static void spawn_jobs(coir_scope *s, struct job *jobs, coir_task *tasks, size_t n) {
    for (size_t i = 0; i < n; i++)
        check_rc(coir_spawn_task(s, do_job, &jobs[i], &tasks[i]), 0);
}

static size_t ended(const struct job *jobs, size_t n) {
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += jobs[i].ended != 0;
    return count;
}

TASK_TEST_SEEDS(flow_wait, all) {
    struct job jobs[SOME] = {JOB(30, 3), JOB(10, -EPROTO), JOB(20, 2)};
    coir_task tasks[SOME];
    const coir_time began = coir_now();
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    spawn_jobs(&s, jobs, tasks, SOME);
    check_rc(coir_wait(tasks, SOME, COIR_ALL_COMPLETED, COIR_NEVER), SOME);
    check_int(coir_now() - began, COIR_MS(30));
    check_rc(coir_wait(tasks, SOME, COIR_ALL_COMPLETED, COIR_NEVER), SOME);
    check_int(coir_now() - began, COIR_MS(30));
    check_rc(coir_scope_close(&s, 0), -EPROTO);
    return 0;
}

TASK_TEST_SEEDS(flow_wait, the_first) {
    struct job jobs[SOME] = {JOB(30, 3), JOB(10, 1), JOB(20, 2)};
    coir_task tasks[SOME];
    const coir_time began = coir_now();
    COIR_SCOPE(s);
    spawn_jobs(&s, jobs, tasks, SOME);
    check_rc(coir_wait(tasks, SOME, COIR_FIRST_COMPLETED, COIR_NEVER), 1);
    check_int(coir_now() - began, COIR_MS(10));
    check(!coir_task_done(tasks[0]) && coir_task_done(tasks[1]) && !coir_task_done(tasks[2]));
    check_rc(coir_wait(tasks, SOME, COIR_FIRST_COMPLETED, COIR_NEVER), 1); /* it has ended */
    check_int(coir_now() - began, COIR_MS(10));
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(ended(jobs, SOME), SOME);
    return 0;
}

TASK_TEST_SEEDS(flow_wait, the_first_failure) {
    struct job jobs[SOME] = {JOB(30, 3), JOB(10, 1), JOB(20, -EPROTO)};
    coir_task tasks[SOME];
    const coir_time began = coir_now();
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    spawn_jobs(&s, jobs, tasks, SOME);
    check_rc(coir_wait(tasks, SOME, COIR_FIRST_EXCEPTION, COIR_NEVER), 2);
    check_int(coir_now() - began, COIR_MS(20));
    check_rc(coir_wait(tasks, SOME, COIR_FIRST_EXCEPTION, COIR_NEVER), 2); /* it has failed */
    check_int(coir_now() - began, COIR_MS(20));
    check_rc(coir_scope_close(&s, 0), -EPROTO);
    return 0;
}

TASK_TEST_SEEDS(flow_wait, for_the_first_failure_where_all_succeed) {
    struct job jobs[SOME] = {JOB(30, 3), JOB(10, 1), JOB(20, 2)};
    coir_task tasks[SOME];
    COIR_SCOPE(s);
    spawn_jobs(&s, jobs, tasks, SOME);
    check_rc(coir_wait(tasks, SOME, COIR_FIRST_EXCEPTION, COIR_NEVER), SOME);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

TASK_TEST_SEEDS(flow_wait, being_cancelled_is_no_failure) {
    struct job jobs[2] = {JOB(30, 3), JOB(10, 1)};
    coir_task tasks[2];
    const coir_time began = coir_now();
    COIR_SCOPE(s);
    spawn_jobs(&s, jobs, tasks, 2);
    check(coir_task_cancel(tasks[1]));
    check_rc(coir_wait(tasks, 2, COIR_FIRST_EXCEPTION, COIR_NEVER), 2);
    check_int(coir_now() - began, COIR_MS(30));
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

TASK_TEST_SEEDS(flow_wait, a_limit_cancels_nothing_and_is_no_error) {
    struct job jobs[SOME] = {JOB(30, 3), JOB(10, 1), JOB(25, 2)};
    coir_task tasks[SOME];
    const coir_time began = coir_now();
    COIR_SCOPE(s);
    spawn_jobs(&s, jobs, tasks, SOME);
    check_rc(coir_wait(tasks, SOME, COIR_ALL_COMPLETED, began + COIR_MS(20)), 1);
    check_int(coir_now() - began, COIR_MS(20));
    check_rc(coir_check(), 0);
    check_rc(coir_wait(tasks, SOME, COIR_ALL_COMPLETED, COIR_NEVER), SOME);
    check_int(coir_now() - began, COIR_MS(30));
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

TASK_TEST_SEEDS(flow_wait, a_limit_that_is_not_reached_leaves_no_timer) {
    struct job jobs[SOME] = {JOB(30, 3), JOB(10, 1), JOB(25, 2)};
    coir_task tasks[SOME];
    COIR_SCOPE(s);
    spawn_jobs(&s, jobs, tasks, SOME);
    check_rc(coir_wait(tasks, SOME, COIR_ALL_COMPLETED, coir_after(COIR_SEC(9))), SOME);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0; /* run_task looks for timers */
}

TASK_TEST(flow_wait, a_limit_in_the_past_lets_the_others_run_once) {
    const coir_time limits[] = {0, -1, 1, INT64_MIN};
    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        int five = 5;
        coir_task tasks[2];
        COIR_SCOPE(s);
        check_rc(coir_spawn_task(&s, return_int, &five, &tasks[0]), 0);
        check_rc(coir_spawn_task(&s, sleep_for_ever, NULL, &tasks[1]), 0);
        const coir_time began = coir_now();
        check_rc(coir_wait(tasks, 2, COIR_ALL_COMPLETED, limits[i]), 1);
        check_int(coir_now(), began);
        coir_scope_cancel(&s);
        check_rc(coir_scope_close(&s, 0), 0);
    }
    return 0;
}

TASK_TEST_SEEDS(flow_wait, cut_it_leaves_the_tasks_alone) {
    struct job jobs[SOME] = {JOB(30, 3), JOB(10, 1), JOB(25, 2)};
    coir_task tasks[SOME];
    COIR_SCOPE(s);
    spawn_jobs(&s, jobs, tasks, SOME);
    COIR_SCOPE(limit, .deadline = coir_after(COIR_MS(15)));
    check_rc(coir_wait(tasks, SOME, COIR_ALL_COMPLETED, COIR_NEVER), -ECANCELED);
    check_rc(coir_wait(tasks, SOME, COIR_ALL_COMPLETED, COIR_NEVER), -ECANCELED);
    check_rc(coir_wait(&tasks[1], 1, COIR_ALL_COMPLETED, COIR_NEVER),
             -ECANCELED); /* ended or not */
    check_rc(coir_scope_close(&limit, -ECANCELED), -ETIMEDOUT);
    check_rc(coir_scope_close(&s, 0), 0);
    for (size_t i = 0; i < SOME; i++)
        check(!jobs[i].cut);
    return 0;
}

TASK_TEST_SEEDS(flow_wait, when_a_cut_and_the_limit_come_together_it_is_cut) {
    coir_task task;
    COIR_SCOPE(s);
    check_rc(coir_spawn_task(&s, sleep_for_ever, NULL, &task), 0);
    COIR_SCOPE(limit, .deadline = coir_after(COIR_MS(15)));
    check_rc(coir_wait(&task, 1, COIR_ALL_COMPLETED, coir_after(COIR_MS(15))), -ECANCELED);
    check_rc(coir_scope_close(&limit, -ECANCELED), -ETIMEDOUT);
    coir_scope_cancel(&s);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

TASK_TEST_SEEDS(flow_wait, many) {
    static struct job jobs[MANY];
    coir_task tasks[MANY];
    const coir_time began = coir_now();
    COIR_SCOPE(s);
    for (int i = 0; i < MANY; i++)
        jobs[i] = (struct job)JOB(1 + (i + MANY / 2) % MANY, i);
    spawn_jobs(&s, jobs, tasks, MANY);
    check_rc(coir_wait(tasks, MANY, COIR_FIRST_COMPLETED, COIR_NEVER), 1);
    check(coir_task_done(tasks[MANY / 2]));
    check_rc(coir_wait(tasks, MANY, COIR_ALL_COMPLETED, began + COIR_MS(50) + 1), 50);
    check_rc(coir_wait(tasks, MANY, COIR_ALL_COMPLETED, COIR_NEVER), MANY);
    check_int(coir_now() - began, COIR_MS(MANY));
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

static int wait_for_both(void *arg) {
    check_rc(coir_wait(arg, 2, COIR_ALL_COMPLETED, COIR_NEVER), 2);
    return 0;
}

TASK_TEST_SEEDS(flow_wait, several_wait_for_the_same) {
    struct job jobs[2] = {JOB(30, 3), JOB(10, 1)};
    coir_task tasks[2];
    const coir_time began = coir_now();
    COIR_SCOPE(s);
    spawn_jobs(&s, jobs, tasks, 2);
    for (int i = 0; i < 3; i++)
        check_rc(coir_spawn(&s, wait_for_both, tasks), 0);
    check_rc(coir_wait(tasks, 2, COIR_FIRST_COMPLETED, COIR_NEVER), 1);
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(coir_now() - began, COIR_MS(30));
    return 0;
}

TASK_TEST_SEEDS(flow_wait, a_handle_given_twice_counts_twice) {
    struct job jobs[2] = {JOB(30, 3), JOB(10, 1)};
    coir_task tasks[4];
    COIR_SCOPE(s);
    spawn_jobs(&s, jobs, tasks, 2);
    tasks[2] = tasks[0];
    tasks[3] = tasks[1];
    check_rc(coir_wait(tasks, 4, COIR_FIRST_COMPLETED, COIR_NEVER), 2);
    check_rc(coir_wait(tasks, 4, COIR_ALL_COMPLETED, COIR_NEVER), 4);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

TASK_TEST(flow_wait, nonsense_is_refused) {
    coir_task tasks[] = {coir_self(), coir_self(), {.coir__record = NULL}};
    COIR_SCOPE(s);
    check_rc(coir_spawn_task(&s, sleep_for_ever, NULL, &tasks[1]), 0);
    check_rc(coir_wait(tasks, 0, COIR_ALL_COMPLETED, COIR_NEVER), -EINVAL);
    check_rc(coir_wait(NULL, 1, COIR_ALL_COMPLETED, COIR_NEVER), -EINVAL);
    check_rc(coir_wait(&tasks[1], 1, (coir_when)3, COIR_NEVER), -EINVAL);
    check_rc(coir_wait(&tasks[1], 1, (coir_when)-1, COIR_NEVER), -EINVAL);
    check_rc(coir_wait(&tasks[1], (size_t)INT32_MAX + 1, COIR_ALL_COMPLETED, COIR_NEVER), -EINVAL);
    check_rc(coir_wait(tasks, 2, COIR_ALL_COMPLETED, COIR_NEVER), -EDEADLK);
    check_rc(coir_wait(tasks + 1, 2, COIR_ALL_COMPLETED, COIR_NEVER), -ESRCH);
    coir_scope_cancel(&s);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(coir_wait(&tasks[1], 1, COIR_ALL_COMPLETED, COIR_NEVER), -ESRCH); /* stale by now */
    return 0;
}

Test(flow_wait, outside_the_runtime) {
    check_rc(coir_wait(&(coir_task){.coir__record = NULL}, 1, COIR_ALL_COMPLETED, 0), -EPERM);
}

/* The handle of a task of another runtime of this thread, over by now. */
static int keep_handle(void *arg) {
    *(coir_task *)arg = coir_self();
    return 0;
}

static int wait_for_foreign(void *arg) {
    return coir_wait(arg, 1, COIR_ALL_COMPLETED, COIR_NEVER);
}

Test(flow_wait, a_handle_of_another_runtime_is_refused) {
    coir_task task;
    check_rc(run_task(keep_handle, &task), 0);
    check_rc(run_task(wait_for_foreign, &task), -ESRCH);
}

struct group {
    coir_task *tasks;
    size_t n;
};

static int wait_for_group(void *arg) {
    const struct group *const group = arg;
    return coir_wait(group->tasks, group->n, COIR_ALL_COMPLETED, COIR_NEVER);
}

TASK_TEST_BARE(flow_wait, without_memory_for_many) {
    skip_over_libkqueue(LIBKQUEUE_HAS_A_THREAD);
    enum { HUGE = 1 << 20 };
    coir_task *const tasks = malloc(HUGE * sizeof *tasks);
    check(tasks != NULL);
    COIR_SCOPE(s);
    check_rc(coir_spawn_task(&s, sleep_for_ever, NULL, &tasks[0]), 0);
    for (size_t i = 1; i < HUGE; i++)
        tasks[i] = tasks[0];
    check_rc(without_memory(wait_for_group, &(struct group){tasks, HUGE}), -ENOMEM);
    coir_scope_cancel(&s);
    check_rc(coir_scope_close(&s, 0), 0);
    free(tasks);
    return 0;
}
