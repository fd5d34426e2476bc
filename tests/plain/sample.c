/* Tests that come to every end there is, for tests/plain.c to see what the runner makes of them. */
#include <coir.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "criterion/criterion.h"

TestSuite(good);
TestSuite(bad);
TestSuite(slow, .timeout = 1);

Test(good, passes) {
    cr_assert(1 + 1 == 2, "%d", 1 + 1);
}

Test(good, is_skipped) {
    cr_skip("there is %d reason", 1);
}

static void say_begin(void) {
    dprintf(STDERR_FILENO, "init\n");
}

static void say_end(void) {
    dprintf(STDERR_FILENO, "fini\n");
}

Test(good, is_framed, .init = say_begin, .fini = say_end) {
    dprintf(STDERR_FILENO, "body\n");
}

Test(bad, fails, .fini = say_end) {
    cr_assert(1 + 1 == 3);
}

static int fail_in_a_task(void *arg) {
    cr_assert(strcmp(arg, "right") == 0, "it is %s,\nnot right", (char *)arg);
    return 0;
}

static int spawn(void *arg) {
    COIR_SCOPE(s);
    COIR_TRY(coir_spawn(&s, fail_in_a_task, arg));
    return coir_scope_close(&s, 0);
}

Test(bad, fails_in_a_task) {
    char text[] = "wrong";
    cr_assert(coir_run(spawn, text) == 0);
}

static void fail(void) {
    cr_assert(0, "in the fini");
}

Test(bad, fails_in_its_fini, .fini = fail) {
}

Test(bad, fails_in_a_forked_process) {
    const pid_t child = fork();
    if (child == 0)
        cr_assert(child > 0, "this is the child");
    (void)waitpid(child, NULL, 0);
}

Test(bad, crashes) {
    raise(SIGKILL);
}

Test(bad, exits_with_0) {
    exit(0);
}

Test(bad, exits_with_3) {
    exit(3);
}

/* What a sanitizer does that finds something at the exit. */
static void exit_with_23(void) {
    _exit(23);
}

Test(bad, exits_with_23_after_its_end) {
    atexit(exit_with_23);
}

/* When its time is over, so is that of the process it has started. */
Test(slow, hangs) {
    (void)fork();
    for (;;)
        pause();
}
