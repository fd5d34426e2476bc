/* Programs that must die, with a message that names who did what. They are in tests/fatal. */
#include "support.h"

#include <signal.h>
#include <sys/wait.h>

SUITE(fatal);

Test(fatal, K15_a_task_that_returns_with_an_open_scope) {
    check_fatal("open_scope", NULL, SIGABRT, "coir: fatal: ", "'sloppy'", "scope", "open");
}

Test(fatal, scopes_closed_out_of_order) {
    check_fatal("out_of_order", NULL, SIGABRT, "coir: fatal: ", "'tangled'", "'whole'", "'part'");
}

Test(fatal, a_task_that_ends_holding_a_mutex_of_its_own_frame) {
    check_fatal("held_local_mutex", NULL, SIGABRT, "coir: fatal: ", "'forgetful'", "mutex");
}

Test(fatal, a_context_that_returns) {
    const program_result *const result =
        run_program((const char *const[]){"tests/fatal/context_returns", NULL});
    check(WIFSIGNALED(result->status));
    check(WTERMSIG(result->status) == SIGILL || WTERMSIG(result->status) == SIGTRAP);
}

/* Under a sanitizer its own handler has the fault. */
static void check_overflow(const char *which, const char *task) {
    if (with_sanitizer())
        skip_test("a sanitizer reports stack overflows itself");
    check_fatal("stack_overflow", which, SIGABRT, "coir: fatal: stack overflow in task ", task,
                "stack_size_bytes");
}

Test(fatal, the_stack_overflow_of_a_named_task) {
    check_overflow("named", "'deep'");
}

Test(fatal, the_stack_overflow_of_an_unnamed_task) {
    check_overflow("unnamed", "task");
}

Test(fatal, the_stack_overflow_of_the_main_task) {
    check_overflow("main", "'main'");
}

Test(fatal, the_overflow_of_a_large_stack) {
    check_overflow("large", "'large'");
}

Test(fatal, the_stack_overflow_of_a_task_without_a_guard) {
    check_fatal("canary", NULL, SIGABRT, "coir: fatal: stack overflow in task 'leaky'", "no guard");
}

Test(fatal, another_fault_keeps_its_meaning) {
    check_fatal("stack_overflow", "wild", SIGSEGV, "");
    const program_result *const result =
        run_program((const char *const[]){"tests/fatal/stack_overflow", "wild", NULL});
    check(strstr(result->err, "stack overflow") == NULL);
}

Test(fatal, a_task_that_returns_in_a_forked_child) {
    check_fatal("return_in_forked_child", NULL, SIGABRT, "coir: fatal: ", "'forker'", "fork",
                "_exit");
}

Test(fatal, a_deadlock_that_no_cut_can_end) {
    check_fatal("deadlock_for_ever", NULL, SIGABRT, "coir: deadlock: all tasks wait",
                "coir: task 'prophet' still waits for doomsday: that wait has no cut function",
                "coir: task 'tramp' still waits for godot 7: that wait refused to be cut",
                "coir: fatal: the deadlock cannot be ended: 2 tasks cannot be cut", "coir_waiter");
    const program_result *const result =
        run_program((const char *const[]){"tests/fatal/deadlock_for_ever", NULL});
    check(strstr(result->err, "'main' still waits") == NULL);
}
