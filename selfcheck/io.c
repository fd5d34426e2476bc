/* Sockets, pipes and files: what src/io and src/poll promise. Only this machine is talked to. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "selfcheck.h"

/* ---- A long conversation ---- */

enum { LONG = 1 << 20 }; /* more than any buffer on the way holds */

static char byte_at(size_t place) {
    return (char)(place * 7 + place / 4099);
}

static int write_long(int fd) {
    static char part[10000];
    for (size_t done = 0; done < LONG;) {
        const size_t size = LONG - done < sizeof part ? LONG - done : sizeof part;
        for (size_t i = 0; i < size; i++)
            part[i] = byte_at(done + i);
        EXPECT(coir_write_all(fd, part, size, NULL), 0);
        done += size;
    }
    return 0;
}

static int read_long(int fd) {
    static char part[7000];
    size_t done = 0;
    for (;;) {
        const ssize_t size = coir_read(fd, part, sizeof part);
        EXPECT_OK(size);
        if (size == 0)
            break;
        for (size_t i = 0; i < (size_t)size; i++)
            EXPECT(part[i], byte_at(done + i));
        done += (size_t)size;
    }
    EXPECT(done, LONG);
    return 0;
}

static int write_and_half_close(void *arg) {
    const int fd = *(const int *)arg;
    COIR_TRY(write_long(fd));
    EXPECT(coir_shutdown_write(fd), 0);
    return 0;
}

static int echo_once(void *arg) {
    char part[5000];
    ssize_t size;
    const int fd = coir_accept(*(const int *)arg);
    EXPECT_OK(fd);
    while ((size = coir_read(fd, part, sizeof part)) > 0)
        EXPECT(coir_write_all(fd, part, (size_t)size, NULL), 0);
    EXPECT(size, 0);
    EXPECT(coir_close(fd), 0);
    return 0;
}

static int converse(const char *address) {
    char actual[COIR_ADDRESS_SIZE];
    int listener = coir_listen(address);
    EXPECT_OK(listener);
    EXPECT(coir_socket_address(listener, actual, sizeof actual), 0);
    COIR_SCOPE(scope);
    EXPECT(coir_spawn(&scope, echo_once, &listener), 0);
    int fd = coir_connect(actual);
    EXPECT_OK(fd);
    EXPECT(coir_spawn(&scope, write_and_half_close, &fd), 0);
    EXPECT(coir_scope_close(&scope, read_long(fd)), 0);
    EXPECT(coir_close(fd), 0);
    EXPECT(coir_close(listener), 0);
    return 0;
}

static int tcp_echo(UNUSED void *arg) {
    return converse("127.0.0.1:0");
}

/* ---- Unix sockets ---- */

struct place {
    char folder[80];
    char paths[2][COIR_ADDRESS_SIZE]; /* addresses in it */
};

static int make_place(struct place *place) {
    const char *const parent = getenv("TMPDIR"), *const name = "coir-selfcheck-XXXXXX";
    const bool fits = parent != NULL && strlen(parent) + strlen(name) + 2 <= sizeof place->folder;
    (void)snprintf(place->folder, sizeof place->folder, "%s/%s", fits ? parent : "/tmp", name);
    EXPECT(mkdtemp(place->folder) != NULL, true);
    for (size_t i = 0; i < COUNT_OF(place->paths); i++)
        (void)snprintf(place->paths[i], sizeof place->paths[i], "unix:%s/%zu", place->folder, i);
    return 0;
}

static void remove_place(const struct place *place) {
    for (size_t i = 0; i < COUNT_OF(place->paths); i++)
        (void)unlink(place->paths[i] + strlen("unix:"));
    (void)rmdir(place->folder);
}

static int unix_echo(UNUSED void *arg) {
    struct place place = {.folder = ""};
    COIR_TRY(make_place(&place));
    const int rc = converse(place.paths[0]);
    remove_place(&place);
    return rc;
}

static int exchange_datagrams(const struct place *place) {
    char text[16], from[COIR_ADDRESS_SIZE];
    const int a = coir_bind_datagram(place->paths[0]), b = coir_bind_datagram(place->paths[1]);
    EXPECT_OK(a);
    EXPECT_OK(b);
    EXPECT(coir_send_to(a, "first", 5, place->paths[1]), 5);
    EXPECT(coir_send_to(a, "second", 6, place->paths[1]), 6);
    EXPECT(coir_receive_from(b, text, sizeof text, &from), 5);
    EXPECT(strcmp(from, place->paths[0]), 0);
    EXPECT(coir_receive_from(b, text, sizeof text, &from), 6);
    EXPECT(memcmp(text, "second", 6), 0);
    EXPECT(coir_close(a), 0);
    EXPECT(coir_close(b), 0);
    return 0;
}

static int unix_datagrams(UNUSED void *arg) {
    struct place place = {.folder = ""};
    COIR_TRY(make_place(&place));
    const int rc = exchange_datagrams(&place);
    remove_place(&place);
    return rc;
}

/* ---- Ends ---- */

static int nobody_listens(UNUSED void *arg) {
    char address[COIR_ADDRESS_SIZE];
    const int listener = coir_listen("127.0.0.1:0");
    EXPECT_OK(listener);
    EXPECT(coir_socket_address(listener, address, sizeof address), 0);
    EXPECT(coir_close(listener), 0);
    EXPECT(coir_connect(address), -ECONNREFUSED);
    return 0;
}

static int adopt_pair(int pair[2]) {
    EXPECT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    EXPECT(coir_adopt(pair[0]), 0);
    EXPECT(coir_adopt(pair[1]), 0);
    return 0;
}

static int read_byte(void *arg) {
    char byte;
    return (int)coir_read(*(const int *)arg, &byte, 1);
}

static int a_close_wakes(UNUSED void *arg) {
    int pair[2], result = 0;
    char byte;
    COIR_TRY(adopt_pair(pair));
    COIR_SCOPE(scope, .policy = COIR_SUPERVISE);
    EXPECT(coir_spawn_with(&scope, read_byte, &pair[0], &(coir_spawn_options){.result = &result}),
           0);
    EXPECT(coir_yield(), 0);
    EXPECT(coir_read(pair[0], &byte, 1), -EBUSY);
    EXPECT(coir_close(pair[0]), 0);
    EXPECT(coir_scope_close(&scope, 0), -EBADF);
    EXPECT(result, -EBADF);
    EXPECT(coir_write(pair[1], "x", 1), -EPIPE); /* and no signal */
    EXPECT(coir_close(pair[1]), 0);
    return 0;
}

static int a_cut_read_reads_nothing(UNUSED void *arg) {
    int pair[2];
    char byte = 0;
    COIR_TRY(adopt_pair(pair));
    COIR_SCOPE(scope, .deadline = coir_after(COIR_MS(5)));
    EXPECT(coir_read(pair[0], &byte, 1), -ECANCELED);
    EXPECT(coir_scope_close(&scope, -ECANCELED), -ETIMEDOUT);
    EXPECT(coir_write(pair[1], "x", 1), 1);
    EXPECT(coir_read(pair[0], &byte, 1), 1);
    EXPECT(byte, 'x');
    EXPECT(coir_close(pair[0]), 0);
    EXPECT(coir_close(pair[1]), 0);
    return 0;
}

/* ---- Pipes and files ---- */

static int write_and_close(void *arg) {
    const int fd = *(const int *)arg;
    COIR_TRY(write_long(fd));
    EXPECT(coir_close(fd), 0);
    return 0;
}

static int pipe_carries_all(UNUSED void *arg) {
    int ends[2];
    EXPECT(pipe(ends), 0);
    EXPECT(coir_adopt(ends[0]), 0);
    EXPECT(coir_adopt(ends[1]), 0);
    COIR_SCOPE(scope);
    EXPECT(coir_spawn(&scope, write_and_close, &ends[1]), 0);
    EXPECT(coir_scope_close(&scope, read_long(ends[0])), 0);
    EXPECT(coir_close(ends[0]), 0);
    return 0;
}

static int file_keeps_what_is_written(UNUSED void *arg) {
    char text[4] = "";
    FILE *const file = tmpfile();
    EXPECT(file != NULL, true);
    const int fd = dup(fileno(file));
    EXPECT_OK(fd);
    EXPECT(coir_adopt(fd), 0);
    EXPECT(coir_pwrite(fd, "abcdef", 6, 5000), 6);
    EXPECT(coir_pread(fd, text, 3, 5002), 3);
    EXPECT(memcmp(text, "cde", 3), 0);
    EXPECT(coir_pread(fd, text, 3, 6000), 0);
    EXPECT(coir_close(fd), 0);
    EXPECT(fclose(file), 0);
    return 0;
}

const struct check io_checks[] = {
    {.name = "tcp: a megabyte there and back, half closed", .run = tcp_echo},
    {.name = "tcp: nobody listens, connecting is refused", .run = nobody_listens},
    {.name = "unix socket: a megabyte there and back, half closed", .run = unix_echo},
    {.name = "unix socket: datagrams, with their sender", .run = unix_datagrams},
    {.name = "socket: a close wakes the reader, and tells the writer", .run = a_close_wakes},
    {.name = "socket: a read that is cut has read nothing", .run = a_cut_read_reads_nothing},
    {.name = "pipe: a megabyte, and its end", .run = pipe_carries_all},
    {.name = "file: keeps what is written where it was", .run = file_keeps_what_is_written},
    {.name = NULL},
};
