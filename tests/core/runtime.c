/* Entering and leaving the runtime: options and their ranges, what a run returns, leftover work,
 * deadlock, both clocks, signals, forks, statistics, and what calls say outside of it. */
#include "support.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arch/frame.h"

SUITE(core_runtime);

static int return_zero(UNUSED void *arg) {
    return 0;
}

/* ---- Options ---- */

static int run_with(coir_options options) {
    return coir_run_with(return_zero, NULL, &options);
}

Test(core_runtime, a_missing_body_is_refused) {
    check_rc(coir_run(NULL, NULL), -EINVAL);
    check_rc(coir_run_with(NULL, NULL, NULL), -EINVAL);
}

Test(core_runtime, missing_options_are_the_defaults) {
    check_rc(coir_run_with(return_zero, NULL, NULL), 0);
    check_rc(run_with((coir_options){.seed = 0}), 0);
}

Test(core_runtime, stack_sizes_range_from_16_kib_to_1_gib) {
    check_rc(run_with((coir_options){.stack_size_bytes = 1}), -EINVAL);
    check_rc(run_with((coir_options){.stack_size_bytes = 16 * 1024 - 1}), -EINVAL);
    check_rc(run_with((coir_options){.stack_size_bytes = 16 * 1024}), 0);
    check_rc(run_with((coir_options){.stack_size_bytes = 100 * 1000 + 1}), 0);
    check_rc(run_with((coir_options){.stack_size_bytes = ((size_t)1 << 30) + 1}), -EINVAL);
    check_rc(run_with((coir_options){.stack_size_bytes = SIZE_MAX}), -EINVAL);
}

Test(core_runtime, offload_threads_range_to_1024) {
    check_rc(run_with((coir_options){.offload_threads = 1}), 0);
    check_rc(run_with((coir_options){.offload_threads = 1024}), 0);
    check_rc(run_with((coir_options){.offload_threads = 1025}), -EINVAL);
}

static int store_stack_size(void *arg) {
    coir_stack_use use;
    COIR_TRY(coir_task_stack(coir_self(), &use));
    *(size_t *)arg = use.size;
    return 0;
}

static int spawn_store_stack_size(void *arg) {
    COIR_SCOPE(s);
    COIR_TRY(coir_spawn(&s, store_stack_size, arg));
    return coir_scope_close(&s, 0);
}

Test(core_runtime, stack_size_is_that_of_tasks_that_ask_for_none) {
    size_t size = 0;
    const run_options options = {.runtime.stack_size_bytes = 300 * 1024};
    check_rc(run_task_with(spawn_store_stack_size, &size, &options), 0);
    check(size >= 300 * 1024);
    check_rc(run_task(spawn_store_stack_size, &size), 0);
    check(size >= 110 * 1024);
    const size_t slot = (110 * 1024 + COIR_GUARD_SIZE <= 128 * 1024 ? 128 : 256) * (size_t)1024;
    check(size <= slot - COIR_GUARD_SIZE);
}

/* ---- What a run returns ---- */

Test(core_runtime, the_result_of_the_main_task_is_that_of_the_run) {
    const int results[] = {0, 7, INT32_MAX, -EIO, -ECANCELED, -ETIMEDOUT};
    for (size_t i = 0; i < COUNT_OF(results); i++)
        check_rc(run_task(return_int, (void *)(uintptr_t)&results[i]), results[i]);
}

Test(core_runtime, runs_may_follow_each_other) {
    for (int i = 0; i < 100; i++)
        check_rc(run_task(return_int, &i), i);
}

TASK_TEST(core_runtime, a_nested_run_is_refused) {
    check_rc(coir_run(return_zero, NULL), -EPERM);
    check_rc(coir_yield(), 0);
    return 0;
}

static int nest_in_child(UNUSED void *arg) {
    return coir_run(return_zero, NULL);
}

TASK_TEST(core_runtime, a_nested_run_in_a_child_task_is_refused) {
    int rc = 0;
    coir_task task;
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    check_rc(coir_spawn_task(&s, nest_in_child, NULL, &task), 0);
    check_rc(coir_join(task, &rc), 0);
    check_rc(rc, -EPERM);
    check_rc(coir_scope_close(&s, 0), -EPERM);
    return 0;
}

/* ---- Outside ---- */

static int never_called(UNUSED void *arg) {
    cr_assert(false, "a body ran that must not");
    return 0;
}

static const coir_local outside_key;

Test(core_runtime, calls_outside_are_refused) {
    static coir_scope scope, other;
    coir_task task = {0};
    coir_waiter wait = {.what = "test"};
    coir_stats stats;
    coir_stack_use use;
    char name[COIR_NAME_SIZE];
    check_rc(coir_scope_open(&scope), -EPERM);
    check_rc(coir_spawn(&scope, never_called, NULL), -EPERM);
    check_rc(coir_scope_close(&scope, 0), -EPERM);
    check_rc(coir_spawn(&other, never_called, NULL), -EPERM);
    check_rc(coir_spawn_task(&other, never_called, NULL, &task), -EPERM);
    check_rc(coir_spawn_with(&other, never_called, NULL, NULL), -EPERM);
    check_rc(coir_scope_close(&other, 0), -EPERM);
    check_rc(coir_scope_set_deadline(&other, 1), -EPERM);
    check_rc(coir_scope_set_shield(&other, true), -EPERM);
    check_rc(coir_join(task, NULL), -EPERM);
    check_rc(coir_yield(), -EPERM);
    check_rc(coir_check(), -EPERM);
    check_rc(coir_sleep(0), -EPERM);
    check_rc(coir_sleep_until(COIR_NEVER), -EPERM);
    check_rc(coir_park(&wait), -EPERM);
    check_rc(coir_local_set(&outside_key, &scope), -EPERM);
    check_rc(coir_task_name(task, name, sizeof name), -EPERM);
    check_rc(coir_task_set_name(task, "nobody"), -EPERM);
    check_rc(coir_task_stack(task, &use), -EPERM);
    check_rc(coir_stats_get(&stats), -EPERM);
    check_rc(coir_dump(stderr), -EPERM);
    check_rc(coir_offload(never_called, NULL), -EPERM);
}

Test(core_runtime, what_is_there_outside_is_empty) {
    check(coir_main_scope() == NULL);
    check(coir_task_equal(coir_self(), (coir_task){0}));
    check(coir_local_get(&outside_key) == NULL);
    check(!coir_task_cancel((coir_task){0}));
    check(coir_task_done((coir_task){0}));
    check_rc(coir_task_result((coir_task){0}), -ESRCH);
    check(!coir_offload_cancelled());
}

Test(core_runtime, outside_now_is_the_monotonic_clock) {
    const coir_time before = real_now(), now = coir_now(), after = real_now();
    check(before <= now);
    check(now <= after);
}

/* ---- Points in time ---- */

TASK_TEST(core_runtime, after_never_gives_none_and_never_overflows) {
    const coir_time now = coir_now();
    check_int(coir_after(0), now);
    check_int(coir_after(COIR_SEC(5)), now + COIR_SEC(5));
    check_int(coir_after(-1), now - 1);
    check_int(coir_after(-now), 1);
    check_int(coir_after(-now - 1), 1);
    check_int(coir_after(INT64_MIN), 1);
    check_int(coir_after(COIR_NEVER), COIR_NEVER);
    check_int(coir_after(COIR_NEVER - now), COIR_NEVER);
    check_int(coir_after(COIR_NEVER - now - 1), COIR_NEVER - 1);
    check_int(coir_after(COIR_NEVER - 1), COIR_NEVER);
    return 0;
}

TASK_TEST(core_runtime, the_virtual_clock_starts_at_one_second_and_stands_still) {
    check_int(coir_now(), COIR_SEC(1));
    const coir_time began = real_now();
    while (real_now() - began < COIR_MS(5))
        check_rc(coir_yield(), 0);
    check_int(coir_now(), COIR_SEC(1));
    return 0;
}

static int sleep_100000_s(UNUSED void *arg) {
    const coir_time began = coir_now();
    check_rc(coir_sleep(COIR_SEC(100000)), 0);
    check_int(coir_now() - began, COIR_SEC(100000));
    return 0;
}

Test(core_runtime, the_virtual_clock_jumps) {
    const coir_time began = real_now();
    check_rc(run_task(sleep_100000_s, NULL), 0);
    check(real_now() - began < COIR_SEC(1));
}

static int doze_on_a_thread(UNUSED void *arg) {
    usleep(20 * 1000);
    return 0;
}

static int trace_the_end_of_a_job(UNUSED void *arg) {
    check_rc(coir_offload(doze_on_a_thread, NULL), 0);
    trace("job@%d", (int)(coir_now() / COIR_SEC(1)));
    return 0;
}

TASK_TEST(core_runtime, the_virtual_clock_waits_for_offloaded_jobs) {
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, trace_the_end_of_a_job, NULL), 0);
    check_rc(coir_sleep(COIR_SEC(1)), 0);
    trace("slept@%d", (int)(coir_now() / COIR_SEC(1)));
    check_rc(coir_scope_close(&s, 0), 0);
    check_trace("job@1 slept@2");
    return 0;
}

TASK_TEST_REAL(core_runtime, the_real_clock_passes) {
    const coir_time began = real_now(), now = coir_now();
    check(now > 0);
    check_rc(coir_sleep(COIR_MS(20)), 0);
    check(real_now() - began >= COIR_MS(20));
    check(coir_now() - now >= COIR_MS(20));
    return 0;
}

/* ---- Leftover work ---- */

struct leftover {
    bool ran;
    int rc;
};

static int sleep_and_tell(void *arg) {
    struct leftover *const leftover = arg;
    leftover->ran = true;
    leftover->rc = coir_sleep(COIR_NEVER);
    return leftover->rc;
}

static int leave_work_behind(void *arg) {
    struct leftover *const leftovers = arg;
    check_rc(coir_spawn(coir_main_scope(), sleep_and_tell, &leftovers[0]), 0);
    check_rc(coir_yield(), 0);
    check(leftovers[0].ran);
    check_rc(coir_spawn(coir_main_scope(), sleep_and_tell, &leftovers[1]), 0);
    check(!leftovers[1].ran);
    return 5;
}

Test(core_runtime, work_left_in_the_main_scope_is_cancelled_and_joined) {
    struct leftover leftovers[2] = {{.ran = false}};
    const run_options options = {.leaves_work = true};
    check_rc(run_task_with(leave_work_behind, leftovers, &options), 5);
    for (size_t i = 0; i < COUNT_OF(leftovers); i++) {
        check(leftovers[i].ran);
        check_rc(leftovers[i].rc, -ECANCELED);
    }
}

static int leave_a_named_task_behind(UNUSED void *arg) {
    static struct leftover leftover;
    return coir_spawn_with(coir_main_scope(), sleep_and_tell, &leftover,
                           &(const coir_spawn_options){.name = "straggler"});
}

/* Case D20. */
Test(core_runtime, D20_work_left_behind_is_listed_in_a_build_for_debugging) {
    const run_options options = {.leaves_work = true};
    capture_stderr();
    check_rc(run_task_with(leave_a_named_task_behind, NULL, &options), 0);
    if (COIR_DEBUG)
        check_contains(captured_stderr(), "'straggler'");
    else
        check_str(captured_stderr(), "");
}

static int fail_in_the_main_scope(UNUSED void *arg) {
    static const int error = -EIO;
    check_rc(coir_spawn(coir_main_scope(), return_int, (void *)(uintptr_t)&error), 0);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    check(!coir_scope_cancelled(coir_main_scope()));
    return 3;
}

Test(core_runtime, a_failure_in_the_main_scope_cancels_nothing) {
    check_rc(run_task(fail_in_the_main_scope, NULL), 3);
}

static int cancel_the_main_scope(void *arg) {
    coir_scope_cancel(coir_main_scope());
    check_rc(coir_sleep(COIR_SEC(1)), -ECANCELED);
    check_rc(coir_yield(), -ECANCELED);
    return *(int *)arg;
}

Test(core_runtime, cancelling_the_main_scope_cuts_the_main_task) {
    int result = 4;
    check_rc(run_task(cancel_the_main_scope, &result), 4);
    result = -ECANCELED;
    check_rc(run_task(cancel_the_main_scope, &result), -ECANCELED);
}

TASK_TEST(core_runtime, the_main_scope_is_nobodys_to_close) {
    check_rc(coir_scope_close(coir_main_scope(), 0), -EPERM);
    check_rc(coir_yield(), 0);
    return 0;
}

/* ---- Deadlock ---- */

static bool agree(UNUSED coir_waiter *wait) {
    return true;
}

static int park_until_cut(void *what) {
    coir_waiter wait = {.what = what, .cut = agree};
    return coir_park(&wait);
}

static int wait_in_a_shield(UNUSED void *arg) {
    check_rc(coir_task_set_name(coir_self(), "shielded"), 0);
    COIR_SCOPE(s, .shield = true);
    const int rc = coir_sleep(COIR_NEVER);
    trace("shielded:%d", rc == -ECANCELED);
    return coir_scope_close(&s, rc);
}

static int all_wait_for_ever(UNUSED void *arg) {
    static char what[] = "godot";
    check_rc(coir_task_set_name(coir_self(), "first"), 0);
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    check_rc(
        coir_spawn_with(&s, park_until_cut, what, &(const coir_spawn_options){.name = "vladimir"}),
        0);
    check_rc(coir_spawn(&s, wait_in_a_shield, NULL), 0);
    const int rc = coir_sleep(COIR_NEVER);
    trace("first:%d", rc == -ECANCELED);
    return coir_scope_close(&s, rc);
}

Test(core_runtime, a_deadlock_is_an_error_with_a_listing) {
    capture_stderr();
    const int rc = run_task(all_wait_for_ever, NULL);
    const char *const listing = captured_stderr();
    check_rc(rc, -EDEADLK);
    check_contains(listing, "deadlock");
    check_contains(listing, "first");
    check_contains(listing, "vladimir");
    check_contains(listing, "godot");
    check_contains(listing, "shielded");
    check_contains(listing, "sleep");
    check_contains(traced(), "first:1");
    check_contains(traced(), "shielded:1");
}

static int swallow_the_deadlock(UNUSED void *arg) {
    check_rc(coir_sleep(COIR_NEVER), -ECANCELED);
    check_rc(coir_sleep(COIR_NEVER), -ECANCELED);
    return 0;
}

Test(core_runtime, a_swallowed_deadlock_is_still_reported_once) {
    capture_stderr();
    const int rc = run_task(swallow_the_deadlock, NULL);
    const char *const listing = captured_stderr();
    check_rc(rc, -EDEADLK);
    check_int(occurrences(listing, "coir: deadlock"), 1);
}

struct pair {
    coir_task tasks[2];
};

static int join_second(void *arg) {
    return coir_join(((struct pair *)arg)->tasks[1], NULL);
}

static int join_first(void *arg) {
    return coir_join(((struct pair *)arg)->tasks[0], NULL);
}

static int join_in_a_circle(UNUSED void *arg) {
    struct pair pair;
    COIR_SCOPE(s);
    check_rc(coir_spawn_with(&s, join_second, &pair,
                             &(const coir_spawn_options){.name = "hen", .task = &pair.tasks[0]}),
             0);
    check_rc(coir_spawn_with(&s, join_first, &pair,
                             &(const coir_spawn_options){.name = "egg", .task = &pair.tasks[1]}),
             0);
    return coir_scope_close(&s, 0);
}

Test(core_runtime, tasks_that_join_each_other_deadlock) {
    capture_stderr();
    const int rc = run_task(join_in_a_circle, NULL);
    const char *const listing = captured_stderr();
    check_rc(rc, -EDEADLK);
    check_contains(listing, "hen");
    check_contains(listing, "egg");
    check_contains(listing, "join");
}

/* ---- Statistics ---- */

static coir_stats stats(void) {
    coir_stats now;
    check_rc(coir_stats_get(&now), 0);
    return now;
}

TASK_TEST(core_runtime, statistics_count_tasks_and_timers) {
    check_rc(coir_stats_get(NULL), -EINVAL);
    check_int(stats().tasks_alive, 1);
    check_int(stats().tasks_ever, 1);
    check_int(stats().timers_armed, 0);

    COIR_SCOPE(s, .deadline = coir_after(COIR_SEC(9)));
    for (int i = 0; i < 3; i++)
        check_rc(coir_spawn(&s, sleep_for_ever, NULL), 0);
    check_int(stats().tasks_alive, 4);
    check_int(stats().timers_armed, 1);
    check_rc(coir_sleep(COIR_SEC(1)), 0);
    coir_scope_cancel(&s);
    check_rc(coir_scope_close(&s, 0), 0);

    check_int(stats().tasks_alive, 1);
    check_int(stats().tasks_ever, 4);
    check_int(stats().timers_armed, 0);
    return 0;
}

static int sleep_a_second(UNUSED void *arg) {
    return coir_sleep(COIR_SEC(1));
}

TASK_TEST(core_runtime, a_sleep_is_a_timer) {
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, sleep_a_second, NULL), 0);
    check_rc(coir_yield(), 0);
    check_int(stats().timers_armed, 1);
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(stats().timers_armed, 0);
    return 0;
}

static int sleep_50_milliseconds(UNUSED void *arg) {
    return coir_sleep(COIR_MS(50));
}

TASK_TEST_REAL(core_runtime, statistics_count_switches_polls_and_stacks) {
    COIR_SCOPE(s);
    const coir_stats before = stats();
    for (int i = 0; i < 10; i++)
        check_rc(coir_spawn(&s, sleep_50_milliseconds, NULL), 0);
    check(stats().stacks_mapped >= 10);
    check_rc(coir_scope_close(&s, 0), 0);
    const coir_stats after = stats();
    check(after.switches >= before.switches + 20);
    check(after.polls > before.polls);
    check(after.stacks_cached >= 9);
    check(after.stacks_cached <= after.stacks_mapped);
    return 0;
}

TASK_TEST(core_runtime, switches_are_counted_when_a_task_is_made_to_yield) {
    for (int i = 0; i < 10000; i++)
        check_rc(coir_yield(), 0); /* so that turns are long */
    const coir_stats before = stats();
    COIR_SCOPE(s);
    coir_scope_cancel(&s);
    for (int i = 0; i < 320; i++)
        check_rc(coir_yield(), -ECANCELED);
    check_rc(coir_scope_close(&s, 0), 0);
    const coir_stats after = stats();
    const uint64_t forced = after.cuts_ignored - before.cuts_ignored;
    check(forced > 0);
    check(after.switches - before.switches <= 2 * forced + 2); /* to the loop and back */
    return 0;
}

/* ---- Signals ---- */

static const run_options with_signals = {.real_clock = true, .runtime.cancel_on_signals = true};

static int raise_and_wait(void *arg) {
    raise(*(const int *)arg);
    check_rc(coir_sleep(COIR_SEC(10)), -ECANCELED);
    check(coir_scope_cancelled(coir_main_scope()));
    return 6;
}

Test(core_runtime, signals_cancel_the_main_scope) {
    const int numbers[] = {SIGINT, SIGTERM};
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        check_rc(run_task_with(raise_and_wait, (void *)(uintptr_t)&numbers[i], &with_signals), 6);
}

static atomic_bool signals_are_caught;

static void *kill_later(UNUSED void *arg) {
    while (!signals_are_caught)
        usleep(1000);
    usleep(30 * 1000); /* best while the runtime waits for nothing else */
    kill(getpid(), SIGTERM);
    return NULL;
}

static int wait_for_the_signal(UNUSED void *arg) {
    signals_are_caught = true;
    check_rc(coir_sleep(COIR_NEVER), -ECANCELED);
    return 0;
}

Test(core_runtime, waiting_for_a_signal_is_no_deadlock) {
    pthread_t killer;
    check_int(pthread_create(&killer, NULL, kill_later, NULL), 0);
    check_rc(run_task_with(wait_for_the_signal, NULL, &with_signals), 0);
    check_int(pthread_join(killer, NULL), 0);
}

static volatile sig_atomic_t handled;

static void count_signal(UNUSED int number) {
    handled++;
}

static int raise_twice(UNUSED void *arg) {
    raise(SIGTERM);
    check_rc(coir_sleep(COIR_SEC(10)), -ECANCELED);
    check_int(handled, 0);
    raise(SIGTERM);
    check_int(handled, 1);
    return 0;
}

Test(core_runtime, a_second_signal_has_the_action_from_before_the_run) {
    signal(SIGTERM, count_signal);
    check_rc(run_task_with(raise_twice, NULL, &with_signals), 0);
}

static int raise_int_twice(UNUSED void *arg) {
    raise(SIGINT);
    if (coir_sleep(COIR_SEC(10)) != -ECANCELED)
        return 1;
    raise(SIGINT);
    return 2; /* not reached: the default action has ended the process */
}

static int run_raise_int_twice(UNUSED void *arg) {
    signal(SIGINT, SIG_DFL);
    return coir_run_with(raise_int_twice, NULL, &(const coir_options){.cancel_on_signals = true});
}

Test(core_runtime, a_second_signal_ends_the_process_by_default) {
    const int status = run_forked(run_raise_int_twice, NULL);
    check(WIFSIGNALED(status));
    check_int(WTERMSIG(status), SIGINT);
}

Test(core_runtime, a_run_gives_the_signals_back) {
    signal(SIGINT, count_signal);
    signal(SIGTERM, SIG_IGN);
    int number = SIGINT;
    check_rc(run_task_with(raise_and_wait, &number, &with_signals), 6);
    check_int(handled, 0);
    raise(SIGINT);
    check_int(handled, 1);
    struct sigaction action;
    sigaction(SIGTERM, NULL, &action);
    check(action.sa_handler == SIG_IGN);
}

static void *run_with_signals(void *arg) {
    const coir_options options = {.cancel_on_signals = true};
    *(int *)arg = coir_run_with(return_zero, NULL, &options);
    return NULL;
}

static int run_on_another_thread(void *arg) {
    pthread_t thread;
    check_int(pthread_create(&thread, NULL, run_with_signals, arg), 0);
    check_int(pthread_join(thread, NULL), 0);
    return 0;
}

Test(core_runtime, one_runtime_at_a_time_holds_the_signals) {
    int rc = 0;
    check_rc(run_task_with(run_on_another_thread, &rc, &with_signals), 0);
    check_rc(rc, -EBUSY);
    check_rc(run_task_real(run_on_another_thread, &rc), 0);
    check_rc(rc, 0);
}

/* ---- Fork ---- */

/* The number of the first call that does not say -ECHILD, or 0. */
static int call_all_after_fork(UNUSED void *arg) {
    static coir_scope scope, other;
    coir_waiter wait = {.what = "test"};
    coir_stats now;
    const int results[] = {
        coir_yield(),
        coir_check(),
        coir_sleep(1),
        coir_sleep_until(1),
        coir_scope_open(&scope),
        coir_spawn(&other, never_called, NULL),
        coir_spawn(coir_main_scope() != NULL ? coir_main_scope() : &other, never_called, NULL),
        coir_join(coir_self(), NULL),
        coir_park(&wait),
        coir_stats_get(&now),
        coir_offload(never_called, NULL),
        coir_run(return_zero, NULL),
    };
    for (size_t i = 0; i < COUNT_OF(results); i++)
        if (results[i] != -ECHILD)
            return (int)i + 1;
    return 0;
}

TASK_TEST_REAL(core_runtime, after_a_fork_the_runtime_is_the_parents) {
    const int status = run_forked(call_all_after_fork, NULL);
    check(WIFEXITED(status));
    check_int(WEXITSTATUS(status), 0);
    check_rc(coir_yield(), 0);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    return 0;
}

static int run_once(UNUSED void *arg) {
    return coir_run(return_zero, NULL) == 0 ? 42 : 1;
}

Test(core_runtime, a_child_forked_outside_has_its_own_run) {
    check_rc(run_task(return_zero, NULL), 0);
    const int status = run_forked(run_once, NULL);
    check(WIFEXITED(status));
    check_int(WEXITSTATUS(status), 42);
}

/* ---- Threads ---- */

static int yield_often(void *arg) {
    coir_task self = coir_self();
    for (int i = 0; i < 1000; i++) {
        if (coir_yield() != 0 || !coir_task_equal(self, coir_self()))
            return -EIO;
        ++*(int *)arg;
    }
    return 0;
}

static int two_yield_often(void *arg) {
    COIR_SCOPE(s);
    COIR_TRY(coir_spawn(&s, yield_often, arg));
    COIR_TRY(coir_spawn(&s, yield_often, arg));
    return coir_scope_close(&s, 0);
}

struct thread {
    pthread_t id;
    int count, rc;
};

static void *run_on_thread(void *arg) {
    struct thread *const thread = arg;
    thread->rc = coir_run(two_yield_often, &thread->count);
    return NULL;
}

Test(core_runtime, each_thread_may_have_a_runtime) {
    struct thread threads[4] = {{.rc = -EIO}};
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        check_int(pthread_create(&threads[i].id, NULL, run_on_thread, &threads[i]), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        check_int(pthread_join(threads[i].id, NULL), 0);
        check_rc(threads[i].rc, 0);
        check_int(threads[i].count, 2000);
    }
}

/* ---- Version and error names ---- */

Test(core_runtime, errors_have_names) {
    check_str(coir_strerror(0), "success");
    check_contains(coir_strerror(-ETIMEDOUT), "ETIMEDOUT: ");
    check_contains(coir_strerror(ETIMEDOUT), "ETIMEDOUT: ");
    check_contains(coir_strerror(-ECANCELED), "ECANCELED: ");
    check_contains(coir_strerror(-54321), "54321");
    check(strlen(coir_strerror(INT32_MIN)) > 0);
    check(strlen(coir_strerror(INT32_MAX)) > 0);
}

Test(core_runtime, the_version_is_that_of_the_headers) {
    char version[32];
    snprintf(version, sizeof version, "%d.%d.%d", COIR_VERSION_MAJOR, COIR_VERSION_MINOR,
             COIR_VERSION_PATCH);
    check_str(coir_version(), version);
}
