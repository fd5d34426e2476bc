/* Who a task is and where it comes from, copied, so that it can be told by a signal handler, or by
 * another thread when the task may have ended. */
#ifndef COIR_DEBUG_IDENTITY_H
#define COIR_DEBUG_IDENTITY_H

#include "core/runtime.h"
#include "debug/symbol.h"
#include "debug/text.h"

/* A task: by its name, or else by its function. */
struct coir__called {
    char name[COIR_NAME_SIZE];
    coir_fn fn;
};

struct coir__identity {
    struct coir__called task;
    struct coir__called owner; /* of the scope it was spawned into; no function: the main scope */
    char scope[COIR_NAME_SIZE];
    const void *scope_address;
    const void *origin; /* as in the task */
};

/* Safe in signal handlers. */
void coir__identify(struct coir__identity *out, const struct coir__task *task);
/* Appends "task 'name'". Safe in signal handlers, as the next one. */
void coir__text_task(struct coir__text *line, struct coir__symbols *symbols,
                     const struct coir__called *task);
/* Appends "spawned into scope 'name' of task 'owner' by function (file+0x12ab)". */
void coir__text_origin(struct coir__text *line, struct coir__symbols *symbols,
                       const struct coir__identity *identity);

#endif
