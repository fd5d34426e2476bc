/* The laws of channels under every schedule: each item that was sent is received once or still
 * there, one whose send failed is with its sender, and those who wait are served in order. */
#include "laws/laws.h"

LAWS(laws_channel);

enum { ITEMS = 32 };

/* What became of each item. */
static struct {
    coir_channel *channel;
    struct line senders, receivers;
    bool sent[ITEMS], kept[ITEMS];
    int received[ITEMS];
} at;

static void begin_with(size_t capacity) {
    memset(&at, 0, sizeof at);
    ends_clear();
    check_rc(coir_channel_create(&at.channel, sizeof(int), capacity, NULL), 0);
}

/* Sends `count` items, from `first` on, until one fails. */
struct sender {
    int first, count, rc;
};

static int send_items(void *arg) {
    struct sender *const sender = arg;
    for (int i = 0; i < sender->count; i++) {
        (void)coir_yield();
        const int item = sender->first + i;
        const size_t number = line_up(&at.senders);
        sender->rc = coir_channel_send(at.channel, &item);
        line_served(&at.senders, number, sender->rc == 0);
        if (sender->rc < 0) {
            check(sender->rc == -ECANCELED || sender->rc == -EPIPE);
            at.kept[item] = true;
            return end(sender->rc);
        }
        at.sent[item] = true;
    }
    return end(0);
}

/* Receives until it has `count` items or one fails. */
struct receiver {
    int count, rc;
    int last[2]; /* of each sender */
};

static void note_received(struct receiver *receiver, int item) {
    check(item > 0 && item < ITEMS);
    at.received[item]++;
    int *const last = &receiver->last[item >= ITEMS / 2];
    check(item > *last); /* what one sent comes in its order */
    *last = item;
}

static int receive_items(void *arg) {
    struct receiver *const receiver = arg;
    for (int i = 0; i < receiver->count; i++) {
        (void)coir_yield();
        int item = 0;
        const size_t number = line_up(&at.receivers);
        receiver->rc = coir_channel_recv(at.channel, &item);
        line_served(&at.receivers, number, receiver->rc == 0);
        if (receiver->rc < 0) {
            check(receiver->rc == -ECANCELED || receiver->rc == -EPIPE);
            check_int(item, 0);
            return end(receiver->rc);
        }
        note_received(receiver, item);
    }
    return end(0);
}

/* All tasks have ended: closes, empties and destroys the channel, and takes stock. */
static void take_stock(void) {
    coir_channel_stats stats;
    struct receiver rest = {.count = 0};
    int item;
    check_rc(coir_channel_close(at.channel), 0);
    while (coir_channel_try_recv(at.channel, &item) == 0)
        note_received(&rest, item);
    for (size_t i = 0; i < ITEMS; i++) {
        check_int(at.received[i], at.sent[i]);
        check(!at.sent[i] || !at.kept[i]);
    }
    check_rc(coir_channel_stats_get(at.channel, &stats), 0);
    check_int(stats.items, 0);
    check_int(stats.senders_waiting, 0);
    check_int(stats.receivers_waiting, 0);
    check_int(stats.joiners_waiting, 0);
    check_int(stats.sent, stats.received);
    check_rc(coir_channel_destroy(at.channel), 0);
}

static int close_channel(void *arg) {
    (void)steps(*(const int *)arg);
    check_rc(coir_channel_close(at.channel), 0);
    return 0;
}

/* Two senders and a receiver; one of them is cut, and the channel closed, at any moment. */
static void meet(size_t capacity) {
    struct sender senders[] = {{.first = 1, .count = 2}, {.first = ITEMS / 2, .count = 1}};
    struct receiver receiver = {.count = 3};
    coir_task tasks[3];
    int no_steps = 0;
    begin_with(capacity);
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    check_rc(coir_spawn_task(&s, send_items, &senders[0], &tasks[0]), 0);
    check_rc(coir_spawn_task(&s, send_items, &senders[1], &tasks[1]), 0);
    check_rc(coir_spawn_task(&s, receive_items, &receiver, &tasks[2]), 0);
    struct canceller canceller = {.task = tasks[choose(3)]};
    check_rc(coir_spawn(&s, cancel_later, &canceller), 0);
    check_rc(coir_spawn(&s, close_channel, &no_steps), 0);
    (void)coir_scope_close(&s, 0);
    check_int(ends.count, 3);
    take_stock();
}

LAW(laws_channel, rendezvous_conserves_items) {
    meet(0);
}

LAW(laws_channel, buffer_of_one_conserves_items) {
    meet(1);
}

LAW(laws_channel, buffer_of_two_conserves_items) {
    meet(2);
}

/* Two receivers, one with a deadline, the other maybe cut; the sender closes at its end. */
static int send_then_close(void *arg) {
    const int rc = send_items(arg);
    check_rc(coir_channel_close(at.channel), 0);
    return rc;
}

static void receive_together(size_t capacity) {
    struct sender sender = {.first = 1, .count = 3};
    struct receiver receivers[] = {{.count = 2}, {.count = 2}};
    coir_task task;
    begin_with(capacity);
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    COIR_SCOPE(limit, .policy = COIR_SUPERVISE, .deadline = coir_after(COIR_MS(1)));
    check_rc(coir_spawn(&s, send_then_close, &sender), 0);
    check_rc(coir_spawn(&limit, receive_items, &receivers[0]), 0);
    check_rc(coir_spawn_task(&s, receive_items, &receivers[1], &task), 0);
    (void)coir_scope_close(&limit, 0);
    if (receivers[0].rc == -ECANCELED || choose(2) != 0) /* else somebody waits for ever */
        coir_scope_cancel(&s);
    (void)coir_scope_close(&s, 0);
    check_int(ends.count, 3);
    take_stock();
}

LAW(laws_channel, rendezvous_meets_deadline_and_close) {
    receive_together(0);
}

LAW(laws_channel, buffer_meets_deadline_and_close) {
    receive_together(1);
}

/* ---- Tries ---- */

static int try_both_ways(void *arg) {
    struct receiver *const receiver = arg;
    const int mine = ITEMS / 2;
    int item;
    (void)coir_yield();
    const int sent = coir_channel_try_send(at.channel, &mine);
    check(sent == 0 || sent == -EAGAIN || sent == -EPIPE);
    at.sent[mine] = sent == 0;
    if (sent == 0)
        line_tried(&at.senders);
    (void)coir_yield();
    const int received = coir_channel_try_recv(at.channel, &item);
    check(received == 0 || received == -EAGAIN || received == -EPIPE);
    if (received == 0) {
        line_tried(&at.receivers);
        note_received(receiver, item);
    }
    return 0;
}

static void meet_tries(size_t capacity) {
    struct sender sender = {.first = 1, .count = 1};
    struct receiver receiver = {.count = 2}, tried = {.count = 0};
    int two = 2;
    begin_with(capacity);
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    check_rc(coir_spawn(&s, send_items, &sender), 0);
    check_rc(coir_spawn(&s, receive_items, &receiver), 0);
    check_rc(coir_spawn(&s, try_both_ways, &tried), 0);
    check_rc(coir_spawn(&s, close_channel, &two), 0);
    (void)coir_scope_close(&s, 0);
    check_int(ends.count, 2);
    take_stock();
}

LAW(laws_channel, tries_do_not_barge_at_a_rendezvous) {
    meet_tries(0);
}

LAW(laws_channel, tries_do_not_barge_at_a_buffer) {
    meet_tries(1);
}

/* ---- Work to be done ---- */

static size_t finished;

static int work(UNUSED void *arg) {
    int item;
    while (coir_channel_recv(at.channel, &item) == 0) {
        at.received[item]++;
        check_rc(coir_yield(), 0);
        finished++;
        check_rc(coir_channel_task_done(at.channel), 0);
    }
    return end(0);
}

static int join_channel(void *arg) {
    int *const rc = arg;
    *rc = coir_channel_join(at.channel);
    return end(*rc);
}

static void finish_work(size_t capacity) {
    struct sender sender = {.first = 1, .count = 2};
    int joined[2];
    coir_task task;
    begin_with(capacity);
    finished = 0;
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    check_rc(coir_spawn(&s, send_then_close, &sender), 0);
    check_rc(coir_spawn(&s, work, NULL), 0);
    check_rc(coir_spawn_task(&s, join_channel, &joined[0], &task), 0);
    check_rc(coir_spawn(&s, join_channel, &joined[1]), 0);
    struct canceller canceller = {.task = task};
    check_rc(coir_spawn(&s, cancel_later, &canceller), 0);
    (void)coir_scope_close(&s, 0);
    check_int(ends.count, 4);
    check_int(finished, 2);
    check(joined[0] == 0 || joined[0] == -ECANCELED);
    check_rc(joined[1], 0);
    check_rc(coir_channel_join(at.channel), 0);
    take_stock();
}

LAW(laws_channel, all_who_join_are_woken_when_the_work_is_done) {
    finish_work((size_t)choose(2));
}

/* ---- Several senders, the last of which closes ---- */

static int send_then_release(void *arg) {
    const int rc = send_items(arg);
    check_rc(coir_channel_release(at.channel), 0);
    return rc;
}

LAW(laws_channel, the_last_to_release_closes) {
    struct sender senders[] = {{.first = 1, .count = 1}, {.first = ITEMS / 2, .count = 1}};
    struct receiver receiver = {.count = ITEMS};
    coir_task task;
    begin_with((size_t)choose(2));
    check_rc(coir_channel_hold(at.channel), 0);
    check_rc(coir_channel_hold(at.channel), 0);
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    check_rc(coir_spawn_task(&s, send_then_release, &senders[0], &task), 0);
    check_rc(coir_spawn(&s, send_then_release, &senders[1]), 0);
    check_rc(coir_spawn(&s, receive_items, &receiver), 0);
    struct canceller canceller = {.task = task, .steps = 1};
    check_rc(coir_spawn(&s, cancel_later, &canceller), 0);
    (void)coir_scope_close(&s, 0);
    check_rc(receiver.rc, -EPIPE);
    check_int(at.received[ITEMS / 2], 1);
    take_stock();
}
