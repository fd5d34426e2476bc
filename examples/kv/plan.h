/* What happens in one test: requests, and what is done to the machines meanwhile; and which part of
 * that a smaller test keeps. All of it follows from a seed. */
#ifndef EXAMPLES_KV_PLAN_H
#define EXAMPLES_KV_PLAN_H

#include <coir/sim.h>
#include <stdio.h>

#include "history.h"

#define NODES 3
#define STEPS_MAX HISTORY_MAX

enum step_kind { STEP_GET, STEP_SET, STEP_CUT, STEP_KILL };

struct step {
    enum step_kind kind;
    coir_time at;    /* since the begin */
    unsigned node;   /* that is asked, cut off, killed */
    unsigned other;  /* cut: from that one; itself: from all */
    coir_time lasts; /* a cut, or until a killed node is started again */
    char key[2];     /* get, set */
    struct operation result;
};

/* A seed, and what is left of its plan: written "seed", or "seed-order-steps-faults". */
struct variant {
    uint64_t seed;
    unsigned order;  /* of the simulation's choices */
    uint64_t steps;  /* by bit: those that are kept */
    uint32_t faults; /* that may happen */
};

struct plan {
    struct step steps[STEPS_MAX];
    unsigned count;
    coir_sim_options options;
};

/* Whether the text is one. */
bool variant_parse(const char *text, struct variant *out);
void variant_print(const struct variant *variant, FILE *out);

/* The steps of the plan in the order of time, and with which faults. */
void plan_make(const struct variant *variant, struct plan *out);
/* The steps that the variant keeps, with what came of them. */
void plan_print(const struct plan *plan, const struct variant *variant, FILE *out);

/* Runs it on a store with that bug. Returns what was wrong, or NULL. (world.c) */
const char *plan_run(struct plan *plan, const struct variant *variant, enum kv_bug bug,
                     coir_sim_report *report);

#endif
