/* Tasks, scopes and time: what src/core and src/flow promise. */
#include "selfcheck.h"

static int sleep_for_ever(UNUSED void *arg) {
    return coir_sleep(COIR_NEVER);
}

static int return_int(void *arg) {
    return *(const int *)arg;
}

/* ---- Tasks ---- */

enum { MANY = 2000 };

static int count_twice(void *arg) {
    size_t *const count = arg;
    ++*count;
    EXPECT(coir_yield(), 0);
    ++*count;
    return 0;
}

static int many_at_a_time(UNUSED void *arg) {
    size_t count = 0;
    COIR_SCOPE(scope);
    for (size_t i = 0; i < MANY; i++)
        EXPECT(coir_spawn(&scope, count_twice, &count), 0);
    EXPECT(coir_yield(), 0);
    EXPECT(count, MANY);
    EXPECT(coir_scope_close(&scope, 0), 0);
    EXPECT(count, 2 * MANY);
    return 0;
}

static int handles_outlive_tasks(UNUSED void *arg) {
    int seven = 7, rc = 0;
    coir_task task;
    COIR_SCOPE(scope);
    EXPECT(coir_spawn_task(&scope, return_int, &seven, &task), 0);
    EXPECT(coir_task_result(task), -EINPROGRESS);
    EXPECT(coir_join(task, &rc), 0);
    EXPECT(rc, 7);
    EXPECT(coir_scope_close(&scope, 0), 0);
    EXPECT(coir_join(task, &rc), -ESRCH);
    return 0;
}

/* ---- Scopes ---- */

static int a_failure_cancels(UNUSED void *arg) {
    int failure = -ENOENT, sibling = 0;
    COIR_SCOPE(scope);
    EXPECT(coir_spawn_with(&scope, sleep_for_ever, NULL, &(coir_spawn_options){.result = &sibling}),
           0);
    EXPECT(coir_spawn(&scope, return_int, &failure), 0);
    EXPECT(coir_scope_close(&scope, coir_sleep(COIR_NEVER)), -ENOENT);
    EXPECT(sibling, -ECANCELED);
    return 0;
}

static int sleep_a_little(void *arg) {
    COIR_TRY(coir_sleep(COIR_MS(5)));
    *(int *)arg += 1;
    return 0;
}

static int supervised_run_on(UNUSED void *arg) {
    int failure = -ENOENT, finished = 0;
    COIR_SCOPE(scope, .policy = COIR_SUPERVISE);
    EXPECT(coir_spawn(&scope, return_int, &failure), 0);
    EXPECT(coir_spawn(&scope, sleep_a_little, &finished), 0);
    EXPECT(coir_spawn(&scope, sleep_a_little, &finished), 0);
    EXPECT(coir_scope_close(&scope, 0), -ENOENT);
    EXPECT(finished, 2);
    return 0;
}

static int the_first_wins(UNUSED void *arg) {
    int failure = -ENOENT, success = 3;
    size_t winner = 99;
    coir_call calls[] = {COIR_CALL(sleep_for_ever, NULL), COIR_CALL(return_int, &failure),
                         COIR_CALL(return_int, &success)};
    EXPECT(coir_race(calls, COUNT_OF(calls), &winner), 3);
    EXPECT(winner, 2);
    EXPECT(calls[0].rc, -ECANCELED);
    EXPECT(calls[1].rc, -ENOENT);
    return 0;
}

static int cancelling_stays(UNUSED void *arg) {
    COIR_SCOPE(scope);
    coir_scope_cancel(&scope);
    for (int i = 0; i < 3; i++) {
        EXPECT(coir_sleep(COIR_MS(1)), -ECANCELED);
        EXPECT(coir_yield(), -ECANCELED);
    }
    EXPECT(coir_scope_close(&scope, -ECANCELED), 0);
    EXPECT(coir_sleep(COIR_MS(1)), 0);
    return 0;
}

static int shields_hold(UNUSED void *arg) {
    COIR_SCOPE(outer);
    coir_scope_cancel(&outer);
    COIR_SCOPE(inner, .shield = true);
    EXPECT(coir_sleep(COIR_MS(1)), 0);
    coir_scope_cancel(&inner);
    EXPECT(coir_sleep(COIR_MS(1)), -ECANCELED);
    EXPECT(coir_scope_close(&inner, 0), 0);
    EXPECT(coir_check(), -ECANCELED);
    EXPECT(coir_scope_close(&outer, 0), 0);
    return 0;
}

/* ---- Time ---- */

static int deadlines_cut(UNUSED void *arg) {
    const coir_time began = coir_now();
    COIR_SCOPE(outer, .deadline = coir_after(COIR_SEC(1000)));
    COIR_SCOPE(scope, .deadline = began + COIR_MS(20));
    EXPECT(coir_sleep(COIR_NEVER), -ECANCELED);
    EXPECT(coir_now() >= began + COIR_MS(20), true);
    EXPECT(coir_scope_close(&scope, -ECANCELED), -ETIMEDOUT);
    COIR_SCOPE(moves_on, .deadline = coir_after(COIR_MS(1)), .move_on = true);
    EXPECT(coir_sleep(COIR_NEVER), -ECANCELED);
    EXPECT(coir_scope_close(&moves_on, -ECANCELED), 0);
    EXPECT(coir_scope_expired(&moves_on), true);
    EXPECT(coir_scope_close(&outer, 0), 0);
    return 0;
}

struct nap {
    coir_time until;
    int *woken; /* how many have ended before */
    int place;
};

static int nap(void *arg) {
    struct nap *const it = arg;
    COIR_TRY(coir_sleep_until(it->until));
    EXPECT(coir_now() >= it->until, true);
    it->place = (*it->woken)++;
    return 0;
}

static int sleeps_end_in_order(UNUSED void *arg) {
    static const int places[] = {4, 0, 3, 1, 5, 2};
    struct nap naps[COUNT_OF(places)];
    int woken = 0;
    const coir_time base = coir_after(COIR_MS(5));
    COIR_SCOPE(scope);
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        naps[i] = (struct nap){.until = base + COIR_US(1700 * places[i]), .woken = &woken};
        EXPECT(coir_spawn(&scope, nap, &naps[i]), 0);
    }
    EXPECT(coir_scope_close(&scope, 0), 0);
    for (size_t i = 0; i < COUNT_OF(places); i++)
        EXPECT(naps[i].place, places[i]);
    return 0;
}

static int sleep_for_a_year(UNUSED void *arg) {
    const coir_time began = coir_now(), year = COIR_SEC(365 * 24 * 3600);
    EXPECT(coir_sleep(year), 0);
    EXPECT(coir_now() - began, year);
    return 0;
}

static int a_virtual_clock_jumps(UNUSED void *arg) {
    return coir_run_with(sleep_for_a_year, NULL, &(coir_options){.virtual_clock = true});
}

/* ---- An end ---- */

static int wait_for_each_other(UNUSED void *arg) {
    static coir_event never;
    return coir_event_wait(&never);
}

static int run_into_deadlock(UNUSED void *arg) {
    return coir_run(wait_for_each_other, NULL) != -EDEADLK;
}

static int deadlocks_are_told(UNUSED void *arg) {
    const struct caught run = run_caught(run_into_deadlock, NULL);
    EXPECT(run.status, 0);
    EXPECT(run.text[0] != '\0', true);
    return 0;
}

const struct check task_checks[] = {
    {.name = "task: many at a time, each on a stack of its own", .run = many_at_a_time},
    {.name = "task: handles tell its result, and when it is gone", .run = handles_outlive_tasks},
    {.name = "scope: the first failure cancels the others", .run = a_failure_cancels},
    {.name = "scope: supervised, all run to their end", .run = supervised_run_on},
    {.name = "scope: the first success wins a race", .run = the_first_wins},
    {.name = "scope: who is cancelled is told so until it leaves", .run = cancelling_stays},
    {.name = "scope: a shield keeps a cancel out, but not its own", .run = shields_hold},
    {.name = "deadline: cuts what waits, and is reported by its scope", .run = deadlines_cut},
    {.name = "timer: sleeps end in order, none too early", .run = sleeps_end_in_order},
    {.name = "clock: a virtual one jumps", .run = a_virtual_clock_jumps, .bare = true},
    {.name = "deadlock: ends the run, and is told", .run = deadlocks_are_told, .bare = true},
    {.name = NULL},
};
