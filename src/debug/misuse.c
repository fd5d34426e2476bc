/* What is said of calls that only a mistake in the program makes, and that return an error for it:
 * with names, because a number does not say who did what to whom, and is easily dropped. */
#include "sync/lock.h"

static void say(const struct coir__runtime *rt, const char *what) {
    char label[128];
    coir__warn("misuse: %s %s",
               rt->current != &rt->loop ? coir__task_label(rt->current, label, sizeof label)
                                        : "the loop of the runtime",
               what);
}

void coir__misuse(struct coir__runtime *rt, const char *what) {
    if (coir__may_remark(rt, COIR_REMARK_MISUSE))
        say(rt, what);
}

void coir__misuse_of_lock(struct coir__runtime *rt, const char *verb, const struct coir__lock *lock,
                          const char *advice) {
    char text[256], label[128];
    const char *holder = "nobody";
    if (!coir__may_remark(rt, COIR_REMARK_MISUSE))
        return;
    if (lock->owner == rt->current)
        holder = "itself";
    else if (coir__lock_held(lock))
        holder = coir__task_label(lock->owner, label, sizeof label);
    (void)snprintf(text, sizeof text, "%s %p, held by %s; %s", verb, (const void *)lock, holder,
                   advice);
    say(rt, text);
}

void coir__misuse_of_end(struct coir__runtime *rt, const struct coir__lock *held) {
    char text[256];
    (void)snprintf(text, sizeof text,
                   "ends without unlocking mutex or rwlock %p; others get -EOWNERDEAD; unlock it "
                   "on every path",
                   (const void *)held);
    coir__misuse(rt, text);
}

void coir__misuse_of_scope(struct coir__runtime *rt, const coir_scope *scope) {
    char text[512], label[128], owner[128];
    const char *opener = "the runtime";
    if (!coir__may_remark(rt, COIR_REMARK_MISUSE))
        return;
    if (scope->coir__runtime != rt)
        opener = "another thread";
    else if (scope->coir__owner != NULL)
        opener = coir__task_label(scope->coir__owner, owner, sizeof owner);
    (void)snprintf(text, sizeof text,
                   "closes %s, which %s opened; a scope is closed by the task that opened it, "
                   "others may coir_scope_cancel it",
                   coir__scope_label(scope, label, sizeof label), opener);
    say(rt, text);
}
