/* Descriptors: every byte that was said to be moved was, and nothing else. */
#include <string.h>

#include "sim/nth/nth.h"

#define SIZE 3000 /* more than the system has room for, so that both sides wait */

struct ends {
    int fds[2];
    size_t sent, received;
};

static unsigned char byte_at(size_t place) {
    return (unsigned char)(place * 31 % 251);
}

static void fill(unsigned char *bytes, size_t place, size_t size) {
    for (size_t i = 0; i < size; i++)
        bytes[i] = byte_at(place + i);
}

static void check_bytes(const unsigned char *bytes, size_t place, size_t size) {
    for (size_t i = 0; i < size; i++)
        must(bytes[i] == byte_at(place + i), "byte %zu is not what was sent", place + i);
}

/* The end of it tells the reader. */
static int end_writing(struct ends *it, int rc) {
    close_fd(it->fds[1]);
    it->fds[1] = -1;
    return rc;
}

static int read_to_the_end(struct ends *it) {
    unsigned char bytes[700];
    long rc;
    while ((rc = CALL(coir_read(it->fds[0], bytes, sizeof bytes), ANY, SYSTEM, ENOMEM, ENOSPC)) >
           0) {
        check_bytes(bytes, it->received, (size_t)rc);
        it->received += (size_t)rc;
    }
    return (int)rc;
}

/* ---- Read and write, in each form ---- */

static int write_simply(void *arg) {
    struct ends *const it = arg;
    unsigned char bytes[SIZE];
    fill(bytes, 0, SIZE);
    long rc = 0;
    while (it->sent < SIZE && rc >= 0) {
        rc = CALL(coir_write(it->fds[1], bytes + it->sent, SIZE - it->sent), ANY, SYSTEM, ENOMEM,
                  ENOSPC);
        it->sent += rc > 0 ? (size_t)rc : 0;
    }
    return end_writing(it, rc < 0 ? (int)rc : 0);
}

static int write_parts(void *arg) {
    struct ends *const it = arg;
    unsigned char bytes[SIZE];
    fill(bytes, 0, SIZE);
    long rc = 0;
    while (it->sent < SIZE && rc >= 0) {
        const size_t left = SIZE - it->sent, first = left / 3;
        const struct iovec parts[] = {
            {.iov_base = bytes + it->sent, .iov_len = first},
            {.iov_base = bytes + it->sent + first, .iov_len = left - first}};
        rc = CALL(coir_writev(it->fds[1], parts, 2), ANY, SYSTEM, ENOMEM, ENOSPC);
        it->sent += rc > 0 ? (size_t)rc : 0;
    }
    return end_writing(it, rc < 0 ? (int)rc : 0);
}

static int write_whole(void *arg) {
    struct ends *const it = arg;
    unsigned char bytes[SIZE];
    fill(bytes, 0, SIZE);
    const long rc =
        CALL(coir_write_all(it->fds[1], bytes, SIZE, &it->sent), 0, SYSTEM, ENOMEM, ENOSPC);
    must(rc < 0 || it->sent == SIZE, "%zu bytes were written", it->sent);
    return end_writing(it, (int)rc);
}

static int read_parts(struct ends *it) {
    unsigned char bytes[700];
    const struct iovec parts[] = {{.iov_base = bytes, .iov_len = 3},
                                  {.iov_base = bytes + 3, .iov_len = sizeof bytes - 3}};
    long rc;
    while ((rc = CALL(coir_readv(it->fds[0], parts, 2), ANY, SYSTEM, ENOMEM, ENOSPC)) > 0) {
        check_bytes(bytes, it->received, (size_t)rc);
        it->received += (size_t)rc;
    }
    return (int)rc;
}

static int read_whole(struct ends *it) {
    unsigned char bytes[SIZE];
    const long rc =
        CALL(coir_read_exact(it->fds[0], bytes, SIZE, &it->received), 0, SYSTEM, ENOMEM, ENOSPC);
    check_bytes(bytes, 0, it->received);
    return (int)rc;
}

static int transfer(int (*make)(int fds[2]), coir_fn writing, int (*reading)(struct ends *it)) {
    struct ends it = {.sent = 0};
    TRY(open_ends(make, it.fds), 0, EMFILE, ENFILE, ENOMEM);
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    long rc = CALL(coir_spawn(&s, writing, &it), 0, ENOMEM);
    if (rc == 0)
        rc = reading(&it);
    close_fd(it.fds[0]); /* the writer hears of it */
    rc = close_scope(&s, (int)rc);
    if (it.fds[1] >= 0) /* the writer was never begun */
        close_fd(it.fds[1]);
    must(rc < 0 || (it.sent == SIZE && it.received == SIZE), "%zu bytes were sent, %zu received",
         it.sent, it.received);
    must(it.received <= it.sent, "%zu bytes were sent, %zu received", it.sent, it.received);
    return (int)rc;
}

static int read_write(void) {
    return transfer(coir_sim_pair, write_simply, read_to_the_end);
}

static int readv_writev(void) {
    return transfer(coir_sim_pair, write_parts, read_parts);
}

static int exact_all(void) {
    return transfer(coir_sim_pair, write_whole, read_whole);
}

static int pipe_ends(void) {
    return transfer(coir_sim_pipe, write_simply, read_to_the_end);
}

static int pipe_whole(void) {
    return transfer(coir_sim_pipe, write_whole, read_whole);
}

/* ---- Poll, release, close ---- */

static int answer(void *arg) {
    const int *const fds = arg;
    TRY(coir_sleep(COIR_MS(1)), 0);
    TRY(coir_write(fds[1], "x", 1), 1, SYSTEM, ENOMEM, ENOSPC);
    return 0;
}

static int poll_in(coir_scope *s, int *fds) {
    char byte;
    TRY(coir_poll(fds[0], COIR_READABLE | COIR_WRITABLE), COIR_WRITABLE, SYSTEM, ENOMEM, ENOSPC);
    TRY(coir_spawn(s, answer, fds), 0, ENOMEM);
    TRY(coir_poll(fds[0], COIR_READABLE), COIR_READABLE, SYSTEM, ENOMEM, ENOSPC);
    TRY(coir_read(fds[0], &byte, 1), 1, SYSTEM, ENOMEM, ENOSPC);
    return 0;
}

static int poll_ends(void) {
    int fds[2];
    TRY(open_ends(coir_sim_pair, fds), 0, EMFILE, ENFILE, ENOMEM);
    COIR_SCOPE(s);
    const int rc = close_scope(&s, poll_in(&s, fds));
    close_ends(fds);
    return rc;
}

static int wait_for_end(void *arg) {
    char byte;
    const struct before before = call_begins();
    const long rc = coir_read(*(const int *)arg, &byte, 1);
    if (rc == -EBADF)
        return 0;
    return (int)call_ends(&before, "coir_read", rc,
                          (const long[]){-EBADF, SYSTEM, ENOMEM, ENOSPC, 0});
}

/* Closed while somebody waits; then the number is used again. */
static int close_under(void) {
    int fds[2], others[2];
    TRY(open_ends(coir_sim_pair, fds), 0, EMFILE, ENFILE, ENOMEM);
    COIR_SCOPE(s);
    long rc = CALL(coir_spawn(&s, wait_for_end, &fds[0]), 0, ENOMEM);
    if (rc == 0)
        rc = CALL(coir_sleep(COIR_MS(1)), 0);
    close_ends(fds);
    if (rc == 0)
        rc = CALL(open_ends(coir_sim_pair, others), 0, EMFILE, ENFILE, ENOMEM);
    if (rc == 0)
        close_ends(others);
    return close_scope(&s, (int)rc);
}

static int release(void) {
    int fds[2];
    TRY(open_ends(coir_sim_pair, fds), 0, EMFILE, ENFILE, ENOMEM);
    char byte;
    long rc = CALL(coir_write(fds[1], "x", 1), 1, SYSTEM, ENOMEM, ENOSPC);
    if (rc >= 0)
        rc = CALL(coir_read(fds[0], &byte, 1), 1, SYSTEM, ENOMEM, ENOSPC);
    must(coir_release(fds[0]) == 0, "a descriptor that nobody waits for is busy");
    must(coir_release(fds[0]) == -EBADF, "a descriptor is known after its release");
    must(coir_adopt(fds[0]) == 0, "a descriptor that was known cannot be known again");
    close_ends(fds);
    return rc < 0 ? (int)rc : 0;
}

const struct scenario descriptor_scenarios[] = {{.name = "read_write", .run = read_write},
                                                {.name = "readv_writev", .run = readv_writev},
                                                {.name = "exact_all", .run = exact_all},
                                                {.name = "pipe", .run = pipe_ends},
                                                {.name = "pipe_whole", .run = pipe_whole},
                                                {.name = "poll", .run = poll_ends},
                                                {.name = "close", .run = close_under},
                                                {.name = "release", .run = release},
                                                {.name = NULL}};
