/* coir-selfcheck: does Coir work on this machine? A line for each thing that it tries, and what was
 * expected and seen where one fails; exit status 1 if any does. Takes about a second.
 *
 * Each check is run in a process of its own, which ends with CHECK_PASSED on its pipe and status 0:
 * whatever else comes from there, or nothing at all, is a failure. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "selfcheck.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif

static unsigned passed, failed;

/* ---- Running checks ---- */

/* Why a process that has told nothing did not pass. */
static void describe_end(int status, char *out, size_t size_bytes) {
    if (WIFEXITED(status))
        (void)snprintf(out, size_bytes, "its process ended by itself, with status %d",
                       WEXITSTATUS(status));
    else if (WTERMSIG(status) == SIGALRM)
        (void)snprintf(out, size_bytes, "it did not come to an end");
    else
        (void)snprintf(out, size_bytes, "its process died of signal %d: %s", WTERMSIG(status),
                       strsignal(WTERMSIG(status)));
}

/* Runs it in a child. Whether it passed; if not, why, in `out`. */
static bool try_check(const struct check *check, char *out, size_t size_bytes) {
    int ends[2], status = 0;
    (void)fflush(stdout);
    const pid_t child = pipe(ends) == 0 ? fork() : -1;
    if (child < 0) {
        (void)snprintf(out, size_bytes, "no process for it: %s", strerror(errno));
        return false;
    }
    if (child == 0) {
        (void)close(ends[0]);
        run_check(check, ends[1]);
    }
    (void)close(ends[1]);
    (void)read_text(ends[0], out, size_bytes);
    (void)waitpid(child, &status, 0);
    const bool said_so = strcmp(out, CHECK_PASSED) == 0;
    if (said_so || out[0] == '\0')
        describe_end(status, out, size_bytes);
    return said_so && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void try_all(const struct check *checks) {
    char text[2048];
    for (; checks->name != NULL; checks++) {
        if (try_check(checks, text, sizeof text)) {
            passed++;
            printf("ok   %s\n", checks->name);
        } else {
            failed++;
            printf("FAIL %s: %s\n", checks->name, text);
        }
    }
}

/* ---- What this is ---- */

static const char *architecture(void) {
#if defined(__x86_64__)
    return "x86_64";
#elif defined(__aarch64__)
    return "aarch64";
#else
    return "another architecture";
#endif
}

static const char *compiler(void) {
    static char text[64];
#if defined(__clang__)
    (void)snprintf(text, sizeof text, "clang %d.%d.%d", __clang_major__, __clang_minor__,
                   __clang_patchlevel__);
#else
    (void)snprintf(text, sizeof text, "gcc %d.%d.%d", __GNUC__, __GNUC_MINOR__,
                   __GNUC_PATCHLEVEL__);
#endif
    return text;
}

static const char *variant(void) {
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
    return ", with AddressSanitizer";
#elif defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
    return ", with ThreadSanitizer";
#elif defined(COIR_DEBUG)
    return ", for debugging";
#else
    return "";
#endif
}

/* Not a check: it "fails" with what it has to say. */
static int describe_stacks(UNUSED void *arg) {
    coir_stack_use use;
    coir_stats stats;
    EXPECT(coir_task_stack(coir_self(), &use), 0);
    EXPECT(coir_stats_get(&stats), 0);
    tell("%zu bytes, %s", use.size,
         use.guarded ? "guarded: an overflow faults" : "not guarded: an overflow is noticed late");
    return 0;
}

static void describe(void) {
    static const struct check stacks = {.name = "stacks", .run = describe_stacks};
    struct utsname system;
    char text[512];
    if (uname(&system) < 0)
        memset(&system, 0, sizeof system);
    (void)try_check(&stacks, text, sizeof text);
    printf("coir %s on %s %s, %s\n", coir_version(), system.sysname, system.release,
           system.machine);
    printf("built for %s by %s%s; waits with %s\n", architecture(), compiler(), variant(),
           SELFCHECK_POLLER);
    printf("stacks: pages of %ld bytes; %s\n\n", sysconf(_SC_PAGESIZE), text);
}

static int usage(FILE *out, int status) {
    (void)fputs("usage: coir-selfcheck [--fail]\n"
                "Tries what Coir needs of this machine. Exit status 1: something failed.\n"
                "  --fail    also runs checks that must fail, to see that failures are seen\n",
                out);
    return status;
}

int main(int argc, char **argv) {
    const bool must_fail = argc == 2 && strcmp(argv[1], "--fail") == 0;
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return usage(stdout, 0);
    if (argc > 2 || (argc == 2 && !must_fail))
        return usage(stderr, 2);
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0}); /* some die on purpose */
    describe();
    try_all(switch_checks);
    try_all(task_checks);
    try_all(flow_checks);
    try_all(io_checks);
    try_all(system_checks);
    if (must_fail)
        try_all(failing_checks);
    printf("%u passed, %u failed\n", passed, failed);
    return failed > 0;
}
