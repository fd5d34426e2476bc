/* The model; model.h says what it is for. */
#include "sim/model.h"

#include <stdio.h>
#include <string.h>

#include "io/offload.h"
#include "sim/report.h"
#include "sim/sim.h"

struct world world;

void world_begin(const struct program *program) {
    /* only what was used, because the rest is large */
    memset(world.tasks, 0, world.task_count * sizeof world.tasks[0]);
    memset(world.scopes, 0, world.scope_count * sizeof world.scopes[0]);
    world.task_count = world.scope_count = 0;
    world.program = program;
    world.clock = 0;
    world.root = NULL;
}

uint64_t faults_so_far(void) {
    static const coir_sim_fault silent[] = {
        COIR_SIM_LATE_EVENT, COIR_SIM_MERGED_EVENT, COIR_SIM_SPURIOUS_EVENT, COIR_SIM_EARLY_WAKE,
        COIR_SIM_CLOCK_JUMP, COIR_SIM_SLOW_CALL,    COIR_SIM_SLOW_LINK,      COIR_SIM_SIGNAL};
    uint64_t sum = coir__sim->report.failed;
    for (size_t i = 0; i < COIR_SIM_FAULTS; i++)
        sum += coir__sim->report.occurred[i];
    for (size_t i = 0; i < sizeof silent / sizeof silent[0]; i++)
        sum -= coir__sim->report.occurred[silent[i]];
    return sum;
}

bool fault_explains(const struct task *task, int rc) {
    return rc < 0 && faults_so_far() > task->call->faults;
}

/* ---- What is cancelled ---- */

static enum cause cause_seen(const struct scope *scope, bool expired) {
    if (coir__rt->doomed)
        return CAUSE_DEADLOCK;
    if (expired)
        return CAUSE_DEADLINE;
    if (scope == world.root && world.program->sim.runtime.cancel_on_signals)
        return CAUSE_SIGNAL;
    return scope->may_cancel ? CAUSE_FAILURE : CAUSE_NONE;
}

/* Reads what the library says of a scope, and that it may say so. */
static void observe(struct scope *scope) {
    if (!scope->open || scope->seen == NULL)
        return;
    desk->counts.checks++;
    const bool cancelled = coir_scope_cancelled(scope->seen);
    const bool expired = coir_scope_expired(scope->seen);
    must(!expired || cancelled, "scope: expired only", "a scope has expired and is not cancelled");
    must(scope->cancelled == CAUSE_NONE || cancelled || scope->closing, "law 1: cancel lost",
         "a scope that was cancelled (cause %d) does not say so", (int)scope->cancelled);
    if (!cancelled || scope->cancelled != CAUSE_NONE)
        return;
    scope->cancelled = cause_seen(scope, expired);
    must(scope->cancelled != CAUSE_NONE, "law 9: cancelled by nobody",
         "a scope is cancelled, and nobody did it");
    must(!expired || scope->unknown_deadline || scope->deadline <= coir__sim->now,
         "deadline: early", "a scope has expired %lld ns before its deadline",
         (long long)(scope->deadline - coir__sim->now));
}

/* A scope, or the point between a task's own scopes and the one it was spawned into. */
struct place {
    struct scope *scope;
    const struct task *task;
};

static struct place innermost(const struct task *task) {
    return task->innermost != NULL ? (struct place){.scope = task->innermost}
                                   : (struct place){.task = task};
}

/* The place around a place; both NULL: none, or a shield is between. */
static struct place outward(struct place place) {
    if (place.task != NULL)
        return (struct place){.scope = place.task->home};
    if (place.scope->shield)
        return (struct place){.scope = NULL};
    if (place.scope->outer != NULL)
        return (struct place){.scope = place.scope->outer};
    return (struct place){.task = place.scope->owner};
}

/* How a deadline that has passed, but has not been noticed, counts. */
enum passing { PASSING_NOT, PASSING_SURELY, PASSING_PERHAPS };

/* A start that is cut cancels the task that it has started. */
static void observe_task(struct task *task) {
    if (task->cancelled != CAUSE_NONE || task->machine == NULL || task->ended ||
        !task->machine->cancelled)
        return;
    must(task->starter != NULL, "law 9: cancelled by nobody",
         "task %u is cancelled, and nobody did it", task->number);
    task->cancelled = CAUSE_TASK;
}

static enum cause cause_at(struct place place, enum passing passing) {
    if (place.task != NULL) {
        observe_task((struct task *)(uintptr_t)place.task);
        return place.task->cancelled;
    }
    struct scope *const scope = place.scope;
    observe(scope);
    if (scope->cancelled != CAUSE_NONE)
        return scope->cancelled;
    const coir_time now = coir__sim->now;
    if ((passing == PASSING_SURELY && scope->deadline_latest <= now) ||
        (passing == PASSING_PERHAPS && scope->deadline <= now))
        return CAUSE_DEADLINE;
    return coir__rt->doomed ? CAUSE_DEADLOCK : CAUSE_NONE;
}

/* What reaches a place from itself and outside. */
struct reach {
    enum cause cause;               /* of the innermost place that is cancelled */
    unsigned nearest;               /* how many scopes lie within that one, itself included */
    struct scope *chain[DEPTH_MAX]; /* the scopes that it and others further out reach */
    unsigned length;
    bool task;    /* so does it the point around the first task's own scopes */
    bool unasked; /* something did that at a moment of its own choice: a deadline, a signal */
};

static bool comes_unasked(enum cause cause) {
    return cause == CAUSE_DEADLINE || cause == CAUSE_SIGNAL || cause == CAUSE_DEADLOCK;
}

static void look_outward(struct place from, const struct task *self, enum passing passing,
                         struct reach *out) {
    struct scope *chain[DEPTH_MAX];
    unsigned count = 0;
    bool past_self = false;
    *out = (struct reach){.cause = CAUSE_NONE};
    for (struct place at = from; at.scope != NULL || at.task != NULL; at = outward(at)) {
        past_self |= at.task == self;
        if (at.scope != NULL && count < DEPTH_MAX)
            chain[count++] = at.scope;
        const enum cause cause = cause_at(at, passing);
        if (cause == CAUSE_NONE)
            continue;
        if (out->cause == CAUSE_NONE) {
            out->cause = cause;
            out->nearest = count;
        }
        out->unasked |= comes_unasked(cause);
        memcpy(out->chain + out->length, chain + out->length,
               (count - out->length) * sizeof chain[0]);
        out->length = count;
        out->task = past_self;
    }
}

static enum cause task_cause(const struct task *task, enum passing passing) {
    struct reach reach;
    look_outward(innermost(task), task, passing, &reach);
    return reach.cause;
}

bool task_is_cancelled(const struct task *task) {
    return task_cause(task, PASSING_SURELY) != CAUSE_NONE;
}

bool task_is_reached(const struct task *task) {
    return task_cause(task, PASSING_NOT) != CAUSE_NONE;
}

bool scope_is_cancelled(const struct scope *scope) {
    return scope->cancelled != CAUSE_NONE;
}

/* Whether something outside of the scope reaches into it, as far as that has been noticed. */
static bool reached_from_outside(const struct scope *scope) {
    const struct place place = {.scope = (struct scope *)(uintptr_t)scope};
    struct reach reach;
    const struct place around = outward(place);
    if (around.scope == NULL && around.task == NULL)
        return false;
    look_outward(around, NULL, PASSING_NOT, &reach);
    return reach.cause != CAUSE_NONE;
}

/* `exact`: this is the moment of the cut. Otherwise what came unasked may have come after it. */
static void note_reach(struct call *call, const struct reach *reach, bool exact) {
    call->cause = reach->cause;
    call->chain_sure = exact || !reach->unasked ? reach->length : reach->nearest;
    memcpy(call->chain, reach->chain, reach->length * sizeof reach->chain[0]);
    call->chain_length = reach->length;
    call->task_told = reach->task;
}

/* Notes for each call in progress the first moment at which it was cancelled: that is when those
 * who wait are cut. */
void model_sweep(void) {
    for (unsigned i = 0; i < world.task_count; i++) {
        struct task *const task = &world.tasks[i];
        struct call *const call = task->call;
        if (task->ended || call == NULL || call->cause != CAUSE_NONE)
            continue;
        struct reach reach;
        look_outward(innermost(task), task, PASSING_NOT, &reach);
        note_reach(call, &reach, false);
    }
}

void scope_cancelled(struct scope *scope, enum cause cause) {
    if (!scope->open || scope->cancelled != CAUSE_NONE)
        return;
    model_sweep();
    observe(scope);
    if (scope->cancelled == CAUSE_NONE) {
        scope->cancelled = cause;
        scope->closing = true; /* the library does not say so yet */
        model_sweep();
        scope->closing = false;
    }
}

void task_cancelled(struct task *task) {
    if (task->ended || task->cancelled != CAUSE_NONE)
        return;
    model_sweep();
    task->cancelled = CAUSE_TASK;
    model_sweep();
}

/* ---- Scopes ---- */

struct scope *scope_new(struct task *owner, coir_policy policy) {
    if (world.scope_count == SCOPES_MAX)
        return NULL;
    struct scope *const scope = &world.scopes[world.scope_count++];
    scope->owner = owner;
    scope->policy = policy;
    scope->deadline = scope->deadline_latest = COIR_NEVER;
    desk->counts.scopes++;
    return scope;
}

void scope_entered(struct scope *scope) {
    scope->open = true;
    if (scope->owner == NULL)
        return;
    scope->outer = scope->owner->innermost;
    scope->owner->innermost = scope;
}

static void note_failure(struct scope *scope, int rc) {
    scope->failures++;
    if (rc != -ECANCELED && scope->first_error == 0)
        scope->first_error = rc;
}

/* Whether who came to -ECANCELED within the place had been told to stop. */
static enum maybe is_excused(struct place place, enum maybe told) {
    struct reach reach;
    look_outward(place, NULL, PASSING_NOT, &reach);
    return reach.cause != CAUSE_NONE ? YES : told;
}

/* -ECANCELED came out of the body or a child: YES if nobody had cancelled it. */
static void note_lone(struct scope *scope, enum maybe lone) {
    if (lone == NO)
        return;
    scope->lone = lone > scope->lone ? lone : scope->lone;
    if (lone == YES)
        scope->failures++;
    else
        scope->unsure = true;
}

void scope_closing(struct scope *scope, int body) {
    observe(scope);
    scope->body_failed = NO;
    if (body >= 0)
        return;
    if (body == -ECANCELED) {
        const enum maybe excused = is_excused((struct place){.scope = scope}, scope->told);
        scope->body_failed = excused == YES ? NO : excused == NO ? YES : MAYBE;
        scope->unsure |= scope->body_failed == MAYBE;
        scope->failures += scope->body_failed == YES;
    } else {
        scope->body_failed = YES;
        scope->failures++;
    }
    if (scope->policy == COIR_SUPERVISE)
        return;
    if (scope->body_failed == YES)
        scope_cancelled(scope, CAUSE_FAILURE);
    else if (scope->body_failed == MAYBE)
        scope->may_cancel = true;
}

/* Law 7, in its order, with each thing that is not known one way. */
static int outcome(const struct scope *scope, int body, bool told, bool lone, bool lone_body) {
    const bool cancelled = scope->cancelled != CAUSE_NONE;
    if (body < 0 && body != -ECANCELED)
        return body;
    if (scope->first_error != 0 && !scope->won)
        return scope->first_error;
    if (told && (reached_from_outside(scope) || !cancelled))
        return -ECANCELED;
    if (told && scope->cancelled == CAUSE_DEADLINE)
        return scope->move_on ? 0 : -ETIMEDOUT;
    if (lone_body || (lone && !scope->won))
        return -ECANCELED;
    return body == -ECANCELED && cancelled ? 0 : body;
}

/* Whether `rc` is what the scope may come to. */
static bool may_come_to(const struct scope *scope, int body, int rc) {
    for (int told = 0; told < 2; told++)
        for (int lone = 0; lone < 2; lone++)
            for (int own = 0; own < 2; own++) {
                const bool lone_body = own && body == -ECANCELED;
                if ((told ? scope->told == NO : scope->told == YES) ||
                    (lone ? scope->lone == NO : scope->lone == YES) ||
                    (own ? scope->body_failed == NO : scope->body_failed == YES))
                    continue;
                if (outcome(scope, body, told, lone, lone_body) == rc)
                    return true;
            }
    return false;
}

/* What a task has left behind when its scope is closed. */
static void check_gone(struct task *task) {
    if (task->unborn)
        return;
    must(task->done_calls == task->done_wanted, "on done: calls",
         "%u calls were made when task %u ended, not %u", task->done_calls, task->number,
         task->done_wanted);
    must(!task->stores || task->stored == task->rc, "spawn: result",
         "the result of task %u is %d where it was to be put, not %d", task->number, task->stored,
         task->rc);
    task->gone = true;
}

static void tell(struct scope *scope, enum maybe told) {
    scope->told = told > scope->told ? told : scope->told;
}

/* What is around the scope has taken the credit for what was cut inside: it has to report it. */
static void pass_on(struct scope *scope, enum maybe sure) {
    struct place around = outward((struct place){.scope = scope});
    struct reach reach;
    look_outward(around, scope->owner, PASSING_NOT, &reach);
    for (unsigned i = 0; i < reach.length; i++)
        tell(reach.chain[i], sure);
    if (reach.task && scope->owner->told < sure)
        scope->owner->told = sure;
}

static void leave_scope(struct scope *scope, const char *what) {
    must(scope->live == 0, "law 6: outlived",
         "%s has returned while %zu of its tasks have not ended", what, scope->live);
    scope->open = false;
    if (scope->owner != NULL)
        scope->owner->innermost = scope->outer;
    for (unsigned i = 0; i < world.task_count; i++)
        if (world.tasks[i].home == scope)
            check_gone(&world.tasks[i]);
}

void scope_abandoned(struct scope *scope, const char *what) {
    leave_scope(scope, what);
    if (scope->told != NO)
        pass_on(scope, MAYBE);
}

int scope_left(struct scope *scope, int body, int rc, const char *what) {
    observe(scope);
    must(may_come_to(scope, body, rc), "law 7: outcome",
         "%s has come to %d: body %d, first error %d, told %d, lone %d, cancelled by %d, from "
         "outside %d, won %d",
         what, rc, body, scope->first_error, (int)scope->told, (int)scope->lone,
         (int)scope->cancelled, reached_from_outside(scope), scope->won);
    if (scope->seen == &scope->own && !scope->unsure)
        must(coir_scope_errors(&scope->own, NULL, 0) == scope->failures, "law 7: errors",
             "%s lists %zu failures, not %zu", what, coir_scope_errors(&scope->own, NULL, 0),
             scope->failures);
    leave_scope(scope, what);
    if (rc == -ECANCELED && scope->told != NO)
        pass_on(scope, scope->told);
    return rc;
}

/* ---- Tasks ---- */

struct task *task_new(const struct node *node, struct task *parent, struct scope *home) {
    if (world.task_count == TASKS_MAX)
        return NULL;
    struct task *const task = &world.tasks[world.task_count];
    task->number = world.task_count++;
    task->node = node;
    task->parent = parent;
    task->home = home;
    task->local = parent != NULL ? parent->local : 0;
    task->depth = parent != NULL ? parent->depth + 1 : 0;
    home->live++;
    desk->counts.tasks++;
    return task;
}

void task_unborn(struct task *task) {
    task->home->live--;
    task->ended = task->gone = task->unborn = true;
}

void task_begun(struct task *task) {
    must(!task->begun, "law 10: begun twice", "a body has run twice");
    must(!task->ended, "law 10: begun", "a body has run whose spawn had failed");
    task->begun = true;
    task->machine = coir__rt->current;
    if (task->home->seen == NULL)
        task->home->seen = task->machine->home;
    must(task->machine->home == task->home->seen, "spawn: scope",
         "a task has come into another scope than the one it was spawned into");
}

bool task_is_parked(const struct task *task) {
    return !task->ended && task->machine != NULL && task->machine->wait != NULL;
}

static void note_parked(void) {
    for (unsigned i = 0; i < world.task_count; i++)
        if (world.tasks[i].call != NULL && task_is_parked(&world.tasks[i]))
            world.tasks[i].call->parked = true;
}

/* A start takes the end of a child that is not ready for its own affair. */
static bool ends_unstarted(struct task *task) {
    if (!task->starting)
        return false;
    task->starting = false;
    return task->unstarted = true;
}

void task_ended(struct task *task, int rc) {
    struct scope *const home = task->home;
    must(task->innermost == NULL, "interpreter", "a task ends within a scope");
    must(home->open, "law 6: outlived", "a task has outlived its scope");
    note_parked(); /* who waits for this end does so until now */
    task->rc = rc;
    if (!ends_unstarted(task)) {
        if (rc == -ECANCELED) {
            const enum maybe excused = is_excused((struct place){.task = task}, task->told);
            const enum maybe lone = excused == YES ? NO : excused == NO ? YES : MAYBE;
            note_lone(home, lone);
            if (lone == YES && home->policy == COIR_FAIL_FAST)
                scope_cancelled(home, CAUSE_FAILURE);
            else if (lone == MAYBE && home->policy == COIR_FAIL_FAST)
                home->may_cancel = true;
        } else if (rc < 0) {
            note_failure(home, rc);
            if (home->policy == COIR_FAIL_FAST)
                scope_cancelled(home, CAUSE_FAILURE);
        } else if (home->policy == COIR_RACE) {
            home->winner = home->won ? home->winner : task;
            home->won = true;
            scope_cancelled(home, CAUSE_WON);
        }
    }
    home->live--;
    task->ended = true;
    if (task->has_handle) {
        struct task **place = &home->ends;
        while (*place != NULL)
            place = &(*place)->next_end;
        *place = task;
    }
}

/* ---- Calls ---- */

void call_begin(struct task *task, struct call *call, enum op op, const void *object,
                unsigned line) {
    note_parked();
    *call = (struct call){.outer = task->call,
                          .op = op,
                          .object = object,
                          .line = line,
                          .entered = ++world.clock,
                          .faults = faults_so_far()};
    task->call = call;
    struct reach reach;
    look_outward(innermost(task), task, PASSING_NOT, &reach);
    if (reach.cause == CAUSE_NONE) /* only then does the library look at the clock */
        look_outward(innermost(task), task, PASSING_SURELY, &reach);
    call->cut_at_entry = reach.cause != CAUSE_NONE;
    note_reach(call, &reach, true);
    desk->counts.calls++;
}

/* A call was told that the task is cancelled: which scopes answer for it. */
static void note_told(struct task *task, enum maybe sure) {
    struct call *const call = task->call;
    struct reach now;
    look_outward(innermost(task), task, PASSING_PERHAPS, &now);
    for (unsigned i = 0; i < call->chain_length; i++)
        tell(call->chain[i], i < call->chain_sure ? sure : MAYBE);
    if (call->task_told && call->chain_sure == call->chain_length && sure > task->told)
        task->told = sure;
    const bool recorded = call->cause != CAUSE_NONE;
    for (unsigned i = 0; i < now.length; i++)
        tell(now.chain[i], !recorded && i < now.nearest ? sure : MAYBE);
    if (now.task && task->told == NO)
        task->told = MAYBE;
    if (!recorded)
        call->cause = now.cause;
}

static enum fate fate_of(const struct task *task, int rc) {
    const struct call *const call = task->call;
    if (rc == -ECANCELED)
        return call->cut_at_entry ? FATE_ENTRY : (enum fate)(FATE_CUT + (int)call->cause);
    if (rc == -EPIPE || rc == -EBADF || rc == -EOWNERDEAD || rc == -ECONNRESET ||
        rc == -ECONNREFUSED)
        return FATE_CLOSED;
    if (fault_explains(task, rc))
        return FATE_FAULT;
    if (call->parked && task_cause(task, PASSING_NOT) != CAUSE_NONE)
        return FATE_WON;
    return call->parked ? FATE_WAITED : FATE_AT_ONCE;
}

static int finish_call(struct task *task, int rc) {
    desk->counts.checks++;
    count_fate(task->call->op, fate_of(task, rc));
    task->call = task->call->outer;
    return rc;
}

int call_end(struct task *task, int rc) {
    const struct call *const call = task->call;
    if (rc == -ECANCELED) {
        must(call->cause != CAUSE_NONE || task_cause(task, PASSING_PERHAPS) != CAUSE_NONE,
             "law 1: cut by nobody", "%s was cut, and nothing around it is cancelled",
             op_name(call->op));
        note_told(task, YES);
    } else if (op_traits(call->op) & OP_CHECKS) {
        must(!call->cut_at_entry, "law 2: not cut", "%s came to %d in a cancelled scope",
             op_name(call->op), rc);
    }
    return finish_call(task, rc);
}

int call_end_otherwise(struct task *task, int rc) {
    if (rc < 0 &&
        (task->call->cause != CAUSE_NONE || task_cause(task, PASSING_PERHAPS) != CAUSE_NONE))
        note_told(task, MAYBE);
    return finish_call(task, rc);
}

/* ---- Lines ---- */

static bool stands_in(const struct task *task, const void *object, unsigned line) {
    const struct call *const call = task->call;
    if (task->ended || call == NULL || line == 0)
        return false;
    if (call->object == object && call->line == line)
        return true;
    for (size_t i = 0; i < call->count; i++)
        if (call->cases[i].channel == object &&
            ((call->cases[i].kind == COIR_CASE_SEND && line == LINE_SEND) ||
             (call->cases[i].kind == COIR_CASE_RECV && line == LINE_RECV)))
            return true;
    return false;
}

static void nobody_waits(const struct task *served, const void *object, unsigned line,
                         const char *what) {
    for (unsigned i = 0; i < world.task_count; i++) {
        const struct task *const other = &world.tasks[i];
        if (other == served || !stands_in(other, object, line) || !task_is_parked(other))
            continue;
        must(served != NULL && other->call->entered > served->call->entered, "law 5: overtaken",
             "task %u still waits (%s) for what another that came later was given (%s)",
             other->number, op_name(other->call->op), what);
    }
}

void line_served(const struct task *task, const void *object, unsigned line, const char *what) {
    nobody_waits(task, object, line, what);
}

void line_tried(const void *object, unsigned line, const char *what) {
    nobody_waits(NULL, object, line, what);
}

unsigned line_handed(const void *object, unsigned line) {
    unsigned count = 0;
    for (unsigned i = 0; i < world.task_count; i++)
        count += stands_in(&world.tasks[i], object, line) && !task_is_parked(&world.tasks[i]);
    return count;
}

/* ---- Nothing is ready ---- */

/* Whether it waits for a look-up that is done, which cannot be cut any more: the loop just has not
 * been told yet. */
static bool is_answered(const struct task *task) {
    const coir_waiter *const wait = task->machine->wait;
    const struct coir__job *const job = (const struct coir__job *)(const void *)wait;
    return wait->what == coir__what_lookup && job->running && list_linked(&job->link);
}

static void check_idle_task(struct task *task) {
    must(task_is_parked(task), "law 4: lost", "task %u is neither ready nor parked", task->number);
    const struct call *const call = task->call;
    if (call == NULL) /* within a combinator, or a close */
        return;
    const bool may_be_cut =
        (op_traits(call->op) & OP_PARKS) != 0 && !call->uncuttable && !is_answered(task);
    must(!may_be_cut || task_cause(task, PASSING_NOT) == CAUSE_NONE, "law 2: not cut",
         "task %u still waits (%s) though it is cancelled", task->number, op_name(call->op));
    must(call->until == 0 || call->until > coir__sim->told, "sleep: late",
         "task %u still sleeps, and its time is over", task->number);
    check_idle_object(task, call);
}

static void check_idle_scope(struct scope *scope) {
    observe(scope);
    must(scope->cancelled != CAUSE_NONE || scope->deadline_latest > coir__sim->told,
         "deadline: late", "a deadline has passed, and its scope has not expired");
}

/* The pool grows while jobs wait, up to its bound. */
static void check_threads(void) {
    const coir_sim_report *const report = &coir__sim->report;
    const size_t jobs = coir__rt->offload_jobs, limit = coir__rt->offload_threads;
    must(report->threads_left >= (jobs < limit ? jobs : limit) ||
             report->occurred[COIR_SIM_NO_THREAD] + report->occurred[COIR_SIM_NO_MEMORY] +
                     report->failed >
                 0,
         "offload: threads", "%zu threads for %zu jobs", report->threads_left, jobs);
}

void model_idle(void *context, coir_time until) {
    (void)context, (void)until;
    note_parked();
    desk->counts.idles++;
    check_threads();
    for (unsigned i = 0; i < world.scope_count; i++)
        if (world.scopes[i].open)
            check_idle_scope(&world.scopes[i]);
    for (unsigned i = 0; i < world.task_count; i++)
        if (world.tasks[i].begun && !world.tasks[i].ended)
            check_idle_task(&world.tasks[i]);
}
