/* coir_map: one function over a range of indices, so many at a time. */
#include "support.h"

SUITE(flow_map);

enum { N = 10 };

/* What a run of the function below shall do, and has done. */
struct plan {
    int ms[N];         /* how long an index takes; default 10 */
    int result[N];     /* what it comes to */
    bool ignores_cuts; /* returns its result all the same */
    size_t running, most, begun;
    int count[N]; /* how often it was called */
    int rc[N];
};

static int follow(size_t index, void *ctx) {
    struct plan *const plan = ctx;
    check_int(plan->begun++, index);
    plan->count[index]++;
    plan->running++;
    plan->most = plan->running > plan->most ? plan->running : plan->most;
    const int rc = coir_sleep(COIR_MS(plan->ms[index] != 0 ? plan->ms[index] : 10));
    plan->running--;
    return plan->rc[index] = rc < 0 && !plan->ignores_cuts ? rc : plan->result[index];
}

static void check_called(const struct plan *plan, size_t first_n) {
    check_int(plan->begun, first_n);
    for (size_t i = 0; i < N; i++)
        check_int(plan->count[i], i < first_n);
    check_int(plan->running, 0);
}

TASK_TEST_SEEDS(flow_map, the_limit_bounds_how_many_run) {
    for (size_t limit = 1; limit <= N + 1; limit++) {
        struct plan plan = {.begun = 0};
        const coir_time began = coir_now();
        check_rc(coir_map(N, limit, follow, &plan), 0);
        check_called(&plan, N);
        check_int(plan.most, limit < N ? limit : N);
        check_int(coir_now() - began, COIR_MS(10) * (coir_time)((N + limit - 1) / limit));
    }
    return 0;
}

TASK_TEST_SEEDS(flow_map, no_limit_is_the_largest_number) {
    struct plan plan = {.begun = 0};
    check_rc(coir_map(N, SIZE_MAX, follow, &plan), 0);
    check_called(&plan, N);
    check_int(plan.most, N);
    return 0;
}

TASK_TEST_SEEDS(flow_map, a_place_that_comes_free_is_taken_at_once) {
    struct plan plan = {.ms = {50, 10, 10, 10, 10, 10}};
    const coir_time began = coir_now();
    check_rc(coir_map(6, 2, follow, &plan), 0);
    check_int(coir_now() - began, COIR_MS(50));
    return 0;
}

TASK_TEST_SEEDS(flow_map, after_a_failure_nothing_more_begins) {
    struct plan plan = {.ms = {30, 10, 10, 15}, .result = {[3] = -EPROTO}};
    check_rc(coir_map(N, 2, follow, &plan), -EPROTO); /* 0 and 1, 0 and 2, 0 and 3, 3 and 4 */
    check_called(&plan, 5);
    check_rc(plan.rc[3], -EPROTO);
    check_rc(plan.rc[4], -ECANCELED);
    check_rc(coir_check(), 0);
    return 0;
}

TASK_TEST_SEEDS(flow_map, after_a_failure_nothing_more_begins_even_if_cuts_are_ignored) {
    struct plan plan = {.ms = {30, 10, 20}, .result = {[1] = -EPROTO}, .ignores_cuts = true};
    check_rc(coir_map(N, 3, follow, &plan), -EPROTO);
    check_called(&plan, 3);
    return 0;
}

TASK_TEST_SEEDS(flow_map, cut_from_outside) {
    struct plan plan = {.begun = 0};
    COIR_SCOPE(s, .deadline = coir_after(COIR_MS(15)));
    check_rc(coir_map(N, 2, follow, &plan), -ECANCELED);
    check_called(&plan, 4);
    check_rc(coir_scope_close(&s, -ECANCELED), -ETIMEDOUT);
    return 0;
}

TASK_TEST(flow_map, in_a_cancelled_scope_nothing_begins) {
    struct plan plan = {.begun = 0};
    COIR_SCOPE(s);
    coir_scope_cancel(&s);
    check_rc(coir_map(N, 2, follow, &plan), -ECANCELED);
    check_called(&plan, 0);
    check_rc(coir_scope_close(&s, -ECANCELED), 0);
    return 0;
}

static int note(size_t index, void *ctx) {
    trace("%s%zu", (const char *)ctx, index);
    return 0;
}

static int map_with_label(void *label) {
    return coir_map(3, 1, note, label);
}

TASK_TEST(flow_map, functions_that_never_wait_let_others_run_between) {
    char a[] = "a", b[] = "b";
    coir_call calls[] = {COIR_CALL(map_with_label, a), COIR_CALL(map_with_label, b)};
    check_rc(coir_gather(calls, 2, COIR_FAIL_FAST), 0);
    check_trace("a0 b0 a1 b1 a2 b2");
    return 0;
}

static int succeed_with_index(size_t index, UNUSED void *ctx) {
    return (int)index;
}

TASK_TEST(flow_map, successes_are_zero_together) {
    check_rc(coir_map(N, 3, succeed_with_index, NULL), 0);
    return 0;
}

TASK_TEST(flow_map, of_no_indices) {
    check_rc(coir_map(0, 1, succeed_with_index, NULL), 0);
    return 0;
}

TASK_TEST(flow_map, nonsense_is_refused) {
    struct plan plan = {.begun = 0};
    check_rc(coir_map(N, 0, follow, &plan), -EINVAL);
    check_rc(coir_map(N, 1, NULL, &plan), -EINVAL);
    check_called(&plan, 0);
    return 0;
}

Test(flow_map, outside_the_runtime_nothing_runs) {
    struct plan plan = {.begun = 0};
    check_rc(coir_map(N, 1, follow, &plan), -EPERM);
    check_called(&plan, 0);
}

static int map_many(UNUSED void *arg) {
    return coir_map(200, 200, succeed_with_index, NULL); /* more stacks than are mapped at first */
}

TASK_TEST_BARE(flow_map, without_memory_for_its_tasks) {
    check_rc(without_memory(map_many, NULL), -ENOMEM);
    return 0;
}
