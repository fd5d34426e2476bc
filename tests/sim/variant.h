/* A program by its seed, and what was taken out of it: what a line that replays a failure says. */
#ifndef TESTS_SIM_VARIANT_H
#define TESTS_SIM_VARIANT_H

#include "sim/report.h"

#define DROPS_MAX 512

struct variant {
    uint64_t seed;
    uint64_t order;            /* of the simulation's choices; 0: by the seed */
    uint32_t calm;             /* faults that are switched off, by bit */
    unsigned drops[DROPS_MAX]; /* ids of nodes, twice, plus 1 where the body stays */
    unsigned drop_count;
};

/* "seed:7/drop:3,k5/calm:1f/order:2"; false if it makes no sense. */
bool variant_parse(const char *text, struct variant *out);
void variant_format(const struct variant *variant, char *out, size_t size_bytes);
struct program *variant_program(const struct variant *variant);

/* Runs it in a process of its own. True if a law was violated, which is then in *out. */
bool variant_fails(const struct variant *variant, struct desk *out);
/* Makes it as small as it gets while the same law is violated. */
void variant_shrink(struct variant *variant, const char *law);

#endif
