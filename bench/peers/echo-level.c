/* The echo server by hand as most would write it: level triggered, registered for reading only, one
 * recv and one send a request. What the socket does not take at once is waited for in poll(2),
 * which with requests of this size never happens. Prints its process id and its address, then
 * serves until it is killed. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../lib/bench.h"

#define BUFFER_SIZE 2048
#define EVENTS_MAX 256

static int epoll_fd, listener;

static void add(int fd) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
        bench_die("epoll_ctl", errno);
}

static bool send_all(int fd, const char *data, size_t size) {
    while (size > 0) {
        const ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN)
            return false;
        if (sent < 0) {
            struct pollfd room = {.fd = fd, .events = POLLOUT};
            (void)poll(&room, 1, -1);
            continue;
        }
        data += sent;
        size -= (size_t)sent;
    }
    return true;
}

static void echo(int fd) {
    char buffer[BUFFER_SIZE];
    const ssize_t size = recv(fd, buffer, sizeof buffer, 0);
    if (size < 0 && errno == EAGAIN)
        return;
    if (size <= 0 || !send_all(fd, buffer, (size_t)size))
        close(fd);
}

static void accept_one(void) {
    const int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    add(fd);
}

int main(void) {
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0)
        bench_die("epoll_create1", errno);
    listener = bench_listen(SOCK_NONBLOCK);
    add(listener);
    struct epoll_event events[EVENTS_MAX];
    for (;;) {
        const int count = epoll_wait(epoll_fd, events, EVENTS_MAX, -1);
        for (int i = 0; i < count; ++i) {
            if (events[i].data.fd == listener)
                accept_one();
            else
                echo(events[i].data.fd);
        }
    }
}
