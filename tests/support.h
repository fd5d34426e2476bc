/* What all tests share: checks that name both values, running a body as a task and proving that it
 * left nothing behind, traces of an order, the text a program writes, programs that must die.
 *
 * A failed check ends the test at once, also inside a task: Criterion jumps back to the stack of
 * the test function and the process, which runs this one test only, ends. Checks must not be used
 * in forked children and offloaded jobs; return a number from there and check that. */
#ifndef TESTS_SUPPORT_H
#define TESTS_SUPPORT_H

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <coir.h>

#ifndef COIR_DEBUG
#define COIR_DEBUG 0
#endif

#ifndef RLIMIT_AS /* OpenBSD, which counts the same there */
#define RLIMIT_AS RLIMIT_DATA
#endif

#define UNUSED __attribute__((unused))
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* One suite a file, named after folder and module: SUITE(core_task); */
#define SUITE(name) TestSuite(name, .timeout = 400)

/* ---- Checks ---- */

/* Each evaluates its arguments once. */
#define check(condition) cr_assert(condition, "%s does not hold%s", #condition, run_label())

#define check_int(actual, expected)                                                                \
    do {                                                                                           \
        const intmax_t check__is = (intmax_t)(actual), check__want = (intmax_t)(expected);         \
        cr_assert(check__is == check__want, "%s is %" PRIdMAX ", not %" PRIdMAX "%s", #actual,     \
                  check__is, check__want, run_label());                                            \
    } while (0)

/* For return values: names the errors. */
#define check_rc(actual, expected)                                                                 \
    do {                                                                                           \
        const long check__is = (long)(actual), check__want = (long)(expected);                     \
        cr_assert(check__is == check__want, "%s is %s, not %s%s", #actual, rc_text(check__is),     \
                  rc_text(check__want), run_label());                                              \
    } while (0)

#define check_str(actual, expected)                                                                \
    do {                                                                                           \
        const char *check__is = (actual), *check__want = (expected);                               \
        cr_assert(strcmp(check__is, check__want) == 0, "%s is \"%s\", not \"%s\"%s", #actual,      \
                  check__is, check__want, run_label());                                            \
    } while (0)

/* That the text holds the part. */
#define check_contains(text, part)                                                                 \
    do {                                                                                           \
        const char *check__text = (text), *check__part = (part);                                   \
        cr_assert(strstr(check__text, check__part) != NULL, "no \"%s\" in:\n%s\n%s", check__part,  \
                  check__text, run_label());                                                       \
    } while (0)

/* "3", "-ECANCELED: Operation canceled": good until eight further calls. */
const char *rc_text(long rc);

/* " (seed 7)" while a run with a seed is under way, else "". */
const char *run_label(void);
/* Has it say what this function returns instead; NULL: as before. */
void run_label_from(const char *(*describe)(void));

/* ---- Running a body as the main task of a runtime ---- */

typedef struct run_options {
    coir_options runtime; /* virtual_clock is set, unless the next field is */
    bool real_clock;
    bool
        leaves_work; /* the body returns with tasks, timers, waits or jobs outstanding on purpose */
    bool leaves_descriptors; /* descriptors may be open afterwards that were not before */
} run_options;

/* Runs body(arg) and returns what the run returned. Checks that the body left no task, timer, wait
 * for I/O, adopted descriptor or offloaded job behind, and the run no open descriptor.
 * The first: virtual clock, first in first out. */
int run_task(coir_fn body, void *arg);
int run_task_real(coir_fn body, void *arg);
int run_task_with(coir_fn body, void *arg, const run_options *options);

#define SEEDS 16
/* For laws that hold in every order: runs the body first in first out and under the seeds 1 to
 * SEEDS, with an empty trace each time. It must return 0. */
void run_task_seeds(coir_fn body, void *arg);

/* A test that is the body of a task, and ends with `return 0`. */
#define TASK_TEST(suite, name) TASK_TEST__(suite, name, check_rc(run_task(BODY__, NULL), 0))
#define TASK_TEST_REAL(suite, name)                                                                \
    TASK_TEST__(suite, name, check_rc(run_task_real(BODY__, NULL), 0))
#define TASK_TEST_SEEDS(suite, name) TASK_TEST__(suite, name, run_task_seeds(BODY__, NULL))
/* For bodies that call without_memory. Skipped outside the task: skipped in it, Criterion leaks. */
#define TASK_TEST_BARE(suite, name)                                                                \
    TASK_TEST__(suite, name, {                                                                     \
        if (with_sanitizer() || on_valgrind())                                                     \
            skip_test("the tool needs the address space that this test takes away");               \
        check_rc(run_task(BODY__, NULL), 0);                                                       \
    })
#define TASK_TEST__(suite, name, run)                                                              \
    static int suite##_##name##_body(void *);                                                      \
    Test(suite, name) {                                                                            \
        const coir_fn BODY__ = suite##_##name##_body;                                              \
        run;                                                                                       \
    }                                                                                              \
    static int suite##_##name##_body(UNUSED void *test_arg)

/* ---- Bodies that many tests spawn ---- */

/* Sleeps for ever; returns what cut it. */
int sleep_for_ever(void *unused);
/* Returns the int that arg points to. */
int return_int(void *arg);

/* Work that takes `ms` milliseconds and comes to `result`; how far it got. */
struct job {
    int ms, result;
    bool began, cut;
    coir_time ended; /* 0: it has not */
};
#define JOB(takes_ms, comes_to)                                                                    \
    { .ms = (takes_ms), .result = (comes_to) }
/* Does the job that arg points to; passes a cut on. */
int do_job(void *arg);

/* ---- The order in which things happen ---- */

/* Appends a word to the trace; words are set apart by one space. */
void trace(const char *format, ...) __attribute__((format(printf, 1, 2)));
const char *traced(void);
void trace_clear(void);
#define check_trace(expected) check_str(traced(), expected)

/* ---- Standard error, time, size ---- */

/* Diverts standard error of this process until the second call, which returns the text. It is good
 * until the next capture. */
void capture_stderr(void);
const char *captured_stderr(void);

/* How many times the part occurs in the text. */
size_t occurrences(const char *text, const char *part);

/* The monotonic clock of the system, also inside a runtime with a virtual one. */
coir_time real_now(void);

/* n, or a fiftieth of it under Valgrind or a sanitizer, where each step costs that much more. */
size_t scaled(size_t n);
/* Runs fn(arg) with no more address space to be had, and returns what it returned. In a
 * TASK_TEST_BARE: a sanitizer or Valgrind needs some for itself. */
int without_memory(coir_fn fn, void *arg);
/* Takes all address space but that much, for good, where RLIMIT_AS does not do it: qemu-user says
 * yes to that and does nothing. False if there is no end to it: more than 64 GiB. */
bool take_address_space(size_t left_bytes);
bool on_valgrind(void);
bool with_sanitizer(void);
/* Run by an emulator of programs, as COIR_EMULATED in the environment says (tools/aarch64.sh): what
 * the system shows of this process from outside is the emulator. */
bool emulated(void);
/* Ends the test as skipped, and says why. */
void skip_test(const char *reason);
/* Skips the test if the program is linked statically, as musl's are: for frames inside the C
 * library or beyond, of which musl has neither names nor a way to unwind them. */
void need_frames_of_libc(void);

/* What libkqueue, which stands in for kqueue on Linux, cannot do, and Coir over it neither. No
 * system's own kqueue is like that; libkqueue is there to test src/poll/kqueue.c, not to be used.
 */
enum libkqueue_limit {
    /* Asks a socket for its error (SO_ERROR), which clears it: a refused connect has succeeded. */
    LIBKQUEUE_TAKES_ERRORS,
    /* Asks epoll for as many descriptors as kevent() has room for events, of which each may have
     * two, and drops the rest. */
    LIBKQUEUE_LOSES_EVENTS,
    /* Keeps filters of what was closed, if it was not told: mended after release 2.7.0. */
    LIBKQUEUE_KEEPS_CLOSED,
    /* Runs a thread of its own, with memory that malloc may use too. */
    LIBKQUEUE_HAS_A_THREAD,
};
/* Ends the test as skipped if it is run over libkqueue. */
void skip_over_libkqueue(enum libkqueue_limit limit);
/* Whether it is. */
bool over_libkqueue(void);

/* ---- Other processes ---- */

/* Forks, runs fn(arg) in the child, which exits with what it returns; gives its wait status. A
 * child that hangs is killed by SIGALRM after five minutes. */
int run_forked(int (*fn)(void *arg), void *arg);

typedef struct program_result {
    int status;      /* as waitpid gives it */
    char out[32768]; /* standard output */
    char err[32768]; /* standard error */
} program_result;

/* Runs a program to its end (killed by SIGALRM after five minutes). The result is good until the
 * next call. argv[0] is its path, relative to the build directory unless it begins with a slash. */
const program_result *run_program(const char *const argv[]);

/* Runs tests/fatal/NAME with the argument (may be NULL). It must die of the signal, with each of
 * the texts on its standard error. */
#define check_fatal(name, argument, death, ...)                                                    \
    check_fatal_texts(name, argument, death, (const char *const[]){__VA_ARGS__, NULL})
void check_fatal_texts(const char *name, const char *argument, int death,
                       const char *const texts[]);

#endif
