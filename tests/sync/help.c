/* What the tests of synchronisation share; help.h says what each function is for. */
#include "help.h"

#include <stdio.h>

void pass(int ms) {
    check_rc(coir_sleep(COIR_MS(ms)), 0);
}

coir_task spawn_now(coir_scope *s, coir_fn fn, void *arg) {
    coir_task task;
    check_rc(coir_spawn_task(s, fn, arg, &task), 0);
    check_rc(coir_sleep(1), 0);
    return task;
}

const char *listing(void) {
    static char text[16384];
    FILE *const file = fmemopen(text, sizeof text, "w");
    check(file != NULL);
    check(coir_dump(file) >= 1);
    fclose(file);
    return text;
}

const char *named(const char *what, const void *object) {
    static char text[128];
    snprintf(text, sizeof text, "waits for %s %p", what, object);
    return text;
}

unsigned draw(uint32_t *state, unsigned n) {
    *state = *state * 1664525U + 1013904223U;
    return (*state >> 16) % n;
}
