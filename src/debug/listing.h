/* A listing of scopes and tasks as it is being written: what both its forms need. */
#ifndef COIR_DEBUG_LISTING_H
#define COIR_DEBUG_LISTING_H

#include <inttypes.h>

#include "coir/debug.h"
#include "debug/backtrace.h"
#include "debug/group.h"
#include "debug/name.h"

struct coir__listing {
    struct coir__runtime *rt;
    FILE *out;
    const coir_dump_options *options;
    const void *from; /* where the running task asked for it, or NULL */
    coir_time now;
    struct coir__names names;
    struct coir__groups groups; /* without a table if tasks shall not be grouped */
    size_t told;                /* tasks and groups so far */
    bool cut_short;             /* options->tasks_max was reached */
};

/* Goes on to the next scope or task to be told of. */
bool coir__listing_next(struct coir__listing *listing, struct coir__place *place);
/* Writes all of it, as text and as JSON. */
void coir__listing_text(struct coir__listing *listing);
void coir__listing_json(struct coir__listing *listing);

/* The backtrace of a task; of the running one from where it asked outwards. */
void coir__listing_trace(const struct coir__listing *listing, const struct coir__task *task,
                         struct coir__trace *out);
/* What a task does: "running", "ready", "new" or "waiting". */
const char *coir__task_state(const struct coir__listing *listing, const struct coir__task *task);
/* Bytes of its stack in use. */
size_t coir__stack_used(const struct coir__runtime *rt, const struct coir__task *task);

/* The task's number, as coir_task_number gives it. */
coir__inline uint64_t coir__task_number(const struct coir__task *task) {
    return coir_task_number((coir_task){.coir__generation = task->record->generation});
}

#endif
