/* What the tests of synchronisation share: moments, the listing of tasks, and numbers that differ
 * from run to run of a body. */
#ifndef TESTS_SYNC_HELP_H
#define TESTS_SYNC_HELP_H

#include "support.h"

/* Lets `ms` milliseconds of the virtual clock pass; nothing may cut it. */
void pass(int ms);

/* Spawns with a handle, and lets the task run until it waits. */
coir_task spawn_now(coir_scope *s, coir_fn fn, void *arg);

/* What coir_dump writes; good until the next call. */
const char *listing(void);

/* "waits for WHAT ADDRESS", as a listing says it; good until the next call. */
const char *named(const char *what, const void *object);

/* The next of a row of numbers below n, which *state determines. */
unsigned draw(uint32_t *state, unsigned n);

#endif
