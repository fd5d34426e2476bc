/* What the tests of backtraces and listings share: names for what a backtrace holds, and a chain of
 * calls that was compiled without frame pointers. */
#ifndef TESTS_DEBUG_FRAMES_H
#define TESTS_DEBUG_FRAMES_H

#include "support.h"

#define KEPT __attribute__((noinline))

/* The names of the functions, one space after each; good until the next call. */
const char *names_of(void *const pcs[], size_t count);
/* Those of a task, by coir_backtrace. */
const char *names_of_task(coir_task task);

/* Calls fn(arg) by way of two functions without frame pointers, `frameless` and `frameless_too`;
 * returns what it returned, plus 3. */
int call_frameless(coir_fn fn, void *arg);

/* The functions of a task stand in the names in this order, side by side, and the base last. */
#define check_frames(names, expected)                                                              \
    do {                                                                                           \
        const char *check__names = (names);                                                        \
        check_contains(check__names, expected);                                                    \
        check_str(check__names + strlen(check__names) - strlen("coir__entry "), "coir__entry ");   \
    } while (0)

#endif
