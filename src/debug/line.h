/* From an address to file and line, by libdw of the elfutils where the system has it and the
 * program has debug information, its own or in a file below /usr/lib/debug. Never asks a server on
 * the network for one, as that library can. */
#ifndef COIR_DEBUG_LINE_H
#define COIR_DEBUG_LINE_H

#include "debug/symbol.h"

struct coir__lines {
    void *session; /* of libdw, or NULL */
};

void coir__lines_open(struct coir__lines *lines);
void coir__lines_close(struct coir__lines *lines);
/* Where `pc`, for which `symbol` was found, comes from; the file is libdw's, good until the close.
 * NULL if that is not known. */
const char *coir__line_at(struct coir__lines *lines, const void *pc,
                          const struct coir__symbol *symbol, int *line);

#endif
