/* What a process that runs programs tells the one that started it: counts, and what went wrong.
 * Both see the same memory. */
#ifndef TESTS_SIM_REPORT_H
#define TESTS_SIM_REPORT_H

#include "sim/model.h"

/* What became of a call. */
enum fate {
    FATE_AT_ONCE,                 /* done without waiting */
    FATE_WAITED,                  /* done after it had waited */
    FATE_ENTRY,                   /* cut before it had any effect */
    FATE_CUT,                     /* cut while it waited: by CAUSE_SCOPE and so on */
    FATE_WON = FATE_CUT + CAUSES, /* done, though cancelled meanwhile */
    FATE_CLOSED,                  /* what it waited for was closed, or has died */
    FATE_FAULT,                   /* failed by a fault of the system */
    FATES
};

struct counts {
    uint64_t runs, tasks, scopes, calls, checks, idles, deadlocks;
    uint64_t fates[OPS][FATES];
    uint64_t faults[COIR_SIM_FAULTS];
    uint64_t fault_runs[COIR_SIM_FAULTS]; /* runs in which it happened */
};

/* What one worker shares with the runner. */
struct desk {
    struct counts counts;
    uint64_t seed; /* at work on; the runner knows it if the process dies */
    char law[96];  /* violated; empty: none */
    char text[1024];
    char messages[4096]; /* the end of what the library has said */
    size_t message_size;
};

extern struct desk *desk;

void count_fate(enum op op, enum fate fate);
const char *fate_name(enum fate fate);
/* Whether such a thing can be at all; if so, a report misses it where it has not happened. */
bool fate_applies(enum op op, enum fate fate);

#endif
