/* From an address to lines of source, by libdw of the elfutils where the system has it and the
 * program has debug information, its own or in a file below /usr/lib/debug. Never asks a server on
 * the network for one, as that library can. */
#ifndef COIR_DEBUG_LINE_H
#define COIR_DEBUG_LINE_H

#include "debug/symbol.h"

#define COIR_LINES_MAX 8

/* A line; the texts are libdw's, good until the close. */
struct coir__line {
    const char *function; /* NULL if it is the one that the symbol table knows */
    const char *file;
    int number;
};

struct coir__lines {
    void *session; /* of libdw, or NULL */
};

void coir__lines_open(struct coir__lines *lines);
void coir__lines_close(struct coir__lines *lines);
/* Where `pc`, for which `symbol` was found, comes from: where functions were inlined, the line of
 * the innermost one first, then where that was called in the next, and so on; the last one is of
 * the function that was really called. Returns how many, 0 if nothing is known. */
size_t coir__lines_at(struct coir__lines *lines, const void *pc, const struct coir__symbol *symbol,
                      struct coir__line out[COIR_LINES_MAX]);

#endif
