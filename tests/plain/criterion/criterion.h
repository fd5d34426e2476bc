/* Stands in for Criterion where it cannot run: under ThreadSanitizer, with musl, on systems that
 * have no package of it. It has the part that these tests use, under the same names, so that they
 * compile unchanged: `make check RUNNER=plain`. Needs POSIX and constructors, nothing else.
 *
 * As with Criterion each test is run in a process of its own, a failed check ends it at once from
 * whatever stack it stands on, and the runner (plain.c) prints the same summary. */
#ifndef TESTS_PLAIN_CRITERION_H
#define TESTS_PLAIN_CRITERION_H

/* What Criterion's own header includes: no test should compile here only, or there only. */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct plain_suite {
    const char *name;
    double timeout; /* seconds for each of its tests; 0: without end */
    struct plain_suite *next;
};

struct plain_test {
    const char *suite, *name, *file;
    int line;
    void (*body)(void);
    void (*init)(void), (*fini)(void); /* may be NULL; fini is called also after a failure */
    struct plain_test *next;
};

/* Called before main; the records are static. */
void plain_add_suite(struct plain_suite *suite);
void plain_add_test(struct plain_test *test);

/* End the test: as failed, as skipped. */
void plain_fail(const char *file, int line, const char *format, ...)
    __attribute__((noreturn, format(printf, 3, 4)));
void plain_skip(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* TestSuite(name, .timeout = seconds); */
#define TestSuite(...) PLAIN_SUITE(__VA_ARGS__, )
#define PLAIN_SUITE(suite_name, ...)                                                               \
    static struct plain_suite suite_name##_suite;                                                  \
    __attribute__((constructor)) static void suite_name##_add(void) {                              \
        plain_add_suite(&suite_name##_suite);                                                      \
    }                                                                                              \
    static struct plain_suite suite_name##_suite = {.name = #suite_name, __VA_ARGS__}

/* Test(suite, name, .init = function, .fini = function) { body } */
#define Test(...) PLAIN_TEST(__VA_ARGS__, )
#define PLAIN_TEST(suite_name, test_name, ...)                                                     \
    static void suite_name##_##test_name##_test(void);                                             \
    __attribute__((constructor)) static void suite_name##_##test_name##_add(void) {                \
        static struct plain_test test = {.suite = #suite_name,                                     \
                                         .name = #test_name,                                       \
                                         .file = __FILE__,                                         \
                                         .line = __LINE__,                                         \
                                         .body = suite_name##_##test_name##_test,                  \
                                         __VA_ARGS__};                                             \
        plain_add_test(&test);                                                                     \
    }                                                                                              \
    static void suite_name##_##test_name##_test(void)

/* cr_assert(condition), or cr_assert(condition, format, up to seven arguments). */
#define cr_assert(...)                                                                             \
    PLAIN_TENTH(__VA_ARGS__, PLAIN_SAY, PLAIN_SAY, PLAIN_SAY, PLAIN_SAY, PLAIN_SAY, PLAIN_SAY,     \
                PLAIN_SAY, PLAIN_SAY, PLAIN_NAME, )                                                \
    (__VA_ARGS__)
#define PLAIN_TENTH(a, b, c, d, e, f, g, h, i, tenth, ...) tenth
#define PLAIN_SAY(condition, ...)                                                                  \
    ((condition) ? (void)0 : plain_fail(__FILE__, __LINE__, __VA_ARGS__))
#define PLAIN_NAME(condition) PLAIN_SAY(condition, "The expression %s is false.", #condition)

#define cr_skip(...) plain_skip(__VA_ARGS__)

#endif
