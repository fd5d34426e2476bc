/* coir-selfcheck, run as a user runs it. */
#include <sys/wait.h>

#include "support.h"

SUITE(selfcheck);

/* It makes mistakes on purpose: what a sanitizer says of them is not for tools/check.sh. */
static const program_result *run_selfcheck(const char *argument) {
    static const char *const options[] = {"ASAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS",
                                          "UBSAN_OPTIONS"};
    for (size_t i = 0; i < COUNT_OF(options); i++)
        unsetenv(options[i]);
    const char *const argv[] = {"coir-selfcheck", argument, NULL};
    return run_program(argv);
}

Test(selfcheck, all_passes_on_this_machine) {
    skip_over_libkqueue(LIBKQUEUE_TAKES_ERRORS);
    const program_result *const run = run_selfcheck(NULL);
    check_contains(run->out, "coir ");
    check_contains(run->out, "\nbuilt for ");
    check_contains(run->out, "\nstacks: ");
    cr_assert(strstr(run->out, "\nFAIL ") == NULL, "%s", run->out);
    const size_t passed = occurrences(run->out, "\nok   ");
    check(passed >= 30);
    char summary[64];
    snprintf(summary, sizeof summary, "\n%zu passed, 0 failed\n", passed);
    check_contains(run->out, summary);
    check_str(run->err, "");
    check_int(run->status, 0);
}

/* Whatever way a check fails in, it is counted, said how, and keeps no other from running. */
Test(selfcheck, each_kind_of_failure_is_seen) {
    skip_over_libkqueue(LIBKQUEUE_TAKES_ERRORS);
    static const char *const lines[] = {
        "\nFAIL failing: sees another number: coir_yield(): expected -",
        " (ECANCELED: ",
        "), saw 0\n",
        "\nFAIL failing: returns an error: what it came to: expected 0, saw -2 (ENOENT: ",
        "\nFAIL failing: in a task that nobody listens to: coir_yield(): expected ",
        "\nFAIL failing: ends the process early: its process ended by itself, with status 0\n",
        "\nFAIL failing: dies: its process died of signal 9: ",
        "\nFAIL failing: hangs: it did not come to an end\n",
        " passed, 6 failed\n",
    };
    const program_result *const run = run_selfcheck("--fail");
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        check_contains(run->out, lines[i]);
    check(WIFEXITED(run->status));
    check_int(WEXITSTATUS(run->status), 1);
}

Test(selfcheck, it_takes_no_other_argument) {
    const program_result *const run = run_selfcheck("--quick");
    check(WIFEXITED(run->status));
    check_int(WEXITSTATUS(run->status), 2);
    check_contains(run->err, "usage: coir-selfcheck");
}
