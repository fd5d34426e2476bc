/* Operations on channels, and select. Each item is a number of its own, and its fate is recorded:
 * none may be lost, come twice, or be another's. */
#include <string.h>

#include "sim/descriptors.h"
#include "sim/interpret.h"

/* ---- Items ---- */

static struct channel_shadow *channel_at(long n) {
    return &objects.channels[n % CHANNELS];
}

/* A new item, offered to the channel; false: there are too many. */
static bool offer(const struct channel_shadow *channel, const struct node *node, uint32_t *id,
                  unsigned char *bytes) {
    if (objects.item_count == ITEMS_MAX)
        return false;
    *id = objects.item_count++;
    objects.items[*id] = (struct item){.state = ITEM_OFFERED,
                                       .channel = (unsigned)(channel - objects.channels),
                                       .priority = (unsigned)node->b % 4,
                                       .send_begin = ++world.clock};
    memset(bytes, (int)(*id * 37 + 11), ITEM_SIZE_MAX);
    memcpy(bytes, id, sizeof *id);
    return true;
}

static void sent(uint32_t id) {
    struct item *const item = &objects.items[id];
    must(item->state == ITEM_OFFERED || item->state == ITEM_RECEIVED || item->state == ITEM_DROPPED,
         "law 13: item", "item %u was sent in state %d", id, (int)item->state);
    item->sent = true;
    item->send_end = ++world.clock;
    if (item->state == ITEM_OFFERED)
        item->state = ITEM_SENT;
}

static void not_sent(uint32_t id) {
    struct item *const item = &objects.items[id];
    must(item->state == ITEM_OFFERED, "law 13: failed send",
         "the send of item %u has failed, and the item was taken", id);
    item->state = ITEM_FAILED;
}

/* Of equal channels, one whose item came out before one that should have had its turn. */
static void check_priority(const struct channel_shadow *channel, const struct item *got,
                           uint64_t begin) {
    const unsigned number = (unsigned)(channel - objects.channels);
    if (channel->plan->order != COIR_PRIORITY)
        return;
    for (unsigned i = 0; i < objects.item_count; i++) {
        const struct item *const other = &objects.items[i];
        must(other->channel != number || other->state != ITEM_SENT || other->send_end > begin ||
                 other->priority >= got->priority,
             "channel: priority", "item %u was in the channel, and its turn had come", i);
    }
}

static void received(const struct channel_shadow *channel, const unsigned char *bytes,
                     const struct call *call) {
    uint32_t id;
    memcpy(&id, bytes, sizeof id);
    must(id < objects.item_count, "channel: item", "an item was received that never was: %u", id);
    struct item *const item = &objects.items[id];
    must(item->channel == (unsigned)(channel - objects.channels), "channel: item",
         "item %u was received from another channel", id);
    must(item->state == ITEM_OFFERED || item->state == ITEM_SENT, "law 13: item",
         "item %u was received in state %d", id, (int)item->state);
    for (size_t i = sizeof id; i < channel->plan->item_size; i++)
        must(bytes[i] == (unsigned char)(id * 37 + 11), "channel: torn",
             "byte %zu of item %u is another's", i, id);
    item->state = ITEM_RECEIVED;
    item->recv_begin = call->entered;
    item->recv_end = ++world.clock;
    const unsigned itself = call->line != LINE_NONE || call->count > 0;
    if (!call->parked && line_handed(channel->own, LINE_RECV) <= itself)
        check_priority(channel, item, call->entered);
}

/* The end of a channel that is closed: nothing may be left in it. */
static void check_drained(const struct channel_shadow *channel) {
    must(channel->closed, "channel: not closed", "a receive has met the end of an open channel");
    must(channel_items(channel) <= line_handed(channel->own, LINE_RECV), "law 13: end",
         "a receive has met the end of a channel with %zu items in it", channel_items(channel));
}

/* ---- Sending and receiving ---- */

int do_SEND(struct task *task, const struct node *node) {
    struct channel_shadow *const channel = channel_at(node->a);
    unsigned char bytes[ITEM_SIZE_MAX];
    struct call call;
    uint32_t id;
    if (!offer(channel, node, &id, bytes))
        return 0;
    call_begin(task, &call, OP_SEND, channel->own, LINE_SEND);
    const int rc = coir_channel_send(channel->own, bytes);
    if (rc == 0) {
        line_served(task, channel->own, LINE_SEND, "send");
        sent(id);
    } else {
        must(rc == -ECANCELED || (rc == -EPIPE && channel->closed), "send: result",
             "send came to %d", rc);
        not_sent(id);
    }
    return call_end(task, rc);
}

int do_RECV(struct task *task, const struct node *node) {
    struct channel_shadow *const channel = channel_at(node->a);
    unsigned char bytes[ITEM_SIZE_MAX];
    struct call call;
    call_begin(task, &call, OP_RECV, channel->own, LINE_RECV);
    const int rc = coir_channel_recv(channel->own, bytes);
    if (rc == 0) {
        line_served(task, channel->own, LINE_RECV, "receive");
        received(channel, bytes, &call);
    } else if (rc == -EPIPE) {
        check_drained(channel);
    } else {
        must(rc == -ECANCELED, "receive: result", "receive came to %d", rc);
    }
    return call_end(task, rc);
}

int do_TRY_SEND(struct task *task, const struct node *node) {
    struct channel_shadow *const channel = channel_at(node->a);
    unsigned char bytes[ITEM_SIZE_MAX];
    coir_channel_stats stats;
    struct call call;
    uint32_t id;
    if (!offer(channel, node, &id, bytes))
        return 0;
    call_begin(task, &call, OP_TRY_SEND, NULL, LINE_NONE);
    (void)coir_channel_stats_get(channel->own, &stats);
    const int rc = coir_channel_try_send(channel->own, bytes);
    if (rc == 0) {
        line_tried(channel->own, LINE_SEND, "try send");
        sent(id);
        return call_end(task, rc);
    }
    must((rc == -EPIPE && channel->closed) ||
             (rc == -EAGAIN && !channel->closed && stats.items == channel->plan->capacity &&
              stats.receivers_waiting == 0),
         "try send: result", "try send came to %d", rc);
    not_sent(id);
    return call_end(task, rc);
}

int do_TRY_RECV(struct task *task, const struct node *node) {
    struct channel_shadow *const channel = channel_at(node->a);
    unsigned char bytes[ITEM_SIZE_MAX];
    coir_channel_stats stats;
    struct call call;
    call_begin(task, &call, OP_TRY_RECV, NULL, LINE_NONE);
    (void)coir_channel_stats_get(channel->own, &stats);
    const int rc = coir_channel_try_recv(channel->own, bytes);
    if (rc == 0) {
        line_tried(channel->own, LINE_RECV, "try receive");
        received(channel, bytes, &call);
    } else if (rc == -EPIPE) {
        check_drained(channel);
    } else {
        must(rc == -EAGAIN && !channel->closed && stats.items == 0 && stats.senders_waiting == 0,
             "try receive: result", "try receive came to %d", rc);
    }
    return call_end(task, rc);
}

/* ---- The end of a channel ---- */

static void check_nobody_waits(const struct channel_shadow *channel) {
    coir_channel_stats stats;
    must(coir_channel_stats_get(channel->own, &stats) == 0 && stats.closed &&
             stats.senders_waiting == 0 && stats.receivers_waiting == 0,
         "channel: close", "some still wait for a channel that is closed");
}

int do_CLOSE_CHANNEL(struct task *task, const struct node *node) {
    struct channel_shadow *const channel = channel_at(node->a);
    (void)task;
    channel->closed = true;
    must(coir_channel_close(channel->own) == 0, "channel: close", "a close has failed");
    check_nobody_waits(channel);
    return 0;
}

int do_CLOSE_NOW(struct task *task, const struct node *node) {
    struct channel_shadow *const channel = channel_at(node->a);
    coir_channel_stats stats;
    (void)task;
    (void)coir_channel_stats_get(channel->own, &stats);
    channel->closed = true;
    const ssize_t dropped = coir_channel_close_now(channel->own);
    must(dropped == (ssize_t)stats.items, "channel: close now", "%zd items dropped, not %zu",
         dropped, stats.items);
    check_nobody_waits(channel);
    return 0;
}

int do_HOLD(struct task *task, const struct node *node) {
    struct channel_shadow *const channel = channel_at(node->a);
    const int rc = coir_channel_hold(channel->own);
    must(rc == (channel->closed ? -EPIPE : 0), "hold: result", "hold came to %d", rc);
    if (rc < 0)
        return 0;
    channel->holds++;
    const int result = run_list(task, node->body);
    must(coir_channel_release(channel->own) == 0, "release: result", "a release has failed");
    if (--channel->holds == 0) {
        channel->closed = true;
        check_nobody_waits(channel);
    }
    return result;
}

int do_TASK_DONE(struct task *task, const struct node *node) {
    struct channel_shadow *const channel = channel_at(node->a);
    coir_channel_stats stats;
    (void)task;
    (void)coir_channel_stats_get(channel->own, &stats);
    const int rc = coir_channel_task_done(channel->own);
    must(rc == (stats.unfinished > 0 ? 0 : -EINVAL), "task done: result",
         "with %llu unfinished it came to %d", (unsigned long long)stats.unfinished, rc);
    channel->finished += rc == 0;
    return 0;
}

int do_CHANNEL_JOIN(struct task *task, const struct node *node) {
    struct channel_shadow *const channel = channel_at(node->a);
    struct call call;
    call_begin(task, &call, OP_CHANNEL_JOIN, channel->own, LINE_NONE);
    const int rc = coir_channel_join(channel->own);
    must(rc == 0 || rc == -ECANCELED, "channel join: result", "it came to %d", rc);
    return call_end(task, rc);
}

/* ---- Select ---- */

#define CASES_MAX 8

struct choice {
    coir_case cases[CASES_MAX];
    unsigned char bytes[CASES_MAX][ITEM_SIZE_MAX];
    uint32_t ids[CASES_MAX];
    struct task *others[CASES_MAX];
    unsigned serials[CASES_MAX]; /* of slots */
    struct slot *slots[CASES_MAX];
    uint64_t moved[CASES_MAX]; /* through the descriptors of cases, before */
    size_t count;
};

static bool prepare_fd_case(struct choice *choice, const struct node *node) {
    const size_t i = choice->count;
    struct slot *const slot = nth_slot((enum slot_kind)(node->b % 4), node->a);
    if (slot == NULL)
        return false;
    choice->slots[i] = slot;
    choice->serials[i] = slot->serial;
    choice->moved[i] = descriptor_moved(slot->fd);
    choice->cases[i] = coir_case_fd(slot->fd, 1 + (int)(node->a % 3));
    return true;
}

static void prepare_case(struct choice *choice, const struct node *node) {
    const size_t i = choice->count;
    struct channel_shadow *const channel = channel_at(node->a);
    if (node->op == OP_CASE_SEND && offer(channel, node, &choice->ids[i], choice->bytes[i]))
        choice->cases[i] = coir_case_send(channel->own, choice->bytes[i]);
    else if (node->op == OP_CASE_RECV)
        choice->cases[i] = coir_case_recv(channel->own, choice->bytes[i]);
    else if (node->op == OP_CASE_TASK && nth_handle(node->a) != NULL)
        choice->cases[i] = coir_case_task((choice->others[i] = nth_handle(node->a))->handle);
    else if (node->op != OP_CASE_FD || !prepare_fd_case(choice, node))
        return;
    choice->count++;
}

static void check_task_case(const struct task *task, const struct task *other,
                            const coir_case *it) {
    if (it->rc == -ESRCH)
        must(other->gone, "select: task", "a task is said to be gone");
    else if (it->rc == -EDEADLK)
        must(other == task, "select: task", "a task is said to be the caller");
    else
        must(it->rc == 0 && other->ended &&
                 it->result == (other->unstarted ? -ECANCELED : other->rc),
             "select: task", "the end of task %u came as %d, %d", other->number, it->rc,
             it->result);
}

static void check_fd_case(const struct task *task, const struct choice *choice, size_t i) {
    const coir_case *const it = &choice->cases[i];
    const bool closed = !choice->slots[i]->open || choice->slots[i]->serial != choice->serials[i];
    must(it->rc != 0 || closed || descriptor_moved(choice->slots[i]->fd) != choice->moved[i] ||
             descriptor_is_ready(choice->slots[i]->fd, it->result),
         "select: ready", "a descriptor is said to be ready for %d, and is not", it->result);
    must(it->rc == -EBUSY || (it->rc == -EBADF && closed) || fault_explains(task, it->rc) ||
             (it->rc == 0 && it->result != 0 && (it->result & ~it->events) == 0),
         "select: descriptor", "a case of a descriptor came to %d, %d", it->rc, it->result);
}

/* The case that happened. */
static void check_case(const struct task *task, struct choice *choice, size_t i, bool tried) {
    const coir_case *const it = &choice->cases[i];
    if (it->kind == COIR_CASE_TASK) {
        check_task_case(task, choice->others[i], it);
        return;
    }
    if (it->kind == COIR_CASE_FD) {
        check_fd_case(task, choice, i);
        return;
    }
    struct channel_shadow *channel = objects.channels;
    while (channel->own != it->channel)
        channel++;
    const unsigned line = it->kind == COIR_CASE_SEND ? LINE_SEND : LINE_RECV;
    must(it->rc == 0 || (it->rc == -EPIPE && channel->closed), "select: result",
         "a case came to %d", it->rc);
    if (it->rc == 0 && tried)
        line_tried(channel->own, line, "try select");
    else if (it->rc == 0)
        line_served(task, channel->own, line, "select");
    if (it->kind == COIR_CASE_SEND)
        (it->rc == 0 ? sent : not_sent)(choice->ids[i]);
    else if (it->rc == 0)
        received(channel, choice->bytes[i], task->call);
    else
        check_drained(channel);
}

static int choose(struct task *task, const struct node *node, bool tries) {
    struct choice choice = {.count = 0};
    struct call call;
    for (const struct node *it = node->body; it != NULL && choice.count < CASES_MAX; it = it->next)
        prepare_case(&choice, it);
    if (choice.count == 0)
        return 0;
    call_begin(task, &call, tries ? OP_TRY_SELECT : OP_SELECT, NULL, LINE_NONE);
    call.cases = choice.cases;
    call.count = tries ? 0 : choice.count;
    const int rc = coir_select(choice.cases, choice.count, tries ? COIR_SELECT_TRY : 0);
    must(rc < (int)choice.count, "select: index", "case %d has happened", rc);
    if (rc >= 0)
        check_case(task, &choice, (size_t)rc, tries);
    for (size_t i = 0; i < choice.count; i++)
        if (choice.cases[i].kind == COIR_CASE_SEND && (int)i != rc)
            not_sent(choice.ids[i]);
    must(rc >= 0 || rc == -ECANCELED || (rc == -EAGAIN && tries), "select: result",
         "select came to %d", rc);
    return call_end(task, rc < 0 ? rc : choice.cases[rc].rc == -EPIPE ? -EPIPE : 0);
}

int do_SELECT(struct task *task, const struct node *node) {
    return choose(task, node, false);
}

int do_TRY_SELECT(struct task *task, const struct node *node) {
    return choose(task, node, true);
}

/* These are made use of where they stand. */
int do_CASE_SEND(struct task *task, const struct node *node) {
    (void)task, (void)node;
    return 0;
}

int do_CASE_RECV(struct task *task, const struct node *node) {
    return do_CASE_SEND(task, node);
}

int do_CASE_TASK(struct task *task, const struct node *node) {
    return do_CASE_SEND(task, node);
}

int do_CASE_FD(struct task *task, const struct node *node) {
    return do_CASE_SEND(task, node);
}

int do_CALL(struct task *task, const struct node *node) {
    return do_CASE_SEND(task, node);
}
