/* What builds for debugging say of scopes that are left and of failures that nobody sees, and what
 * they do not say; and what every build says of a task that ignores being cut. */
#include "support.h"

SUITE(debug_habits);

/* What the body wrote. */
static const char *said_by(coir_fn body, int rc) {
    capture_stderr();
    const int is = run_task(body, NULL);
    const char *const text = captured_stderr();
    check_rc(is, rc);
    return text;
}

/* What only builds for debugging say: the parts, so often each. */
static void check_debug(const char *text, size_t times, const char *first, const char *second) {
    if (!COIR_DEBUG) {
        check_str(text, "");
        return;
    }
    check_int(occurrences(text, first), times);
    check_int(occurrences(text, second), times);
}

static int fail(UNUSED void *arg) {
    return -EIO;
}

__attribute__((noinline)) static int ignore_the_cut(UNUSED void *arg) {
    int cuts = 0;
    while (cuts < 3000)
        cuts += coir_sleep(COIR_SEC(1)) == -ECANCELED;
    return 0;
}

static int cancel_one_that_ignores_it(UNUSED void *arg) {
    COIR_SCOPE(s);
    COIR_TRY(
        coir_spawn_with(&s, ignore_the_cut, NULL, &(const coir_spawn_options){.name = "deaf"}));
    coir_scope_cancel(&s);
    return coir_scope_close(&s, 0);
}

Test(debug_habits, a_task_that_ignores_being_cut_is_named_once_with_what_it_calls) {
    const char *const text = said_by(cancel_one_that_ignores_it, 0);
    check_int(occurrences(text, "coir: task 'deaf' has ignored being cancelled 1024 times"), 1);
    check_contains(text, " coir_sleep");
    check_contains(text, " ignore_the_cut");
    check(strstr(text, " coir__told") == NULL);
}

/* ---- Scopes that are left ---- */

static int leave(coir_fn child, bool cancelled) {
    COIR_SCOPE(s, .name = "left");
    if (cancelled)
        coir_scope_cancel(&s);
    if (child != NULL)
        COIR_TRY(coir_spawn(&s, child, NULL));
    return 0;
}

static int leave_with_tasks(UNUSED void *arg) {
    for (int i = 0; i < 3; i++)
        COIR_TRY(leave(sleep_for_ever, false));
    return 0;
}

Test(debug_habits, a_scope_left_with_tasks_at_work) {
    check_debug(said_by(leave_with_tasks, 0), 3,
                "task 'main' leaves scope 'left' without coir_scope_close: its 1 task is cancelled",
                "#0    leave ");
}

static int leave_in_order(UNUSED void *arg) {
    COIR_TRY(leave(NULL, false));
    return leave(sleep_for_ever, true);
}

Test(debug_habits, a_scope_left_empty_or_cut_is_not) {
    check_str(said_by(leave_in_order, 0), "");
}

/* ---- Failures ---- */

static int leave_with_failure(coir_policy policy, bool asks, const coir_spawn_options *options) {
    COIR_SCOPE(s, .name = "losses", .policy = policy);
    COIR_TRY(coir_spawn_with(&s, fail, NULL, options));
    COIR_TRY(coir_yield());
    if (asks)
        check_int(coir_scope_errors(&s, NULL, 0), 1);
    COIR_TRY(coir_sleep(COIR_SEC(1)));
    return 0;
}

static int lose_the_first(UNUSED void *arg) {
    return leave_with_failure(COIR_FAIL_FAST, false, &(const coir_spawn_options){.name = "lost"});
}

/* The cut that the failure causes makes the body return, with an error that says nothing. */
Test(debug_habits, a_failure_in_a_scope_that_is_left) {
    check_debug(
        said_by(lose_the_first, -ECANCELED), 1,
        "coir: task 'main' leaves scope 'losses' without coir_scope_close, and nobody will know of "
        "its failures:\ncoir:   'lost' has failed: EIO: Input/output error\n",
        "\n    #0    leave_with_failure ");
}

static int ask_before(UNUSED void *arg) {
    return leave_with_failure(COIR_FAIL_FAST, true, NULL);
}

static int have_the_result(UNUSED void *arg) {
    int result;
    return leave_with_failure(COIR_FAIL_FAST, false,
                              &(const coir_spawn_options){.result = &result});
}

static int have_the_handle(UNUSED void *arg) {
    coir_task task;
    return leave_with_failure(COIR_FAIL_FAST, false, &(const coir_spawn_options){.task = &task});
}

static int have_a_race(UNUSED void *arg) {
    return leave_with_failure(COIR_RACE, false, NULL);
}

Test(debug_habits, failures_of_which_somebody_knows) {
    check_str(said_by(ask_before, -ECANCELED), "");
    check_str(said_by(have_the_result, -ECANCELED), "");
    check_str(said_by(have_the_handle, -ECANCELED), "");
    check_str(said_by(have_a_race, 0), "");
}

static int fail_when_cut(UNUSED void *arg) {
    (void)coir_sleep(COIR_NEVER);
    return -EIO;
}

static int fail_because_of_the_cut(UNUSED void *arg) {
    COIR_SCOPE(around);
    COIR_SCOPE(s, .name = "losses");
    COIR_TRY(coir_spawn(&s, fail_when_cut, NULL));
    COIR_TRY(coir_yield());
    coir_scope_cancel(&around);
    return coir_yield();
}

Test(debug_habits, a_failure_that_comes_of_a_cut) {
    check_str(said_by(fail_because_of_the_cut, -ECANCELED), "");
}

static int fail_in_main_scope(void *asks) {
    COIR_TRY(coir_spawn(coir_main_scope(), fail, NULL));
    COIR_TRY(coir_yield());
    if (asks != NULL)
        check_int(coir_scope_errors(coir_main_scope(), NULL, 0), 1);
    return -EPIPE;
}

static int ask_in_main_scope(UNUSED void *arg) {
    int yes;
    return fail_in_main_scope(&yes);
}

/* The main task's own failure is what the run returns. */
Test(debug_habits, a_failure_in_the_main_scope) {
    check_debug(said_by(fail_in_main_scope, -EPIPE), 1,
                "coir: nobody has asked for the failures of tasks in the main scope",
                "\ncoir:   'fail' has failed: EIO: Input/output error\n");
    check_str(said_by(ask_in_main_scope, -EPIPE), "");
}

static int fail_three_times(UNUSED void *arg) {
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    for (int i = 0; i < 3; i++)
        COIR_TRY(coir_spawn(&s, fail, NULL));
    return coir_scope_close(&s, 0);
}

/* Close has said that there are some. */
Test(debug_habits, failures_in_a_scope_that_is_closed) {
    check_str(said_by(fail_three_times, -EIO), "");
}
