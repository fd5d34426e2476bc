/* What the checks of coir-selfcheck share.
 *
 * A check is a function that returns 0 if all is as it should be, and a negative number if not:
 * EXPECT tells what was expected and what was seen, and returns such a number from the function
 * that it stands in. Each check runs in a process of its own (main.c), so that one that crashes or
 * hangs is only a line of the result. Nothing here may fail because a machine is slow. */
#ifndef SELFCHECK_H
#define SELFCHECK_H

#include <coir.h>
#include <stdbool.h>
#include <stddef.h>

#define UNUSED __attribute__((unused))
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

struct check {
    const char *name;   /* "noun: what holds"; NULL ends a table */
    int (*run)(void *); /* is given NULL */
    bool bare;          /* called outside any runtime; otherwise as the main task of one */
    unsigned limit_s;   /* how long it may take; default: CHECK_LIMIT_S */
};

extern const struct check switch_checks[], task_checks[], flow_checks[], io_checks[],
    system_checks[], failing_checks[];

#define CHECK_FAILED (-EBADMSG) /* no check expects it */
#define CHECK_LIMIT_S 60        /* seconds */
#define CHECK_PASSED "\1passed" /* nothing else that is told begins like this */

/* Runs it here, as a child of the first process, and ends this one. Tells to the descriptor. */
void run_check(const struct check *check, int to) __attribute__((noreturn));

#define EXPECT(actual, expected)                                                                   \
    do {                                                                                           \
        if (!expect(#actual, (long long)(actual), (long long)(expected)))                          \
            return CHECK_FAILED;                                                                   \
    } while (0)

/* For calls that return something good or an error. */
#define EXPECT_OK(actual)                                                                          \
    do {                                                                                           \
        const long long expect__is = (long long)(actual);                                          \
        if (!expect(#actual, expect__is < 0 ? expect__is : 0, 0))                                  \
            return CHECK_FAILED;                                                                   \
    } while (0)

/* Whether the two are equal; if not, and it is the first time in this check, that is told. */
bool expect(const char *what, long long actual, long long expected);

/* Tells what a check that fails has seen, where EXPECT has no words for it. The first of a check is
 * heard. */
void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Zeroed memory that may be a stack on every system; ends the process if there is none. */
void *new_stack(size_t size_bytes);

/* Runs fn(arg) in a forked child with its standard error caught: the first part of what it wrote
 * there, and its status as waitpid gives it. Outside the runtime only. */
struct caught {
    int status;
    char text[4096];
};
struct caught run_caught(int (*fn)(void *), void *arg);

/* Reads to the end of the descriptor, keeps what fits as a string, and closes it. */
size_t read_text(int fd, char *out, size_t size_bytes);

#endif
