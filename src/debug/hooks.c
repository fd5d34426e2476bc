/* Hooks, the time that tasks run, and USDT probes: who is told of what tasks do.
 *
 * The hot paths know nothing of this. While somebody wants to know, switches take the long way, and
 * what happened is read off the FIFO: tasks appended since the last look were made ready, or
 * spawned, by the one that ran. A tracer attaches to the probes by raising a counter in memory,
 * which the loop looks at once a turn. */
#include "arch/registers.h"
#include "core/runtime.h"
#include "debug/probes.h"

/* The counter that tracers raise; one for all probes. */
volatile unsigned short coir__probes_wanted COIR_PROBE_COUNTER;

#define CALL(observer, hook, ...)                                                                  \
    do {                                                                                           \
        const char *const outer = (observer)->telling; /* it may cancel, which is told too */      \
        const coir_scope *const inside = coir__rt->current->scope;                                 \
        (observer)->telling = #hook;                                                               \
        if ((observer)->hooks.hook != NULL)                                                        \
            (observer)->hooks.hook((observer)->hooks.context, __VA_ARGS__);                        \
        if (coir__rt->current->scope != inside)                                                    \
            refuse_to_leave_open(coir__rt, #hook);                                                 \
        (observer)->telling = outer;                                                               \
    } while (0)

static const char *label_of(const struct coir__runtime *rt, char *out, size_t size_bytes) {
    return rt->current != &rt->loop ? coir__task_label(rt->current, out, size_bytes)
                                    : "the loop of the runtime";
}

/* The frame that the scope lies in is gone. */
static _Noreturn coir__cold void refuse_to_leave_open(const struct coir__runtime *rt,
                                                      const char *hook) {
    char label[128];
    coir__fatal("the hook '%s' left a scope open that it had opened, or closed one of %s; it must "
                "do neither: note what it is told, and act on that in a task",
                hook, label_of(rt, label, sizeof label));
}

/* ---- Beginning and ending to look ---- */

static coir_task handle_of(const struct coir__runtime *rt, const struct coir__task *task) {
    if (task == &rt->loop)
        return (coir_task){.coir__record = NULL};
    return (coir_task){.coir__record = task->record, .coir__generation = task->record->generation};
}

static void observe(struct coir__runtime *rt, unsigned reason, bool wanted) {
    struct coir__observer *const observer = &rt->observer;
    if (((observer->reasons & reason) != 0) == wanted)
        return;
    coir__careful(rt, wanted ? 1 : -1);
    if (observer->reasons == 0) {
        observer->seen = rt->ready.tail;
        observer->running = handle_of(rt, rt->current);
    }
    observer->reasons ^= reason;
}

static void set_hooks(struct coir__runtime *rt, const coir_hooks *hooks) {
    static const coir_hooks none;
    observe(rt, COIR_OBSERVE_HOOKS, hooks != NULL);
    rt->observer.hooks = hooks != NULL ? *hooks : none;
}

void coir__observe_init(struct coir__runtime *rt, const coir_options *options) {
    set_hooks(rt, options->hooks);
    observe(rt, COIR_OBSERVE_TIME, options->account_time);
    if (options->account_time)
        rt->observer.since = sys_clock();
}

void coir__observe_probes(struct coir__runtime *rt) {
    observe(rt, COIR_OBSERVE_PROBES, coir__probes_wanted != 0);
}

int coir_hooks_set(const coir_hooks *hooks) {
    if (coir__rt == NULL)
        return coir__outside();
    set_hooks(coir__rt, hooks);
    return 0;
}

/* ---- What is told ---- */

/* Whether a task that does not run has yet to begin. */
COIR_RAW_MEMORY static bool is_fresh(const struct coir__task *task) {
    const struct coir_frame *const frame = task->context.sp;
    return coir__registers_saved(frame).pc == (uintptr_t)&coir__entry + COIR_ENTRY_PAD;
}

/* Those that the running task has made ready since the last look. */
static void tell_ready(struct coir__runtime *rt) {
    struct coir__observer *const observer = &rt->observer;
    const struct coir__task *const by = rt->current != &rt->loop ? rt->current : NULL;
    for (; observer->seen != rt->ready.tail; observer->seen++) {
        const struct coir__task *const task = rt->ready.places[observer->seen & rt->ready.mask];
        const coir_task handle = handle_of(rt, task);
        if (task != rt->current && is_fresh(task)) { /* the running one has no frame to look at */
            coir__probe_spawn(task, task->fn, by);
            CALL(observer, spawn, handle, observer->running);
        }
        coir__probe_ready(task, by);
        CALL(observer, ready, handle, observer->running);
    }
}

/* In a hook the FIFO is being read, and what happened is half told. */
static _Noreturn void refuse_to_wait(const struct coir__runtime *rt) {
    char label[128];
    coir__fatal("%s waits or yields in the hook '%s', which must not; note what it is told, "
                "and act on that in a task",
                label_of(rt, label, sizeof label), rt->observer.telling);
}

void coir__observe_stop(struct coir__runtime *rt, struct coir__task *self) {
    if (rt->observer.telling != NULL)
        refuse_to_wait(rt);
    tell_ready(rt);
    if (self->wait == NULL)
        return;
    coir__probe_park(self, self->wait->what, self->wait->object);
    CALL(&rt->observer, park, handle_of(rt, self), self->wait);
}

void coir__observe_run(struct coir__runtime *rt, struct coir__task *self, struct coir__task *next) {
    struct coir__observer *const observer = &rt->observer;
    observer->seen = rt->ready.tail;
    observer->running = handle_of(rt, next);
    const bool starts = next != self && next != &rt->loop && is_fresh(next);
    if ((observer->reasons & COIR_OBSERVE_TIME) != 0) {
        const coir_time now = sys_clock();
        self->run_time += now - observer->since;
        observer->since = now;
        if (starts)
            next->run_time = 0;
    }
    if (starts) {
        coir__probe_start(next, next->fn);
        CALL(observer, start, observer->running);
    }
    coir__probe_run(next != &rt->loop ? next : NULL);
    CALL(observer, run, observer->running);
}

void coir__observe_exit(struct coir__runtime *rt, struct coir__task *self, int rc) {
    tell_ready(rt);
    coir__probe_exit(self, rc);
    CALL(&rt->observer, exit, rt->observer.running, rc);
}

void coir__observe_cancel(struct coir__runtime *rt, const coir_scope *scope) {
    coir__probe_scope_cancelled(scope, scope->coir__name);
    CALL(&rt->observer, scope_cancelled, scope);
}

/* ---- Time ---- */

int coir_task_run_time(coir_task task, coir_time *out) {
    const struct coir__runtime *const rt = coir__rt;
    if (rt == NULL)
        return coir__outside();
    if (out == NULL)
        return -EINVAL;
    if ((rt->observer.reasons & COIR_OBSERVE_TIME) == 0)
        return -EOPNOTSUPP;
    const struct coir__record *const record = coir__record_find(task);
    if (record == NULL || record->task == NULL)
        return -ESRCH;
    const struct coir__task *const found = record->task;
    if (found == rt->current)
        *out = found->run_time + sys_clock() - rt->observer.since;
    else
        *out = is_fresh(found) ? 0 : found->run_time;
    return 0;
}
