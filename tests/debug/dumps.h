/* What the tests of listings share. */
#ifndef TESTS_DEBUG_DUMPS_H
#define TESTS_DEBUG_DUMPS_H

#include "support.h"

/* What coir_dump_with writes, which must say that there are as many tasks as there are. Good until
 * the next call. */
const char *dump_with(const coir_dump_options *options);
#define dump_as(...) dump_with(&(const coir_dump_options){__VA_ARGS__})
const char *dump(void);

/* That the text is JSON, as far as its grammar goes (json.c). */
void check_json(const char *text);

/* Spawns a named task (or one without a name, for NULL), which goes on to its first wait. */
coir_task spawn_waiting(coir_scope *scope, const char *name, coir_fn fn, void *arg);

/* Cancels the scope and closes it. */
void end_scope(coir_scope *scope);

/* printf into one of a few buffers. */
const char *words(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The line of the text that begins with these words (but for spaces); good until the next call but
 * three. */
const char *line_of(const char *text, const char *beginning);

#endif
