/* Numbers on a command line, read strictly: the whole text must be one, and in its range. */
#ifndef EXAMPLES_ARGS_H
#define EXAMPLES_ARGS_H

#include <coir/base.h>

/* A whole decimal number from min to max. Returns whether `text` is one; stores it if so. */
bool args_count(const char *text, size_t min, size_t max, size_t *out);

/* A number of seconds such as "0.5", at most a million. */
bool args_seconds(const char *text, coir_time *out);

#endif
