/* Memory of the target, copied.
 *
 * The target shall be held for as short as can be. So what is to be copied is practised first,
 * while it still runs, which tells where the tasks are and finds the memory for the copies; then,
 * while it is held, all of that is read in a few calls. What turns out to be elsewhere by then is
 * read by itself. */
#ifndef PS_COPY_H
#define PS_COPY_H

#include "target.h"

/* A range of memory with its content. */
struct piece {
    uint64_t low, high;
    const char *bytes; /* NULL: it could not be read */
};

/* Memory that lasts until all is forgotten. */
void *keep(size_t size_bytes);
/* Starts anew: what was kept is free again, what was expected stays so. */
void copies_forget(void);
void copies_free(void);

struct piece copy_piece(const struct target *target, uint64_t low, uint64_t high);
/* Whether it could be read: from the piece, which may be NULL, if it lies in there. */
bool read_near(const struct target *target, const struct piece *near, uint64_t address, void *out,
               size_t size_bytes);

/* The range will be wanted, by the name of that address. */
void copies_expect(uint64_t address, uint64_t low, uint64_t high);
/* Reads all that is expected. */
void copies_fetch(const struct target *target);
/* What was read under that name; NULL: nothing. */
const struct piece *copies_get(uint64_t address);

#endif
