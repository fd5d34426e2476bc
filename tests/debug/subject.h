/* The program that tools are tested on, tests/subjects/shop, while it runs; and what is checked of
 * their output. */
#ifndef TESTS_DEBUG_SUBJECT_H
#define TESTS_DEBUG_SUBJECT_H

#include "support.h"

#include <sys/types.h>

struct subject {
    pid_t pid;
    char number[16]; /* the pid, for command lines */
    char core[256];  /* its core file, once subject_core has taken it */
};

/* Starts it ("threads" or NULL; "run": it never waits) and waits until it is ready to be looked at.
 * `program` is its path, relative to the build directory; NULL: the usual one. */
void start_subject(struct subject *subject, const char *program, const char *how);
/* It still runs, as if nobody had looked, and is killed; unless it went with its core file. */
void end_subject(struct subject *subject);

/* What to look into where an emulator runs the subject, of whose process another one sees the
 * emulator only: has it die with a core file, which the emulator writes below scratch, and returns
 * the path. */
const char *subject_core(struct subject *subject);

/* The program is in PATH; otherwise skips the test. */
void need_program(const char *name);

/* A path for a file of this test, removed by remove_scratch. Good until the next call but three. */
const char *scratch(const char *name);
void remove_scratch(void);

/* The path of a copy of the subject's program, which says of itself that its layout is number 99.
 */
const char *shop_with_another_layout(void);

/* That the text holds the parts, each after the one before it. */
#define check_in_order(text, ...)                                                                  \
    check_texts_in_order(text, (const char *const[]){__VA_ARGS__, NULL})
void check_texts_in_order(const char *text, const char *const parts[]);

#endif
