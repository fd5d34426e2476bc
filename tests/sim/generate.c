/* Programs made from a source of choices.
 *
 * Which operations and faults there are at all is drawn first ("swarm testing"): a program of few
 * kinds gets further with them than one in which everything meets everything. */
#include <stdlib.h>
#include <string.h>

#include "coir.h"
#include "sim/program.h"

#define NODES_MAX 256
#define BODY_DEPTH_MAX 6

static struct node nodes[NODES_MAX];
static struct program program;

struct maker {
    struct source *source;
    enum op enabled[OPS];
    unsigned enabled_count;
    unsigned budget; /* nodes that may still be made */
    bool starting;   /* in the body of a start, where nobody has said yet that it is ready */
};

unsigned source_pick(struct source *source, unsigned n) {
    if (source->bytes == NULL) {
        uint64_t z = source->random += UINT64_C(0x9e3779b97f4a7c15);
        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        z ^= z >> 31;
        return (unsigned)((z >> 32) * n >> 32);
    }
    if (source->left == 0)
        return 0;
    source->left--;
    return *source->bytes++ % n;
}

static bool one_in(struct maker *maker, unsigned n) {
    return source_pick(maker->source, n) == 0;
}

/* A duration, of any order of magnitude; never 0. */
static long pick_time(struct maker *maker) {
    static const long scales[] = {1,        100,       1000,       20000,     1000000,
                                  10000000, 100000000, 1000000000, 2000000000};
    return scales[source_pick(maker->source, sizeof scales / sizeof scales[0])] *
           (1 + source_pick(maker->source, 9));
}

static struct node *make(struct maker *maker, enum op op) {
    struct node *const node = &nodes[program.nodes];
    *node = (struct node){.op = op, .id = program.nodes};
    program.nodes++;
    maker->budget--;
    return node;
}

static struct node *make_list(struct maker *maker, unsigned depth, unsigned most);

/* ---- Operations with a body of a special kind ---- */

static struct node *make_calls(struct maker *maker, unsigned depth) {
    struct node *first = NULL, **tail = &first;
    for (unsigned count = 1 + source_pick(maker->source, 4); count > 0 && maker->budget > 2;
         count--) {
        *tail = make(maker, OP_CALL);
        (*tail)->body = make_list(maker, depth + 1, 4);
        tail = &(*tail)->next;
    }
    return first;
}

static struct node *make_cases(struct maker *maker) {
    static const enum op kinds[] = {OP_CASE_SEND, OP_CASE_RECV, OP_CASE_RECV, OP_CASE_SEND,
                                    OP_CASE_TASK};
    struct node *first = NULL, **tail = &first;
    for (unsigned count = 1 + source_pick(maker->source, 4); count > 0 && maker->budget > 0;
         count--) {
        struct node *const node = make(maker, kinds[source_pick(maker->source, 5)]);
        node->a = source_pick(maker->source, 8);
        node->b = source_pick(maker->source, 4);
        *tail = node;
        tail = &node->next;
    }
    return first;
}

static struct node *make_started_body(struct maker *maker, unsigned depth) {
    struct node *const before = make_list(maker, depth + 1, 2);
    if (maker->budget == 0 || one_in(maker, 8))
        return before;
    struct node *const said = make(maker, OP_STARTED);
    said->a = source_pick(maker->source, 100);
    said->next = make_list(maker, depth + 1, 3);
    if (before == NULL)
        return said;
    struct node *last = before;
    while (last->next != NULL)
        last = last->next;
    last->next = said;
    return before;
}

/* ---- Each operation's numbers ---- */

static void choose_structure(struct maker *maker, struct node *node, unsigned depth) {
    struct source *const source = maker->source;
    switch (node->op) {
    case OP_SCOPE:
        node->a = source_pick(source, 3);
        node->b = one_in(maker, 2) ? pick_time(maker) : 0;
        node->c = (one_in(maker, 5) ? 1 : 0) | (one_in(maker, 4) ? 2 : 0);
        break;
    case OP_REPEAT:
        node->a = 2 + source_pick(source, 3);
        break;
    case OP_SPAWN:
        node->a = one_in(maker, 3) ? source_pick(source, 6) : 0;
        node->b = source_pick(source, 32) | (one_in(maker, 2) ? 1 : 0);
        break;
    case OP_START:
        node->a = one_in(maker, 3) ? source_pick(source, 6) : 0;
        node->b = source_pick(source, 32);
        node->body = make_started_body(maker, depth);
        break;
    case OP_GATHER:
        node->a = source_pick(source, 2);
        node->body = make_calls(maker, depth);
        break;
    case OP_RACE:
        node->body = make_calls(maker, depth);
        break;
    case OP_MAP:
        node->a = source_pick(source, 6);
        node->b = 1 + source_pick(source, 4);
        break;
    case OP_TIMEOUT:
        node->a = one_in(maker, 8) ? 0 : pick_time(maker);
        break;
    case OP_SELECT:
    case OP_TRY_SELECT:
        node->body = make_cases(maker);
        break;
    default:
        break;
    }
}

static void choose_numbers(struct maker *maker, struct node *node) {
    struct source *const source = maker->source;
    switch (node->op) {
    case OP_SLEEP:
    case OP_SLEEP_UNTIL:
        node->a = one_in(maker, 8) ? 0 : pick_time(maker);
        break;
    case OP_WAIT:
        node->a = source_pick(source, 24);
        node->b = source_pick(source, 3);
        node->c = one_in(maker, 2) ? pick_time(maker) : 0;
        break;
    case OP_CANCEL_SCOPE:
        node->a = source_pick(source, 16);
        node->b = source_pick(source, 2);
        break;
    case OP_SET_DEADLINE:
        node->a = source_pick(source, 8);
        node->b = one_in(maker, 6) ? 0 : one_in(maker, 6) ? -1 : pick_time(maker);
        break;
    case OP_SET_SHIELD:
        node->a = source_pick(source, 16);
        node->b = source_pick(source, 2);
        node->c = source_pick(source, 2);
        break;
    case OP_LOCK:
    case OP_TRY_LOCK:
    case OP_WRITE_LOCK:
    case OP_TRY_WRITE_LOCK:
    case OP_COND_WAIT:
        node->a = source_pick(source, OBJECTS);
        node->b = one_in(maker, 40);
        break;
    case OP_COND_SIGNAL:
    case OP_SET_LIMIT:
        node->a = source_pick(source, OBJECTS);
        node->b = source_pick(source, 4);
        break;
    case OP_FAIL:
        node->a = source_pick(source, 4);
        break;
    default:
        node->a = source_pick(source, 16);
        node->b = source_pick(source, 4);
        break;
    }
}

static struct node *make_operation(struct maker *maker, unsigned depth) {
    enum op op = maker->enabled[source_pick(maker->source, maker->enabled_count)];
    if ((op_traits(op) & OP_BODY) && depth >= BODY_DEPTH_MAX)
        op = OP_YIELD;
    struct node *const node = make(maker, op);
    node->flags = (one_in(maker, 4) ? NODE_PASSES : 0) | (one_in(maker, 8) ? NODE_IGNORES : 0);
    choose_numbers(maker, node);
    choose_structure(maker, node, depth);
    if ((op_traits(op) & OP_BODY) && node->body == NULL)
        node->body = make_list(maker, depth + 1, 6);
    return node;
}

static struct node *make_list(struct maker *maker, unsigned depth, unsigned most) {
    struct node *first = NULL, **tail = &first;
    for (unsigned count = source_pick(maker->source, most + 1); count > 0 && maker->budget > 0;
         count--) {
        *tail = make_operation(maker, depth);
        tail = &(*tail)->next;
    }
    return first;
}

/* ---- The swarm ---- */

static void enable(struct maker *maker, enum op op, unsigned weight) {
    for (; weight > 0 && maker->enabled_count < OPS; weight--)
        maker->enabled[maker->enabled_count++] = op;
}

/* About half of the operations, or few of them; those that make something happen more often. */
static void choose_operations(struct maker *maker) {
    const unsigned share = 2 + source_pick(maker->source, 4);
    for (enum op op = 0; op < OPS; op++)
        if ((op_traits(op) & OP_SPECIAL) == 0 && one_in(maker, share))
            enable(maker, op, 1);
    enable(maker, OP_SPAWN, 2 + maker->enabled_count / 6);
    enable(maker, OP_SCOPE, 1 + maker->enabled_count / 12);
    enable(maker, OP_YIELD, 1);
}

/* The faults that a program of these operations can meet. */
static void choose_faults(struct maker *maker, coir_sim_options *sim) {
    static const uint16_t rates[] = {60, 600, 6000, 20000};
    struct source *const source = maker->source;
    if (one_in(maker, 3)) /* all goes well */
        return;
    for (unsigned i = 0; i < COIR_SIM_FAULTS; i++)
        if (one_in(maker, 3))
            sim->rates[i] = rates[source_pick(source, 4)];
    sim->rates[COIR_SIM_CLOCK_JUMP] /= 64;
}

static void choose_world(struct maker *maker) {
    static const coir_time call_times[] = {100, 1000, 20000, 200000};
    static const size_t rooms[] = {1, 16, 200, 4096, 65536};
    struct source *const source = maker->source;
    coir_sim_options *const sim = &program.sim;
    sim->order = (coir_sim_order)source_pick(source, 4);
    sim->look_rate = one_in(maker, 2) ? source_pick(source, 16) * 4096 : 0;
    sim->call_time = call_times[source_pick(source, 4)];
    sim->latency = pick_time(maker) % COIR_SEC(2);
    sim->socket_room_bytes = rooms[source_pick(source, 5)];
    sim->runtime.cancel_on_signals = one_in(maker, 8);
    sim->runtime.offload_threads = 1 + source_pick(source, 4);
    if (sim->runtime.cancel_on_signals)
        sim->rates[COIR_SIM_SIGNAL] = 2000;
    choose_faults(maker, sim);
    program.watchdog = !one_in(maker, 8) || sim->runtime.cancel_on_signals;
}

static void choose_objects(struct source *source) {
    static const unsigned sizes[] = {8, 4, 24}, capacities[] = {0, 1, 2, 5};
    for (unsigned i = 0; i < CHANNELS; i++) {
        struct channel_plan *const plan = &program.channels[i];
        plan->item_size = sizes[source_pick(source, 3)];
        plan->capacity = capacities[source_pick(source, 4)];
        plan->order = plan->capacity == 0 ? COIR_FIFO : source_pick(source, 5);
        plan->order = plan->order > COIR_PRIORITY ? COIR_FIFO : plan->order;
    }
    program.permits = source_pick(source, 4);
    program.bound = source_pick(source, 2) ? 0 : program.permits + 1;
    program.limit = 1 + source_pick(source, 3);
    program.parties = 1 + source_pick(source, 4);
}

struct program *program_generate(struct source *source, uint64_t sim_seed) {
    struct maker maker = {.source = source};
    static const unsigned sizes[] = {12, 30, 60, 120, 240};
    program = (struct program){.sim.seed = sim_seed};
    choose_world(&maker);
    choose_objects(source);
    choose_operations(&maker);
    maker.budget = sizes[source_pick(source, 5)];
    program.main = make_list(&maker, 0, 12);
    return &program;
}

/* ---- Taking things out ---- */

static bool drop_from(struct node **list, unsigned id, bool keep_body) {
    for (; *list != NULL; list = &(*list)->next) {
        struct node *const node = *list;
        if (node->id == id) {
            struct node *end = node->body;
            if (!keep_body || end == NULL) {
                *list = node->next;
                return true;
            }
            while (end->next != NULL)
                end = end->next;
            end->next = node->next;
            *list = node->body;
            return true;
        }
        if (drop_from(&node->body, id, keep_body))
            return true;
    }
    return false;
}

void program_drop(struct program *program_, unsigned id, bool keep_body) {
    (void)drop_from(&program_->main, id, keep_body);
}

static unsigned count_nodes(const struct node *list) {
    unsigned count = 0;
    for (; list != NULL; list = list->next)
        count += 1 + count_nodes(list->body);
    return count;
}

unsigned program_count(const struct program *program_) {
    return count_nodes(program_->main);
}
