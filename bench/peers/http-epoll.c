/* The floor of a web server: one recv and one send a request, by hand over epoll, level triggered.
 * It looks for the end of a request's head and sends the same answer from memory, whatever was
 * asked for: no file, no date, no limits. Says where it listens, then serves until it is killed. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../lib/bench.h"

#define HEAD_MAX 4096
#define EVENTS_MAX 256

struct connection {
    int fd;
    size_t used;
    char head[HEAD_MAX];
};

static const char answer[] = "HTTP/1.1 200 OK\r\n"
                             "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
                             "Content-Type: application/octet-stream\r\n"
                             "Content-Length: 64\r\n\r\n"
                             "0000000000000000000000000000000000000000000000000000000000000000";

static int epoll_fd, listener;

static void add(int fd, void *data) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = data};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
        bench_die("epoll_ctl", errno);
}

static void accept_one(void) {
    const int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    struct connection *connection = malloc(sizeof *connection);
    if (connection == NULL)
        bench_die("malloc", errno);
    connection->fd = fd;
    connection->used = 0;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    add(fd, connection);
    /* What is allocated here is kept by the kernel, in the event. */
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
}

/* Whether the connection goes on. An answer is so short that the socket takes it at once, or the
 * client does not read. */
static bool serve(struct connection *connection) {
    const ssize_t size =
        recv(connection->fd, connection->head + connection->used, HEAD_MAX - connection->used, 0);
    if (size < 0 && errno == EAGAIN)
        return true;
    if (size <= 0)
        return false;
    connection->used += (size_t)size;
    if (memmem(connection->head, connection->used, "\r\n\r\n", 4) == NULL)
        return connection->used < HEAD_MAX;
    connection->used = 0;
    return send(connection->fd, answer, sizeof answer - 1, MSG_NOSIGNAL) == sizeof answer - 1;
}

int main(void) {
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0)
        bench_die("epoll_create1", errno);
    listener = bench_listen(SOCK_NONBLOCK);
    add(listener, NULL);
    struct epoll_event events[EVENTS_MAX];
    for (;;) {
        const int count = epoll_wait(epoll_fd, events, EVENTS_MAX, -1);
        for (int i = 0; i < count; ++i) {
            struct connection *connection = events[i].data.ptr;
            if (connection == NULL) {
                accept_one();
            } else if (!serve(connection)) {
                close(connection->fd);
                free(connection);
            }
        }
    }
}
