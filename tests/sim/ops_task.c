/* Operations on tasks and scopes: waiting for them, cancelling them, and what makes both hard. */
#include <string.h>

#include "sim/interpret.h"
#include "sim/sim.h"

const coir_local task_local;

/* ---- Giving way and sleeping ---- */

int do_YIELD(struct task *task, const struct node *node) {
    struct call call;
    (void)node;
    call_begin(task, &call, OP_YIELD, NULL, LINE_NONE);
    const int rc = coir_yield();
    must(rc == 0 || rc == -ECANCELED, "yield: result", "yield came to %d", rc);
    return call_end(task, rc);
}

int do_CHECK(struct task *task, const struct node *node) {
    struct call call;
    (void)node;
    call_begin(task, &call, OP_CHECK, NULL, LINE_NONE);
    const int rc = coir_check();
    must(rc == 0 || rc == -ECANCELED, "check: result", "check came to %d", rc);
    return call_end(task, rc);
}

static int end_sleep(struct task *task, int rc, coir_time until) {
    must(rc == 0 || rc == -ECANCELED, "sleep: result", "sleep came to %d", rc);
    must(rc < 0 || coir_now() >= until, "sleep: early", "a sleep is over %lld ns too early",
         (long long)(until - coir_now()));
    return call_end(task, rc);
}

int do_SLEEP(struct task *task, const struct node *node) {
    struct call call;
    call_begin(task, &call, OP_SLEEP, NULL, LINE_NONE);
    const coir_time until = coir_after(node->a);
    call.until = until + COIR_US(1); /* it reads the clock later than this */
    return end_sleep(task, coir_sleep(node->a), until);
}

int do_SLEEP_UNTIL(struct task *task, const struct node *node) {
    struct call call;
    call_begin(task, &call, OP_SLEEP_UNTIL, NULL, LINE_NONE);
    call.until = coir_after(node->a);
    return end_sleep(task, coir_sleep_until(call.until), call.until);
}

/* ---- The ends of others ---- */

/* What others are told that a task came to. */
static int told_result(const struct task *task) {
    return task->unstarted ? -ECANCELED : task->rc;
}

int do_JOIN(struct task *task, const struct node *node) {
    struct task *const other = nth_handle(node->a);
    const coir_task handle = other != NULL ? other->handle : (coir_task){.coir__record = NULL};
    struct call call;
    int result = -1;
    call_begin(task, &call, OP_JOIN, other, LINE_NONE);
    const bool had_ended = other != NULL && other->ended, was_gone = other == NULL || other->gone;
    const int rc = coir_join(handle, &result);
    if (was_gone)
        must(rc == -ESRCH, "join: stale", "a stale handle gave %d", rc);
    else if (other == task)
        must(rc == -EDEADLK, "join: itself", "a task that joins itself got %d", rc);
    else if (had_ended)
        must(rc == 0, "join: ended", "joining a task that had ended gave %d", rc);
    else
        must(rc == -ECANCELED || (rc == 0 && other->ended && !call.cut_at_entry), "join: result",
             "join came to %d", rc);
    must(rc != 0 || result == told_result(other), "join: value", "join said %d, not %d", result,
         rc == 0 ? told_result(other) : 0);
    return call_end(task, rc);
}

#define WAIT_MAX 24

static int expect_wait(const struct task *task, struct task *const *others, long count) {
    for (long i = 0; i < count; i++) {
        if (others[i]->gone)
            return -ESRCH;
        if (others[i] == task)
            return -EDEADLK;
    }
    return 0;
}

int do_WAIT(struct task *task, const struct node *node) {
    coir_task handles[WAIT_MAX];
    struct task *others[WAIT_MAX];
    const long count = 1 + node->a % WAIT_MAX;
    struct call call;
    if (nth_handle(0) == NULL)
        return 0;
    for (long i = 0; i < count; i++) {
        others[i] = nth_handle(node->a + i);
        handles[i] = others[i]->handle;
    }
    const int expected = expect_wait(task, others, count);
    call_begin(task, &call, OP_WAIT, others, LINE_NONE);
    call.number = count;
    call.when = node->b;
    const coir_time deadline = node->c > 0 ? coir_after(node->c) : COIR_NEVER;
    call.until = deadline == COIR_NEVER ? 0 : deadline;
    const int rc = coir_wait(handles, (size_t)count, (coir_when)node->b, deadline);
    if (expected < 0)
        must(rc == expected || rc == -ECANCELED, "wait: refused", "wait came to %d, not %d", rc,
             expected);
    else if (rc < 0)
        must(rc == -ECANCELED || (rc == -ENOMEM && fault_explains(task, rc)), "wait: result",
             "wait came to %d", rc);
    int ended = 0;
    for (long i = 0; i < count; i++)
        ended += others[i]->ended;
    must(rc < 0 || !may_wait_for_tasks(&call) || coir__sim->now >= deadline, "wait: early",
         "a wait has ended, and need not have");
    must(rc < 0 || rc == ended, "wait: count", "wait said %d have ended, not %d", rc, ended);
    return call_end(task, rc);
}

/* Whether a task is one that next may tell now. */
static bool is_untold(const struct task *task) {
    return !task->told_end;
}

static struct task *task_of(coir_task handle) {
    for (unsigned i = 0; i < world.task_count; i++)
        if (world.tasks[i].has_handle && coir_task_equal(world.tasks[i].handle, handle))
            return &world.tasks[i];
    return NULL;
}

bool scope_awaits_ends(const struct scope *scope) {
    for (unsigned i = 0; i < world.task_count; i++) {
        const struct task *const task = &world.tasks[i];
        if (task->home == scope && task->has_handle && !task->unborn && !task->ended)
            return true;
    }
    return false;
}

static void check_next(const struct task *task, struct scope *scope, coir_task handle, int result) {
    struct task *const told = task_of(handle);
    must(told != NULL && told->home == scope, "next: whose",
         "next told of a task of another scope");
    must(told->ended && is_untold(told), "next: again", "next told of task %u %s", told->number,
         told->ended ? "once more" : "before it ended");
    must(result == told_result(told), "next: value", "next said %d, not %d", result,
         told_result(told));
    told->told_end = true;
    if (line_handed(scope, LINE_LOCK) > 1)
        return; /* others have been told, too, and have not run yet: in what order is not known */
    for (const struct task *it = scope->ends; it != told; it = it->next_end)
        must(!is_untold(it), "next: order", "next told of task %u before task %u", told->number,
             it->number);
    (void)task;
}

int do_NEXT(struct task *task, const struct node *node) {
    struct scope *const scope = nth_scope_around(task, node->a);
    coir_task handle;
    struct call call;
    int result;
    if (scope == NULL)
        return 0;
    call_begin(task, &call, OP_NEXT, scope, LINE_LOCK);
    const int rc = coir_next(&scope->own, &handle, &result);
    if (rc == 0) {
        line_served(task, scope, LINE_LOCK, "next");
        check_next(task, scope, handle, result);
    } else if (rc == -ENOENT) {
        must(call.parked || !scope_awaits_ends(scope), "next: none",
             "next said that none is left, and there is");
    } else {
        must(rc == -ECANCELED || (rc == -EDEADLK && task->home == scope && task->has_handle),
             "next: result", "next came to %d", rc);
    }
    return call_end(task, rc);
}

static void on_done(coir_task handle, int rc, void *arg) {
    struct task *const task = arg;
    (void)handle;
    task->done_calls++;
    must(rc == told_result(task), "on done: value", "a call on the end of task %u was given %d",
         task->number, rc);
}

int do_ON_DONE(struct task *task, const struct node *node) {
    struct task *const other = nth_handle(node->a);
    if (other == NULL || objects.done_count == DONES)
        return 0;
    coir_done *const done = &objects.dones[objects.done_count++];
    *done = (coir_done){.fn = on_done, .arg = other};
    const unsigned before = other->done_calls;
    const int rc = coir_task_on_done(other->handle, done);
    (void)task;
    must(rc == (other->gone ? -ESRCH : 0), "on done: result", "asking for a call gave %d", rc);
    if (rc == 0 && node->b && !other->ended) {
        must(coir_done_remove(done), "on done: remove", "a call could not be taken back");
        return 0;
    }
    must(rc != 0 || !other->ended || other->done_calls == before + 1, "on done: late",
         "no call was made for a task that had ended");
    other->done_wanted += rc == 0;
    return 0;
}

/* ---- Park and unpark ---- */

static bool leave_place(coir_waiter *wait) {
    struct place_shadow *const place = (struct place_shadow *)(void *)wait;
    must(place->task != NULL, "law 4: left twice", "a wait was cut that was over");
    place->task = NULL;
    return true;
}

int do_PARK(struct task *task, const struct node *node) {
    struct place_shadow *const place = &objects.places[node->a % PLACES];
    struct call call;
    if (place->task != NULL)
        return 0;
    call_begin(task, &call, OP_PARK, place, LINE_NONE);
    place->wait = (coir_waiter){.cut = leave_place, .what = "a place", .object = place};
    place->task = task;
    place->value = 0;
    const int rc = coir_park(&place->wait);
    must(rc == -ECANCELED || rc == (int)task->number + 1, "law 4: park", "a park came to %d", rc);
    return call_end(task, rc);
}

int do_UNPARK(struct task *task, const struct node *node) {
    struct place_shadow *const place = &objects.places[node->a % PLACES];
    struct task *const parked = place->task;
    (void)task;
    if (parked == NULL)
        return 0;
    place->task = NULL;
    /* The place may be taken anew before the parked one runs: it must look at the value only. */
    must(coir_unpark(&place->wait, (int)parked->number + 1) == 0, "law 4: unpark",
         "a parked task could not be unparked");
    return 0;
}

/* ---- Locals ---- */

int do_LOCAL(struct task *task, const struct node *node) {
    struct call call;
    call_begin(task, &call, OP_LOCAL, NULL, LINE_NONE);
    const int rc = coir_local_set(&task_local, (void *)(intptr_t)node->a);
    must(rc == 0 || fault_explains(task, rc), "local: result", "setting a local gave %d", rc);
    task->local = rc == 0 ? node->a : task->local;
    must((long)(intptr_t)coir_local_get(&task_local) == task->local, "local: value",
         "a task local is %ld, not %ld", (long)(intptr_t)coir_local_get(&task_local), task->local);
    return call_end(task, rc);
}

/* ---- Cancelling ---- */

int do_CANCEL_TASK(struct task *task, const struct node *node) {
    struct task *const other = nth_handle(node->a);
    (void)task;
    if (other == NULL)
        return 0;
    model_sweep();
    (void)task_is_cancelled(other); /* looks whether a start has cancelled it */
    const bool expected = !other->ended && !other->unborn && other->cancelled == CAUSE_NONE &&
                          !(other->machine != NULL && other->machine->cancelled);
    task_cancelled(other);
    const bool did = coir_task_cancel(other->handle);
    must(did == expected || other->starting, "cancel task: result", "cancelling a task said %d",
         did);
    return 0;
}

int do_CANCEL_SCOPE(struct task *task, const struct node *node) {
    struct scope *const scope = node->b ? nth_scope_around(task, node->a) : nth_open_scope(node->a);
    if (scope == NULL)
        return 0;
    scope_cancelled(scope, CAUSE_SCOPE);
    coir_scope_cancel(&scope->own);
    must(coir_scope_cancelled(&scope->own), "law 1: cancel lost", "a scope does not say it");
    return 0;
}

int do_SET_DEADLINE(struct task *task, const struct node *node) {
    struct scope *const scope = nth_scope_around(task, node->a);
    if (scope == NULL)
        return 0;
    model_sweep();
    const bool cancelled = scope_is_cancelled(scope), passed = scope->deadline <= coir__sim->now;
    const coir_time deadline = node->b != 0 ? coir_after(node->b) : COIR_NEVER;
    if (deadline == COIR_NEVER && scope->had_shield)
        return 0; /* it has to end by itself */
    const int rc = coir_scope_set_deadline(&scope->own, deadline);
    must(rc == 0 || rc == -EINVAL, "deadline: result", "setting a deadline gave %d", rc);
    must(rc < 0 || (!cancelled && !passed), "deadline: set late",
         "a deadline was set in a scope that was %s", cancelled ? "cancelled" : "to expire");
    if (rc == 0)
        scope->deadline = scope->deadline_latest = deadline;
    must(rc == 0 || cancelled || scope->deadline <= coir__sim->now, "deadline: refused",
         "a deadline could not be set");
    model_sweep();
    return 0;
}

int do_SET_SHIELD(struct task *task, const struct node *node) {
    struct scope *const scope = node->c ? nth_scope_around(task, node->a) : nth_open_scope(node->a);
    if (scope == NULL || (node->b && scope->deadline == COIR_NEVER))
        return 0;
    model_sweep();
    scope->shield = node->b != 0;
    scope->had_shield |= scope->shield;
    must(coir_scope_set_shield(&scope->own, scope->shield) == 0, "shield: result",
         "a shield could not be %s", scope->shield ? "raised" : "lowered");
    model_sweep();
    return 0;
}
