/* Link with: -lst
 * The echo server over State Threads, a thread a connection; by epoll where the library was built
 * with it, by select(2) with no more than 1,024 descriptors where not. Prints its process id and
 * its address, then serves until it is killed. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <st.h>
#include <stdio.h>
#include <stdlib.h>
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

int main(void) {
    st_set_eventsys(ST_EVENTSYS_ALT);
    if (st_init() != 0)
        bench_die("st_init", errno);
    st_netfd_t listener = st_netfd_open_socket(bench_listen(0));
    for (;;) {
        st_netfd_t connection = st_accept(listener, NULL, NULL, ST_UTIME_NO_TIMEOUT);
        if (connection == NULL && errno == EMFILE) {
            fprintf(stderr, "State Threads takes no more descriptors here\n");
            exit(BENCH_CANNOT);
        }
        if (connection == NULL)
            bench_die("st_accept", errno);
        setsockopt(st_netfd_fileno(connection), IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        if (st_thread_create(echo, connection, 0, STACK) == NULL)
            bench_die("st_thread_create", errno);
    }
}
