/* The laws of select under every schedule, and every outcome of its draw: exactly one case happens,
 * or none and the call failed; what happened is what the other side saw. */
#include <sys/socket.h>
#include <unistd.h>

#include "laws/laws.h"

LAWS(laws_select);

enum { NONE = 0, FIRST = 1, SECOND = 2 };

/* A task that sends one item, or receives one. */
struct peer {
    coir_channel *channel;
    int item, rc;
};

static int send_one(void *arg) {
    struct peer *const peer = arg;
    (void)coir_yield();
    peer->rc = coir_channel_send(peer->channel, &peer->item);
    return end(peer->rc);
}

static int receive_one(void *arg) {
    struct peer *const peer = arg;
    (void)coir_yield();
    peer->rc = coir_channel_recv(peer->channel, &peer->item);
    return end(peer->rc);
}

/* A task that selects once, among two receives. */
struct selector {
    coir_channel *a, *b;
    int which, rc, got[2];
};

static int select_receive(void *arg) {
    struct selector *const self = arg;
    coir_case cases[] = {coir_case_recv(self->a, &self->got[0]),
                         coir_case_recv(self->b, &self->got[1])};
    (void)coir_yield();
    self->which = coir_select(cases, 2, 0);
    self->rc = self->which >= 0 ? cases[self->which].rc : self->which;
    check(self->which < 0 || self->got[1 - self->which] == NONE);
    return end(self->rc);
}

static void create(coir_channel **channel, size_t capacity) {
    check_rc(coir_channel_create(channel, sizeof(int), capacity, NULL), 0);
}

/* What is left in a channel, and that nobody waits there any more. */
static int destroy(coir_channel *channel) {
    coir_channel_stats stats;
    int item = NONE;
    check_rc(coir_channel_close(channel), 0);
    (void)!coir_channel_try_recv(channel, &item);
    check_rc(coir_channel_stats_get(channel, &stats), 0);
    check_int(stats.senders_waiting + stats.receivers_waiting, 0);
    check_rc(coir_channel_destroy(channel), 0);
    return item;
}

/* Two senders for one selector, which may be cut; the channels are closed at the end. */
static void receive_from_two(size_t capacity) {
    struct selector selector = {.which = -1};
    coir_task task;
    create(&selector.a, capacity);
    create(&selector.b, capacity);
    struct peer peers[] = {{selector.a, FIRST, 1}, {selector.b, SECOND, 1}};
    ends_clear();
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    COIR_SCOPE(limit, .policy = COIR_SUPERVISE, .deadline = coir_after(COIR_MS(1)));
    check_rc(coir_spawn_task(&limit, select_receive, &selector, &task), 0);
    check_rc(coir_spawn(&s, send_one, &peers[0]), 0);
    check_rc(coir_spawn(&s, send_one, &peers[1]), 0);
    struct canceller canceller = {.task = task};
    check_rc(coir_spawn(&s, cancel_later, &canceller), 0);
    (void)coir_scope_close(&limit, 0);
    coir_scope_cancel(&s); /* the sender that has nobody */
    (void)coir_scope_close(&s, 0);
    check_int(ends.count, 3);
    const int left[] = {destroy(selector.a), destroy(selector.b)};
    for (int i = 0; i < 2; i++) {
        const bool received = selector.which == i && selector.rc == 0;
        check_int(selector.got[i], received ? peers[i].item : NONE);
        check(peers[i].rc == 0 || peers[i].rc == -ECANCELED);
        check_int(received + (left[i] != NONE), peers[i].rc == 0); /* sent: once, and somewhere */
    }
}

LAW(laws_select, two_rendezvous_and_a_cut) {
    receive_from_two(0);
}

LAW(laws_select, two_buffers_and_a_cut) {
    receive_from_two(1);
}

/* A plain receiver competes with a selector for one item of each channel. */
LAW(laws_select, a_selector_competes_with_a_receiver) {
    struct selector selector = {.which = -1};
    coir_task task;
    const size_t capacity = (size_t)choose(2);
    create(&selector.a, capacity);
    create(&selector.b, capacity);
    struct peer sender = {selector.a, FIRST, 1}, second = {selector.a, SECOND, 1};
    struct peer receiver = {selector.a, NONE, 1};
    ends_clear();
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    check_rc(coir_spawn_task(&s, select_receive, &selector, &task), 0);
    check_rc(coir_spawn(&s, receive_one, &receiver), 0);
    check_rc(coir_spawn(&s, send_one, &sender), 0);
    check_rc(coir_spawn(&s, send_one, &second), 0);
    (void)coir_scope_close(&s, 0); /* nobody is left over */
    check_int(ends.count, 4);
    check_int(selector.which, 0);
    check_int(selector.got[0] + receiver.item, FIRST + SECOND);
    check(selector.got[0] != receiver.item);
    check_int(destroy(selector.a), NONE);
    check_int(destroy(selector.b), NONE);
}

/* A close meets a selector that waits, a sender and a deadline. */
static int close_both(void *arg) {
    struct selector *const selector = arg;
    (void)coir_yield();
    check_rc(coir_channel_close(selector->a), 0);
    (void)coir_yield();
    check_rc(coir_channel_close(selector->b), 0);
    return 0;
}

LAW(laws_select, a_close_meets_a_sender_and_a_deadline) {
    struct selector selector = {.which = -1};
    const size_t capacity = (size_t)choose(2);
    create(&selector.a, capacity);
    create(&selector.b, capacity);
    struct peer sender = {selector.b, SECOND, 1};
    ends_clear();
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    COIR_SCOPE(limit, .policy = COIR_SUPERVISE, .deadline = coir_after(COIR_MS(1)));
    check_rc(coir_spawn(&limit, select_receive, &selector), 0);
    check_rc(coir_spawn(&s, send_one, &sender), 0);
    check_rc(coir_spawn(&s, close_both, &selector), 0);
    (void)coir_scope_close(&limit, 0);
    (void)coir_scope_close(&s, 0);
    check_int(ends.count, 2);
    check(selector.which == -ECANCELED || selector.rc == 0 || selector.rc == -EPIPE);
    check(sender.rc == 0 || sender.rc == -EPIPE);
    const int left = destroy(selector.b);
    check_int((selector.got[1] == SECOND) + (left == SECOND), sender.rc == 0);
    check_int(destroy(selector.a), NONE);
}

/* ---- Selects that meet ---- */

/* Two selects, each of which would send on one channel and receive on the other. */
struct trader {
    coir_channel *out, *in;
    int gives, gets, which;
};

static int trade(void *arg) {
    struct trader *const self = arg;
    coir_case cases[] = {coir_case_send(self->out, &self->gives),
                         coir_case_recv(self->in, &self->gets)};
    (void)coir_yield();
    self->which = coir_select(cases, 2, 0);
    check(self->which < 0 || cases[self->which].rc == 0);
    return end(self->which < 0 ? self->which : 0);
}

LAW(laws_select, two_selects_agree_on_what_happened) {
    coir_channel *a, *b;
    coir_task task;
    create(&a, 0);
    create(&b, 0);
    struct trader traders[] = {{a, b, FIRST, NONE, -1}, {b, a, SECOND, NONE, -1}};
    struct trader third = {a, b, 4, NONE, -1};
    ends_clear();
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    check_rc(coir_spawn_task(&s, trade, &traders[0], &task), 0);
    check_rc(coir_spawn_task(&s, trade, &traders[1], &task), 0);
    check_rc(coir_spawn_task(&s, trade, &third, &task), 0);
    struct canceller canceller = {.task = task};
    check_rc(coir_spawn(&s, cancel_later, &canceller), 0);
    check_rc(coir_next(&s, NULL, NULL), 0);
    check_rc(coir_next(&s, NULL, NULL), 0);
    coir_scope_cancel(&s); /* of three one is left over */
    (void)coir_scope_close(&s, 0);
    check_int(ends.count, 3);
    const struct trader *const all[] = {&traders[0], &traders[1], &third};
    int given = 0, got = 0, met = 0;
    for (size_t i = 0; i < 3; i++) {
        given += all[i]->which == 0 ? all[i]->gives : 0;
        got += all[i]->which == 1 ? all[i]->gets : 0;
        met += all[i]->which >= 0;
        check(all[i]->which == 1 || all[i]->gets == NONE);
    }
    check(met == 2 || (met == 0 && third.which == -ECANCELED));
    check_int(given != 0, met == 2);
    check_int(given, got);
    check_int(destroy(a), NONE);
    check_int(destroy(b), NONE);
}

/* ---- Tasks ---- */

struct watcher {
    coir_task task;
    coir_channel *channel;
    int which, rc, result, got;
};

static int select_task(void *arg) {
    struct watcher *const self = arg;
    coir_case cases[] = {coir_case_task(self->task), coir_case_recv(self->channel, &self->got)};
    self->which = coir_select(cases, 2, 0);
    if (self->which >= 0) {
        self->rc = cases[self->which].rc;
        self->result = cases[self->which].result;
    }
    return end(self->which < 0 ? self->which : 0);
}

LAW(laws_select, the_end_of_a_task_meets_a_sender_and_a_cut) {
    struct stepper stepper = STEPPER(1, 7);
    struct watcher watcher = {.which = -1};
    coir_task task;
    create(&watcher.channel, 0);
    struct peer sender = {watcher.channel, FIRST, 1};
    ends_clear();
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    check_rc(coir_spawn_task(&s, step, &stepper, &watcher.task), 0);
    check_rc(coir_spawn_task(&s, select_task, &watcher, &task), 0);
    check_rc(coir_spawn(&s, send_one, &sender), 0);
    struct canceller canceller = {.task = task}, of_stepper = {.task = watcher.task};
    check_rc(coir_spawn(&s, cancel_later, &canceller), 0);
    check_rc(coir_spawn(&s, cancel_later, &of_stepper), 0);
    check_rc(coir_join(task, NULL), 0);
    coir_scope_cancel(&s);
    (void)coir_scope_close(&s, 0);
    check_int(ends.count, 3);
    check(watcher.which == -ECANCELED || watcher.which == 0 || watcher.which == 1);
    if (watcher.which == 0) {
        check_rc(watcher.rc, 0);
        check(watcher.result == 7 || watcher.result == -ECANCELED);
    }
    check_int(watcher.got, watcher.which == 1 ? FIRST : NONE);
    check_int(sender.rc == 0, watcher.which == 1);
    check_int(destroy(watcher.channel), NONE);
}

/* ---- Descriptors ---- */

struct listener {
    coir_channel *channel;
    int fd, which, rc, got;
};

static int select_descriptor(void *arg) {
    struct listener *const self = arg;
    coir_case cases[] = {coir_case_fd(self->fd, COIR_READABLE),
                         coir_case_recv(self->channel, &self->got)};
    self->which = coir_select(cases, 2, 0);
    self->rc = self->which >= 0 ? cases[self->which].rc : self->which;
    check(self->which != 0 || self->rc < 0 || cases[0].result == COIR_READABLE);
    return end(self->rc);
}

static int write_byte(void *arg) {
    (void)coir_yield();
    const ssize_t sent = send(*(const int *)arg, "x", 1, MSG_NOSIGNAL);
    check(sent == 1 || errno == EPIPE);
    return 0;
}

static int close_descriptor(void *arg) {
    check_rc(coir_close(*(const int *)arg), 0);
    return 0;
}

static void listen_to_both(bool closes) {
    struct listener listener = {.which = -1};
    int fds[2];
    coir_task task;
    create(&listener.channel, 0);
    check_int(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    check_rc(coir_adopt(fds[0]), 0);
    listener.fd = fds[0];
    struct peer sender = {listener.channel, FIRST, 1};
    ends_clear();
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    check_rc(coir_spawn_task(&s, select_descriptor, &listener, &task), 0);
    check_rc(coir_spawn(&s, send_one, &sender), 0);
    check_rc(coir_spawn(&s, write_byte, &fds[1]), 0);
    struct canceller canceller = {.task = task};
    check_rc(coir_spawn(&s, cancel_later, &canceller), 0);
    if (closes)
        check_rc(coir_spawn(&s, close_descriptor, &fds[0]), 0);
    check_rc(coir_join(task, NULL), 0);
    coir_scope_cancel(&s);
    (void)coir_scope_close(&s, 0);
    check_int(ends.count, 2);
    check(listener.rc == 0 || listener.which == -ECANCELED || (closes && listener.rc == -EBADF));
    check_int(listener.got, listener.which == 1 ? FIRST : NONE);
    check_int(sender.rc == 0, listener.which == 1);
    if (!closes) { /* nobody is left waiting there, and the byte still is */
        char byte;
        check_rc(coir_read(fds[0], &byte, 1), 1);
        check_rc(coir_close(fds[0]), 0);
    }
    close(fds[1]);
    check_int(destroy(listener.channel), NONE);
}

LAW(laws_select, a_descriptor_meets_a_sender_and_a_cut) {
    listen_to_both(false);
}

LAW(laws_select, a_descriptor_that_is_closed_meets_a_sender_and_a_cut) {
    listen_to_both(true);
}
