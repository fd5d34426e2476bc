/* The echo server by hand: the least a loop over epoll can do.
 *
 * A connection is registered once, edge triggered, for both directions; a read that comes back
 * short is taken for drained (unless the peer has shut down its side, which raises no further
 * edge); what was read is sent with one call. Only bytes that the socket does not take at once are
 * copied into memory of the connection. Prints its process id and its address, then serves until it
 * is killed. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../lib/bench.h"

#define BUFFER_SIZE 2048
#define EVENTS_MAX 256

struct connection {
    int fd;
    size_t begin, end; /* what of `unsent` is still to be sent */
    char unsent[BUFFER_SIZE];
};

static int epoll_fd;
static struct connection listener;

static void close_connection(struct connection *connection) {
    close(connection->fd);
    free(connection);
}

/* What came of a step: go on with the connection, leave it until the next edge, or end it. */
enum step { STEP_ON, STEP_WAIT, STEP_END };

static enum step keep_unsent(struct connection *connection, const char *data, size_t size) {
    memcpy(connection->unsent, data, size);
    connection->begin = 0;
    connection->end = size;
    return STEP_WAIT;
}

static enum step send_fresh(struct connection *connection, const char *data, size_t size) {
    const ssize_t sent = send(connection->fd, data, size, MSG_NOSIGNAL);
    if (sent == (ssize_t)size)
        return STEP_ON;
    if (sent < 0 && errno != EAGAIN)
        return STEP_END;
    const size_t done = sent < 0 ? 0 : (size_t)sent;
    return keep_unsent(connection, data + done, size - done);
}

static enum step send_unsent(struct connection *connection) {
    while (connection->begin < connection->end) {
        const ssize_t sent = send(connection->fd, connection->unsent + connection->begin,
                                  connection->end - connection->begin, MSG_NOSIGNAL);
        if (sent < 0)
            return errno == EAGAIN ? STEP_WAIT : STEP_END;
        connection->begin += (size_t)sent;
    }
    return STEP_ON;
}

static enum step echo(struct connection *connection, bool hung_up) {
    char buffer[BUFFER_SIZE]; /* one for all connections: it stays in the cache */
    for (;;) {
        const ssize_t size = recv(connection->fd, buffer, sizeof buffer, 0);
        if (size <= 0)
            return size < 0 && errno == EAGAIN ? STEP_WAIT : STEP_END;
        const enum step step = send_fresh(connection, buffer, (size_t)size);
        if (step != STEP_ON)
            return step;
        if ((size_t)size < sizeof buffer && !hung_up)
            return STEP_WAIT;
    }
}

static void serve(struct connection *connection, uint32_t events) {
    enum step step = STEP_ON;
    if (connection->begin < connection->end)
        step = send_unsent(connection);
    if (step == STEP_ON)
        step = echo(connection, (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0);
    if (step == STEP_END)
        close_connection(connection);
}

static void register_connection(struct connection *connection) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                .data.ptr = connection};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, connection->fd, &event) != 0)
        bench_die("epoll_ctl", errno);
}

static void accept_all(void) {
    int fd;
    /* What is allocated below is kept by the kernel, in the event. */
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
    while ((fd = accept4(listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct connection *connection = calloc(1, sizeof *connection);
        if (connection == NULL)
            bench_die("calloc", errno);
        connection->fd = fd;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        register_connection(connection);
    }
    if (errno != EAGAIN && errno != ECONNABORTED)
        bench_die("accept", errno);
}

int main(void) {
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0)
        bench_die("epoll_create1", errno);
    listener.fd = bench_listen(SOCK_NONBLOCK);
    register_connection(&listener);
    struct epoll_event events[EVENTS_MAX];
    for (;;) {
        const int count = epoll_wait(epoll_fd, events, EVENTS_MAX, -1);
        for (int i = 0; i < count; ++i) {
            struct connection *connection = events[i].data.ptr;
            if (connection == &listener)
                accept_all();
            else
                serve(connection, events[i].events);
        }
    }
}
