/* Shadows: set up and taken down with their objects, and whether a task may wait for one. */
#include "sim/objects.h"

#include <string.h>

#include "io/offload.h"
#include "sim/descriptors.h"
#include "sim/interpret.h"

struct objects objects;

static void drop_item(void *item) {
    uint32_t id;
    memcpy(&id, item, sizeof id);
    must(id < objects.item_count, "channel: item", "an item was dropped that never was: %u", id);
    struct item *const it = &objects.items[id];
    must(it->state == ITEM_SENT || it->state == ITEM_OFFERED, "law 13: item",
         "item %u was dropped in state %d", id, (int)it->state);
    it->state = ITEM_DROPPED;
}

static int compare_items(const void *a, const void *b) {
    uint32_t one, other;
    memcpy(&one, a, sizeof one);
    memcpy(&other, b, sizeof other);
    return (int)objects.items[one].priority - (int)objects.items[other].priority;
}

static void make_channel(struct channel_shadow *channel, const struct channel_plan *plan) {
    const coir_channel_options options = {.order = (coir_order)plan->order,
                                          .compare =
                                              plan->order == COIR_PRIORITY ? compare_items : NULL,
                                          .drop = drop_item};
    channel->plan = plan;
    /* Before the program begins nothing fails. */
    int rc;
    do
        rc = coir_channel_create(&channel->own, plan->item_size, plan->capacity, &options);
    while (rc == -ENOMEM);
    must(rc == 0, "channel: create", "a channel could not be made: %d", rc);
}

void objects_begin(const struct program *program) {
    memset(&objects, 0, sizeof objects);
    for (unsigned i = 0; i < CHANNELS; i++)
        make_channel(&objects.channels[i], &program->channels[i]);
    for (unsigned i = 0; i < OBJECTS; i++) {
        struct semaphore_shadow *const semaphore = &objects.semaphores[i];
        must(coir_semaphore_init(&semaphore->own, program->permits, program->bound) == 0,
             "semaphore: init", "a semaphore could not be made");
        semaphore->free = program->permits;
        must(coir_barrier_init(&objects.barriers[i].own, (int)program->parties) == 0,
             "barrier: init", "a barrier could not be made");
        while (coir_limiter_set_limit(&objects.limiters[i].own, program->limit) != 0)
            ;
        objects.limiters[i].limit = program->limit;
    }
}

/* ---- The end ---- */

/* An item must not leave before one that had come in before it was even sent (FIFO). */
static void check_order(unsigned channel) {
    for (unsigned i = 0; i < objects.item_count; i++) {
        const struct item *const first = &objects.items[i];
        if (first->channel != channel || first->state != ITEM_RECEIVED || !first->sent)
            continue;
        for (unsigned j = i + 1; j < objects.item_count; j++) {
            const struct item *const second = &objects.items[j];
            if (second->channel != channel || second->state != ITEM_RECEIVED)
                continue;
            must(first->send_end > second->send_begin || second->recv_end > first->recv_begin,
                 "channel: order", "item %u was sent before item %u, and received after it", i, j);
        }
    }
}

static void end_channel(struct channel_shadow *channel) {
    const unsigned number = (unsigned)(channel - objects.channels);
    const struct channel_plan *const plan = channel->plan;
    coir_channel_stats stats;
    must(coir_channel_stats_get(channel->own, &stats) == 0, "channel: stats", "no stats");
    must(stats.senders_waiting == 0 && stats.receivers_waiting == 0 && stats.joiners_waiting == 0,
         "channel: waiters left", "%zu senders, %zu receivers, %zu joiners are left",
         stats.senders_waiting, stats.receivers_waiting, stats.joiners_waiting);
    must(stats.items == channel_items(channel), "channel: items",
         "%zu items are in the channel, not %zu", stats.items, channel_items(channel));
    if (plan->order == COIR_FIFO)
        check_order(number);
    must(coir_channel_destroy(channel->own) == 0, "channel: destroy", "a channel is busy");
    must(channel_items(channel) == 0, "channel: drop", "%zu items were not dropped",
         channel_items(channel));
}

static void end_barrier(struct barrier_shadow *barrier) {
    for (unsigned i = 1; i < world.program->parties; i++)
        must(barrier->places[i] == barrier->places[0], "barrier: places",
             "place %u was given %u times, place 0 %u times", i, barrier->places[i],
             barrier->places[0]);
    must(coir_barrier_destroy(&barrier->own) == 0, "barrier: destroy", "a barrier is busy");
}

static void end_semaphore(struct semaphore_shadow *semaphore) {
    const long value = coir_semaphore_value(&semaphore->own);
    must(value == semaphore->free, "semaphore: value", "%ld permits are there, not %ld", value,
         semaphore->free);
    must(value == (long)world.program->permits + semaphore->added, "semaphore: permits",
         "%ld permits are there at the end; %u were at first, and %ld more were added", value,
         world.program->permits, semaphore->added);
    must(coir_semaphore_destroy(&semaphore->own) == 0, "semaphore: destroy", "it is busy");
}

static void end_conds(void) {
    for (unsigned i = 0; i < OBJECTS; i++) {
        struct cond_shadow *const cond = &objects.conds[i];
        must(cond->unsure || cond->credits == 0, "law 12: signal lost",
             "%ld signals woke somebody who did not return 0", cond->credits);
        must(coir_cond_destroy(&cond->own) == 0, "condition: destroy", "a condition is busy");
        must(coir_mutex_destroy(&cond->mutex.own) == 0, "mutex: destroy", "a mutex is busy");
    }
}

void objects_end(void) {
    for (unsigned i = 0; i < CHANNELS; i++)
        end_channel(&objects.channels[i]);
    end_conds();
    for (unsigned i = 0; i < OBJECTS; i++) {
        must(coir_mutex_destroy(&objects.mutexes[i].own) == 0, "mutex: destroy", "a mutex is busy");
        must(objects.rwlocks[i].readers > 0 || coir_rwlock_destroy(&objects.rwlocks[i].own) == 0,
             "rwlock: destroy", "a rwlock is busy");
        must(coir_event_destroy(&objects.events[i].own) == 0, "event: destroy", "it is busy");
        end_semaphore(&objects.semaphores[i]);
        must(objects.limiters[i].held == 0, "limiter: holders", "%zu hold a permit at the end",
             objects.limiters[i].held);
        must(coir_limiter_destroy(&objects.limiters[i].own) == 0, "limiter: destroy",
             "a limiter is busy");
        end_barrier(&objects.barriers[i]);
        must(coir_once_destroy(&objects.onces[i].own) == 0, "once: destroy", "it is busy");
    }
}

void objects_task_ended(const struct task *task) {
    for (unsigned i = 0; i < OBJECTS; i++) {
        if (objects.mutexes[i].owner == task) {
            objects.mutexes[i].owner = NULL;
            objects.mutexes[i].dead = true;
        }
        if (objects.rwlocks[i].writer == task) {
            objects.rwlocks[i].writer = NULL;
            objects.rwlocks[i].dead = true;
        }
        if (objects.conds[i].mutex.owner == task) {
            objects.conds[i].mutex.owner = NULL;
            objects.conds[i].mutex.dead = true;
            objects.conds[i].unsure = true;
        }
    }
}

/* ---- Nothing is ready: may this task wait? ---- */

size_t channel_items(const struct channel_shadow *channel) {
    const unsigned number = (unsigned)(channel - objects.channels);
    size_t count = 0;
    for (unsigned i = 0; i < objects.item_count; i++)
        count += objects.items[i].channel == number && objects.items[i].sent &&
                 objects.items[i].state == ITEM_SENT;
    return count;
}

static unsigned count_in_line(const void *object, unsigned line, const struct call *except) {
    unsigned count = 0;
    for (unsigned i = 0; i < world.task_count; i++) {
        const struct call *const call = world.tasks[i].call;
        if (world.tasks[i].ended || call == NULL || call == except)
            continue;
        if (call->object == object && call->line == line)
            count++;
        for (size_t j = 0; j < call->count; j++)
            if (call->cases[j].channel == object &&
                call->cases[j].kind == (line == LINE_SEND ? COIR_CASE_SEND : COIR_CASE_RECV)) {
                count++;
                break;
            }
    }
    return count;
}

static bool may_wait_to_send(const struct channel_shadow *channel, const struct call *call) {
    return !channel->closed && channel_items(channel) >= channel->plan->capacity &&
           count_in_line(channel->own, LINE_RECV, call) == 0;
}

static bool may_wait_to_recv(const struct channel_shadow *channel, const struct call *call) {
    return !channel->closed && channel_items(channel) == 0 &&
           count_in_line(channel->own, LINE_SEND, call) == 0;
}

static const struct channel_shadow *channel_of(const coir_channel *own) {
    for (unsigned i = 0; i < CHANNELS; i++)
        if (objects.channels[i].own == own)
            return &objects.channels[i];
    return NULL;
}

static bool may_wait_for_descriptor(const coir_case *it) {
    const unsigned directions = (it->events & COIR_READABLE ? COIR_POLL_READ : 0U) |
                                (it->events & COIR_WRITABLE ? COIR_POLL_WRITE : 0U);
    return !descriptor_is_forgotten(it->fd, directions);
}

static bool may_wait_in_select(const struct call *call) {
    for (size_t i = 0; i < call->count; i++) {
        const coir_case *const it = &call->cases[i];
        if (it->kind == COIR_CASE_SEND && !may_wait_to_send(channel_of(it->channel), call))
            return false;
        if (it->kind == COIR_CASE_RECV && !may_wait_to_recv(channel_of(it->channel), call))
            return false;
        if (it->kind == COIR_CASE_TASK && coir_task_done(it->task))
            return false;
        if (it->kind == COIR_CASE_FD && !may_wait_for_descriptor(it))
            return false;
    }
    return true;
}

bool may_wait_for_tasks(const struct call *call) {
    const struct task *const *const tasks = call->object;
    long ended = 0, failed = 0;
    for (long i = 0; i < call->number; i++) {
        ended += tasks[i]->ended;
        failed += tasks[i]->ended && !tasks[i]->unstarted && tasks[i]->rc < 0 &&
                  tasks[i]->rc != -ECANCELED;
    }
    const coir_when when = (coir_when)call->when;
    return ended < call->number && (when != COIR_FIRST_COMPLETED || ended == 0) &&
           (when != COIR_FIRST_EXCEPTION || failed == 0);
}

static bool writer_waits_before(const void *rwlock, const struct call *call) {
    for (unsigned i = 0; i < world.task_count; i++) {
        const struct call *const other = world.tasks[i].call;
        if (other != NULL && other->object == rwlock && other->op == OP_WRITE_LOCK &&
            other->entered < call->entered)
            return true;
    }
    return false;
}

/* A condition is waited for until a signal or a cut, and then for its mutex. */
static bool may_wait_on_cond(const struct cond_shadow *cond, const struct task *task) {
    return cond->unsure || cond->mutex.owner != NULL ||
           (cond->credits == 0 && !task_is_reached(task));
}

static bool may_wait_to_join(const void *own) {
    const struct channel_shadow *const channel = channel_of(own);
    const unsigned number = (unsigned)(channel - objects.channels);
    uint64_t unfinished = 0;
    for (unsigned i = 0; i < objects.item_count; i++)
        unfinished += objects.items[i].channel == number && objects.items[i].sent &&
                      objects.items[i].state != ITEM_DROPPED;
    return unfinished > channel->finished;
}

/* A start that was cut has cancelled what it started. */
static bool may_wait_for_start(const struct task *task, const struct call *call) {
    const struct task *const child = call->object;
    (void)call;
    return child->begun && (!task_is_reached(task) || child->machine->cancelled);
}

/* Whether what is around a server is cancelled: its handlers, and the model's scope with them, are
 * shielded from that; the acceptor is not. */
static bool stops_accepting(const struct task *task) {
    struct scope *const handlers = task->innermost;
    handlers->shield = false;
    const bool stops = task_is_reached(task);
    handlers->shield = true;
    return stops;
}

/* Somebody waits to be accepted, there is room for him, and nothing has gone wrong. */
static bool serve_is_stuck(const struct task *task, const struct call *call) {
    const struct slot *const slot = call->object;
    const size_t running = task->innermost->live;
    return slot->open && slot->serial == (unsigned)call->when && !stops_accepting(task) &&
           (call->number == 0 ||
            (running < (size_t)call->number && world.task_count < TASKS_MAX)) && /* all counted */
           faults_so_far() == call->faults &&
           descriptor_is_forgotten(slot->fd, COIR_POLL_READ);
}

static bool may_wait(const struct task *task, const struct call *call) {
    const void *const object = call->object;
    switch (call->op) {
    case OP_START:
        return may_wait_for_start(task, call);
    case OP_JOIN:
        return !((const struct task *)object)->ended;
    case OP_WAIT:
        return may_wait_for_tasks(call);
    case OP_LOCK:
        return ((const struct mutex_shadow *)object)->owner != NULL;
    case OP_READ_LOCK:
        return ((const struct rwlock_shadow *)object)->writer != NULL ||
               (((const struct rwlock_shadow *)object)->readers > 0 &&
                writer_waits_before(object, call));
    case OP_WRITE_LOCK:
        return ((const struct rwlock_shadow *)object)->writer != NULL ||
               ((const struct rwlock_shadow *)object)->readers > 0;
    case OP_COND_SIGNAL: /* of its mutex */
        return ((const struct cond_shadow *)object)->mutex.owner != NULL;
    case OP_COND_WAIT:
        return may_wait_on_cond(object, task);
    case OP_EVENT_WAIT:
        return !((const struct event_shadow *)object)->set;
    case OP_ACQUIRE:
        return ((const struct semaphore_shadow *)object)->free == 0;
    case OP_LIMIT:
        return ((const struct limiter_shadow *)object)->held >=
               ((const struct limiter_shadow *)object)->limit;
    case OP_BARRIER_WAIT:
        return !((const struct barrier_shadow *)object)->broken &&
               count_in_line(object, LINE_NONE, NULL) < world.program->parties;
    case OP_ONCE:
        return ((const struct once_shadow *)object)->runner != NULL;
    case OP_SEND:
        return may_wait_to_send(channel_of(object), call);
    case OP_RECV:
        return may_wait_to_recv(channel_of(object), call);
    case OP_SELECT:
        return may_wait_in_select(call);
    case OP_OFFLOAD:
        return ((const struct coir__job *)(const void *)task->machine->wait)->running ||
               (!task_is_reached(task) && coir__sim_threads_busy() > 0);
    case OP_SERVE:
        return !serve_is_stuck(task, call);
    case OP_NEXT:
        return scope_awaits_ends(object);
    case OP_CHANNEL_JOIN:
        return may_wait_to_join(object);
    default:
        return true;
    }
}

void check_idle_object(const struct task *task, const struct call *call) {
    check_idle_descriptor(task, call);
    must(may_wait(task, call), "law 4: wakeup lost",
         "task %u still waits (%s), for what it might have", task->number, op_name(call->op));
}
