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
#define ENABLED_MAX 512

static struct node nodes[NODES_MAX];
static struct program program;

struct maker {
    struct source *source;
    enum op enabled[ENABLED_MAX]; /* some more than once */
    unsigned enabled_count;
    unsigned budget;   /* nodes that may still be made */
    unsigned spread;   /* over how many objects of a kind the operations go */
    unsigned haste;    /* of ten scopes, how many have a deadline */
    unsigned severity; /* one in so many operations passes its errors on */
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
    static const enum op kinds[] = {OP_CASE_SEND, OP_CASE_RECV, OP_CASE_RECV,
                                    OP_CASE_SEND, OP_CASE_TASK, OP_CASE_FD};
    struct node *first = NULL, **tail = &first;
    for (unsigned count = 1 + source_pick(maker->source, 4); count > 0 && maker->budget > 0;
         count--) {
        struct node *const node = make(maker, kinds[source_pick(maker->source, 6)]);
        node->a = source_pick(maker->source, maker->spread);
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
        node->b = source_pick(source, 10) < maker->haste ? pick_time(maker) : 0;
        node->c = (one_in(maker, 5) ? 1 : 0) | (one_in(maker, 4) ? 2 : 0);
        break;
    case OP_REPEAT:
        node->a = 2 + source_pick(source, 5);
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
        node->a = source_pick(source, maker->spread);
        node->b = one_in(maker, 40);
        break;
    case OP_COND_SIGNAL:
    case OP_SET_LIMIT:
        node->a = source_pick(source, maker->spread);
        node->b = source_pick(source, 4);
        break;
    case OP_FAIL:
        node->a = source_pick(source, 4);
        break;
    case OP_OFFLOAD:
        node->a = pick_time(maker);
        node->b = source_pick(source, 4);
        break;
    case OP_SERVE:
        node->a = source_pick(source, 4);
        node->b = source_pick(source, 3);
        node->c = one_in(maker, 2) ? pick_time(maker) : 0;
        break;
    case OP_JOIN:
    case OP_ON_DONE:
    case OP_CANCEL_TASK:
    case OP_CLOSE:
    case OP_RELEASE_FD:
    case OP_FILE_READ:
    case OP_FILE_WRITE:
    case OP_RESOLVE:
        node->a = source_pick(source, 24);
        node->b = source_pick(source, 4);
        break;
    case OP_CONNECT:
    case OP_LISTEN:
        node->a = one_in(maker, 3) ? source_pick(source, 8) : source_pick(source, 2);
        break;
    default:
        node->a = source_pick(source, maker->spread);
        node->b = source_pick(source, 4);
        break;
    }
}

static struct node *make_operation(struct maker *maker, unsigned depth) {
    enum op op = maker->enabled[source_pick(maker->source, maker->enabled_count)];
    if ((op_traits(op) & OP_BODY) && depth >= BODY_DEPTH_MAX)
        op = OP_YIELD;
    struct node *const node = make(maker, op);
    node->flags =
        (one_in(maker, maker->severity) ? NODE_PASSES : 0) | (one_in(maker, 8) ? NODE_IGNORES : 0);
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
    for (; weight > 0 && maker->enabled_count < ENABLED_MAX; weight--)
        maker->enabled[maker->enabled_count++] = op;
}

/* What belongs together: operations of one of these meet each other on the same objects. */
static const struct {
    enum op first, last;
} themes[] = {{OP_GATHER, OP_TIMEOUT},
              {OP_JOIN, OP_LOCAL},
              {OP_LOCK, OP_UNLOCK},
              {OP_READ_LOCK, OP_TRY_WRITE_LOCK},
              {OP_COND_WAIT, OP_COND_SIGNAL},
              {OP_EVENT_WAIT, OP_EVENT_CLEAR},
              {OP_ACQUIRE, OP_RELEASE},
              {OP_LIMIT, OP_SET_LIMIT},
              {OP_BARRIER_WAIT, OP_ONCE},
              {OP_SEND, OP_TRY_RECV},
              {OP_SEND, OP_TRY_SELECT},
              {OP_READ, OP_POLL},
              {OP_READ, OP_PIPE},
              {OP_READ, OP_WRITE_ALL},
              {OP_HOST, OP_SERVE},
              {OP_LISTEN, OP_CONNECT},
              {OP_BIND, OP_RECEIVE_FROM},
              {OP_SEND_TO, OP_RECEIVE_FROM},
              {OP_NEXT, OP_NEXT},
              {OP_RESOLVE, OP_OFFLOAD},
              {OP_FILE_READ, OP_OFFLOAD}};
enum { THEMES = sizeof themes / sizeof themes[0] };

static bool may_enable(enum op op) {
    return (op_traits(op) & OP_SPECIAL) == 0 && (op < OP_READ || program.watchdog);
}

/* After it there is less to do. */
static bool ends_things(enum op op) {
    return op == OP_CLOSE_CHANNEL || op == OP_CLOSE_NOW || op == OP_BARRIER_ABORT || op == OP_CLOSE;
}

/* A few themes, something of all the rest, and what upsets them. */
static void choose_operations(struct maker *maker) {
    struct source *const source = maker->source;
    for (unsigned count = 1 + source_pick(source, 4); count > 0; count--) {
        const unsigned theme = source_pick(source, THEMES);
        for (enum op op = themes[theme].first; op <= themes[theme].last; op++)
            if (may_enable(op) && !one_in(maker, 5))
                enable(maker, op, ends_things(op) ? 1 : 4);
    }
    const unsigned share = 3 + source_pick(source, 40);
    for (enum op op = 0; op < OPS; op++)
        if (may_enable(op) && one_in(maker, share))
            enable(maker, op, 1);
    const unsigned base = 1 + maker->enabled_count / 16;
    static const enum op upsetting[] = {OP_CANCEL_TASK, OP_CANCEL_SCOPE, OP_SET_DEADLINE,
                                        OP_SET_SHIELD,  OP_FAIL,         OP_TIMEOUT};
    for (size_t i = 0; i < sizeof upsetting / sizeof upsetting[0]; i++)
        if (one_in(maker, 3))
            enable(maker, upsetting[i], base);
    if (may_enable(OP_CLOSE) && one_in(maker, 6))
        enable(maker, OP_CLOSE, base);
    enable(maker, OP_SPAWN, 2 * base);
    enable(maker, OP_REPEAT, base);
    enable(maker, OP_SCOPE, base);
    enable(maker, OP_YIELD, base);
    enable(maker, OP_SLEEP, base);
    program.descriptors = program.watchdog && !one_in(maker, 8);
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

/* A task that does the same thing again and again. */
static struct node *make_loop(struct maker *maker, enum op op, long a, long b) {
    struct node *const child = make(maker, OP_SPAWN);
    child->b = source_pick(maker->source, 32) | 1;
    child->body = make(maker, OP_REPEAT);
    child->body->a = 2 + source_pick(maker->source, 5);
    child->body->body = make(maker, op);
    child->body->body->a = a;
    child->body->body->b = b;
    if (one_in(maker, 2) && maker->budget > 16) /* leaves enough for a few more loops */
        child->body->body->next = make_list(maker, BODY_DEPTH_MAX, 2);
    return child;
}

/* Some that give, others that take what they gave, and whatever upsets that. */
static struct node *make_traffic(struct maker *maker) {
    static const enum op pairs[][2] = {
        {OP_WRITE, OP_READ},     {OP_WRITEV, OP_READV},         {OP_WRITE_ALL, OP_READ_EXACT},
        {OP_WRITE_ALL, OP_READ}, {OP_SEND_TO, OP_RECEIVE_FROM}, {OP_SEND_TO, OP_RECEIVE_FROM},
        {OP_CONNECT, OP_ACCEPT}, {OP_FILE_WRITE, OP_FILE_READ}};
    struct source *const source = maker->source;
    const enum op *const pair = pairs[source_pick(source, 8)];
    struct node *const scope = make(maker, OP_SCOPE);
    scope->a = source_pick(source, 3);
    struct node **tail = &scope->body;
    for (unsigned count = 1 + source_pick(source, 3); count > 0 && maker->budget > 16; count--) {
        const long a = source_pick(source, 12), b = source_pick(source, 4);
        *tail = make_loop(maker, pair[0], a, b);
        (*tail)->next = make_loop(maker, pair[1], a + source_pick(source, 4), b);
        tail = &(*tail)->next->next;
    }
    if (one_in(maker, 3) && maker->budget > 8) { /* numbers are used again under their hands */
        *tail = make_loop(maker, OP_CLOSE, source_pick(source, 12), 0);
        (*tail)->body->body->next = make(maker, one_in(maker, 2) ? OP_PAIR : OP_PIPE);
        tail = &(*tail)->next;
    }
    *tail = make_list(maker, 1, 4);
    return scope;
}

/* Some tasks side by side, in a scope that does not end with the first of them. */
static struct node *make_crowd(struct maker *maker) {
    struct node *const scope = make(maker, OP_SCOPE);
    scope->a = one_in(maker, 4) ? source_pick(maker->source, 3) : COIR_SUPERVISE;
    struct node **tail = &scope->body;
    for (unsigned count = 2 + source_pick(maker->source, 6); count > 0 && maker->budget > 4;
         count--) {
        struct node *const child = make(maker, OP_SPAWN);
        child->b = source_pick(maker->source, 32) | (one_in(maker, 4) ? 0 : 1);
        child->body = make_list(maker, 1, 6);
        *tail = child;
        tail = &child->next;
    }
    *tail = make_list(maker, 1, 4);
    return scope;
}

struct program *program_generate(struct source *source, uint64_t sim_seed) {
    struct maker maker = {.source = source};
    static const unsigned sizes[] = {12, 30, 60, 120, 240};
    program = (struct program){.sim.seed = sim_seed};
    choose_world(&maker);
    choose_objects(source);
    choose_operations(&maker);
    maker.budget = sizes[source_pick(source, 5)];
    maker.spread = 1 + source_pick(source, 4);
    maker.haste = source_pick(source, 6);
    maker.severity = 3 + source_pick(source, 30);
    struct node **tail = &program.main;
    do {
        if (program.descriptors && one_in(&maker, 4))
            *tail = make_traffic(&maker);
        else
            *tail = one_in(&maker, 4) ? make_operation(&maker, 0) : make_crowd(&maker);
        tail = &(*tail)->next;
    } while (maker.budget > 8);
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
