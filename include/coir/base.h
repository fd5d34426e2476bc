/* The conventions every other header rests on: errors, time, visibility.
 *
 * Every call returns a value >= 0, or a negative errno constant; none reports through the variable
 * `errno`. Time is int64_t nanoseconds on the monotonic clock (or the runtime's virtual one). */
#ifndef COIR_BASE_H
#define COIR_BASE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
#define COIR_BEGIN_DECLS extern "C" {
#define COIR_END_DECLS }
#else
#define COIR_BEGIN_DECLS
#define COIR_END_DECLS
#endif

#define COIR_VERSION_MAJOR 0
#define COIR_VERSION_MINOR 1
#define COIR_VERSION_PATCH 0

/* Marks what the shared library exports. */
#define COIR_API __attribute__((visibility("default")))
/* Marks a call whose result must not be dropped. */
#define COIR_MUST_CHECK __attribute__((warn_unused_result))

COIR_BEGIN_DECLS

/* The body of a task. Returns >= 0 for success, a negative errno for failure. It ends by returning:
 * pthread_exit would take the other tasks of the thread with it, and ends the program. */
typedef int (*coir_fn)(void *arg);

/* A point in time or a duration, in nanoseconds. */
typedef int64_t coir_time;

/* The deadline that never comes. */
#define COIR_NEVER INT64_MAX

/* Durations. The argument may be an integer or a floating-point number: COIR_SEC(0.5). */
#define COIR_NS(n) ((coir_time)(n))
#define COIR_US(n) ((coir_time)((n)*INT64_C(1000)))
#define COIR_MS(n) ((coir_time)((n)*INT64_C(1000000)))
#define COIR_SEC(n) ((coir_time)((n)*INT64_C(1000000000)))

/* Evaluates an expression that follows the error convention, and returns its error from the
 * enclosing function if it is one. */
#define COIR_TRY(expression)                                                                       \
    do {                                                                                           \
        const long coir__try_rc = (expression);                                                    \
        if (coir__try_rc < 0)                                                                      \
            return (int)coir__try_rc;                                                              \
    } while (0)

/* The name and meaning of an error, as in "ETIMEDOUT: Connection timed out". Takes the value as it
 * was returned (negative) or as in errno.h (positive); 0 is "success". Never NULL; for an unknown
 * number the text says so, in a buffer of the calling thread that the next call may overwrite.
 * Never parks. Works outside the runtime too. */
COIR_API const char *coir_strerror(int error);

/* The version of the library that is linked, as "0.1.0". */
COIR_API const char *coir_version(void);

COIR_END_DECLS

#endif
