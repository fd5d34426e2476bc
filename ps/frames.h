/* Where tasks are: backtraces, from copies of their stacks and the program files' tables for
 * unwinding; and what lies at an address.
 *
 * What a table says of a place in the program is worked out once, and kept: ten thousand tasks that
 * wait in one place take little longer than one. Where there is no table, frame pointers serve. */
#ifndef PS_FRAMES_H
#define PS_FRAMES_H

#include "world.h"

#define FRAMES_MAX 128 /* of one task */

struct names;

/* Fills in the frames of all tasks. */
void frames_find(struct world *world);

/* A place in the source. */
struct source {
    const char *function; /* NULL: it has no name */
    const char *file;     /* NULL: not known */
    int line;
};

#define INLINED_MAX 16

/* What is known of an address. */
struct name {
    uint64_t pc;
    struct name *next;    /* in the order of the look-ups */
    const char *function; /* NULL: it has no name */
    const char *module;   /* the file; NULL: none is mapped there */
    uint64_t offset;      /* in it */
    /* Where it is, if it is known: in functions that were inlined, one into the next, and last in
     * the one that the frame belongs to. */
    struct source sources[INLINED_MAX + 1];
    size_t source_count;
};

/* Looks up what backtraces yield: `pc` less one. */
const struct name *name_of(const struct target *target, uint64_t pc);
/* All that have been looked up. */
const struct name *names_first(void);
void frames_free(void);

#endif
