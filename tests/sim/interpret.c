/* Programs run: lists of operations, scopes, spawned tasks, combinators; the beginning and the end
 * of a run. */
#include "sim/interpret.h"

#include <string.h>

#include "sim/descriptors.h"
#include "sim/report.h"
#include "sim/sim.h"

#define SPAWN_DEPTH_MAX 24
#define ARGUMENT_MAGIC UINT64_C(0x61726775)

/* ---- Lists ---- */

static int (*const operations[OPS])(struct task *, const struct node *) = {
#define X(name, text, traits) [OP_##name] = do_##name,
    OPERATIONS(X)
#undef X
};

int run_list(struct task *task, const struct node *list) {
    for (; list != NULL; list = list->next) {
        task->node = list;
        const int rc = operations[list->op](task, list);
        if (task->stopping)
            return -EIO;
        if (rc >= 0)
            continue;
        const bool ends = rc == -ECANCELED || list->op == OP_FAIL || (list->flags & NODE_PASSES);
        if (ends && !(list->flags & NODE_IGNORES))
            return rc;
    }
    return (int)(task->number % 3);
}

int do_FAIL(struct task *task, const struct node *node) {
    static const int errors[] = {EIO, ENOENT, ECONNRESET, ECANCELED};
    (void)task;
    return -errors[node->a % 4];
}

int do_REPEAT(struct task *task, const struct node *node) {
    int rc = 0;
    for (long i = 0; i < node->a && rc >= 0; i++)
        rc = run_list(task, node->body);
    return rc;
}

/* ---- Finding what operations refer to ---- */

struct task *nth_handle(long n) {
    unsigned count = 0;
    for (unsigned i = 0; i < world.task_count; i++)
        count += world.tasks[i].has_handle;
    if (count == 0)
        return NULL;
    n %= (long)count;
    for (unsigned i = 0;; i++)
        if (world.tasks[i].has_handle && n-- == 0)
            return &world.tasks[i];
}

static bool is_programs(const struct scope *scope) {
    return scope->open && scope->seen == &scope->own;
}

struct scope *nth_scope_around(struct task *task, long n) {
    struct scope *found[DEPTH_MAX];
    unsigned count = 0;
    for (const struct task *at = task; at != NULL; at = at->home->owner) {
        for (struct scope *scope = at->innermost; scope != NULL; scope = scope->outer)
            if (is_programs(scope) && count < DEPTH_MAX)
                found[count++] = scope;
        if (at->home->owner == NULL)
            break;
    }
    return count > 0 ? found[n % count] : NULL;
}

struct scope *nth_open_scope(long n) {
    unsigned count = 0;
    for (unsigned i = 0; i < world.scope_count; i++)
        count += is_programs(&world.scopes[i]);
    if (count == 0)
        return NULL;
    n %= (long)count;
    for (unsigned i = 0;; i++)
        if (is_programs(&world.scopes[i]) && n-- == 0)
            return &world.scopes[i];
}

/* ---- Scopes ---- */

static int open_scope(struct scope *scope, const struct node *node) {
    scope->shield = scope->had_shield = (node->c & 1) != 0;
    scope->move_on = (node->c & 2) != 0;
    if (node->b > 0 || scope->shield) /* what a shield keeps off must end by itself */
        scope->deadline = scope->deadline_latest = coir_after(node->b > 0 ? node->b : COIR_SEC(20));
    const coir_scope_options options = {.policy = scope->policy,
                                        .shield = scope->shield,
                                        .move_on = scope->move_on,
                                        .deadline =
                                            scope->deadline == COIR_NEVER ? 0 : scope->deadline};
    return coir_scope_open_with(&scope->own, &options);
}

/* Waits for the tasks of a scope that the program has opened. */
static int close_scope(struct task *task, struct scope *scope, int body) {
    struct call call;
    call_begin(task, &call, OP_SCOPE, scope, LINE_NONE);
    scope_closing(scope, body);
    const int rc = coir_scope_close(&scope->own, body);
    (void)scope_left(scope, body, rc, "close");
    return call_end_otherwise(task, rc);
}

int do_SCOPE(struct task *task, const struct node *node) {
    struct scope *const scope = scope_new(task, (coir_policy)node->a);
    if (scope == NULL)
        return 0;
    must(open_scope(scope, node) == 0, "scope: open", "a scope could not be opened");
    scope->seen = &scope->own;
    scope_entered(scope);
    return close_scope(task, scope, run_list(task, node->body));
}

/* ---- Spawning ---- */

/* What is copied onto the stack of a task that gets a copy of its argument. */
struct argument {
    uint64_t magic;
    struct task *task;
};

int run_task(void *arg) {
    struct task *const task = arg;
    task_begun(task);
    must((long)(intptr_t)coir_local_get(&task_local) == task->local, "local: inherited",
         "a task local is %ld, not %ld", (long)(intptr_t)coir_local_get(&task_local), task->local);
    const int rc = run_list(task, task->body);
    objects_task_ended(task);
    task_ended(task, rc);
    return rc;
}

static int run_copied(void *arg) {
    const struct argument *const argument = arg;
    must(argument->magic == ARGUMENT_MAGIC, "spawn: argument", "an argument was not copied");
    return run_task(argument->task);
}

/* Options by the bits of b: 1 handle, 2 copied argument, 4 result, 8 another stack, 16 a name. */
static int spawn_with(struct scope *scope, struct task *child, const struct node *node,
                      int (*start)(coir_scope *, coir_fn, void *, const coir_spawn_options *)) {
    struct argument argument = {.magic = ARGUMENT_MAGIC, .task = child};
    const bool copied = (node->b & 2) != 0;
    child->has_handle = (node->b & 1) != 0;
    child->stored = -1;
    const coir_spawn_options options = {.task = child->has_handle ? &child->handle : NULL,
                                        .arg_size_bytes = copied ? sizeof argument : 0,
                                        .result = (node->b & 4) ? &child->stored : NULL,
                                        .stack_size_bytes = (node->b & 8) ? (size_t)200 << 10 : 0,
                                        .name = (node->b & 16) ? "named" : NULL};
    child->stores = (node->b & 4) != 0;
    return start(scope != NULL ? &scope->own : NULL, copied ? run_copied : run_task,
                 copied ? (void *)&argument : child, &options);
}

static struct task *prepare_child(struct task *task, struct scope *scope, const struct node *node) {
    if (scope == NULL || task->depth >= SPAWN_DEPTH_MAX)
        return NULL;
    struct task *const child = task_new(node, task, scope);
    if (child != NULL)
        child->body = node->body;
    return child;
}

int do_SPAWN(struct task *task, const struct node *node) {
    struct scope *const scope = nth_scope_around(task, node->a);
    struct task *const child = prepare_child(task, scope, node);
    struct call call;
    if (child == NULL)
        return 0;
    call_begin(task, &call, OP_SPAWN, scope, LINE_NONE);
    const int rc = spawn_with(scope, child, node, coir_spawn_with);
    if (rc < 0) {
        must(rc == -ENOMEM && fault_explains(task, rc), "law 18: spawn", "a spawn failed: %d", rc);
        task_unborn(child);
    }
    return call_end(task, rc);
}

static void check_start(const struct task *task, const struct task *child, int rc) {
    if (rc >= 0) {
        must(child->begun && !child->unstarted && rc == child->ready, "start: value",
             "a start returned %d, the task said %d", rc, child->ready);
        return;
    }
    if (!child->begun) {
        must(rc == -ECANCELED || fault_explains(task, rc), "start: failed", "it failed: %d", rc);
        return;
    }
    must(child->ended && child->unstarted, "start: returned early",
         "a start failed (%d) before the task it had started ended", rc);
    const int failure = child->rc < 0 ? child->rc : -EPROTO;
    const bool cut = task->call->cause != CAUSE_NONE || task_is_cancelled(task);
    must(rc == failure || (cut && rc == (child->rc < 0 ? child->rc : -ECANCELED)), "start: failure",
         "a start failed with %d, the task with %d", rc, child->rc);
}

int do_START(struct task *task, const struct node *node) {
    struct scope *const scope = nth_scope_around(task, node->a);
    struct task *const child = prepare_child(task, scope, node);
    struct call call;
    if (child == NULL)
        return 0;
    call_begin(task, &call, OP_START, child, LINE_NONE);
    call.uncuttable = true; /* once it is cut, it waits for the child */
    child->starting = true;
    child->starter = task;
    const int rc = spawn_with(scope, child, node, coir_start);
    check_start(task, child, rc);
    if (!child->begun)
        task_unborn(child);
    must(!call.cut_at_entry || !child->begun, "law 2: not cut",
         "a start in a cancelled scope has started its task");
    return call_end_otherwise(task, rc);
}

int do_STARTED(struct task *task, const struct node *node) {
    const bool starting = task->starting;
    const int rc = coir_started((int)node->a);
    if (!starting) {
        must(rc == -EALREADY, "started: nobody", "started said %d where nobody waits", rc);
        return 0;
    }
    must(rc == 0 || rc == -ECANCELED, "started: failed", "started said %d", rc);
    if (rc == 0) {
        task->starting = false;
        task->ready = (int)node->a;
    }
    return 0;
}

/* ---- Combinators: their scope is not the program's ---- */

static struct scope *library_scope(struct task *task, coir_policy policy) {
    struct scope *const scope = scope_new(task, policy);
    if (scope == NULL)
        return NULL;
    scope_entered(scope);
    /* A task that could not be started is a failure of the body. */
    scope->may_cancel = coir__sim->options.rates[COIR_SIM_NO_MEMORY] > 0 ||
                        coir__sim->options.rates[COIR_SIM_NO_MAPPING] > 0 ||
                        coir__sim->options.fail_nth > 0;
    return scope;
}

static int leave_library_scope(struct task *task, struct scope *scope, int rc, const char *what) {
    scope->seen = NULL; /* it was in a frame that is gone */
    const int body = rc == -ENOMEM && fault_explains(task, rc) ? rc : 0;
    scope_closing(scope, body);
    return scope_left(scope, body, rc, what);
}

#define CALLS_MAX 8

/* Makes a task of each call. How many. */
static size_t prepare_calls(struct task *task, struct scope *scope, const struct node *node,
                            coir_call *calls) {
    size_t count = 0;
    for (const struct node *it = node->body; it != NULL && count < CALLS_MAX; it = it->next) {
        if (it->op != OP_CALL)
            continue;
        struct task *const child = prepare_child(task, scope, it);
        if (child == NULL)
            break;
        calls[count++] = (coir_call)COIR_CALL(run_task, child);
    }
    return count;
}

static void check_calls(const struct task *task, const coir_call *calls, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct task *const child = calls[i].arg;
        if (child->begun) {
            must(calls[i].rc == child->rc, "calls: result", "call %zu came to %d, not %d", i,
                 calls[i].rc, child->rc);
            continue;
        }
        must(calls[i].rc == -EINPROGRESS && fault_explains(task, -ENOMEM), "law 10: not begun",
             "call %zu was never made, without need", i);
        task_unborn(child);
    }
}

int do_GATHER(struct task *task, const struct node *node) {
    const coir_policy policy = node->a ? COIR_SUPERVISE : COIR_FAIL_FAST;
    coir_call calls[CALLS_MAX];
    struct call call;
    struct scope *const scope = library_scope(task, policy);
    if (scope == NULL)
        return 0;
    call_begin(task, &call, OP_GATHER, scope, LINE_NONE);
    const size_t count = prepare_calls(task, scope, node, calls);
    const int rc = coir_gather(calls, count, policy);
    check_calls(task, calls, count);
    (void)leave_library_scope(task, scope, rc, "gather");
    return call_end_otherwise(task, rc);
}

static void check_race(struct task *task, struct scope *scope, const coir_call *calls, size_t count,
                       size_t winner, int rc) {
    if (scope->won) {
        must(winner < count && calls[winner].arg == scope->winner && rc == scope->winner->rc,
             "race: winner", "a race came to %d, the winner (task %u) to %d", rc,
             scope->winner->number, scope->winner->rc);
        scope_abandoned(scope, "race");
        return;
    }
    must(rc < 0, "race: nobody won", "a race that nobody has won came to %d", rc);
    if (rc == -ECANCELED)
        scope_abandoned(scope, "race"); /* each was cut, or cancelled by its handle */
    else
        (void)leave_library_scope(task, scope, rc, "race");
}

int do_RACE(struct task *task, const struct node *node) {
    coir_call calls[CALLS_MAX];
    struct call call;
    size_t winner = SIZE_MAX;
    struct scope *const scope = library_scope(task, COIR_RACE);
    if (scope == NULL)
        return 0;
    call_begin(task, &call, OP_RACE, scope, LINE_NONE);
    const size_t count = prepare_calls(task, scope, node, calls);
    const int rc = coir_race(calls, count, &winner);
    check_calls(task, calls, count);
    if (count == 0) {
        must(rc == -EINVAL, "race: nothing", "a race of nobody came to %d", rc);
        scope_abandoned(scope, "race");
    } else {
        check_race(task, scope, calls, count, winner, rc);
    }
    return call_end_otherwise(task, rc);
}

struct mapping {
    struct task *task;
    struct scope *scope;
    const struct node *node;
    size_t begun, running, done, limit;
};

/* Each index is a task of the model, though several share one of the library. */
static int run_index(size_t index, void *context) {
    struct mapping *const map = context;
    must(index == map->begun, "map: order", "index %zu was begun as number %zu", index, map->begun);
    must(!task_is_reached(map->task), "map: begun", "index %zu was begun in a cancelled scope",
         index);
    map->begun++;
    must(++map->running <= map->limit, "map: limit", "%zu are under way, %zu may be", map->running,
         map->limit);
    struct task *const child = prepare_child(map->task, map->scope, map->node);
    int rc = 0;
    if (child != NULL) {
        child->local = (long)(intptr_t)coir_local_get(&task_local); /* of the one it shares */
        rc = run_task(child);
    }
    map->running--;
    map->done += rc >= 0;
    return rc;
}

int do_MAP(struct task *task, const struct node *node) {
    struct call call;
    struct scope *const scope = library_scope(task, COIR_FAIL_FAST);
    if (scope == NULL)
        return 0;
    call_begin(task, &call, OP_MAP, scope, LINE_NONE);
    struct mapping map = {.task = task, .scope = scope, .node = node, .limit = (size_t)node->b};
    const int rc = coir_map((size_t)node->a, (size_t)node->b, run_index, &map);
    must(map.running == 0, "map: left running", "%zu are under way after the map", map.running);
    must(rc < 0 || map.done == (size_t)node->a, "map: incomplete", "%zu of %ld were done, rc %d",
         map.done, node->a, rc);
    if (rc == -ECANCELED && (call.cause != CAUSE_NONE || task_is_cancelled(task)))
        scope_abandoned(scope, "map"); /* cut between two indices, which the model does not see */
    else
        (void)leave_library_scope(task, scope, rc, "map");
    return call_end_otherwise(task, rc);
}

struct timing {
    struct task *task;
    struct scope *scope;
    const struct node *node;
    int body;
};

static int run_timed(void *arg) {
    struct timing *const timing = arg;
    struct scope *const scope = timing->scope;
    scope->seen = coir__rt->current->scope;
    scope->deadline = scope->deadline_latest = coir_scope_deadline(scope->seen);
    scope_entered(scope);
    timing->body = run_list(timing->task, timing->node->body);
    scope_closing(scope, timing->body);
    return timing->body;
}

int do_TIMEOUT(struct task *task, const struct node *node) {
    struct call call;
    struct scope *const scope = scope_new(task, COIR_FAIL_FAST);
    if (scope == NULL)
        return 0;
    struct timing timing = {.task = task, .scope = scope, .node = node};
    call_begin(task, &call, OP_TIMEOUT, scope, LINE_NONE);
    const int rc = coir_timeout(node->a, run_timed, &timing);
    scope->seen = NULL;
    (void)scope_left(scope, timing.body, rc, "timeout");
    return call_end_otherwise(task, rc);
}

/* ---- A run ---- */

static struct scope *open_root(void) {
    struct scope *const root = scope_new(NULL, COIR_SUPERVISE);
    root->seen = coir_main_scope();
    scope_entered(root);
    world.root = root;
    return root;
}

/* All that the program does, in a scope that ends it should it not end by itself. */
static int run_guarded(struct task *main, const struct program *program) {
    struct scope *const guard = scope_new(main, COIR_SUPERVISE);
    const struct node node = {.b = program->watchdog ? COIR_SEC(60) : 0, .c = 2};
    must(open_scope(guard, &node) == 0, "scope: open", "the outermost scope could not be opened");
    guard->seen = &guard->own;
    guard->had_shield = program->watchdog; /* its deadline stays */
    scope_entered(guard);
    return close_scope(main, guard, run_list(main, program->main));
}

static void check_nothing_left(void) {
    coir_stats stats;
    must(coir_stats_get(&stats) == 0, "end: stats", "no stats");
    must(stats.tasks_alive == 1, "end: tasks", "%llu tasks are alive at the end",
         (unsigned long long)stats.tasks_alive);
    must(stats.timers_armed == 0, "end: timers", "%llu timers are armed at the end",
         (unsigned long long)stats.timers_armed);
    must(stats.io_waiting == 0 && stats.offload_jobs == 0, "end: waits",
         "%llu wait for descriptors, %llu for jobs at the end",
         (unsigned long long)stats.io_waiting, (unsigned long long)stats.offload_jobs);
    must(stats.scopes_left_open == 0, "end: scopes", "scopes were left open");
}

static int run_main(void *arg) {
    const struct program *const program = arg;
    struct scope *const root = open_root();
    struct task *const main = task_new(program->main, NULL, root);
    root->live--; /* the main task is not counted: it ends with its scope */
    main->machine = coir__rt->current;
    main->begun = true;
    objects_begin(program);
    descriptors_begin(program);
    const int rc = run_guarded(main, program);
    check_nothing_left();
    descriptors_end();
    objects_end();
    main->ended = true;
    return rc;
}

static void check_report(const coir_sim_report *report) {
    must(report->descriptors_left == 0, "end: descriptors", "%zu descriptors are left open",
         report->descriptors_left);
    must(report->allocations_left == 0, "end: memory", "%zu blocks of memory are not freed",
         report->allocations_left);
    must(report->mappings_left == 0, "end: mappings", "%zu bytes are still mapped",
         report->mappings_left);
    must(report->threads_left == 0, "end: threads", "%zu threads are left", report->threads_left);
}

static void count_report(const coir_sim_report *report) {
    for (size_t i = 0; i < COIR_SIM_FAULTS; i++) {
        desk->counts.faults[i] += report->occurred[i];
        desk->counts.fault_runs[i] += report->occurred[i] > 0;
    }
    desk->counts.runs++;
}

/* The library speaks: keeps the end of it, and notices a deadlock at the moment it is found. */
static void on_message(void *context, const char *text, size_t size) {
    const struct program *const program = context;
    const size_t room = sizeof desk->messages - 1;
    if (size > room)
        size = room;
    if (desk->message_size + size > room)
        desk->message_size = 0;
    memcpy(desk->messages + desk->message_size, text, size);
    desk->message_size += size;
    desk->messages[desk->message_size] = '\0';
    if (size < 14 || memcmp(text, "coir: deadlock", 14) != 0)
        return;
    must(!program->watchdog, "law 8: deadlock", "a deadlock, though a deadline was to come");
    desk->counts.deadlocks++;
    model_idle(NULL, COIR_NEVER);
}

uint64_t program_run(const struct program *program) {
    coir_sim_report report;
    world_begin(program);
    coir__sim_next_hooks = (struct coir__sim_hooks){
        .on_idle = model_idle, .on_message = on_message, .context = (void *)(uintptr_t)program};
    const bool faulty = program->sim.fail_nth != 0;
    const int rc = coir_sim_run(run_main, (void *)(uintptr_t)program, &program->sim, &report);
    count_report(&report);
    check_report(&report);
    if (world.task_count == 0) { /* it never began */
        uint64_t faults = report.failed;
        for (size_t i = 0; i < COIR_SIM_FAULTS; i++)
            faults += report.occurred[i];
        must(rc < 0 && (faults > 0 || faulty), "run: not begun", "a run could not begin: %d", rc);
    }
    return (uint64_t)report.ended * 31 + report.calls * 17 + world.clock;
}
