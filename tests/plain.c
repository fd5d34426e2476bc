/* The runner that stands in for Criterion (tests/plain): a judge that must be able to say no. */
#include "support.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

SUITE(plain);

static char tap_text[4096];

/* Each with a file of its own: several tests may be under way. */
static const program_result *run_sample(const char *filter) {
    char option[4200];
    const int length = snprintf(option, sizeof option, "--output=tap:%s/tests/plain/sample.%d.tap",
                                COIR_BUILD_DIR, (int)getpid());
    check(length > 0 && (size_t)length < sizeof option);
    const program_result *const result = run_program(
        (const char *const[]){"tests/plain/sample", "-j1", "--filter", filter, option, NULL});
    const char *const path = strchr(option, '/');
    FILE *const file = fopen(path, "r");
    check(file != NULL);
    tap_text[fread(tap_text, 1, sizeof tap_text - 1, file)] = '\0';
    fclose(file);
    check_int(unlink(path), 0);
    check(WIFEXITED(result->status));
    return result;
}

Test(plain, what_is_good_passes) {
    const program_result *const result = run_sample("good/*");
    check_int(WEXITSTATUS(result->status), 0);
    check_contains(result->err, "init\nbody\nfini\n");
    check_contains(result->err, "[SKIP] good::is_skipped: there is 1 reason\n");
    check_contains(result->err, "Tested: 2 | Passing: 2 | Failing: 0 | Crashing: 0 \n");
    check_contains(tap_text, "ok - good::passes (0");
    check_contains(tap_text, "ok - good::is_skipped # SKIP there is 1 reason\n");
}

Test(plain, what_is_bad_fails_and_says_how) {
    const program_result *const result = run_sample("bad/*");
    check_int(WEXITSTATUS(result->status), 1);
    check_contains(result->err, "fini\n[----]");
    check_contains(result->err, ": The expression 1 + 1 == 3 is false.\n[FAIL] bad::fails: (");
    check_contains(result->err, ": it is wrong,\n[----] not right\n[FAIL] bad::fails_in_a_task: (");
    check_contains(result->err, ": in the fini\n[FAIL] bad::fails_in_its_fini: (");
    check_contains(result->err, ": this is the child\n[FAIL] bad::fails_in_a_forked_process: (");
    check_contains(result->err, "[FAIL] bad::crashes: CRASH! It died of signal 9.\n");
    check_contains(result->err, "[FAIL] bad::exits_with_0: It exited with 0 before its end.\n");
    check_contains(result->err, "[FAIL] bad::exits_with_3: It exited with 3 before its end.\n");
    check_contains(result->err, "_after_its_end: It exited with 23 after its end.\n");
    check_contains(result->err, "Tested: 8 | Passing: 0 | Failing: 8 | Crashing: 1 \n");
    check_contains(tap_text, "not ok - bad::crashes CRASH!");
    check_int(occurrences(tap_text, "not ok - "), 8);
}

Test(plain, what_hangs_is_ended_with_all_that_it_started) {
    int ends[2];
    char byte;
    check_int(pipe(ends), 0); /* inherited by all of them: it is at its end when all are gone */
    const program_result *const result = run_sample("slow/*");
    close(ends[1]);
    check_int(read(ends[0], &byte, 1), 0);
    check_int(WEXITSTATUS(result->status), 1);
    check_contains(result->err, "[FAIL] slow::hangs: Timed out.\n");
    check_contains(result->err, "Tested: 1 | Passing: 0 | Failing: 1 | Crashing: 0 \n");
}

Test(plain, an_unknown_option_is_refused) {
    const program_result *const result =
        run_program((const char *const[]){"tests/plain/sample", "--quick", NULL});
    check_int(WEXITSTATUS(result->status), 2);
    check_contains(result->err, "--quick: unknown");
}
