/* What is allowed and yet mostly a mistake: a cut that is ignored, a scope that is left with its
 * tasks at work or with failures, and failures in the main scope that nobody asks for. */
#include "debug/backtrace.h"
#include "debug/frame_text.h"
#include "debug/inspector.h"

#define FRAMES_MAX 32

/* ---- Where it happens ---- */

struct place {
    struct coir__runtime *rt;
    const void *from;
};

/* Aside: names may take more stack than the task has. */
static void tell_calls(void *arg) {
    const struct place *const place = arg;
    struct coir__names names;
    struct coir__cfi cfi = {.symbols = &names.symbols};
    void *pcs[FRAMES_MAX];
    struct coir__trace trace = {.pcs = pcs, .capacity = FRAMES_MAX, .from = place->from};
    coir__backtrace(place->rt, place->rt->current, &trace);
    coir__names_open(&names);
    (void)coir__frames_tell(
        (struct coir__frames_source){.pcs = pcs, .count = trace.count, .names = &names}, &cfi);
    coir__names_close(&names);
}

static void tell_place(struct coir__runtime *rt, const void *from) {
    struct place place = {.rt = rt, .from = from};
    coir__aside(rt, tell_calls, &place);
}

/* ---- Cuts that are ignored ---- */

void coir__ignored_tell(struct coir__runtime *rt, unsigned times, const void *from) {
    char label[128];
    if (!coir__may_remark(rt, COIR_REMARK_IGNORED))
        return;
    coir__warn("%s has ignored being cancelled %u times in a row; a task should return when a call "
               "says -ECANCELED; it is here:",
               coir__task_label(rt->current, label, sizeof label), times);
    tell_place(rt, from);
}

/* ---- Failures that nobody has seen, and scopes that are left ---- */

static unsigned unseen_in(const coir_scope *scope) {
    return scope->coir__read || scope->coir__policy == COIR_RACE ? 0 : scope->coir__unseen;
}

static void tell_failures(const coir_scope *scope) {
    char label[128];
    for (size_t i = 0; i < scope->coir__error_count && i < COIR_SCOPE_ERRORS; i++) {
        const coir_error *const error = &scope->coir__errors[i];
        const char *const name = error->name[0] != '\0'
                                     ? error->name
                                     : coir__function_label(error->fn, label, sizeof label);
        coir__warn("  '%s' has failed: %s", name, coir_strerror(error->rc));
    }
}

void coir__unseen_tell(const coir_scope *root) {
    if (unseen_in(root) == 0)
        return;
    coir__warn("nobody has asked for the failures of tasks in the main scope "
               "(coir_scope_errors); the first are:");
    tell_failures(root);
}

/* To return early is how a task passes on that it was cut; and without children nothing is lost. */
void coir__left_tell(struct coir__runtime *rt, const coir_scope *scope, const void *from) {
    char self[128], label[128];
    const bool cuts = scope->coir__live > 0 && !scope->coir__effective;
    const unsigned unseen = unseen_in(scope);
    if ((!cuts && unseen == 0) || !coir__may_remark(rt, COIR_REMARK_LEFT))
        return;
    (void)coir__task_label(rt->current, self, sizeof self);
    (void)coir__scope_label(scope, label, sizeof label);
    if (unseen > 0)
        coir__warn("%s leaves %s without coir_scope_close, and nobody will know of its failures:",
                   self, label);
    else
        coir__warn("%s leaves %s without coir_scope_close: its %zu %s cancelled and waited for, "
                   "and what they come to is lost:",
                   self, label, scope->coir__live,
                   scope->coir__live == 1 ? "task is" : "tasks are");
    tell_failures(scope);
    tell_place(rt, from);
}
