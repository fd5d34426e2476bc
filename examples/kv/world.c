/* Runs a plan: the nodes, each on a machine of its own, one task for each step, and at the end the
 * question whether what clients saw is what one machine could have shown them. */
#include <errno.h>
#include <string.h>

#include "plan.h"

#define BEGIN COIR_SEC(1)    /* the nodes are up by then */
#define PATIENCE COIR_SEC(5) /* of a client */

static const char *const machines[NODES] = {"10.0.0.1", "10.0.0.2", "10.0.0.3"};
static const char *const addresses[NODES] = {"10.0.0.1:7", "10.0.0.2:7", "10.0.0.3:7"};
static const char *const logs[NODES] = {"/log1", "/log2", "/log3"};

struct world;

struct member {
    struct world *world;
    unsigned number;
    coir_task task;
    bool down;
};

struct world {
    struct plan *plan;
    const struct variant *variant;
    enum kv_bug bug;
    coir_time begin;
    struct member members[NODES];
    coir_scope nodes;
};

/* One step at work. */
struct act {
    struct world *world;
    struct step *step;
    unsigned number;
};

/* ---- Nodes ---- */

static int run_once(const struct member *member) {
    const int log = coir_sim_file(logs[member->number]);
    COIR_TRY(log);
    struct kv_options options = {.addresses = addresses,
                                 .count = NODES,
                                 .self = member->number,
                                 .log = log,
                                 .bug = member->world->bug};
    int rc = coir_adopt(log);
    if (rc == 0)
        rc = kv_node(&options);
    coir_close(log);
    return rc;
}

/* What fails is started again; what is killed has to wait for its step to do so. */
static int run_member(void *arg) {
    const struct member *const member = arg;
    char name[16];
    (void)snprintf(name, sizeof name, "node %u", member->number);
    COIR_TRY(coir_task_set_name(coir_self(), name)); /* for the trace */
    COIR_TRY(coir_sim_host(machines[member->number]));
    while (run_once(member) != -ECANCELED)
        COIR_TRY(coir_sleep(COIR_MS(100)));
    return -ECANCELED;
}

static int start_member(struct member *member) {
    member->down = false;
    return coir_spawn_task(&member->world->nodes, run_member, member, &member->task);
}

static int kill_member(struct member *member, coir_time down) {
    if (member->down)
        return 0;
    member->down = true;
    COIR_TRY(coir_sim_kill(machines[member->number]));
    coir_task_cancel(member->task);
    COIR_TRY(coir_join(member->task, NULL));
    COIR_TRY(coir_sleep(down));
    return start_member(member);
}

/* ---- Steps ---- */

static int cut(const struct step *step) {
    const char *const other = step->node == step->other ? "*" : machines[step->other];
    COIR_TRY(coir_sim_partition(machines[step->node], other, true));
    COIR_TRY(coir_sleep(step->lasts));
    return coir_sim_partition(machines[step->node], other, false);
}

static int ask(struct act *act) {
    const struct step *const step = act->step;
    struct operation *const result = &act->step->result;
    char client[32];
    (void)snprintf(client, sizeof client, "10.0.1.%u", 1 + act->number);
    COIR_TRY(coir_sim_host(client));
    *result = (struct operation){.writes = step->kind == STEP_SET, .begin = coir_now()};
    if (result->writes) /* no two writes have the same value */
        (void)snprintf(result->value, sizeof result->value, "v%u", act->number);
    COIR_SCOPE(patience, .deadline = coir_after(PATIENCE));
    int rc = result->writes ? kv_set(addresses[step->node], step->key, result->value)
                            : kv_get(addresses[step->node], step->key, result->value);
    rc = coir_scope_close(&patience, rc);
    result->end = coir_now();
    result->known = rc == 0;
    coir_sim_trace("%s %s %s: %s", result->writes ? "set" : "get", step->key, result->value,
                   coir_strerror(rc));
    return 0;
}

static int do_step(void *arg) {
    struct act *const act = arg;
    const struct step *const step = act->step;
    COIR_TRY(coir_sleep_until(act->world->begin + BEGIN + step->at));
    switch (step->kind) {
    case STEP_CUT:
        return cut(step);
    case STEP_KILL:
        return kill_member(&act->world->members[step->node], step->lasts);
    default:
        return ask(act);
    }
}

static int do_steps(struct world *world) {
    struct act acts[STEPS_MAX];
    COIR_SCOPE(steps);
    for (unsigned i = 0; i < world->plan->count; i++) {
        acts[i] = (struct act){.world = world, .step = &world->plan->steps[i], .number = i};
        if ((world->variant->steps >> i & 1) != 0)
            COIR_TRY(coir_spawn(&steps, do_step, &acts[i]));
    }
    return coir_scope_close(&steps, 0);
}

static int run_world(void *arg) {
    struct world *const world = arg;
    int rc = 0;
    world->begin = coir_now();
    coir_scope_open(&world->nodes, .policy = COIR_SUPERVISE);
    for (unsigned i = 0; i < NODES && rc == 0; i++) {
        world->members[i] = (struct member){.world = world, .number = i};
        rc = start_member(&world->members[i]);
    }
    if (rc == 0)
        rc = do_steps(world);
    coir_scope_cancel(&world->nodes);
    const int closed = coir_scope_close(&world->nodes, 0);
    return rc < 0 ? rc : closed;
}

/* ---- What it came to ---- */

static bool is_linear(const struct world *world, char key) {
    struct operation operations[STEPS_MAX];
    unsigned count = 0;
    for (unsigned i = 0; i < world->plan->count; i++) {
        const struct step *const step = &world->plan->steps[i];
        if ((world->variant->steps >> i & 1) != 0 && step->key[0] == key &&
            (step->kind == STEP_GET || step->kind == STEP_SET))
            operations[count++] = step->result;
    }
    return history_is_linear(operations, count);
}

const char *plan_run(struct plan *plan, const struct variant *variant, enum kv_bug bug,
                     coir_sim_report *report) {
    struct world world = {.plan = plan, .variant = variant, .bug = bug};
    const int rc = coir_sim_run(run_world, &world, &plan->options, report);
    if (rc < 0)
        return coir_strerror(rc);
    if (report->descriptors_left > 0)
        return "descriptors were left open";
    if (report->allocations_left > 0)
        return "memory was not given back";
    if (!is_linear(&world, 'a') || !is_linear(&world, 'b'))
        return "no order of the writes explains what was read";
    return NULL;
}
