/* That tools see into tasks: a mistake in a task (the programs of tests/sanitizers) is reported,
 * with the frames of the task from the function at fault down to the base of its stack, and no
 * others. Builds with a sanitizer test that one, builds without test Valgrind where it is. */
#include "support.h"

#include "base/sanitizer.h"
#if COIR_ASAN
#include <sanitizer/lsan_interface.h>
#endif

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

SUITE(sanitizers);

#if COIR_ASAN || COIR_TSAN || COIR_UBSAN || (COIR_VALGRIND && defined(__GLIBC__))

/* ---- Reports ---- */

enum { LINE_MAX_LENGTH = 512 };

/* Copies the line that begins there, and returns where the next one begins. */
static const char *take_line(const char *from, char line[LINE_MAX_LENGTH]) {
    const size_t length = strcspn(from, "\n");
    snprintf(line, LINE_MAX_LENGTH, "%.*s", (int)length, from);
    return from + length + (from[length] == '\n');
}

/* "    #1 0x5581 in name file", "    #1 name file", "==7==    by 0x10B2A5: name (file)" */
static bool is_frame(const char *line) {
    return strstr(line, " #") != NULL || strstr(line, " at 0x") != NULL ||
           strstr(line, " by 0x") != NULL;
}

static bool is_frame_of(const char *line, const char *function) {
    char name[128];
    snprintf(name, sizeof name, " %s", function);
    return is_frame(line) && strstr(line, name) != NULL;
}

/* That the report has the kind of mistake and behind it a stack of the functions, innermost first,
 * and of nothing else but an allocator above them. A function may take several lines. */
static void check_stack(const char *report, const char *kind, const char *const functions[]) {
    char line[LINE_MAX_LENGTH] = "";
    check_contains(report, kind);
    const char *next = strstr(report, kind);
    while (*next != '\0' && !is_frame_of(line, functions[0]))
        next = take_line(next, line);
    for (size_t i = 0; functions[i] != NULL; i++) {
        cr_assert(is_frame_of(line, functions[i]), "\"%s\" is no frame of %s, in:\n%s", line,
                  functions[i], report);
        while (is_frame_of(line, functions[i]))
            next = take_line(next, line);
    }
    cr_assert(!is_frame(line), "the stack goes on with \"%s\", in:\n%s", line, report);
}

/* ---- Mistakes ---- */

#if COIR_ASAN || COIR_TSAN || COIR_UBSAN

/* What the program wrote on its standard error. */
static const char *report_of(const char *program, const char *mistake) {
    setenv("ASAN_OPTIONS", "detect_stack_use_after_return=1", 1);
    setenv("UBSAN_OPTIONS", "print_stacktrace=1", 1);
    setenv("LSAN_OPTIONS", "", 1);
    setenv("TSAN_OPTIONS", "", 1);
    const program_result *const result = run_program((const char *const[]){program, mistake, NULL});
    check(!WIFEXITED(result->status) || WEXITSTATUS(result->status) != 0);
    return result->err;
}

#else

enum { MISTAKE_FOUND = 99 };

static const program_result *run_valgrind(const char *program, const char *mistake) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", COIR_BUILD_DIR, program);
    return run_program((const char *const[]){"/usr/bin/env", "valgrind", "--quiet",
                                             "--leak-check=full", "--error-exitcode=99", path,
                                             mistake, NULL});
}

static const char *report_of(const char *program, const char *mistake) {
    if (on_valgrind())
        skip_test("Valgrind does not run under itself");
    skip_over_libkqueue(LIBKQUEUE_HAS_A_THREAD); /* which it takes for lost at the exit */
    const program_result *result = run_valgrind(program, "none");
    if (!WIFEXITED(result->status) ||
        (WEXITSTATUS(result->status) != 0 && WEXITSTATUS(result->status) != MISTAKE_FOUND))
        skip_test("there is no Valgrind here that can run the program");
    check_str(result->err, "");
    result = run_valgrind(program, mistake);
    check(WIFEXITED(result->status));
    check_int(WEXITSTATUS(result->status), MISTAKE_FOUND);
    return result->err;
}

#endif

/* The test for a function of tests/sanitizers/memory.c; what the tool calls its mistake. */
#define MISTAKE(function, kind)                                                                    \
    Test(sanitizers, function) {                                                                   \
        check_stack(report_of("tests/sanitizers/memory", #function), kind,                         \
                    (const char *const[]){#function, "between", "defective", "coir__task_body",    \
                                          "coir__entry", NULL});                                   \
    }

#if COIR_ASAN

MISTAKE(overrun_a_local, "stack-buffer-overflow")
MISTAKE(use_a_local_after_return, "stack-use-after-return")
MISTAKE(use_a_block_after_free, "heap-use-after-free")
MISTAKE(overrun_a_block, "heap-buffer-overflow")
MISTAKE(lose_a_block, "detected memory leaks")

#elif !COIR_TSAN && !COIR_UBSAN

MISTAKE(use_a_block_after_free, "Invalid read of size 1")
MISTAKE(overrun_a_block, "Invalid write of size 1")
MISTAKE(branch_on_an_unset_local, "depends on uninitialised value")
MISTAKE(lose_a_block, "definitely lost")

#endif

#if !COIR_TSAN && !COIR_UBSAN || COIR_ASAN

Test(sanitizers, who_freed_the_block_is_told) {
    check_stack(report_of("tests/sanitizers/memory", "use_a_block_after_free"),
                COIR_ASAN ? "freed by" : "free'd",
                (const char *const[]){"free_the_block", "coir__task_body", "coir__entry", NULL});
}

#endif

#if COIR_UBSAN

MISTAKE(overflow_an_int, "signed integer overflow")

#endif

#if COIR_TSAN

Test(sanitizers, a_race_of_a_task_with_a_job) {
    const char *const report = report_of("tests/sanitizers/race", NULL);
    check_stack(report, "data race",
                (const char *const[]){"count_in_the_task", "between", "defective",
                                      "coir__task_body", NULL});
    check_contains(strstr(report, "count_in_the_task"), "Previous write");
    check_contains(strstr(report, "Previous write"), "count_in_the_job");
}

#endif
#endif

/* ---- Leaks of this very program ---- */

#if COIR_ASAN

/* tools/check.sh has leaks of Criterion's own forgiven. That must not extend to those of a test,
 * of a task in it, or of the library. */

__attribute__((noinline)) static void lose_a_block_here(void) {
    void *volatile block = malloc(16);
    block = NULL;
    (void)block;
}

static int lose_two(UNUSED void *arg) {
    lose_a_block_here();
    coir_channel *channel;
    return coir_channel_create(&channel, sizeof(int), 1, NULL);
}

static int count_what_is_lost(UNUSED void *arg) {
    const int rc = run_task(lose_two, NULL);
    __sanitizer_set_report_fd((void *)(intptr_t)STDERR_FILENO);
    return rc == 0 && __lsan_do_recoverable_leak_check() != 0 ? 0 : 1;
}

Test(sanitizers, a_leak_of_a_test_or_of_the_library_is_not_forgiven) {
    capture_stderr();
    const int status = run_forked(count_what_is_lost, NULL);
    const char *const report = captured_stderr();
    check_contains(report, "lose_a_block_here");
    check_contains(report, "coir_channel_create");
    check_int(status, 0);
}

#endif
