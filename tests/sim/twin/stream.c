/* Streams and pipes: ends, half ends, resets, and what a call says that the kind of file does not
 * have. */
#include <stdio.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "coir/sim.h"
#include "sim/twin/twin.h"

static char bytes[64];

static void read_all(int fd, int times) {
    while (times-- > 0)
        note("read", coir_read(fd, bytes, sizeof bytes));
}

static void half_close(int fds[2]) {
    note("write", coir_write(fds[0], "abc", 3));
    note("shutdown", coir_shutdown_write(fds[0]));
    settle();
    read_all(fds[1], 2);
    note("write", coir_write(fds[1], "de", 2));
    settle();
    read_all(fds[0], 1);
    note("write", coir_write(fds[0], "x", 1));
    note("shutdown", coir_shutdown_write(fds[0]));
    close_both(fds);
}

static void half_close_unix(void) {
    int fds[2];
    make_pair(fds);
    half_close(fds);
}

static void half_close_tcp(void) {
    int fds[2];
    make_tcp(fds);
    half_close(fds);
}

static void close_after_data(int fds[2]) {
    note("write", coir_write(fds[0], "abc", 3));
    note("close", coir_close(fds[0]));
    settle();
    note("read", coir_read(fds[1], bytes, 2));
    read_all(fds[1], 3);
    fds[0] = -1;
    close_both(fds);
}

static void close_after_data_unix(void) {
    int fds[2];
    make_pair(fds);
    close_after_data(fds);
}

static void close_after_data_tcp(void) {
    int fds[2];
    make_tcp(fds);
    close_after_data(fds);
}

static void close_after_data_pipe(void) {
    int fds[2];
    make_pipe(fds);
    const int ends[2] = {fds[1], fds[0]};
    int swapped[2] = {ends[0], ends[1]};
    close_after_data(swapped);
}

/* What the closing end has not read is answered by a reset. */
static void close_with_unread(int fds[2]) {
    note("write", coir_write(fds[1], "abc", 3));
    settle();
    note("close", coir_close(fds[0]));
    settle();
    read_all(fds[1], 2);
    note("write", coir_write(fds[1], "x", 1));
    fds[0] = -1;
    close_both(fds);
}

static void close_with_unread_unix(void) {
    int fds[2];
    make_pair(fds);
    close_with_unread(fds);
}

static void close_with_unread_tcp(void) {
    int fds[2];
    make_tcp(fds);
    close_with_unread(fds);
}

/* The first write after the other end's close is taken, and answered by a reset. */
static void write_to_closed_tcp(void) {
    int fds[2];
    make_tcp(fds);
    note("close", coir_close(fds[0]));
    settle();
    note("write", coir_write(fds[1], "x", 1));
    settle();
    note("write", coir_write(fds[1], "x", 1));
    note("write", coir_write(fds[1], "x", 1));
    read_all(fds[1], 2);
    (void)coir_close(fds[1]);
}

static void write_to_closed_unix(void) {
    int fds[2];
    make_pair(fds);
    note("close", coir_close(fds[0]));
    note("write", coir_write(fds[1], "x", 1));
    note("write", coir_write(fds[1], "x", 1));
    read_all(fds[1], 2);
    (void)coir_close(fds[1]);
}

static void write_to_closed_pipe(void) {
    int fds[2];
    make_pipe(fds);
    note("close", coir_close(fds[0]));
    note("poll", coir_poll(fds[1], COIR_WRITABLE));
    note("write", coir_write(fds[1], "x", 1));
    (void)coir_close(fds[1]);
}

static void nothing_there(void) {
    int fds[2];
    make_pair(fds);
    NOTE("recv", coir__sim_recv(fds[0], bytes, 4, 0));
    NOTE("write", coir__sim_write(fds[1], bytes, 0));
    NOTE("recv", coir__sim_recv(fds[0], bytes, 4, 0));
    close_both(fds);
    make_pipe(fds);
    NOTE("pipe read", coir__sim_read(fds[0], bytes, 4));
    NOTE("pipe write", coir__sim_write(fds[1], bytes, 0));
    NOTE("pipe read", coir__sim_read(fds[0], bytes, 4));
    close_both(fds);
}

static void parts(void) {
    char a[3] = "", b[8] = "";
    int fds[2];
    make_pair(fds);
    const struct iovec out[] = {{.iov_base = "ab", .iov_len = 2},
                                {.iov_base = "", .iov_len = 0},
                                {.iov_base = "cdef", .iov_len = 4}};
    const struct iovec in[] = {{.iov_base = a, .iov_len = 2}, {.iov_base = b, .iov_len = 7}};
    note("writev", coir_writev(fds[0], out, 3));
    note("readv", coir_readv(fds[1], in, 2));
    note_word(a);
    note_word(b);
    close_both(fds);
}

static void wrong_kind(void) {
    int fds[2], ends[2];
    make_pipe(fds);
    make_pair(ends);
    NOTE("read", coir__sim_read(fds[1], bytes, 1));
    NOTE("write", coir__sim_write(fds[0], bytes, 1));
    NOTE("recv", coir__sim_recv(fds[0], bytes, 1, 0));
    NOTE("pread", coir__sim_preadv(fds[0], &(struct iovec){bytes, 1}, 1, 0));
    NOTE("accept", coir__sim_accept4(fds[0], NULL, NULL, 0));
    NOTE("accept", coir__sim_accept4(ends[0], NULL, NULL, 0));
    NOTE("shutdown", coir__sim_shutdown(fds[0], SHUT_WR));
    NOTE("listen", coir__sim_listen(fds[0], 1));
    NOTE("pread", coir__sim_preadv(ends[0], &(struct iovec){bytes, 1}, 1, 0));
    close_both(fds);
    close_both(ends);
    NOTE("read", coir__sim_read(900, bytes, 1));
    NOTE("close", coir__sim_close(900));
    NOTE("shutdown", coir__sim_shutdown(900, SHUT_WR));
}

static void not_connected(void) {
    const int fd = coir__sim_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    NOTE("recv", coir__sim_recv(fd, bytes, 1, 0));
    NOTE("send", coir__sim_send(fd, bytes, 1, MSG_NOSIGNAL));
    NOTE("shutdown", coir__sim_shutdown(fd, SHUT_WR));
    NOTE("accept", coir__sim_accept4(fd, NULL, NULL, 0));
    NOTE("close", coir__sim_close(fd));
}

static void numbers(void) {
    int fds[2], others[2];
    make_pair(fds);
    (void)coir_close(fds[0]);
    make_pipe(others);
    note("lowest", others[0] == fds[0] && others[1] > fds[1]);
    (void)coir_close(fds[1]);
    close_both(others);
}

static void listener_closed(const char *address) {
    char own[COIR_ADDRESS_SIZE];
    const int listener = coir_listen(address);
    (void)coir_socket_address(listener, own, sizeof own);
    const int fd = coir_connect(own);
    note("connect", fd >= 0);
    note("close", coir_close(listener));
    settle();
    note("read", coir_read(fd, bytes, 1));
    note("read", coir_read(fd, bytes, 1));
    (void)coir_close(fd);
    note("connect", coir_connect(own));
}

static void listener_closed_tcp(void) {
    listener_closed("127.0.0.1:0");
}

static void listener_closed_unix(void) {
    listener_closed(abstract_of("listener"));
}

/* What is sent before the connection is accepted waits there, and so does its end. */
static void early_data(const char *address) {
    char own[COIR_ADDRESS_SIZE];
    const int listener = coir_listen(address);
    (void)coir_socket_address(listener, own, sizeof own);
    const int fd = coir_connect(own);
    note("write", coir_write(fd, "abc", 3));
    note("close", coir_close(fd));
    settle();
    const int server = coir_accept(listener);
    note("accept", server >= 0);
    read_all(server, 2);
    NOTE("accept", coir__sim_accept4(listener, NULL, NULL, SOCK_NONBLOCK));
    (void)coir_close(server);
    (void)coir_close(listener);
}

static void early_data_tcp(void) {
    early_data("127.0.0.1:0");
}

static void early_data_unix(void) {
    early_data(abstract_of("early"));
}

static int read_one(void *arg) {
    note("reader", coir_read(*(const int *)arg, bytes, 1));
    return 0;
}

static void close_wakes(void) {
    int fds[2];
    make_pair(fds);
    COIR_SCOPE(s);
    if (coir_spawn(&s, read_one, &fds[0]) == 0)
        settle();
    note("close", coir_close(fds[0]));
    (void)coir_scope_close(&s, 0);
    note("write", coir_write(fds[1], "x", 1));
    (void)coir_close(fds[1]);
}

const struct behaviour stream_behaviours[] = {
    {"half close, Unix", half_close_unix,
     "write=3 shutdown=0 read=3 read=0 write=2 read=2 write=EPIPE shutdown=0"},
    {"half close, TCP", half_close_tcp,
     "write=3 shutdown=0 read=3 read=0 write=2 read=2 write=EPIPE shutdown=0"},
    {"close after data, Unix", close_after_data_unix,
     "write=3 close=0 read=2 read=1 read=0 read=0"},
    {"close after data, TCP", close_after_data_tcp, "write=3 close=0 read=2 read=1 read=0 read=0"},
    {"close after data, pipe", close_after_data_pipe,
     "write=3 close=0 read=2 read=1 read=0 read=0"},
    {"close with unread data, Unix", close_with_unread_unix,
     "write=3 close=0 read=ECONNRESET read=0 write=EPIPE"},
    {"close with unread data, TCP", close_with_unread_tcp,
     "write=3 close=0 read=ECONNRESET read=0 write=EPIPE"},
    {"write to a closed end, TCP", write_to_closed_tcp,
     "close=0 write=1 write=EPIPE write=EPIPE read=0 read=0"},
    {"write to a closed end, Unix", write_to_closed_unix,
     "close=0 write=EPIPE write=EPIPE read=0 read=0"},
    {"write to a closed end, pipe", write_to_closed_pipe, "close=0 poll=2 write=EPIPE"},
    {"nothing there", nothing_there,
     "recv=EAGAIN write=0 recv=EAGAIN pipe read=EAGAIN pipe write=0 pipe read=EAGAIN"},
    {"parts", parts, "writev=6 readv=6 ab cdef"},
    {"wrong kind", wrong_kind,
     "read=EBADF write=EBADF recv=ENOTSOCK pread=ESPIPE accept=ENOTSOCK accept=EINVAL "
     "shutdown=ENOTSOCK listen=ENOTSOCK pread=ESPIPE read=EBADF close=EBADF shutdown=EBADF"},
    {"not connected", not_connected,
     "recv=ENOTCONN send=EPIPE shutdown=ENOTCONN accept=EINVAL close=0"},
    {"numbers", numbers, "lowest=1"},
    {"listener closed, TCP", listener_closed_tcp,
     "connect=1 close=0 read=ECONNRESET read=0 connect=ECONNREFUSED"},
    {"listener closed, Unix", listener_closed_unix,
     "connect=1 close=0 read=ECONNRESET read=0 connect=ECONNREFUSED"},
    {"early data, TCP", early_data_tcp, "write=3 close=0 accept=1 read=3 read=0 accept=EAGAIN"},
    {"early data, Unix", early_data_unix, "write=3 close=0 accept=1 read=3 read=0 accept=EAGAIN"},
    {"close wakes", close_wakes, "close=0 reader=EBADF write=EPIPE"},
    {NULL, NULL, NULL}};
