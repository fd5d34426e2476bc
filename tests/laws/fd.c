/* The laws of descriptors under every schedule, and with the poller asked at any moment: no byte is
 * lost to a cut, a close wakes those who wait, an old event never reaches a new descriptor. */
#include <sys/socket.h>
#include <unistd.h>

#include "laws/laws.h"

LAWS(laws_fd);

static void make_pair(int fds[2]) {
    check_int(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    check_rc(coir_adopt(fds[0]), 0);
    check_rc(coir_adopt(fds[1]), 0);
}

struct io {
    int fd, steps;
    ssize_t rc;
    char bytes[8];
};

static int read_some(void *arg) {
    struct io *const io = arg;
    io->rc = coir_read(io->fd, io->bytes, sizeof io->bytes);
    return 0;
}

static int write_two(void *arg) {
    struct io *const io = arg;
    for (int i = 0; i < io->steps; i++)
        (void)coir_yield();
    io->rc = coir_write(io->fd, "ab", 2);
    return 0;
}

static int close_it(void *arg) {
    struct io *const io = arg;
    for (int i = 0; i < io->steps; i++)
        check_rc(coir_yield(), 0);
    io->rc = coir_close(io->fd);
    return 0;
}

LAW(laws_fd, a_cut_read_leaves_the_bytes) {
    int fds[2];
    coir_task task;
    make_pair(fds);
    COIR_SCOPE(around);
    COIR_SCOPE(s, .deadline = coir_after(COIR_MS(1)));
    struct io reader = {.fd = fds[0]}, writer = {.fd = fds[1], .steps = 2};
    check_rc(coir_spawn_task(&s, read_some, &reader, &task), 0);
    check_rc(coir_spawn(&around, write_two, &writer), 0);
    struct canceller canceller = {.task = task, .steps = 2};
    check_rc(coir_spawn(&around, cancel_later, &canceller), 0);
    (void)coir_scope_close(&s, 0);
    check_rc(coir_scope_close(&around, 0), 0);
    check_int(writer.rc, 2);
    check(reader.rc == 2 || reader.rc == -ECANCELED);
    char rest[4];
    const ssize_t left = read(fds[0], rest, sizeof rest);
    check_int(left, reader.rc == 2 ? -1 : 2);
    check_rc(coir_close(fds[0]), 0);
    check_rc(coir_close(fds[1]), 0);
}

LAW(laws_fd, a_close_wakes_those_who_wait) {
    int fds[2];
    make_pair(fds);
    COIR_SCOPE(s);
    struct io reader = {.fd = fds[0]}, writer = {.fd = fds[1], .steps = 3};
    struct io closer = {.fd = fds[0], .steps = choose(4)};
    check_rc(coir_spawn(&s, read_some, &reader), 0);
    check_rc(coir_spawn(&s, write_two, &writer), 0);
    check_rc(coir_spawn(&s, close_it, &closer), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(closer.rc, 0);
    check(reader.rc == 2 || reader.rc == -EBADF);
    check(writer.rc == 2 || writer.rc == -EPIPE);
    check_rc(coir_close(fds[1]), 0);
}

/* ---- A number that comes to stand for another socket ---- */

/* While a task reads the one, and events of it are under way. What is written to the old socket is
 * "ab", to the new one "yz". */
struct replacement {
    int fds[2];
    int old_peer; /* a number of its own for the other end of the old one */
    bool done;
};

static int write_to_the_old(void *arg) {
    const struct replacement *const it = arg;
    (void)!send(it->old_peer, "ab", 2, MSG_NOSIGNAL);
    return 0;
}

static int replace(void *arg) {
    struct replacement *const it = arg;
    const int number = it->fds[0];
    check_rc(coir_yield(), 0);
    check_rc(coir_close(it->fds[0]), 0);
    check_rc(coir_close(it->fds[1]), 0);
    make_pair(it->fds);
    check_int(it->fds[0], number);
    it->done = true;
    check_int(send(it->fds[1], "yz", 2, MSG_NOSIGNAL), 2);
    return 0;
}

struct chosen_read {
    struct replacement *from;
    struct io io;
    bool began_with_the_old;
};

static int read_either(void *arg) {
    struct chosen_read *const read = arg;
    read->began_with_the_old = !read->from->done;
    return read_some(&read->io);
}

LAW(laws_fd, a_call_on_a_closed_descriptor_never_reaches_the_next_of_its_number) {
    struct replacement it = {.done = false};
    make_pair(it.fds);
    it.old_peer = dup(it.fds[1]);
    check(it.old_peer >= 0);
    COIR_SCOPE(s);
    struct chosen_read early = {.from = &it, .io.fd = it.fds[0]};
    struct chosen_read late = {.from = &it, .io.fd = it.fds[0]};
    coir_task task;
    check_rc(coir_spawn(&s, read_either, &early), 0);
    check_rc(coir_spawn(&s, write_to_the_old, &it), 0);
    check_rc(coir_spawn_task(&s, replace, &it, &task), 0);
    check_rc(coir_join(task, NULL), 0);
    COIR_SCOPE(limit, .deadline = coir_after(COIR_MS(1)), .move_on = true);
    check_rc(coir_spawn(&limit, read_either, &late), 0);
    check_rc(coir_scope_close(&limit, 0), 0);
    coir_scope_cancel(&s);
    check_rc(coir_scope_close(&s, 0), 0);
    if (early.io.rc == 2)
        check(memcmp(early.io.bytes, early.began_with_the_old ? "ab" : "yz", 2) == 0);
    else
        check(early.io.rc == -EBADF || early.io.rc == -ECANCELED || early.io.rc == -EBUSY);
    check(late.io.rc == 2 || late.io.rc == -ECANCELED || late.io.rc == -EBUSY);
    if (late.io.rc == 2)
        check(memcmp(late.io.bytes, "yz", 2) == 0);
    close(it.old_peer);
    check_rc(coir_close(it.fds[0]), 0);
    check_rc(coir_close(it.fds[1]), 0);
}

/* A duplicate keeps the old socket open, and its events coming, after the close. */
static int select_either(void *arg) {
    struct io *const io = arg;
    coir_case it = coir_case_fd(io->fd, COIR_READABLE);
    const int rc = coir_select(&it, 1, 0);
    io->rc = rc < 0 ? rc : it.rc;
    return 0;
}

LAW(laws_fd, an_old_event_never_wakes_one_who_waits_for_the_new_descriptor) {
    struct replacement it = {.done = false};
    make_pair(it.fds);
    it.old_peer = dup(it.fds[1]);
    const int kept = dup(it.fds[0]);
    check(it.old_peer >= 0 && kept >= 0);
    struct io early = {.fd = it.fds[0]}, late = {.fd = it.fds[0]};
    COIR_SCOPE(first, .deadline = coir_after(COIR_MS(1)), .move_on = true);
    check_rc(coir_spawn(&first, select_either, &early), 0);
    check_rc(coir_scope_close(&first, 0), 0); /* from now on the poller knows it */
    check_rc(early.rc, -ECANCELED);
    check_rc(coir_close(it.fds[0]), 0);
    check_rc(coir_close(it.fds[1]), 0);
    make_pair(it.fds);
    check_int(it.fds[0], late.fd);
    COIR_SCOPE(limit, .deadline = coir_after(COIR_MS(1)), .move_on = true);
    check_rc(coir_spawn(&limit, select_either, &late), 0);
    check_rc(coir_spawn(&limit, write_to_the_old, &it), 0);
    check_rc(coir_scope_close(&limit, 0), 0);
    check_rc(late.rc, -ECANCELED); /* nothing was written to the new one */
    close(kept);
    close(it.old_peer);
    check_rc(coir_close(it.fds[0]), 0);
    check_rc(coir_close(it.fds[1]), 0);
}

/* The bytes whose event woke the reader are gone when it runs: somebody else shares the socket. */
static int rob(void *arg) {
    struct io *const io = arg;
    (void)coir_yield();
    io->rc = recv(io->fd, io->bytes, sizeof io->bytes, MSG_DONTWAIT);
    return 0;
}

LAW(laws_fd, a_reader_that_was_woken_for_nothing_waits_on) {
    int fds[2];
    coir_task task;
    make_pair(fds);
    COIR_SCOPE(s);
    struct io reader = {.fd = fds[0]}, robber = {.fd = fds[0]}, writer = {.fd = fds[1]};
    check_rc(coir_spawn_task(&s, read_some, &reader, &task), 0);
    check_rc(coir_spawn(&s, rob, &robber), 0);
    check_rc(coir_spawn(&s, write_two, &writer), 0);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    coir_scope_cancel(&s);
    check_rc(coir_scope_close(&s, 0), 0);
    check(reader.rc == 2 || reader.rc == -ECANCELED);
    check_int((reader.rc == 2) + (robber.rc == 2) +
                  (recv(fds[0], reader.bytes, 2, MSG_DONTWAIT) == 2),
              writer.rc == 2);
    check_rc(coir_close(fds[0]), 0);
    check_rc(coir_close(fds[1]), 0);
}

LAW(laws_fd, one_reader_at_a_time) {
    int fds[2];
    coir_task task;
    make_pair(fds);
    COIR_SCOPE(s);
    struct io a = {.fd = fds[0]}, b = {.fd = fds[0]}, writer = {.fd = fds[1], .steps = 4};
    check_rc(coir_spawn_task(&s, read_some, &a, &task), 0);
    check_rc(coir_spawn_task(&s, read_some, &b, &task), 0);
    check_rc(coir_spawn(&s, write_two, &writer), 0);
    check_rc(coir_next(&s, &task, NULL), 0);
    if (a.rc != 2 && b.rc != 2) { /* turned away: the other one will get it */
        check(a.rc == -EBUSY || b.rc == -EBUSY);
        check_rc(coir_next(&s, &task, NULL), 0);
    }
    check(a.rc == 2 || b.rc == 2);
    coir_scope_cancel(&s);
    check_rc(coir_scope_close(&s, 0), 0);
    const ssize_t other = a.rc == 2 ? b.rc : a.rc;
    check(other == -EBUSY || other == -ECANCELED);
    check_rc(coir_close(fds[0]), 0);
    check_rc(coir_close(fds[1]), 0);
}
