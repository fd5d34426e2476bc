/* Link with: -lst
 * The echo server over State Threads, a thread a connection, its epoll backend. Prints its process
 * id and its address, then serves until it is killed. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <st.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../lib/bench.h"

#define STACK (64 * 1024)

static void *echo(void *arg) {
    st_netfd_t connection = arg;
    char buffer[2048];
    ssize_t size;
    while ((size = st_read(connection, buffer, sizeof buffer, ST_UTIME_NO_TIMEOUT)) > 0)
        if (st_write(connection, buffer, (size_t)size, ST_UTIME_NO_TIMEOUT) != size)
            break;
    st_netfd_close(connection);
    return NULL;
}

static st_netfd_t listen_and_tell(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, SOMAXCONN) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        bench_die("listen", errno);
    printf("%d 127.0.0.1:%d\n", (int)getpid(), ntohs(address.sin_port));
    fflush(stdout);
    return st_netfd_open_socket(fd);
}

int main(void) {
    st_set_eventsys(ST_EVENTSYS_ALT);
    if (st_init() != 0)
        bench_die("st_init", errno);
    st_netfd_t listener = listen_and_tell();
    for (;;) {
        st_netfd_t connection = st_accept(listener, NULL, NULL, ST_UTIME_NO_TIMEOUT);
        if (connection == NULL)
            bench_die("st_accept", errno);
        setsockopt(st_netfd_fileno(connection), IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        if (st_thread_create(echo, connection, 0, STACK) == NULL)
            bench_die("st_thread_create", errno);
    }
}
