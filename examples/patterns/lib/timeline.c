/* The timeline that the programs of this folder print; timeline.h says what each function is for.
 */
#include "timeline.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static coir_time start;

coir_options timeline(int argc, char **argv) {
    const bool virtual_clock = argc == 2 && strcmp(argv[1], "--virtual") == 0;
    if (argc > 1 && !virtual_clock) {
        fprintf(stderr, "usage: %s [--virtual]\n", argv[0]);
        exit(2);
    }
    setvbuf(stdout, NULL, _IOLBF, 0); /* lines appear when they are said, through a pipe too */
    start = virtual_clock ? COIR_SEC(1) : coir_now(); /* the virtual clock starts at one second */
    return (coir_options){.virtual_clock = virtual_clock, .slow_task = COIR_NEVER};
}

void say(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    printf("[%4lld ms] ", (long long)((coir_now() - start) / COIR_MS(1)));
    vprintf(format, arguments);
    putchar('\n');
    va_end(arguments);
}

const char *error_name(int rc) {
    static char name[32];
    const char *const text = coir_strerror(rc);
    snprintf(name, sizeof name, "%.*s", (int)strcspn(text, ":"), text);
    return name;
}
