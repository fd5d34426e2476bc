/* The order in which ready tasks run: first in first out, or drawn from a seed; and that nobody
 * starves, neither a task nor a timer, whatever the others do. */
#include "support.h"

SUITE(core_sched);

enum { TASKS = 8, ROUNDS = 4 };

static int trace_rounds(void *arg) {
    for (int i = 0; i < ROUNDS; i++) {
        trace("%d", *(const int *)arg);
        COIR_TRY(coir_yield());
    }
    return 0;
}

static int run_crowd(UNUSED void *arg) {
    int numbers[TASKS];
    COIR_SCOPE(s);
    for (int i = 0; i < TASKS; i++) {
        numbers[i] = i;
        COIR_TRY(coir_spawn(&s, trace_rounds, &numbers[i]));
    }
    return coir_scope_close(&s, 0);
}

/* The order under a seed. The caller frees it. */
static char *order_of(uint64_t seed) {
    trace_clear();
    check_rc(run_task_with(run_crowd, NULL, &(const run_options){.runtime.seed = seed}), 0);
    return strdup(traced());
}

Test(core_sched, without_a_seed_first_in_is_first_out) {
    char *const order = order_of(0);
    check_str(order, "0 1 2 3 4 5 6 7 0 1 2 3 4 5 6 7 0 1 2 3 4 5 6 7 0 1 2 3 4 5 6 7");
    free(order);
}

Test(core_sched, a_seed_gives_the_same_order_each_time) {
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        char *const once = order_of(seed), *const again = order_of(seed);
        check_str(once, again);
        free(once);
        free(again);
    }
}

Test(core_sched, seeds_give_different_orders) {
    char *orders[SEEDS + 1];
    for (uint64_t seed = 0; seed <= SEEDS; seed++)
        orders[seed] = order_of(seed);
    for (size_t i = 0; i <= SEEDS; i++)
        for (size_t k = 0; k < i; k++)
            check(strcmp(orders[i], orders[k]) != 0);
    for (size_t i = 0; i <= SEEDS; i++)
        free(orders[i]);
}

/* ---- Fairness among ready tasks ---- */

static int counts[TASKS];

static int count_rounds(void *arg) {
    int *const own = arg;
    for (int i = 0; i < 100; i++) {
        ++*own;
        for (size_t k = 0; k < TASKS; k++)
            check(counts[k] >= *own - 1 && counts[k] <= *own);
        COIR_TRY(coir_yield());
    }
    return 0;
}

TASK_TEST(core_sched, each_ready_task_runs_once_a_turn) {
    memset(counts, 0, sizeof counts);
    COIR_SCOPE(s);
    for (size_t i = 0; i < TASKS; i++)
        check_rc(coir_spawn(&s, count_rounds, &counts[i]), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    for (size_t i = 0; i < TASKS; i++)
        check_int(counts[i], 100);
    return 0;
}

static int spawn_another(void *arg) {
    int *const left = arg;
    if (--*left == 0)
        return 0;
    COIR_SCOPE(s);
    COIR_TRY(coir_spawn(&s, spawn_another, left));
    return coir_scope_close(&s, 0);
}

static int trace_done(UNUSED void *arg) {
    COIR_TRY(coir_yield());
    trace("done");
    return 0;
}

TASK_TEST(core_sched, a_chain_of_new_tasks_starves_nobody) {
    int left = 100;
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, spawn_another, &left), 0);
    check_rc(coir_spawn(&s, trace_done, NULL), 0);
    for (int i = 0; i < 10; i++)
        check_rc(coir_yield(), 0);
    check_trace("done");
    check(left > 50);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

static int count_until_all_have_run(void *arg) {
    int *const own = arg;
    for (bool all = false; !all;) {
        ++*own;
        check(*own < 10000);
        COIR_TRY(coir_yield());
        all = true;
        for (size_t i = 0; i < TASKS; i++)
            all = all && counts[i] >= 100;
    }
    return 0;
}

TASK_TEST_SEEDS(core_sched, a_drawn_order_starves_nobody) {
    memset(counts, 0, sizeof counts);
    COIR_SCOPE(s);
    for (size_t i = 0; i < TASKS; i++)
        check_rc(coir_spawn(&s, count_until_all_have_run, &counts[i]), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

/* ---- Timers among tasks that never stop ---- */

static int yield_until_stopped(void *arg) {
    const volatile bool *const stop = arg;
    while (!*stop)
        COIR_TRY(coir_yield());
    return 0;
}

static int let_a_sleeper_through(void *arg) {
    const size_t crowd = *(const size_t *)arg;
    bool stop = false;
    COIR_SCOPE(s);
    for (size_t i = 0; i < crowd; i++)
        check_rc(coir_spawn(&s, yield_until_stopped, &stop), 0);
    const coir_time began = real_now();
    check_rc(coir_sleep(COIR_MS(10)), 0);
    const coir_time took = real_now() - began;
    stop = true;
    check(took >= COIR_MS(10));
    check(took < COIR_SEC(5));
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

Test(core_sched, a_yielding_crowd_does_not_starve_timers) {
    const uint64_t seeds[] = {0, 5};
    for (size_t i = 0; i < COUNT_OF(seeds); i++)
        for (size_t crowd = 1; crowd <= 1000; crowd *= 10) {
            const run_options options = {.real_clock = true, .runtime.seed = seeds[i]};
            check_rc(run_task_with(let_a_sleeper_through, &crowd, &options), 0);
        }
}

TASK_TEST_REAL(core_sched, a_yielding_crowd_does_not_starve_deadlines) {
    bool never = false;
    COIR_SCOPE(s, .deadline = coir_after(COIR_MS(10)));
    for (int i = 0; i < 100; i++)
        check_rc(coir_spawn(&s, yield_until_stopped, &never), 0);
    check_rc(coir_scope_close(&s, 0), -ETIMEDOUT);
    return 0;
}

/* ---- A task that ignores being cut ---- */

static int ignore_cuts(void *arg) {
    const volatile bool *const stop = arg;
    while (!*stop)
        (void)coir_yield(); /* returns at once, each time: without help the others would starve */
    return 0;
}

TASK_TEST_REAL(core_sched, a_task_that_ignores_being_cut_does_not_starve_the_others) {
    bool stop = false;
    coir_stats stats;
    capture_stderr();
    COIR_SCOPE(s);
    check_rc(coir_spawn_with(&s, ignore_cuts, &stop, &(const coir_spawn_options){.name = "mule"}),
             0);
    check_rc(coir_yield(), 0);
    coir_scope_cancel(&s);
    COIR_SCOPE(shielded, .shield = true);
    do {
        check_rc(coir_sleep(COIR_MS(5)), 0);
        check_rc(coir_stats_get(&stats), 0);
    } while (stats.cuts_ignored < 100); /* it is named at the 64th */
    check_rc(coir_yield(), 0);
    stop = true;
    check_rc(coir_scope_close(&shielded, 0), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    const char *const text = captured_stderr();
    check_int(occurrences(text, "mule"), 1);
    return 0;
}
