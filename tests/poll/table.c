/* The rows of the table, and the ends they happen to. */
#include "table.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

#define PIPE (1u << KIND_PIPE)
#define UNIX (1u << KIND_UNIX)
#define TCP (1u << KIND_TCP)
#define DATAGRAM (1u << KIND_DATAGRAM)
#define LISTENER (1u << KIND_LISTENER)
#define SOCKETS (UNIX | TCP)
#define STREAMS (PIPE | SOCKETS)

#define READ COIR_POLL_READ
#define WRITE COIR_POLL_WRITE

/* ---- The ends ---- */

static void unblock(int fd) {
    check_int(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
}

static int listen_somewhere(void) {
    const struct sockaddr_in at = {.sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    check(fd >= 0);
    check_int(bind(fd, (const struct sockaddr *)&at, sizeof at), 0);
    check_int(listen(fd, 8), 0);
    return fd;
}

void table_open(enum kind kind, int ends[2]) {
    ends[1] = -1;
    if (kind == KIND_LISTENER)
        ends[0] = listen_somewhere();
    else if (kind == KIND_DATAGRAM)
        check_int(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends), 0);
    else
        ends_open_raw((enum ends_kind)kind, ends);
    for (int i = 0; i < 2; i++) {
        if (ends[i] >= 0)
            unblock(ends[i]);
    }
}

static void close_end(int *end) {
    if (*end >= 0)
        check_int(close(*end), 0);
    *end = -1;
}

void table_close(int ends[2]) {
    close_end(&ends[0]);
    close_end(&ends[1]);
}

/* ---- What happens ---- */

static size_t filled;

static void fill(int ends[2]) {
    filled = raw_fill(ends[1]);
    check(filled > 0);
}

static void fill_back(int ends[2]) {
    check(raw_fill(ends[0]) > 0);
}

/* All of it: what the network still holds follows what was taken. */
static void drain(int ends[2]) {
    while (filled > 0) {
        const size_t n = raw_drain(ends[0]);
        check(n <= filled);
        filled -= n;
        if (n == 0)
            usleep(1000);
    }
}

static void send_byte(int ends[2]) {
    check_int(write(ends[1], "x", 1), 1);
}

static void finish(int ends[2]) {
    check_int(shutdown(ends[1], SHUT_WR), 0);
}

static void send_byte_and_finish(int ends[2]) {
    send_byte(ends);
    finish(ends);
}

static void send_byte_and_close(int ends[2]) {
    send_byte(ends);
    close_end(&ends[1]);
}

static void close_writer(int ends[2]) {
    close_end(&ends[1]);
}

static void close_reader(int ends[2]) {
    close_end(&ends[0]);
}

static void reset(int ends[2]) {
    raw_reset(ends[1]);
    ends[1] = -1;
}

static void shut_down_here(int ends[2]) {
    check_int(shutdown(ends[0], SHUT_RDWR), 0);
}

static void connect_to_it(int ends[2]) {
    struct sockaddr_in at;
    socklen_t size = sizeof at;
    check_int(getsockname(ends[0], (struct sockaddr *)&at, &size), 0);
    ends[1] = socket(AF_INET, SOCK_STREAM, 0);
    check(ends[1] >= 0);
    check_int(connect(ends[1], (struct sockaddr *)&at, size), 0);
}

/* ---- The table ---- */

const struct happening happenings[] = {
    {"nothing has come", STREAMS | DATAGRAM | LISTENER, 0, NULL, NULL, 0, READ},
    {"there is room", STREAMS | DATAGRAM, 1, NULL, NULL, WRITE, 0},
    {"there is no room", PIPE | UNIX, 1, fill, NULL, 0, WRITE},
    {"data are there", STREAMS | DATAGRAM, 0, send_byte, NULL, READ, 0},
    {"data arrive", STREAMS | DATAGRAM, 0, NULL, send_byte, READ, 0},
    {"data arrive where there is no room", SOCKETS, 0, fill_back, send_byte, READ, 0},
    {"what was full is drained", STREAMS, 1, fill, drain, WRITE, 0},
    {"the other end has finished", SOCKETS, 0, finish, NULL, READ, 0},
    {"the other end finishes", SOCKETS, 0, NULL, finish, READ, 0},
    {"the other end finishes after data", SOCKETS, 0, NULL, send_byte_and_finish, READ, 0},
    {"the other end is closed", STREAMS, 0, NULL, close_writer, READ, 0},
    {"the other end is closed after data", STREAMS, 0, NULL, send_byte_and_close, READ, 0},
    {"nobody reads any more", STREAMS, 1, fill, close_reader, WRITE, 0},
    {"the connection is reset", TCP, 0, fill_back, reset, READ | WRITE, 0},
    {"it is shut down here", SOCKETS, 0, fill_back, shut_down_here, READ | WRITE, 0},
    {"a connection waits", LISTENER, 0, connect_to_it, NULL, READ, 0},
    {"a connection arrives", LISTENER, 0, NULL, connect_to_it, READ, 0},
};

const size_t happenings_count = COUNT_OF(happenings);

const char *table_label(const struct happening *row, enum kind kind) {
    static const char *const names[KINDS] = {"pipe", "unix", "tcp", "datagram", "listener"};
    static char label[96];
    snprintf(label, sizeof label, "%s: %s", names[kind], row->what);
    return label;
}

void table_each(void (*check_row)(const struct happening *row, enum kind kind)) {
    for (size_t i = 0; i < happenings_count; i++) {
        for (enum kind kind = 0; kind < KINDS; kind++) {
            if (happenings[i].kinds & 1u << kind)
                check_row(&happenings[i], kind);
        }
    }
}
