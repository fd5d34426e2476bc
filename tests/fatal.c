/* Programs that must die, with a message that names who did what. They are in tests/fatal. */
#include "support.h"

#include <signal.h>
#include <sys/wait.h>

#include "base/sanitizer.h"

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

Test(fatal, a_hook_that_waits) {
    check_fatal("hook_waits", "park", SIGABRT, "coir: fatal: task 'main' waits or yields in the ",
                "hook 'park'");
    check_fatal("hook_waits", "exit", SIGABRT, "coir: fatal: task 'told of' waits or yields in ",
                "hook 'exit'");
    check_fatal("hook_waits", "ready", SIGABRT, "coir: fatal: the loop of the runtime waits or ",
                "hook 'ready'");
    check_fatal("hook_waits", "run", SIGABRT, "coir: fatal: the loop of the runtime waits or ",
                "hook 'run'");
}

Test(fatal, a_thread_that_is_cancelled_while_its_runtime_waits) {
    if (COIR_TSAN)
        skip_test("ThreadSanitizer does not bear the end of a thread in a destructor of its own");
#ifndef __GLIBC__
    skip_test("this C library does not cancel a thread that waits by this system call");
#endif
    check_fatal("thread_end", "cancel", SIGABRT,
                "the loop of the runtime had it: ", "pthread_cancel");
}

Test(fatal, a_thread_that_ends_while_its_runtime_runs) {
    if (COIR_TSAN)
        skip_test("ThreadSanitizer does not bear the end of a thread in a destructor of its own");
    check_fatal("thread_end", "task", SIGABRT,
                "coir: fatal: the thread of the runtime ended while ",
                "task 'culprit' had it: by pthread_exit", "returning from its function");
    check_fatal("thread_end", "nested", SIGABRT, "task 'culprit' had it: by pthread_exit");
    check_int(run_program((const char *const[]){"tests/fatal/thread_end", "after", NULL})->status,
              0);
}

Test(fatal, a_hook_that_leaves_a_scope_open) {
    check_fatal("hook_waits", "open-ready", SIGABRT,
                "coir: fatal: the hook 'ready' left a scope open that it had opened, or closed one "
                "of the loop of the runtime");
    check_fatal("hook_waits", "open-run", SIGABRT,
                "coir: fatal: the hook 'run' left a scope open "
                "that it had opened");
    check_fatal("hook_waits", "scope-ready", SIGABRT,
                "coir: fatal: the loop of the runtime waits or yields in the hook 'ready'");
}

Test(fatal, a_context_that_returns) {
    const program_result *const result =
        run_program((const char *const[]){"tests/fatal/context_returns", NULL});
    check(WIFSIGNALED(result->status));
    check(WTERMSIG(result->status) == SIGILL || WTERMSIG(result->status) == SIGTRAP);
}

/* Under a sanitizer its own handler has the fault. */
#define skip_with_sanitizer()                                                                      \
    if (with_sanitizer())                                                                          \
    skip_test("a sanitizer handles such signals itself")

#define check_overflow(which, task, ...)                                                           \
    do {                                                                                           \
        skip_with_sanitizer();                                                                     \
        check_fatal("stack_overflow", which, SIGABRT,                                              \
                    ("coir: fatal: stack overflow in task " task), "it has used all of its",       \
                    __VA_ARGS__);                                                                  \
    } while (0)

Test(fatal, a_message_of_the_loop_has_the_frames_of_its_thread) {
    skip_with_sanitizer();
    check_fatal("hook_waits", "scope-ready", SIGABRT, " scope_ready (hook_waits+0x",
                " coir__loop (hook_waits+0x", " main (hook_waits+0x");
}

Test(fatal, the_stack_overflow_of_a_named_task) {
    check_overflow(
        "named", "'deep': ", "  spawned into scope 'pit' of task 'main' by app (stack_overflow+0x",
        "    #0    recurse (stack_overflow+0x", "), x ", " overflow (stack_overflow+0x",
        "if it is meant to call itself that deep, give it more: try .stack_size_bytes = ",
        " * 1024 in coir_spawn_with, or in coir_options");
}

/* The number that follows the text, which may have commas. */
static long number_after(const char *text, const char *part) {
    long number = 0;
    const char *at = strstr(text, part);
    check(at != NULL);
    for (at += strlen(part); (*at >= '0' && *at <= '9') || *at == ','; at++)
        number = *at == ',' ? number : 10 * number + *at - '0';
    return number;
}

Test(fatal, the_advice_after_an_overflow_is_twice_the_size_in_whole_pages) {
    skip_with_sanitizer();
    const char *const text =
        run_program((const char *const[]){"tests/fatal/stack_overflow", "named", NULL})->err;
    const long used = number_after(text, "it has used all of its ");
    check(used > 64 * 1024);
    check_int(number_after(text, "try .stack_size_bytes = "), 2 * used / 4096 * 4);
}

Test(fatal, the_stack_overflow_of_an_unnamed_task) {
    check_overflow("unnamed", "'overflow': ", "scope 'pit'");
}

Test(fatal, the_stack_overflow_of_the_main_task) {
    check_overflow("main", "'main': ", "  the main task of coir_run\n", "recurse", " app (");
}

/* Every frame is counted. */
Test(fatal, the_overflow_of_a_large_stack) {
    check_overflow("large", "'large': ", "recurse");
    const program_result *const result =
        run_program((const char *const[]){"tests/fatal/stack_overflow", "large", NULL});
    check(number_after(result->err, "), x ") > 4000);
}

Test(fatal, functions_that_call_one_another_without_end) {
    check_overflow("mutual", "'deep': ", " first (", " second (", " third (", "these 3, x ",
                   "call_one_another");
}

Test(fatal, a_recursion_through_a_library_without_frame_pointers) {
    need_frames_of_libc();
    check_overflow("callback", "'deep': ", " search_again (stack_overflow+0x", " bsearch (libc.",
                   "these 2, x ", " search (stack_overflow+0x");
}

Test(fatal, the_overflow_by_an_array) {
    check_overflow("array", "'deep': ", "    #0    use_large_array (", "keep large arrays off");
}

Test(fatal, the_overflow_by_an_array_that_steps_over_the_guard) {
    skip_with_sanitizer();
    static const char *const ways[] = {"guard", "unmapped"};
    for (size_t i = 0; i < 2; i++)
        check_fatal("step_over", ways[i], SIGABRT,
                    "coir: fatal: stack overflow in task 'big': ", "    #0    step_over_",
                    "    #1    take_", "keep large arrays off");
    const program_result *const result =
        run_program((const char *const[]){"tests/fatal/step_over", "unmapped", NULL});
    check(number_after(result->err, "try .stack_size_bytes = ") > 48 * 1024);
}

Test(fatal, the_overflow_of_a_program_that_wants_its_signals_left_alone) {
    if (with_sanitizer())
        skip_test("a sanitizer handles such signals itself");
    const program_result *const result =
        run_program((const char *const[]){"tests/fatal/stack_overflow", "left", NULL});
    check(WIFSIGNALED(result->status) && WTERMSIG(result->status) == SIGSEGV);
    check(strstr(result->err, "coir: ") == NULL); /* an emulator may have something to say */
}

Test(fatal, the_stack_overflow_of_a_task_without_a_guard) {
    check_fatal("canary", NULL, SIGABRT, "coir: fatal: stack overflow in task 'leaky'", "no guard");
    check_fatal("canary", "ends", SIGABRT, "coir: fatal: stack overflow in task 'leaky'",
                "no guard");
}

/* ---- Crashes ---- */

static const program_result *crash(const char *way) {
    return run_program((const char *const[]){"tests/fatal/crash", way, NULL});
}

#define check_crash(way, death, ...)                                                               \
    do {                                                                                           \
        skip_with_sanitizer();                                                                     \
        check_fatal("crash", way, death, __VA_ARGS__);                                             \
    } while (0)

Test(fatal, a_null_pointer) {
    check_crash("null", SIGSEGV,
                "coir: fatal: SIGSEGV in task 'victim': access through a null pointer, to 0x8\n",
                "  spawned into scope 'doom' of task 'main' by app (crash+0x",
                "    #0    touch (crash+0x", "    #1    null_pointer (crash+0x");
}

Test(fatal, a_division_by_zero) {
#ifdef __x86_64__
    check_crash("division", SIGFPE, "coir: fatal: SIGFPE in task 'victim': division by zero",
                "    #0    division (crash+0x");
#else
    skip_test("this processor does not trap it");
#endif
}

Test(fatal, a_trap) {
#ifdef __x86_64__
    check_crash("trap", SIGILL, "coir: fatal: SIGILL in task 'victim': ", "    #0    trap (");
#else
    check_crash("trap", SIGTRAP, "coir: fatal: SIGTRAP in task 'victim': ", "    #0    trap (");
#endif
}

Test(fatal, a_bus_error) {
    check_crash("bus", SIGBUS, "coir: fatal: SIGBUS in task 'victim': ", "    #0    touch (",
                "    #1    bus (");
}

Test(fatal, a_call_of_abort) {
    need_frames_of_libc();
    check_crash("abort", SIGABRT, "coir: fatal: SIGABRT in task 'victim': abort was called\n",
                " abort (libc.", " call_abort (crash+0x");
}

Test(fatal, an_assertion_that_fails) {
    need_frames_of_libc();
    check_crash("assert", SIGABRT, "`zero == 1' failed",
                "coir: fatal: SIGABRT in task 'victim': ", " fail_assertion (crash+0x");
}

Test(fatal, frames_that_are_overwritten) {
    check_crash("smash", SIGSEGV, "coir: fatal: SIGSEGV in task 'victim': ", "    #0    touch (",
                "    #1    smash_frames (");
}

#define DAMAGED "coir: SIGSEGV: access through a null pointer, to 0x8, by the instruction at 0x"

Test(fatal, a_task_of_which_nothing_is_left) {
    check_crash("smash-all", SIGSEGV, DAMAGED);
    const program_result *const result = crash("before-smash-all");
    check(WIFEXITED(result->status) && WEXITSTATUS(result->status) == 3);
    check_contains(result->err, DAMAGED);
    check_contains(result->err, "mine: address 8\n");
}

Test(fatal, a_crash_in_a_second_run) {
    check_crash("twice", SIGSEGV, "coir: fatal: SIGSEGV in task 'victim': ", " null_pointer (");
}

/* Dies of the signal, as it would without the library, and that says nothing. */
static void check_silent(const char *way) {
    skip_with_sanitizer();
    const program_result *const result = crash(way);
    check(WIFSIGNALED(result->status) && WTERMSIG(result->status) == SIGSEGV);
    check(strstr(result->err, "coir: ") == NULL); /* an emulator may have something to say */
}

Test(fatal, a_crash_with_signals_left_alone) {
    check_silent("left");
}

Test(fatal, a_signal_that_was_sent) {
    check_silent("kill");
}

Test(fatal, a_crash_in_another_thread) {
    check_silent("thread");
}

Test(fatal, a_crash_in_a_forked_child) {
    check_silent("child");
}

/* ---- Handlers of the program's own ---- */

#define REPORT "coir: SIGSEGV in task 'victim': access"
#define GOES_ON "; the program's own handler goes on from here\n"

/* Exits so, having said the text last, and been reported so often. */
static void check_handled(const char *way, int status, const char *last, size_t reports) {
    skip_with_sanitizer();
    const program_result *const result = crash(way);
    const size_t length = strlen(result->err), tail = strlen(last);
    cr_assert(WIFEXITED(result->status) && WEXITSTATUS(result->status) == status,
              "%s: wait status 0x%x; it wrote:\n%s", way, (unsigned)result->status, result->err);
    check(length >= tail);
    check_str(result->err + length - tail, last);
    check_int(occurrences(result->err, "coir: "), reports);
    check_int(occurrences(result->err, REPORT), reports);
    check_int(occurrences(result->err, GOES_ON), reports);
}

Test(fatal, a_handler_from_before_is_called_as_it_would_be) {
    check_handled("before", 3, "mine: address 8\n", 1);
    check_handled("before-mask", 3, "mine: mask right\n", 1);
}

Test(fatal, a_handler_from_before_may_ask_for_the_default) {
    check_crash("before-dies", SIGSEGV, REPORT, GOES_ON, "mine: default next\n");
}

Test(fatal, a_program_that_lives_on_faults_is_told_once) {
    check_handled("before-gives", 0, "mine: all given\n", 1);
    check_handled("before-jumps", 0, "mine: survived\n", 1);
}

Test(fatal, an_ignored_signal_stays_ignored) {
    check_handled("before-ignores", 0, "mine: not ended\n", 0);
}

Test(fatal, a_handler_from_later_takes_precedence) {
    skip_with_sanitizer();
    const program_result *const result = crash("after");
    check(WIFSIGNALED(result->status) && WTERMSIG(result->status) == SIGSEGV);
    check_contains(result->err, "mine: default next\n");
    check(strstr(result->err, "coir: ") == NULL);
}

Test(fatal, a_handler_from_later_may_hand_on) {
    check_crash("after-chains", SIGSEGV, "mine: handed on\n",
                "coir: fatal: SIGSEGV in task 'victim': ");
}

/* ---- Misuse ---- */

/* It goes on, with the error, and has said so once. */
static const char *misuse(const char *way) {
    const program_result *const result =
        run_program((const char *const[]){"tests/fatal/misuse", way, NULL});
    cr_assert(result->status == 0, "%s: wait status 0x%x; it wrote:\n%s%s", way,
              (unsigned)result->status, result->out, result->err);
    return result->err;
}

static void check_misuse(const char *way, const char *said, const char *and) {
    const char *const text = misuse(way);
    check_contains(text, said);
    check_contains(text, and);
    check_int(occurrences(text, "coir: misuse: "), 1);
}

Test(fatal, misuse_of_scopes) {
    check_misuse("close", "misuse: task 'culprit' closes scope 'theirs', which task 'main' opened",
                 "coir_scope_cancel");
    check_misuse("close-main", "misuse: task 'main' closes scope 'main', which the runtime opened",
                 "by the task that opened it");
}

Test(fatal, misuse_of_mutexes) {
    check_misuse("unlock", "misuse: task 'culprit' unlocks mutex 0x", ", held by task 'main'; ");
    check_misuse("unlock-twice", "misuse: task 'main' unlocks mutex 0x", ", held by nobody; ");
    check_misuse("lock-twice", "misuse: task 'main' locks mutex 0x", ", held by itself; ");
    check_misuse("signal", "misuse: task 'culprit' uses a condition with mutex 0x",
                 ", held by task 'main'; lock it first");
    check_misuse("end", "misuse: task 'culprit' ends without unlocking mutex or rwlock 0x",
                 "; others get -EOWNERDEAD; unlock it on every path");
    check_misuse("once", "misuse: task 'culprit' calls coir_once_run from within its function",
                 "never end");
}

Test(fatal, misuse_of_rwlocks) {
    check_misuse("unlock-rwlock", "misuse: task 'culprit' unlocks rwlock 0x", "held by nobody");
    check_misuse("lock-rwlock-twice", "misuse: task 'culprit' locks rwlock 0x", "held by itself");
}

Test(fatal, misuse_of_tasks_and_runs) {
    check_misuse("join", "misuse: task 'culprit' joins itself", "never end");
    check_misuse("wait", "misuse: task 'culprit' waits for itself by coir_wait", "never end");
    check_misuse("small", "misuse: task 'unlock_theirs' unlocks mutex 0x", "held by task 'main'");
    check_misuse("run", "misuse: task 'culprit' calls coir_run inside a run", "spawn it");
}

Test(fatal, misuse_again_and_again_is_not_told_for_ever) {
    const char *const text = misuse("again");
    check_int(occurrences(text, "coir: misuse: "), 8);
    check_int(occurrences(text, "more of this is not told in this run: misuse"), 1);
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
