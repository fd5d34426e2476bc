/* Tasks: spawning with all its options, handles and how they go stale, joining, yielding and
 * sleeping, names, locals, and what each task has for itself: errno and floating-point words. */
#include "support.h"

#include <fenv.h>
#include <float.h>
#include <stdalign.h>

SUITE(core_task);

static void *pointer(const int *value) {
    return (void *)(uintptr_t)value;
}

static int return_zero(UNUSED void *arg) {
    return 0;
}

static int never_called(UNUSED void *arg) {
    cr_assert(false, "a body ran that must not");
    return 0;
}

/* ---- Spawn ---- */

static int trace_word(void *arg) {
    trace("%s", (const char *)arg);
    return 0;
}

TASK_TEST(core_task, a_child_runs_when_the_spawner_waits) {
    char word[] = "child";
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, trace_word, word), 0);
    trace("spawned");
    check_rc(coir_yield(), 0);
    trace("yielded");
    check_rc(coir_scope_close(&s, 0), 0);
    check_trace("spawned child yielded");
    return 0;
}

TASK_TEST(core_task, bad_arguments_of_spawn_are_refused) {
    coir_task task;
    coir_scope never_opened = {.coir__state = 0};
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, NULL, NULL), -EINVAL);
    check_rc(coir_spawn(NULL, never_called, NULL), -EINVAL);
    check_rc(coir_spawn(&never_opened, never_called, NULL), -EINVAL);
    check_rc(coir_spawn_task(&s, NULL, NULL, &task), -EINVAL);
    check_rc(coir_spawn_task(NULL, never_called, NULL, &task), -EINVAL);
    check_rc(coir_spawn_task(&s, never_called, NULL, NULL), -EINVAL);
    check_rc(coir_spawn_with(&s, NULL, NULL, NULL), -EINVAL);
    check_rc(coir_spawn_with(NULL, never_called, NULL, NULL), -EINVAL);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(coir_spawn(&s, never_called, NULL), -EINVAL);
    return 0;
}

static int spawn_sized(coir_scope *s, size_t stack_size_bytes) {
    return coir_spawn_with(s, return_zero, NULL,
                           &(const coir_spawn_options){.stack_size_bytes = stack_size_bytes});
}

TASK_TEST(core_task, stack_sizes_range_from_16_kib_to_1_gib) {
    COIR_SCOPE(s);
    check_rc(spawn_sized(&s, 1), -EINVAL);
    check_rc(spawn_sized(&s, 16 * 1024 - 1), -EINVAL);
    check_rc(spawn_sized(&s, 16 * 1024), 0);
    check_rc(spawn_sized(&s, 16 * 1024 + 1), 0);
    check_rc(spawn_sized(&s, 1000 * 1000), 0);
    check_rc(spawn_sized(&s, ((size_t)1 << 30) + 1), -EINVAL);
    check_rc(spawn_sized(&s, SIZE_MAX), -EINVAL);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

struct letter {
    alignas(16) char text[100];
    int *sum;
};

static int read_letter(void *arg) {
    struct letter *const letter = arg;
    check_int((uintptr_t)letter % 16, 0);
    *letter->sum += letter->text[99];
    memset(letter, 0, sizeof *letter);
    return 0;
}

TASK_TEST_SEEDS(core_task, a_copied_argument_is_the_tasks_own) {
    int sum = 0;
    struct letter letter = {.sum = &sum};
    const coir_spawn_options copied = {.arg_size_bytes = sizeof letter};
    COIR_SCOPE(s);
    for (char i = 1; i <= 10; i++) {
        letter.text[99] = i;
        check_rc(coir_spawn_with(&s, read_letter, &letter, &copied), 0);
    }
    letter.text[99] = 100;
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(sum, 55);
    check_int(letter.text[99], 100);
    return 0;
}

TASK_TEST_SEEDS(core_task, a_result_is_put_where_the_spawner_says) {
    struct job jobs[] = {JOB(20, 3), JOB(10, -EPROTO), JOB(30, 1)};
    int results[COUNT_OF(jobs)] = {7, 7, 7};
    COIR_SCOPE(s);
    for (size_t i = 0; i < COUNT_OF(jobs); i++)
        check_rc(coir_spawn_with(&s, do_job, &jobs[i],
                                 &(const coir_spawn_options){.result = &results[i]}),
                 0);
    check_rc(coir_sleep(COIR_MS(5)), 0);
    for (size_t i = 0; i < COUNT_OF(jobs); i++)
        check_int(results[i], 7); /* not before the end */
    check_rc(coir_scope_close(&s, 0), -EPROTO);
    check_rc(results[0], -ECANCELED);
    check_rc(results[1], -EPROTO);
    check_rc(results[2], -ECANCELED);
    return 0;
}

TASK_TEST(core_task, an_argument_is_at_most_a_quarter_of_the_stack) {
    static char large[64 * 1024];
    coir_spawn_options options = {.stack_size_bytes = 64 * 1024, .arg_size_bytes = 16 * 1024};
    COIR_SCOPE(s);
    check_rc(coir_spawn_with(&s, return_zero, large, &options), 0);
    options.arg_size_bytes = 16 * 1024 + 1;
    check_rc(coir_spawn_with(&s, never_called, large, &options), -EINVAL);
    options.arg_size_bytes = SIZE_MAX;
    check_rc(coir_spawn_with(&s, never_called, large, &options), -EINVAL);
    options.arg_size_bytes = 1;
    check_rc(coir_spawn_with(&s, never_called, NULL, &options), -EINVAL);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

TASK_TEST(core_task, spawning_without_a_handle_leaves_nothing) {
    coir_stats stats;
    uint64_t mapped = 0;
    COIR_SCOPE(s);
    for (size_t i = 0; i < scaled(50000); i++) {
        check_rc(coir_spawn(&s, return_zero, NULL), 0);
        check_rc(coir_yield(), 0);
        check_rc(coir_stats_get(&stats), 0);
        check_int(stats.tasks_alive, 1);
        mapped = mapped == 0 ? stats.stacks_mapped : mapped;
        check_int(stats.stacks_mapped, mapped);
    }
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

/* ---- Handles ---- */

static void check_stale(coir_task task) {
    char name[COIR_NAME_SIZE];
    coir_stack_use use;
    check(coir_task_done(task));
    check_rc(coir_task_result(task), -ESRCH);
    check_rc(coir_join(task, NULL), -ESRCH);
    check(!coir_task_cancel(task));
    check_rc(coir_task_name(task, name, sizeof name), -ESRCH);
    check_rc(coir_task_set_name(task, "ghost"), -ESRCH);
    check_rc(coir_task_stack(task, &use), -ESRCH);
}

TASK_TEST(core_task, the_zero_handle_names_no_task) {
    check_stale((coir_task){0});
    check(!coir_task_equal((coir_task){0}, coir_self()));
    return 0;
}

TASK_TEST(core_task, a_handle_lives_until_its_scope_closes) {
    const int result = 9;
    coir_task task;
    COIR_SCOPE(s);
    check_rc(coir_spawn_task(&s, return_int, pointer(&result), &task), 0);
    check(!coir_task_done(task));
    check_rc(coir_task_result(task), -EINPROGRESS);
    check_rc(coir_yield(), 0);
    check(coir_task_done(task));
    check_rc(coir_task_result(task), 9);
    check(!coir_task_cancel(task));
    check_rc(coir_scope_close(&s, 0), 0);
    check_stale(task);
    return 0;
}

static int store_self(void *arg) {
    *(coir_task *)arg = coir_self();
    return coir_sleep(COIR_MS(1));
}

TASK_TEST(core_task, a_handle_from_self_goes_stale_at_the_end) {
    coir_task task = {0};
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, store_self, &task), 0);
    check_rc(coir_yield(), 0);
    check(!coir_task_done(task));
    check_rc(coir_task_result(task), -EINPROGRESS);
    check_rc(coir_sleep(COIR_MS(2)), 0);
    check_stale(task);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

TASK_TEST(core_task, tasks_are_numbered_as_they_are_spawned) {
    static int zero;
    coir_task task;
    COIR_SCOPE(s);
    check_int(coir_task_number(coir_self()), 1);
    check_rc(coir_spawn(&s, return_int, &zero), 0);
    check_rc(coir_spawn_task(&s, return_int, &zero, &task), 0);
    check_int(coir_task_number(task), 3);
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(coir_task_number(task), 3);
    check_int(coir_task_number((coir_task){0}), 0);
    return 0;
}

TASK_TEST(core_task, self_is_the_handle_that_spawn_gave) {
    coir_task given, own = {0};
    const coir_task main_task = coir_self();
    COIR_SCOPE(s);
    check_rc(coir_spawn_task(&s, store_self, &own, &given), 0);
    check_rc(coir_yield(), 0);
    check(coir_task_equal(given, own));
    check(!coir_task_equal(given, main_task));
    check(coir_task_equal(coir_self(), main_task));
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

TASK_TEST(core_task, a_stale_handle_never_names_the_next_task) {
    enum { ROUNDS = 200 };
    coir_task old[ROUNDS];
    for (size_t i = 0; i < ROUNDS; i++) {
        COIR_SCOPE(s);
        check_rc(coir_spawn_task(&s, sleep_for_ever, NULL, &old[i]), 0);
        check_rc(coir_yield(), 0);
        for (size_t k = 0; k < i; k++) {
            check(!coir_task_equal(old[k], old[i]));
            check_stale(old[k]);
        }
        check(coir_task_cancel(old[i]));
        check_rc(coir_scope_close(&s, 0), 0);
    }
    return 0;
}

static int check_stale_handle(void *arg) {
    check_stale(*(const coir_task *)arg);
    return 0;
}

Test(core_task, handles_of_an_earlier_run_are_stale) {
    coir_task task = {0};
    for (int i = 0; i < 20; i++) {
        check_rc(run_task(store_self, &task), 0);
        check(coir_task_done(task));
        check_rc(coir_task_result(task), -ESRCH);
        check(!coir_task_cancel(task));
        check_rc(run_task(check_stale_handle, &task), 0);
    }
}

/* ---- Join ---- */

static int sleep_then_fail(UNUSED void *arg) {
    COIR_TRY(coir_sleep(COIR_MS(5)));
    return -EPROTO;
}

struct joiner {
    coir_task task;
    int count;
};

static int join_and_count(void *arg) {
    struct joiner *const joiner = arg;
    int rc = 0;
    check_rc(coir_join(joiner->task, &rc), 0);
    check_rc(rc, -EPROTO);
    joiner->count++;
    return 0;
}

TASK_TEST_SEEDS(core_task, all_who_join_learn_the_result) {
    int rc = 0;
    struct joiner joiner = {.count = 0};
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    check_rc(coir_spawn_task(&s, sleep_then_fail, NULL, &joiner.task), 0);
    for (int i = 0; i < 5; i++)
        check_rc(coir_spawn(&s, join_and_count, &joiner), 0);
    check_rc(coir_join(joiner.task, &rc), 0);
    check_rc(rc, -EPROTO);
    check_rc(coir_join(joiner.task, NULL), 0);
    check_rc(coir_scope_close(&s, 0), -EPROTO);
    check_int(joiner.count, 5);
    return 0;
}

static int fail_later_as(void *arg) {
    *(coir_task *)arg = coir_self();
    return sleep_then_fail(NULL);
}

TASK_TEST(core_task, a_task_without_a_spawned_handle_can_be_joined_while_it_lives) {
    coir_task task = {0};
    int rc = 0;
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    check_rc(coir_spawn(&s, fail_later_as, &task), 0);
    check_rc(coir_yield(), 0);
    check_rc(coir_join(task, &rc), 0);
    check_rc(rc, -EPROTO);
    check_rc(coir_join(task, &rc), -ESRCH);
    check_rc(coir_scope_close(&s, 0), -EPROTO);
    return 0;
}

TASK_TEST(core_task, joining_oneself_is_a_deadlock) {
    check_rc(coir_join(coir_self(), NULL), -EDEADLK);
    check_rc(coir_yield(), 0);
    return 0;
}

TASK_TEST_SEEDS(core_task, a_cut_join_leaves_the_joined_running) {
    int rc = 77;
    coir_task task;
    COIR_SCOPE(outer, .policy = COIR_SUPERVISE);
    check_rc(coir_spawn_task(&outer, sleep_then_fail, NULL, &task), 0);
    COIR_SCOPE(inner, .deadline = coir_after(COIR_MS(1)));
    check_rc(coir_join(task, &rc), -ECANCELED);
    check_int(rc, 77);
    check_rc(coir_scope_close(&inner, 0), -ETIMEDOUT);
    check_rc(coir_task_result(task), -EINPROGRESS);
    check_rc(coir_join(task, &rc), 0);
    check_rc(rc, -EPROTO);
    check_rc(coir_scope_close(&outer, 0), -EPROTO);
    return 0;
}

TASK_TEST(core_task, a_join_of_an_ended_task_does_not_wait_and_so_is_not_cut) {
    int rc = 77;
    coir_task task;
    COIR_SCOPE(outer);
    check_rc(coir_spawn_task(&outer, return_zero, NULL, &task), 0);
    check_rc(coir_yield(), 0);
    COIR_SCOPE(inner);
    coir_scope_cancel(&inner);
    check_rc(coir_join(task, &rc), 0);
    check_int(rc, 0);
    check_rc(coir_scope_close(&inner, 0), 0);
    check_rc(coir_scope_close(&outer, 0), 0);
    return 0;
}

/* ---- Cancel ---- */

TASK_TEST(core_task, cancel_tells_whether_it_was_the_first) {
    coir_task task;
    COIR_SCOPE(s);
    check_rc(coir_spawn_task(&s, sleep_for_ever, NULL, &task), 0);
    check_rc(coir_yield(), 0);
    check(coir_task_cancel(task));
    check(!coir_task_cancel(task));
    check_rc(coir_task_result(task), -EINPROGRESS);
    check_rc(coir_join(task, NULL), 0);
    check_rc(coir_task_result(task), -ECANCELED);
    check(!coir_task_cancel(task));
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

/* ---- Yield and sleep ---- */

static int trace_three_times(void *arg) {
    for (int i = 1; i <= 3; i++) {
        trace("%s%d", (const char *)arg, i);
        COIR_TRY(coir_yield());
    }
    return 0;
}

TASK_TEST(core_task, yield_lets_the_others_run_in_turn) {
    char names[3][2] = {"a", "b", "c"};
    COIR_SCOPE(s);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        check_rc(coir_spawn(&s, trace_three_times, names[i]), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_trace("a1 b1 c1 a2 b2 c2 a3 b3 c3");
    return 0;
}

TASK_TEST(core_task, a_lone_task_may_yield) {
    for (int i = 0; i < 1000; i++)
        check_rc(coir_yield(), 0);
    return 0;
}

static int pause_by_yield(void) {
    return coir_yield();
}

static int pause_by_sleep_0(void) {
    return coir_sleep(0);
}

static int pause_until_the_past(void) {
    return coir_sleep_until(coir_now() - 1);
}

static int pause_until_now(void) {
    return coir_sleep_until(coir_now());
}

static int pause_until_0(void) {
    return coir_sleep_until(0);
}

static int pause_until_below_0(void) {
    return coir_sleep_until(INT64_MIN);
}

TASK_TEST(core_task, a_sleep_that_is_over_yields_once) {
    int (*const pauses[])(void) = {pause_by_yield,  pause_by_sleep_0, pause_until_the_past,
                                   pause_until_now, pause_until_0,    pause_until_below_0};
    for (size_t i = 0; i < COUNT_OF(pauses); i++) {
        char name[] = "a";
        trace_clear();
        COIR_SCOPE(s);
        check_rc(coir_spawn(&s, trace_three_times, name), 0);
        check_rc(pauses[i](), 0);
        trace("m1");
        check_rc(pauses[i](), 0);
        trace("m2");
        check_rc(coir_scope_close(&s, 0), 0);
        check_trace("a1 m1 a2 m2 a3");
    }
    return 0;
}

TASK_TEST(core_task, a_negative_sleep_is_refused) {
    check_rc(coir_sleep(-1), -EINVAL);
    check_rc(coir_sleep(INT64_MIN), -EINVAL);
    return 0;
}

struct nap {
    const char *name;
    coir_time duration;
};

static int nap(void *arg) {
    const struct nap *const nap = arg;
    COIR_TRY(coir_sleep(nap->duration));
    trace("%s@%d", nap->name, (int)((coir_now() - COIR_SEC(1)) / COIR_MS(1)));
    return 0;
}

TASK_TEST_SEEDS(core_task, sleepers_wake_in_order_of_time) {
    struct nap naps[] = {{"c", COIR_MS(30)},
                         {"a", COIR_MS(10)},
                         {"e", COIR_SEC(3600)},
                         {"b", COIR_MS(20)},
                         {"d", COIR_MS(40)}};
    COIR_SCOPE(s);
    for (size_t i = 0; i < COUNT_OF(naps); i++)
        check_rc(coir_spawn(&s, nap, &naps[i]), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_trace("a@10 b@20 c@30 d@40 e@3600000");
    return 0;
}

TASK_TEST(core_task, sleepers_of_one_moment_wake_in_the_order_they_lay_down) {
    struct nap naps[] = {{"a", COIR_MS(10)}, {"b", COIR_MS(10)}, {"c", COIR_MS(10)}};
    COIR_SCOPE(s);
    for (size_t i = 0; i < COUNT_OF(naps); i++)
        check_rc(coir_spawn(&s, nap, &naps[i]), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_trace("a@10 b@10 c@10");
    return 0;
}

TASK_TEST(core_task, sleep_until_is_absolute) {
    const coir_time then = coir_now() + COIR_SEC(7);
    check_rc(coir_sleep_until(then), 0);
    check_int(coir_now(), then);
    return 0;
}

TASK_TEST(core_task, a_sleep_near_the_end_of_time_is_cut_like_any_other) {
    const coir_time durations[] = {COIR_NEVER, COIR_NEVER - 1, COIR_NEVER - COIR_SEC(1)};
    for (size_t i = 0; i < COUNT_OF(durations); i++) {
        COIR_SCOPE(s, .deadline = coir_after(COIR_SEC(1)));
        check_rc(coir_sleep(durations[i]), -ECANCELED);
        check_rc(coir_scope_close(&s, 0), -ETIMEDOUT);
    }
    return 0;
}

TASK_TEST(core_task, calls_that_may_wait_check_first) {
    char word[] = "child";
    coir_waiter wait = {.what = "test"};
    COIR_SCOPE(outer);
    check_rc(coir_spawn(&outer, trace_word, word), 0);
    COIR_SCOPE(s);
    coir_scope_cancel(&s);
    for (int i = 0; i < 2; i++) {
        check_rc(coir_check(), -ECANCELED);
        check_rc(coir_yield(), -ECANCELED);
        check_rc(coir_sleep(0), -ECANCELED);
        check_rc(coir_sleep(COIR_SEC(1)), -ECANCELED);
        check_rc(coir_sleep(COIR_NEVER), -ECANCELED);
        check_rc(coir_sleep_until(0), -ECANCELED);
        check_rc(coir_offload(never_called, NULL), -ECANCELED);
    }
    check_int(coir_unpark(&wait, 0), -EINVAL);
    check_trace(""); /* none of them let the child run */
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(coir_scope_close(&outer, 0), 0);
    check_trace("child");
    return 0;
}

/* ---- Names ---- */

static int check_own_name(void *arg) {
    char name[COIR_NAME_SIZE];
    check_rc(coir_task_name(coir_self(), name, sizeof name), 0);
    check_str(name, (const char *)arg);
    return 0;
}

static int spawn_named(coir_scope *s, const char *name, char *expected) {
    return coir_spawn_with(s, check_own_name, expected, &(const coir_spawn_options){.name = name});
}

TASK_TEST(core_task, names_are_copied_and_cut_to_fit) {
    char name[] = "worker", copy[] = "worker", none[] = "";
    char longer[] = "a name that is longer than thirty-one characters";
    char cut[] = "a name that is longer than thir";
    check_int(strlen(cut), COIR_NAME_SIZE - 1);
    COIR_SCOPE(s);
    check_rc(spawn_named(&s, name, copy), 0);
    memset(name, 'x', sizeof name - 1);
    check_rc(spawn_named(&s, longer, cut), 0);
    check_rc(spawn_named(&s, "", none), 0);
    check_rc(spawn_named(&s, NULL, none), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

TASK_TEST(core_task, names_can_be_changed_and_removed) {
    char name[COIR_NAME_SIZE], small[4];
    coir_task task;
    COIR_SCOPE(s);
    check_rc(coir_spawn_task(&s, sleep_for_ever, NULL, &task), 0);
    check_rc(coir_task_name(task, name, sizeof name), 0);
    check_str(name, "");
    check_rc(coir_task_set_name(task, "sleeper"), 0);
    check_rc(coir_task_name(task, name, sizeof name), 0);
    check_str(name, "sleeper");
    check_rc(coir_task_name(task, small, sizeof small), 0);
    check_str(small, "sle");
    check_rc(coir_task_name(task, small, 0), -EINVAL);
    check_rc(coir_task_name(task, NULL, sizeof small), -EINVAL);
    check_rc(coir_task_set_name(task, NULL), 0);
    check_rc(coir_task_name(task, name, sizeof name), 0);
    check_str(name, "");
    coir_scope_cancel(&s);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

TASK_TEST(core_task, an_ended_task_has_no_name) {
    char name[COIR_NAME_SIZE];
    coir_task task;
    COIR_SCOPE(s);
    check_rc(coir_spawn_with(&s, return_zero, NULL,
                             &(const coir_spawn_options){.name = "brief", .task = &task}),
             0);
    check_rc(coir_join(task, NULL), 0);
    check_rc(coir_task_name(task, name, sizeof name), -ESRCH);
    check_rc(coir_task_set_name(task, "late"), -ESRCH);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

/* ---- Locals ---- */

static coir_local colour, shape;
static int red, green, blue, round_;

static int paint_green(UNUSED void *arg) {
    check(coir_local_get(&colour) == &red);
    check_rc(coir_local_set(&colour, &green), 0);
    check_rc(coir_yield(), 0);
    check(coir_local_get(&colour) == &green);
    check(coir_local_get(&shape) == NULL);
    return 0;
}

TASK_TEST_SEEDS(core_task, locals_are_inherited_and_not_handed_back) {
    check(coir_local_get(&colour) == NULL);
    check_rc(coir_local_set(&colour, &red), 0);
    COIR_SCOPE(s);
    for (int i = 0; i < 3; i++)
        check_rc(coir_spawn(&s, paint_green, NULL), 0);
    check_rc(coir_local_set(&colour, &blue), 0);
    check_rc(coir_local_set(&shape, &round_), 0);
    check_rc(coir_yield(), 0);
    check(coir_local_get(&colour) == &blue);
    check_rc(coir_scope_close(&s, 0), 0);
    check(coir_local_get(&colour) == &blue);
    check_rc(coir_local_set(&colour, NULL), 0);
    check(coir_local_get(&colour) == NULL);
    check(coir_local_get(&shape) == &round_);
    return 0;
}

static int see_red_later(UNUSED void *arg) {
    check_rc(coir_sleep(COIR_MS(5)), 0);
    check(coir_local_get(&colour) == &red);
    check(coir_local_get(&shape) == &round_);
    return 0;
}

static int leave_a_grandchild(void *scope) {
    check_rc(coir_local_set(&colour, &red), 0);
    check_rc(coir_local_set(&shape, &round_), 0);
    check_rc(coir_spawn(scope, see_red_later, NULL), 0);
    return 0;
}

TASK_TEST_SEEDS(core_task, locals_outlive_the_task_that_set_them) {
    COIR_SCOPE(s);
    for (int i = 0; i < 10; i++)
        check_rc(coir_spawn(&s, leave_a_grandchild, &s), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check(coir_local_get(&colour) == NULL);
    return 0;
}

TASK_TEST(core_task, many_locals_and_many_changes) {
    enum { KEYS = 100, ROUNDS = 20 };
    static coir_local keys[KEYS];
    static int values[ROUNDS][KEYS];
    for (size_t round = 0; round < ROUNDS; round++)
        for (size_t i = 0; i < KEYS; i++)
            check_rc(coir_local_set(&keys[i], &values[round][i]), 0);
    for (size_t i = 0; i < KEYS; i++)
        check(coir_local_get(&keys[i]) == &values[ROUNDS - 1][i]);
    return 0;
}

TASK_TEST(core_task, a_local_needs_a_key) {
    check_rc(coir_local_set(NULL, &red), -EINVAL);
    check(coir_local_get(NULL) == NULL);
    return 0;
}

/* ---- errno ---- */

static int keep_errno(void *arg) {
    const int own = *(const int *)arg;
    for (int i = 0; i < 5; i++) {
        errno = own;
        check_rc(coir_yield(), 0);
        check_int(errno, own);
        check_rc(coir_sleep(COIR_MS(1)), 0);
        check_int(errno, own);
    }
    return 0;
}

TASK_TEST_SEEDS(core_task, errno_is_kept_across_waits) {
    static const int values[] = {0, EPERM, ENOENT, 12345};
    COIR_SCOPE(s);
    for (size_t i = 0; i < COUNT_OF(values); i++)
        check_rc(coir_spawn(&s, keep_errno, pointer(&values[i])), 0);
    errno = EDOM;
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(errno, EDOM);
    return 0;
}

/* ---- Floating-point environment ---- */

/* One third, as the present rounding mode has it: in the vector unit and in the wide one. */
static double third(void) {
    const volatile double one = 1, three = 3;
    return one / three;
}

static long double wide_third(void) {
    const volatile long double one = 1, three = 3;
    return one / three;
}

struct thirds {
    double narrow;
    long double wide;
};

static struct thirds nearest;

static void check_nearest(void) {
    check_int(fegetround(), FE_TONEAREST);
    check(third() == nearest.narrow);
    check(wide_third() == nearest.wide);
}

static int round_upward(UNUSED void *arg) {
    check_nearest();
    check_int(fesetround(FE_UPWARD), 0);
    const struct thirds upward = {.narrow = third(), .wide = wide_third()};
    /* Valgrind keeps the control words, but divides to the nearest all the same. */
    check(upward.narrow > nearest.narrow || upward.wide > nearest.wide || on_valgrind());
    for (int i = 0; i < 5; i++) {
        check_rc(coir_yield(), 0);
        check_rc(coir_sleep(COIR_MS(1)), 0);
        check_int(fegetround(), FE_UPWARD);
        check(third() == upward.narrow);
        check(wide_third() == upward.wide);
    }
    return 0;
}

static int round_to_nearest(UNUSED void *arg) {
    for (int i = 0; i < 8; i++) {
        check_nearest();
        check_rc(i % 2 == 0 ? coir_yield() : coir_sleep(COIR_MS(1)), 0);
    }
    return 0;
}

TASK_TEST_SEEDS(core_task, a_floating_point_environment_of_its_own) {
    const coir_spawn_options own = {.own_fp_environment = true};
    nearest = (struct thirds){.narrow = third(), .wide = wide_third()};
    COIR_SCOPE(s);
    for (int i = 0; i < 2; i++) {
        check_rc(coir_spawn(&s, round_to_nearest, NULL), 0);
        check_rc(coir_spawn_with(&s, round_upward, NULL, &own), 0);
    }
    check_rc(coir_yield(), 0);
    check_nearest();
    check_rc(coir_scope_close(&s, 0), 0);
    check_nearest();
    check_rc(coir_yield(), 0);
    check_nearest();
    return 0;
}

static int expect_upward(UNUSED void *arg) {
    check_int(fegetround(), FE_UPWARD);
    check_rc(coir_yield(), 0);
    check_int(fegetround(), FE_UPWARD);
    return 0;
}

static int round_upward_and_spawn(UNUSED void *arg) {
    const coir_spawn_options own = {.own_fp_environment = true};
    check_int(fesetround(FE_UPWARD), 0);
    COIR_SCOPE(s);
    check_rc(coir_spawn_with(&s, expect_upward, NULL, &own), 0);
    check_rc(coir_spawn(&s, round_to_nearest, NULL), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(fegetround(), FE_UPWARD);
    return 0;
}

TASK_TEST_SEEDS(core_task, a_floating_point_environment_begins_as_the_spawners) {
    const coir_spawn_options own = {.own_fp_environment = true};
    nearest = (struct thirds){.narrow = third(), .wide = wide_third()};
    COIR_SCOPE(s);
    check_rc(coir_spawn_with(&s, round_upward_and_spawn, NULL, &own), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_nearest();
    return 0;
}
