/* Addresses with all that is known of them, each looked up once. Not for signal handlers. */
#ifndef COIR_DEBUG_NAME_H
#define COIR_DEBUG_NAME_H

#include "debug/line.h"

struct coir__name {
    const void *pc;
    struct coir__name *next; /* in the order of the look-ups */
    struct coir__symbol symbol;
    struct coir__line lines[COIR_LINES_MAX];
    size_t line_count;
};

struct coir__names {
    struct coir__symbols symbols;
    struct coir__lines lines;
    struct coir__name **table; /* by hash, at most half full */
    size_t size, count;
    struct coir__name *first, **last;
    struct coir__name spare; /* where there is no memory: good until the next look-up */
};

void coir__names_open(struct coir__names *names);
void coir__names_close(struct coir__names *names);
/* Looks up what backtraces yield: `pc` less one. */
const struct coir__name *coir__name_of(struct coir__names *names, const void *pc);

#endif
