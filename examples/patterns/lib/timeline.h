/* What the programs of this folder share: the timeline that each prints.
 *
 * They run for real, or with --virtual on a clock that jumps to the next deadline when all tasks
 * wait, so that the output is there at once and the same each time: the one that the comment at the
 * top of the program promises. */
#ifndef PATTERNS_TIMELINE_H
#define PATTERNS_TIMELINE_H

#include <coir/runtime.h>

/* Reads the command line; options for coir_run_with. Wrong arguments end the program. */
coir_options timeline(int argc, char **argv);

/* Prints a line: the time since the start, as in "[ 120 ms] ", and the text. From tasks only. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* "ETIMEDOUT" for -ETIMEDOUT; "success" for 0. Good until the next call. */
const char *error_name(int rc);

#endif
