/* What looking into a runtime from within it needs, made when it is first asked for.
 *
 * A stack aside from those of the tasks: unwinding, and reading debug information, take more stack
 * than a small task may have left. While work is done there the task that asked for it is suspended
 * as the others are, so that it is looked at as they are. */
#ifndef COIR_DEBUG_INSPECTOR_H
#define COIR_DEBUG_INSPECTOR_H

#include "debug/name.h"
#include "debug/unwind.h"

struct coir__inspector {
    coir_context context;
    struct coir__shadow shadow; /* of the stack aside */
    char *memory;               /* it, with a guard below */
    bool busy;
    void (*fn)(void *arg);
    void *arg;
    struct coir__names *names; /* of a listing that is being written, or NULL */
    struct coir__unwinder unwinder;
};

/* Calls fn(arg) aside, or, where the caller is no task or there is no memory, in place. */
void coir__aside(struct coir__runtime *rt, void (*fn)(void *arg), void *arg);
/* Whether the task can be looked at as a suspended one: false only for the running one in place. */
bool coir__is_suspended(const struct coir__runtime *rt, const struct coir__task *task);

#endif
