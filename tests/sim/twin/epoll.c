/* The poller's queue: which events come, when they come again, and when they do not. */
#include <stdio.h>
#include <sys/socket.h>

#include "coir/sim.h"
#include "sim/twin/twin.h"

static char bytes[64];

/* Notes the events of the next report: at most one descriptor is watched. */
static void note_events(int queue) {
    struct epoll_event out[4];
    char text[64] = "";
    const long count = said(coir__sim_epoll_wait(queue, out, 4, 0));
    if (count != 1) {
        note("wait", count);
        return;
    }
    (void)snprintf(text, sizeof text, "%s%s%s%s%s", out[0].events & EPOLLIN ? "i" : "",
                   out[0].events & EPOLLOUT ? "o" : "", out[0].events & EPOLLRDHUP ? "r" : "",
                   out[0].events & EPOLLHUP ? "h" : "", out[0].events & EPOLLERR ? "e" : "");
    note_word(text);
}

static int watch(int fd, unsigned events) {
    const int queue = coir__sim_epoll_create1(EPOLL_CLOEXEC);
    NOTE("add", coir__sim_epoll_ctl(queue, EPOLL_CTL_ADD, fd,
                                    &(struct epoll_event){.events = events, .data.fd = fd}));
    return queue;
}

#define ALL (EPOLLIN | EPOLLOUT | EPOLLRDHUP)

/* ---- Edges ---- */

static void edges(int fds[2]) {
    const int queue = watch(fds[0], ALL | EPOLLET);
    settle();
    note_events(queue);
    note_events(queue);
    note("write", coir_write(fds[1], "0123456789", 10));
    settle();
    note_events(queue);
    note("read", coir_read(fds[0], bytes, 4));
    note_events(queue); /* part of it is left, and nothing is new */
    note("write", coir_write(fds[1], "x", 1));
    settle();
    note_events(queue);
    note("read", coir_read(fds[0], bytes, 64));
    note_events(queue);
    note("shutdown", coir_shutdown_write(fds[1]));
    settle();
    note_events(queue);
    note_events(queue);
    note("close", coir_close(fds[1]));
    settle();
    (void)coir__sim_close(queue);
    (void)coir_close(fds[0]);
}

static void edges_unix(void) {
    int fds[2];
    make_pair(fds);
    edges(fds);
}

static void edges_tcp(void) {
    int fds[2];
    make_tcp(fds);
    edges(fds);
}

static void closed_unix(void) {
    int fds[2];
    make_pair(fds);
    const int queue = watch(fds[0], ALL | EPOLLET);
    note_events(queue);
    note("close", coir_close(fds[1]));
    note_events(queue);
    (void)coir__sim_close(queue);
    (void)coir_close(fds[0]);
}

static void reset_tcp(void) {
    int fds[2];
    make_tcp(fds);
    note("write", coir_write(fds[0], "abc", 3));
    settle();
    const int queue = watch(fds[0], ALL | EPOLLET);
    note_events(queue);
    note("close", coir_close(fds[1]));
    settle();
    note_events(queue);
    note("read", coir_read(fds[0], bytes, 1));
    note_events(queue);
    (void)coir__sim_close(queue);
    (void)coir_close(fds[0]);
}

static void ends_of_pipe(void) {
    int fds[2];
    make_pipe(fds);
    int queue = watch(fds[0], ALL | EPOLLET);
    note_events(queue);
    note("write", coir_write(fds[1], "ab", 2));
    note_events(queue);
    note("close", coir_close(fds[1]));
    note_events(queue);
    note("read", coir_read(fds[0], bytes, 8));
    note_events(queue);
    (void)coir__sim_close(queue);
    (void)coir_close(fds[0]);
    make_pipe(fds);
    queue = watch(fds[1], ALL | EPOLLET);
    note_events(queue);
    note("close", coir_close(fds[0]));
    note_events(queue);
    (void)coir__sim_close(queue);
    (void)coir_close(fds[1]);
}

/* Room is told of again once there was none. */
static void room(void) {
    static char much[4096];
    int fds[2];
    long rc;
    make_pair(fds);
    const int queue = watch(fds[0], ALL | EPOLLET);
    note_events(queue);
    while ((rc = said(coir__sim_send(fds[0], much, sizeof much, MSG_NOSIGNAL))) > 0)
        ;
    note("send", rc);
    note_events(queue);
    while (said(coir__sim_recv(fds[1], much, sizeof much, 0)) > 0)
        ;
    note_events(queue);
    note_events(queue);
    (void)coir__sim_close(queue);
    close_both(fds);
}

/* ---- Levels, and the queue itself ---- */

static void levels(void) {
    int fds[2];
    make_pair(fds);
    const int queue = watch(fds[0], EPOLLIN);
    note_events(queue);
    note("write", coir_write(fds[1], "ab", 2));
    note_events(queue);
    note_events(queue);
    note("read", coir_read(fds[0], bytes, 1));
    note_events(queue);
    note("read", coir_read(fds[0], bytes, 1));
    note_events(queue);
    (void)coir__sim_close(queue);
    close_both(fds);
}

static void registered_again(void) {
    int fds[2];
    make_pair(fds);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    const int queue = watch(fds[0], EPOLLIN | EPOLLET);
    NOTE("add", coir__sim_epoll_ctl(queue, EPOLL_CTL_ADD, fds[0], &event));
    NOTE("mod", coir__sim_epoll_ctl(queue, EPOLL_CTL_MOD, fds[1], &event));
    NOTE("del", coir__sim_epoll_ctl(queue, EPOLL_CTL_DEL, fds[1], &event));
    NOTE("add", coir__sim_epoll_ctl(queue, EPOLL_CTL_ADD, 900, &event));
    note("write", coir_write(fds[1], "ab", 2));
    note_events(queue);
    NOTE("mod", coir__sim_epoll_ctl(queue, EPOLL_CTL_MOD, fds[0], &event));
    note_events(queue); /* a change tells anew what holds */
    NOTE("del", coir__sim_epoll_ctl(queue, EPOLL_CTL_DEL, fds[0], &event));
    NOTE("add", coir__sim_epoll_ctl(queue, EPOLL_CTL_ADD, fds[0], &event));
    note_events(queue);
    (void)coir__sim_close(queue);
    close_both(fds);
}

/* A close takes the descriptor out, with what was to be told of it. */
static void closed_before_told(void) {
    int fds[2], others[2];
    make_pair(fds);
    const int queue = watch(fds[0], EPOLLIN | EPOLLET);
    note("write", coir_write(fds[1], "ab", 2));
    close_both(fds);
    make_pair(others);
    note_events(queue);
    note("write", coir_write(others[1], "ab", 2));
    note_events(queue);
    (void)coir__sim_close(queue);
    close_both(others);
}

static void listener(void) {
    char own[COIR_ADDRESS_SIZE];
    const int fd = coir_listen("127.0.0.1:0");
    const int queue = watch(fd, ALL | EPOLLET);
    note_events(queue);
    (void)coir_socket_address(fd, own, sizeof own);
    const int client = coir_connect(own);
    settle();
    note_events(queue);
    note_events(queue);
    const int server = coir_accept(fd);
    note("accept", server >= 0);
    note_events(queue);
    (void)coir__sim_close(queue);
    (void)coir_close(fd);
    (void)coir_close(client);
    (void)coir_close(server);
}

static void fresh_socket(void) {
    const int fd = coir__sim_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int queue = watch(fd, ALL | EPOLLET);
    note_events(queue);
    (void)coir__sim_close(queue);
    (void)coir__sim_close(fd);
}

static void select_ready(void) {
    int fds[2];
    make_pair(fds);
    note("write", coir_write(fds[1], "ab", 2));
    coir_case cases[] = {coir_case_fd(fds[0], COIR_READABLE)};
    note("select", coir_select(cases, 1, 0));
    note("events", cases[0].result);
    note("poll", coir_poll(fds[0], COIR_READABLE | COIR_WRITABLE));
    note("read", coir_read(fds[0], bytes, 8));
    note("try", coir_select(cases, 1, COIR_SELECT_TRY));
    note("close", coir_close(fds[1]));
    note("select", coir_select(cases, 1, 0));
    note("events", cases[0].result);
    (void)coir_close(fds[0]);
}

const struct behaviour epoll_behaviours[] = {
    {"edges, Unix", edges_unix,
     "add=0 o wait=0 write=10 io read=4 wait=0 write=1 io read=7 wait=0 shutdown=0 ior wait=0 "
     "close=0"},
    {"edges, TCP", edges_tcp,
     "add=0 o wait=0 write=10 io read=4 wait=0 write=1 io read=7 wait=0 shutdown=0 ior wait=0 "
     "close=0"},
    {"closed, Unix", closed_unix, "add=0 o close=0 iorh"},
    {"reset, TCP", reset_tcp, "write=3 add=0 o close=0 iorhe read=ECONNRESET wait=0"},
    {"ends of a pipe", ends_of_pipe,
     "add=0 wait=0 write=2 i close=0 ih read=2 wait=0 add=0 o close=0 oe"},
    {"room", room, "add=0 o send=EAGAIN wait=0 o wait=0"},
    {"levels", levels, "add=0 wait=0 write=2 i i read=1 i read=1 wait=0"},
    {"registered again", registered_again,
     "add=0 add=EEXIST mod=ENOENT del=ENOENT add=EBADF write=2 i mod=0 i del=0 add=0 i"},
    {"closed before it is told", closed_before_told, "add=0 write=2 wait=0 write=2 wait=0"},
    {"listener", listener, "add=0 wait=0 i wait=0 accept=1 wait=0"},
    {"fresh socket", fresh_socket, "add=0 oh"},
    {"select", select_ready,
     "write=2 select=0 events=1 poll=3 read=2 try=EAGAIN close=0 select=0 events=1"},
    {NULL, NULL, NULL}};
