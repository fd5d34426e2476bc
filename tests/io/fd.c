/* Descriptors: what is known and what is not, reading and writing in part and in full, ends of
 * streams, one reader and one writer, closing under a waiter, and what a cut leaves behind.
 *
 * Every law here holds for pipes, Unix sockets and TCP alike; where it depends on nothing else, the
 * test goes through all of them. What edge-triggered readiness may get wrong is in fd_ready.c. */
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include "ends.h"

SUITE(io_fd);

/* ---- Every call, for what they have in common ---- */

static long call_read(int fd) {
    char byte;
    return coir_read(fd, &byte, 1);
}

static long call_readv(int fd) {
    char byte;
    return coir_readv(fd, &(const struct iovec){&byte, 1}, 1);
}

static long call_read_exact(int fd) {
    char byte;
    return coir_read_exact(fd, &byte, 1, NULL);
}

static long call_pread(int fd) {
    char byte;
    return coir_pread(fd, &byte, 1, 0);
}

static long call_receive_from(int fd) {
    char byte;
    return coir_receive_from(fd, &byte, 1, NULL);
}

static long call_write(int fd) {
    return coir_write(fd, "x", 1);
}

static long call_writev(int fd) {
    char byte = 'x';
    return coir_writev(fd, &(const struct iovec){&byte, 1}, 1);
}

static long call_write_all(int fd) {
    return coir_write_all(fd, "x", 1, NULL);
}

static long call_pwrite(int fd) {
    return coir_pwrite(fd, "x", 1, 0);
}

static long call_send_to(int fd) {
    return coir_send_to(fd, "x", 1, "127.0.0.1:9");
}

static long call_poll(int fd) {
    return coir_poll(fd, COIR_READABLE);
}

static long call_accept(int fd) {
    return coir_accept(fd);
}

static long call_shutdown(int fd) {
    return coir_shutdown_write(fd);
}

static long call_release(int fd) {
    return coir_release(fd);
}

static long call_close(int fd) {
    return coir_close(fd);
}

struct call {
    const char *name;
    long (*fn)(int fd);
    bool waits; /* if it may park at all */
};

static const struct call calls[] = {
    {"read", call_read, true},
    {"readv", call_readv, true},
    {"read_exact", call_read_exact, true},
    {"pread", call_pread, true},
    {"receive_from", call_receive_from, true},
    {"write", call_write, true},
    {"writev", call_writev, true},
    {"write_all", call_write_all, true},
    {"pwrite", call_pwrite, true},
    {"send_to", call_send_to, true},
    {"poll", call_poll, true},
    {"accept", call_accept, true},
    {"shutdown_write", call_shutdown, false},
    {"release", call_release, false},
    {"close", call_close, false},
};

static void check_all_calls(int fd, long expected, bool waiting_ones_only) {
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        if (waiting_ones_only && !calls[i].waits)
            continue;
        const long rc = calls[i].fn(fd);
        cr_assert(rc == expected, "%s(%d) is %s, not %s", calls[i].name, fd, rc_text(rc),
                  rc_text(expected));
    }
}

Test(io_fd, outside_the_runtime_all_calls_are_refused) {
    int ends[2];
    ends_open_raw(ENDS_UNIX, ends);
    check_rc(coir_adopt(ends[0]), -EPERM);
    check_all_calls(ends[0], -EPERM, false);
    check(fcntl(ends[0], F_GETFD) >= 0);
}

static int calls_in_child(void *arg) {
    const int fd = *(const int *)arg;
    if (coir_adopt(fd) != -ECHILD)
        return 1;
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        if (calls[i].fn(fd) != -ECHILD)
            return 2 + (int)i;
    }
    return 0;
}

TASK_TEST(io_fd, in_a_forked_child_all_calls_are_refused) {
    int ends[2];
    ends_open(ENDS_UNIX, ends);
    check_int(run_forked(calls_in_child, &ends[0]), 0);
    raw_write(ends[1], "still");
    struct reading reading = {.fd = ends[0]};
    read_some(&reading);
    check_rc(reading.rc, 5);
    ends_close(ends);
    return 0;
}

/* ---- Known and unknown ---- */

TASK_TEST(io_fd, unknown_descriptors_are_bad) {
    int ends[2];
    ends_open_raw(ENDS_UNIX, ends);
    const int closed = dup(ends[0]);
    close(closed);
    const int unknown[] = {-1, INT_MIN, INT_MAX, 1 << 20, closed, ends[0]};
    for (size_t i = 0; i < COUNT_OF(unknown); i++)
        check_all_calls(unknown[i], -EBADF, false);
    check(fcntl(ends[0], F_GETFD) >= 0); /* close did not close what it did not know */
    close(ends[0]);
    close(ends[1]);
    return 0;
}

TASK_TEST(io_fd, adopting_what_is_not_open_is_refused) {
    check_rc(coir_adopt(-1), -EBADF);
    check_rc(coir_adopt(INT_MIN), -EBADF);
    check_rc(coir_adopt(INT_MAX), -EBADF);
    const int closed = dup(STDERR_FILENO);
    close(closed);
    check_rc(coir_adopt(closed), -EBADF);
    check_int(stats().descriptors, 0);
    return 0;
}

TASK_TEST(io_fd, adopting_makes_non_blocking_and_may_be_repeated) {
    int ends[2];
    ends_open_raw(ENDS_PIPE, ends);
    check(!(fcntl(ends[0], F_GETFL) & O_NONBLOCK));
    check_rc(coir_adopt(ends[0]), 0);
    check(fcntl(ends[0], F_GETFL) & O_NONBLOCK);
    check_rc(coir_adopt(ends[0]), 0);
    check_int(stats().descriptors, 1);

    check_rc(coir_release(ends[0]), 0);
    check_int(stats().descriptors, 0);
    check(fcntl(ends[0], F_GETFL) & O_NONBLOCK);
    check_rc(coir_release(ends[0]), -EBADF);
    check_rc(call_read(ends[0]), -EBADF);

    check_rc(coir_adopt(ends[0]), 0);
    check_rc(coir_close(ends[0]), 0);
    check(fcntl(ends[0], F_GETFD) < 0);
    check_rc(coir_close(ends[0]), -EBADF);
    close(ends[1]);
    return 0;
}

TASK_TEST(io_fd, what_is_adopted_again_is_still_waited_for) {
    int ends[2];
    ends_open(ENDS_UNIX, ends);
    for (int i = 0; i < 3; i++) {
        struct reading reading = {.fd = ends[0]};
        COIR_SCOPE(s, .deadline = coir_after(COIR_SEC(1000)));
        start(&s, read_some, &reading);
        settle();
        raw_write(ends[1], "again");
        check_rc(coir_scope_close(&s, 0), 0);
        check_str(reading.text, "again");
        if (i == 1) {
            check_rc(coir_release(ends[0]), 0);
            check_int(stats().descriptors, 1);
        }
        check_rc(coir_adopt(ends[0]), 0);
        check_int(stats().descriptors, 2);
    }
    ends_close(ends);
    return 0;
}

static int adopt_and_forget(void *arg) {
    const int *const ends = arg;
    check_rc(coir_adopt(ends[0]), 0);
    raw_write(ends[1], "x");
    check_rc(call_read(ends[0]), 1);
    return 0;
}

Test(io_fd, what_was_adopted_survives_the_run_and_serves_the_next_one) {
    int ends[2];
    ends_open_raw(ENDS_PIPE, ends);
    for (int i = 0; i < 3; i++)
        check_rc(run_task_with(adopt_and_forget, ends, &(run_options){.leaves_work = true}), 0);
    check(fcntl(ends[0], F_GETFD) >= 0);
}

/* A library that owns the descriptor closes it, and the number comes back as another file. */
TASK_TEST(io_fd, closed_behind_the_runtimes_back_and_adopted_again) {
    int old[2], new[2];
    ends_open(ENDS_UNIX, old);
    close(old[0]);
    check_rc(call_read(old[0]), -EBADF);
    ends_open_raw(ENDS_UNIX, new);
    check_int(new[0], old[0]);
    check_rc(coir_adopt(new[0]), 0);

    struct reading reading = {.fd = new[0]};
    COIR_SCOPE(s);
    start(&s, read_some, &reading);
    settle();
    check_int(reading.rc, READING);
    raw_write(new[1], "new");
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(reading.rc, 3);
    check_rc(coir_close(new[0]), 0);
    close(new[1]);
    check_rc(coir_close(old[1]), 0);
    return 0;
}

/* ---- Reading and writing ---- */

TASK_TEST_SEEDS(io_fd, a_read_waits_until_something_is_there) {
    for (enum ends_kind kind = 0; kind < ENDS_KINDS; kind++) {
        int ends[2];
        ends_open(kind, ends);
        struct reading reading = {.fd = ends[0]};
        COIR_SCOPE(s);
        start(&s, read_some, &reading);
        settle();
        check_int(reading.rc, READING);
        check_int(stats().io_waiting, 1);
        raw_write(ends[1], "hello");
        check_rc(coir_scope_close(&s, 0), 0);
        check_rc(reading.rc, 5);
        check_str(reading.text, "hello");
        check_int(stats().io_waiting, 0);
        ends_close(ends);
    }
    return 0;
}

TASK_TEST(io_fd, a_read_takes_what_fits_and_leaves_the_rest) {
    for (enum ends_kind kind = 0; kind < ENDS_KINDS; kind++) {
        int ends[2];
        ends_open(kind, ends);
        check_rc(coir_write(ends[1], "0123456789", 10), 10);
        const char *const parts[] = {"0123", "4567", "89"};
        for (size_t i = 0; i < COUNT_OF(parts); i++) {
            struct reading reading = {.fd = ends[0], .size_bytes = 4};
            read_some(&reading);
            check_str(reading.text, parts[i]);
        }
        check(raw_empty(ends[0]));
        ends_close(ends);
    }
    return 0;
}

TASK_TEST_SEEDS(io_fd, a_write_waits_until_there_is_room) {
    for (enum ends_kind kind = 0; kind <= ENDS_UNIX; kind++) {
        int ends[2];
        ends_open(kind, ends);
        const size_t full = raw_fill(ends[1]);
        struct writing writing = {.fd = ends[1]};
        COIR_SCOPE(s);
        start(&s, write_byte, &writing);
        settle();
        check_int(writing.rc, READING);
        check_int(stats().io_waiting, 1);
        check_int(raw_drain(ends[0]), full);
        check_rc(coir_scope_close(&s, 0), 0);
        check_rc(writing.rc, 1);
        check_int(raw_drain(ends[0]), 1);
        ends_close(ends);
    }
    return 0;
}

TASK_TEST(io_fd, a_write_takes_what_has_room) {
    for (enum ends_kind kind = 0; kind < ENDS_KINDS; kind++) {
        int ends[2];
        ends_open(kind, ends);
        const size_t much = (size_t)16 << 20;
        char *const block = calloc(1, much);
        const ssize_t n = coir_write(ends[1], block, much);
        check(n > 0);
        check(n < (ssize_t)much);
        free(block);
        ends_close(ends);
    }
    return 0;
}

struct transfer {
    int fd;
    size_t size_bytes, done;
    char *buffer;
    int rc;
};

static int send_it(void *arg) {
    struct transfer *const it = arg;
    it->rc = coir_write_all(it->fd, it->buffer, it->size_bytes, &it->done);
    return 0;
}

static int receive_it(void *arg) {
    struct transfer *const it = arg;
    it->rc = coir_read_exact(it->fd, it->buffer, it->size_bytes, &it->done);
    return 0;
}

TASK_TEST_SEEDS(io_fd, exact_reads_and_full_writes_of_much_more_than_fits) {
    const size_t size_bytes = ((size_t)1 << 20) + 13;
    char *const sent = malloc(size_bytes), *const received = malloc(size_bytes);
    pattern_fill(sent, size_bytes, 0);
    for (enum ends_kind kind = 0; kind < ENDS_KINDS; kind++) {
        int ends[2];
        ends_open(kind, ends);
        memset(received, 0, size_bytes);
        struct transfer out = {.fd = ends[1], .size_bytes = size_bytes, .buffer = sent};
        struct transfer in = {.fd = ends[0], .size_bytes = size_bytes, .buffer = received};
        COIR_SCOPE(s);
        start(&s, send_it, &out);
        start(&s, receive_it, &in);
        check_rc(coir_scope_close(&s, 0), 0);
        check_rc(out.rc, 0);
        check_rc(in.rc, 0);
        check_int(out.done, size_bytes);
        check_int(in.done, size_bytes);
        check(pattern_holds(received, size_bytes, 0));
        ends_close(ends);
    }
    free(sent);
    free(received);
    return 0;
}

TASK_TEST(io_fd, scattered_reads_and_gathered_writes) {
    for (enum ends_kind kind = 0; kind < ENDS_KINDS; kind++) {
        int ends[2];
        ends_open(kind, ends);
        char hello[] = "hello", world[] = " world";
        const struct iovec out[] = {{hello, 5}, {NULL, 0}, {world, 6}};
        check_rc(coir_writev(ends[1], out, 3), 11);
        char first[3] = "", second[32] = "";
        const struct iovec in[] = {{first, 2}, {second, sizeof second}};
        check_rc(coir_readv(ends[0], in, 2), 11);
        check_str(first, "he");
        check_str(second, "llo world");
        ends_close(ends);
    }
    return 0;
}

static int readv_late(void *arg) {
    const int *const ends = arg;
    char first[2], second[8];
    const struct iovec in[] = {{first, 2}, {second, 8}};
    return (int)coir_readv(ends[0], in, 2);
}

static int writev_late(void *arg) {
    const int *const ends = arg;
    char a[] = "ab", b[] = "cd";
    const struct iovec out[] = {{a, 2}, {b, 2}};
    return (int)coir_writev(ends[1], out, 2);
}

TASK_TEST_SEEDS(io_fd, scattered_calls_wait_too) {
    for (enum ends_kind kind = 0; kind <= ENDS_UNIX; kind++) {
        int ends[2];
        ends_open(kind, ends);
        COIR_SCOPE(s);
        coir_task reader, writer;
        check_rc(coir_spawn_task(&s, readv_late, ends, &reader), 0);
        settle();
        check_rc(coir_task_result(reader), -EINPROGRESS);
        raw_write(ends[1], "abcde");
        int rc;
        check_rc(coir_join(reader, &rc), 0);
        check_rc(rc, 5);

        raw_fill(ends[1]);
        check_rc(coir_spawn_task(&s, writev_late, ends, &writer), 0);
        settle();
        check_rc(coir_task_result(writer), -EINPROGRESS);
        raw_drain(ends[0]);
        check_rc(coir_join(writer, &rc), 0);
        check_rc(rc, 4);
        check_rc(coir_scope_close(&s, 0), 0);
        ends_close(ends);
    }
    return 0;
}

TASK_TEST(io_fd, nothing_asked_for_is_nothing_done) {
    for (enum ends_kind kind = 0; kind < ENDS_KINDS; kind++) {
        int ends[2];
        ends_open(kind, ends);
        char byte = 'x';
        size_t done = 77;
        check_rc(coir_read_exact(ends[0], &byte, 0, &done), 0);
        check_int(done, 0);
        done = 77;
        check_rc(coir_write_all(ends[1], &byte, 0, &done), 0);
        check_int(done, 0);
        check_rc(coir_write(ends[1], &byte, 0), 0);
        check_rc(coir_write(ends[1], "y", 1), 1);
        check_rc(coir_read(ends[0], &byte, 0), 0);
        check_rc(coir_read(ends[0], &byte, 1), 1);
        check_int(byte, 'y');
        ends_close(ends);
    }
    return 0;
}

TASK_TEST(io_fd, reading_nothing_does_not_wait) {
    int ends[2];
    ends_open(ENDS_PIPE, ends);
    COIR_SCOPE(s, .deadline = coir_after(COIR_SEC(1000)));
    char byte;
    check_rc(coir_read(ends[0], &byte, 0), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    ends_close(ends);
    return 0;
}

TASK_TEST(io_fd, bad_memory_and_bad_counts_are_errors) {
    int ends[2];
    ends_open(ENDS_UNIX, ends);
    raw_write(ends[1], "data");
    char byte = 'x';
    const struct iovec one = {&byte, 1};
    void *volatile nowhere = NULL;
    const struct iovec *volatile no_parts = NULL;
    size_t done = 77;
    check_rc(coir_read(ends[0], nowhere, 4), -EINVAL);
    check_rc(coir_write(ends[1], nowhere, 4), -EINVAL);
    check_rc(coir_read_exact(ends[0], nowhere, 4, &done), -EINVAL);
    check_int(done, 0);
    check_rc(coir_write_all(ends[1], nowhere, 4, NULL), -EINVAL);
    check_rc(coir_pread(ends[0], nowhere, 4, 0), -EINVAL);
    check_rc(coir_receive_from(ends[0], nowhere, 4, NULL), -EINVAL);
    if (!on_valgrind()) { /* which would call it a mistake */
        check_rc(coir_read(ends[0], (void *)8, 4), -EFAULT);
        check_rc(coir_write(ends[1], (void *)8, 4), -EFAULT);
    }
    check(coir_readv(ends[0], no_parts, 1) < 0);
    check(coir_writev(ends[1], no_parts, 1) < 0);
    check_rc(coir_readv(ends[0], &one, -1), -EINVAL);
    check_rc(coir_writev(ends[1], &one, -1), -EINVAL);
    static struct iovec many[2000];
    for (size_t i = 0; i < COUNT_OF(many); i++)
        many[i] = one;
    check(coir_readv(ends[0], many, (int)COUNT_OF(many)) < 0);
    check(coir_writev(ends[1], many, (int)COUNT_OF(many)) < 0);
    check_int(raw_drain(ends[0]), 4); /* none of all this took or added anything */
    ends_close(ends);
    return 0;
}

TASK_TEST(io_fd, a_read_only_end_can_not_be_written) {
    int ends[2];
    ends_open(ENDS_PIPE, ends);
    check_rc(call_write(ends[0]), -EBADF);
    check_rc(call_read(ends[1]), -EBADF);
    ends_close(ends);
    return 0;
}

/* ---- Ends of streams ---- */

TASK_TEST_SEEDS(io_fd, the_end_of_a_stream_is_zero_again_and_again) {
    for (enum ends_kind kind = 0; kind < ENDS_KINDS; kind++) {
        int ends[2];
        ends_open(kind, ends);
        raw_write(ends[1], "bye");
        struct reading reading = {.fd = ends[0]};
        read_some(&reading);
        check_str(reading.text, "bye");

        COIR_SCOPE(s);
        start(&s, read_some, &reading);
        settle();
        check_int(reading.rc, READING);
        check_rc(coir_close(ends[1]), 0);
        check_rc(coir_scope_close(&s, 0), 0);
        for (int i = 0; i < 3; i++) {
            check_rc(reading.rc, 0);
            read_some(&reading);
        }
        check_rc(coir_close(ends[0]), 0);
    }
    return 0;
}

TASK_TEST_SEEDS(io_fd, an_exact_read_tells_where_the_stream_ended) {
    for (enum ends_kind kind = 0; kind < ENDS_KINDS; kind++) {
        int ends[2];
        ends_open(kind, ends);
        char buffer[8];
        struct transfer in = {.fd = ends[0], .size_bytes = 8, .buffer = buffer};
        COIR_SCOPE(s);
        start(&s, receive_it, &in);
        settle();
        raw_write(ends[1], "abc");
        settle();
        check_rc(coir_close(ends[1]), 0);
        check_rc(coir_scope_close(&s, 0), 0);
        check_rc(in.rc, -EPIPE);
        check_int(in.done, 3);
        check(memcmp(buffer, "abc", 3) == 0);

        in.done = 77;
        receive_it(&in);
        check_rc(in.rc, -EPIPE);
        check_int(in.done, 0);
        check_rc(coir_read_exact(ends[0], buffer, 8, NULL), -EPIPE);
        check_rc(coir_close(ends[0]), 0);
    }
    return 0;
}

TASK_TEST_SEEDS(io_fd, a_half_closed_stream_still_flows_the_other_way) {
    for (enum ends_kind kind = ENDS_UNIX; kind < ENDS_KINDS; kind++) {
        int ends[2];
        ends_open(kind, ends);
        struct reading reading = {.fd = ends[0]};
        COIR_SCOPE(s);
        start(&s, read_some, &reading);
        settle();
        check_rc(coir_shutdown_write(ends[1]), 0);
        check_rc(coir_scope_close(&s, 0), 0);
        check_rc(reading.rc, 0);
        check_rc(coir_write(ends[1], "x", 1), -EPIPE);

        check_rc(coir_write_all(ends[0], "back", 4, NULL), 0);
        reading.fd = ends[1];
        read_some(&reading);
        check_str(reading.text, "back");
        ends_close(ends);
    }
    return 0;
}

TASK_TEST(io_fd, shutdown_of_what_is_no_connected_socket) {
    int ends[2];
    ends_open(ENDS_PIPE, ends);
    check_rc(coir_shutdown_write(ends[1]), -ENOTSOCK);
    ends_close(ends);
    const int alone = socket(AF_INET, SOCK_STREAM, 0);
    check_rc(coir_adopt(alone), 0);
    check_rc(coir_shutdown_write(alone), -ENOTCONN);
    check_rc(coir_close(alone), 0);
    return 0;
}

TASK_TEST(io_fd, a_socket_without_reader_is_EPIPE_and_no_signal) {
    signal(SIGPIPE, SIG_DFL);
    int ends[2];
    ends_open(ENDS_UNIX, ends);
    check_rc(coir_close(ends[0]), 0);
    for (int i = 0; i < 2; i++) {
        size_t done = 77;
        check_rc(call_write(ends[1]), -EPIPE);
        check_rc(call_writev(ends[1]), -EPIPE);
        check_rc(coir_write_all(ends[1], "x", 1, &done), -EPIPE);
        check_int(done, 0);
    }
    check_rc(coir_close(ends[1]), 0);
    return 0;
}

TASK_TEST_SEEDS(io_fd, a_waiting_writer_learns_that_nobody_will_read) {
    signal(SIGPIPE, SIG_IGN); /* pipes do raise it */
    for (enum ends_kind kind = 0; kind <= ENDS_UNIX; kind++) {
        int ends[2];
        ends_open(kind, ends);
        raw_fill(ends[1]);
        struct writing writing = {.fd = ends[1]};
        COIR_SCOPE(s);
        start(&s, write_byte, &writing);
        settle();
        check_rc(coir_close(ends[0]), 0);
        check_rc(coir_scope_close(&s, 0), 0);
        check(writing.rc == -EPIPE || writing.rc == -ECONNRESET);
        check_rc(call_write(ends[1]), -EPIPE);
        check_rc(coir_close(ends[1]), 0);
    }
    return 0;
}

TASK_TEST_SEEDS(io_fd, a_reset_wakes_the_reader) {
    skip_over_libkqueue(LIBKQUEUE_TAKES_ERRORS);
    int ends[2];
    ends_open_raw(ENDS_TCP, ends);
    check_rc(coir_adopt(ends[0]), 0);
    struct reading reading = {.fd = ends[0]};
    COIR_SCOPE(s);
    start(&s, read_some, &reading);
    settle();
    raw_reset(ends[1]);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(reading.rc, -ECONNRESET);
    check_rc(call_write(ends[0]), -EPIPE);
    check_rc(coir_close(ends[0]), 0);
    return 0;
}

/* ---- One reader, one writer ---- */

TASK_TEST_SEEDS(io_fd, a_second_reader_is_refused_even_if_data_is_there) {
    for (enum ends_kind kind = 0; kind < ENDS_KINDS; kind++) {
        int ends[2];
        ends_open(kind, ends);
        struct reading reading = {.fd = ends[0]};
        COIR_SCOPE(s);
        start(&s, read_some, &reading);
        settle();
        check_rc(call_read(ends[0]), -EBUSY);
        check_rc(call_readv(ends[0]), -EBUSY);
        check_rc(call_read_exact(ends[0]), -EBUSY);
        check_rc(coir_poll(ends[0], COIR_READABLE), -EBUSY);
        raw_write(ends[1], "first come");
        while (reading.rc == READING) {
            check_rc(call_read(ends[0]), -EBUSY);
            check_rc(coir_yield(), 0);
        }
        check_rc(coir_scope_close(&s, 0), 0);
        check_str(reading.text, "first come");
        ends_close(ends);
    }
    return 0;
}

TASK_TEST_SEEDS(io_fd, a_second_writer_is_refused_even_if_there_is_room) {
    for (enum ends_kind kind = 0; kind <= ENDS_UNIX; kind++) {
        int ends[2];
        ends_open(kind, ends);
        raw_fill(ends[1]);
        struct writing writing = {.fd = ends[1]};
        COIR_SCOPE(s);
        start(&s, write_byte, &writing);
        settle();
        check_rc(call_write(ends[1]), -EBUSY);
        check_rc(call_writev(ends[1]), -EBUSY);
        check_rc(call_write_all(ends[1]), -EBUSY);
        check_rc(coir_poll(ends[1], COIR_WRITABLE), -EBUSY);
        raw_drain(ends[0]);
        while (writing.rc == READING) {
            check_rc(call_write(ends[1]), -EBUSY);
            check_rc(coir_yield(), 0);
        }
        check_rc(coir_scope_close(&s, 0), 0);
        check_rc(writing.rc, 1);
        check_rc(call_write(ends[1]), 1);
        ends_close(ends);
    }
    return 0;
}

TASK_TEST_SEEDS(io_fd, a_reader_and_a_writer_wait_side_by_side) {
    int ends[2];
    ends_open(ENDS_UNIX, ends);
    raw_fill(ends[0]);
    struct reading reading = {.fd = ends[0]};
    struct writing writing = {.fd = ends[0]};
    COIR_SCOPE(s);
    start(&s, write_byte, &writing);
    start(&s, read_some, &reading);
    settle();
    check_int(stats().io_waiting, 2);

    raw_write(ends[1], "ping");
    settle();
    check_str(reading.text, "ping");
    check_int(writing.rc, READING);
    check_int(stats().io_waiting, 1);

    raw_drain(ends[1]);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(writing.rc, 1);
    ends_close(ends);
    return 0;
}

/* ---- Releasing and closing under a waiter ---- */

TASK_TEST_SEEDS(io_fd, what_somebody_waits_for_is_not_released) {
    int ends[2];
    ends_open(ENDS_UNIX, ends);
    struct reading reading = {.fd = ends[0]};
    COIR_SCOPE(s);
    start(&s, read_some, &reading);
    settle();
    check_rc(coir_release(ends[0]), -EBUSY);
    check_rc(coir_adopt(ends[0]), -EBUSY);
    raw_write(ends[1], "ok");
    check_rc(coir_scope_close(&s, 0), 0);
    check_str(reading.text, "ok");
    check_rc(coir_release(ends[0]), 0);
    close(ends[0]);
    check_rc(coir_close(ends[1]), 0);
    return 0;
}

TASK_TEST_SEEDS(io_fd, close_wakes_reader_and_writer) {
    for (enum ends_kind kind = ENDS_UNIX; kind < ENDS_KINDS; kind++) {
        int ends[2];
        ends_open(kind, ends);
        if (kind == ENDS_UNIX)
            raw_fill(ends[0]);
        struct reading reading = {.fd = ends[0]};
        struct writing writing = {.fd = ends[0]};
        COIR_SCOPE(s);
        start(&s, read_some, &reading);
        if (kind == ENDS_UNIX)
            start(&s, write_byte, &writing);
        settle();
        check_rc(coir_close(ends[0]), 0);
        check(fcntl(ends[0], F_GETFD) < 0);
        check_int(stats().io_waiting, 0);
        check_rc(coir_scope_close(&s, 0), 0);
        check_rc(reading.rc, -EBADF);
        if (kind == ENDS_UNIX)
            check_rc(writing.rc, -EBADF);
        check_rc(coir_close(ends[1]), 0);
    }
    return 0;
}

static int exact_read(void *arg) {
    struct transfer *const it = arg;
    receive_it(it);
    return it->rc;
}

TASK_TEST_SEEDS(io_fd, close_in_the_middle_of_an_exact_read_keeps_the_count) {
    int ends[2];
    ends_open(ENDS_PIPE, ends);
    char buffer[8];
    struct transfer in = {.fd = ends[0], .size_bytes = 8, .buffer = buffer};
    COIR_SCOPE(s);
    start(&s, exact_read, &in);
    settle();
    raw_write(ends[1], "abc");
    settle();
    check_rc(coir_close(ends[0]), 0);
    check_rc(coir_scope_close(&s, 0), -EBADF);
    check_int(in.done, 3);
    check_rc(coir_close(ends[1]), 0);
    return 0;
}

TASK_TEST_SEEDS(io_fd, close_wins_over_data_that_nobody_has_taken) {
    int ends[2];
    ends_open(ENDS_UNIX, ends);
    struct reading reading = {.fd = ends[0]};
    COIR_SCOPE(s);
    start(&s, read_some, &reading);
    settle();
    raw_write(ends[1], "late");
    check_rc(coir_close(ends[0]), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(reading.rc, -EBADF);
    check_rc(coir_close(ends[1]), 0);
    return 0;
}

TASK_TEST(io_fd, close_is_not_stopped_by_cancellation) {
    int ends[2];
    ends_open(ENDS_UNIX, ends);
    COIR_SCOPE(s);
    coir_scope_cancel(&s);
    check_rc(coir_check(), -ECANCELED);
    check_rc(coir_shutdown_write(ends[0]), 0);
    check_rc(coir_release(ends[0]), 0);
    check_rc(coir_adopt(ends[0]), 0);
    check_rc(coir_close(ends[0]), 0);
    check_rc(coir_close(ends[1]), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

/* Nobody else can come in between, so the number is the same: the old waiter has to learn that its
 * descriptor is gone, and must not touch the new one. */
TASK_TEST_SEEDS(io_fd, a_number_reused_at_once_is_another_descriptor) {
    int old[2], new[2];
    ends_open(ENDS_UNIX, old);
    struct reading stale = {.fd = old[0]};
    COIR_SCOPE(s);
    start(&s, read_some, &stale);
    settle();
    check_rc(coir_close(old[0]), 0);
    ends_open(ENDS_UNIX, new);
    check_int(new[0], old[0]);
    raw_write(new[1], "new");

    struct reading fresh = {.fd = new[0]};
    start(&s, read_some, &fresh);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(stale.rc, -EBADF);
    check_str(fresh.text, "new");
    ends_close(new);
    check_rc(coir_close(old[1]), 0);
    return 0;
}

/* ---- Cuts ---- */

/* Calls everything in a scope that is cancelled already. */
static void check_no_effect(coir_scope *scope, int expected) {
    int ends[2];
    ends_open(ENDS_UNIX, ends);
    raw_write(ends[0], "there");
    raw_write(ends[1], "here");
    check_all_calls(ends[0], -ECANCELED, true);
    size_t done = 77;
    char byte;
    check_rc(coir_read_exact(ends[0], &byte, 1, &done), -ECANCELED);
    check_int(done, 0);
    done = 77;
    check_rc(coir_write_all(ends[0], "x", 1, &done), -ECANCELED);
    check_int(done, 0);
    check_rc(coir_scope_close(scope, 0), expected);

    struct reading reading = {.fd = ends[0]};
    read_some(&reading);
    check_str(reading.text, "here");
    reading.fd = ends[1];
    read_some(&reading);
    check_str(reading.text, "there");
    ends_close(ends);
}

TASK_TEST(io_fd, a_cancelled_call_has_no_effect) {
    COIR_SCOPE(s);
    coir_scope_cancel(&s);
    check_no_effect(&s, 0);
    return 0;
}

TASK_TEST(io_fd, a_call_after_the_deadline_has_no_effect) {
    COIR_SCOPE(s, .deadline = 1);
    check_no_effect(&s, -ETIMEDOUT);
    return 0;
}

TASK_TEST_SEEDS(io_fd, a_cut_read_leaves_the_data_to_the_next_one) {
    for (enum ends_kind kind = 0; kind < ENDS_KINDS; kind++) {
        int ends[2];
        ends_open(kind, ends);
        struct reading cut = {.fd = ends[0]}, next = {.fd = ends[0]};
        COIR_SCOPE(s);
        start(&s, read_some, &cut);
        settle();
        coir_scope_cancel(&s);
        raw_write(ends[1], "kept");
        check_rc(coir_scope_close(&s, 0), 0);
        check_rc(cut.rc, -ECANCELED);
        read_some(&next);
        check_str(next.text, "kept");
        ends_close(ends);
    }
    return 0;
}

/* Law 4: at once, not when the one that was cut runs. */
TASK_TEST_SEEDS(io_fd, a_cut_call_makes_room_for_the_next_at_once) {
    int ends[2];
    ends_open(ENDS_UNIX, ends);
    raw_fill(ends[0]);
    struct reading reading = {.fd = ends[0]};
    struct writing writing = {.fd = ends[0]};
    COIR_SCOPE(s);
    coir_task reader, writer;
    check_rc(coir_spawn_task(&s, read_some, &reading, &reader), 0);
    check_rc(coir_spawn_task(&s, write_byte, &writing, &writer), 0);
    settle();
    raw_write(ends[1], "xy");
    raw_drain(ends[1]);
    check(coir_task_cancel(reader));
    check(coir_task_cancel(writer));
    check_rc(call_read(ends[0]), 1);
    check_rc(call_write(ends[0]), 1);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(reading.rc, -ECANCELED);
    check_rc(writing.rc, -ECANCELED);
    ends_close(ends);
    return 0;
}

TASK_TEST_SEEDS(io_fd, a_deadline_cuts_a_read_and_a_later_one_gets_the_data) {
    for (enum ends_kind kind = 0; kind < ENDS_KINDS; kind++) {
        int ends[2];
        ends_open(kind, ends);
        struct reading reading = {.fd = ends[0]};
        const coir_time due = coir_after(COIR_SEC(20));
        COIR_SCOPE(s, .deadline = due);
        read_some(&reading);
        check_rc(reading.rc, -ECANCELED);
        check_int(coir_now(), due);
        check_rc(coir_scope_close(&s, (int)reading.rc), -ETIMEDOUT);
        check_int(stats().io_waiting, 0);

        raw_write(ends[1], "late");
        read_some(&reading);
        check_str(reading.text, "late");
        ends_close(ends);
    }
    return 0;
}

TASK_TEST_SEEDS(io_fd, a_cut_write_has_written_nothing) {
    for (enum ends_kind kind = 0; kind <= ENDS_UNIX; kind++) {
        int ends[2];
        ends_open(kind, ends);
        const size_t full = raw_fill(ends[1]);
        struct writing writing = {.fd = ends[1]};
        COIR_SCOPE(s);
        start(&s, write_byte, &writing);
        settle();
        coir_scope_cancel(&s);
        check_int(raw_drain(ends[0]), full);
        check_rc(coir_scope_close(&s, 0), 0);
        check_rc(writing.rc, -ECANCELED);
        check(raw_empty(ends[0]));
        ends_close(ends);
    }
    return 0;
}

TASK_TEST_SEEDS(io_fd, a_cut_exact_read_tells_what_it_took) {
    for (enum ends_kind kind = 0; kind <= ENDS_UNIX; kind++) {
        int ends[2];
        ends_open(kind, ends);
        char buffer[10];
        struct transfer in = {.fd = ends[0], .size_bytes = 10, .buffer = buffer};
        COIR_SCOPE(s);
        start(&s, receive_it, &in);
        settle();
        raw_write(ends[1], "12345");
        settle();
        raw_write(ends[1], "67");
        settle();
        coir_scope_cancel(&s);
        check_rc(coir_scope_close(&s, 0), 0);
        check_rc(in.rc, -ECANCELED);
        check_int(in.done, 7);
        check(memcmp(buffer, "1234567", 7) == 0);
        ends_close(ends);
    }
    return 0;
}

TASK_TEST_SEEDS(io_fd, a_cut_full_write_tells_what_arrives) {
    const size_t size_bytes = (size_t)8 << 20;
    char *const sent = malloc(size_bytes), *const received = malloc(size_bytes);
    pattern_fill(sent, size_bytes, 0);
    for (enum ends_kind kind = 0; kind < ENDS_KINDS; kind++) {
        int ends[2];
        ends_open(kind, ends);
        struct transfer out = {.fd = ends[1], .size_bytes = size_bytes, .buffer = sent};
        COIR_SCOPE(s);
        start(&s, send_it, &out);
        settle();
        coir_scope_cancel(&s);
        check_rc(coir_scope_close(&s, 0), 0);
        check_rc(out.rc, -ECANCELED);
        check(out.done > 0);
        check(out.done < size_bytes);

        check_rc(coir_close(ends[1]), 0);
        size_t done;
        check_rc(coir_read_exact(ends[0], received, size_bytes, &done), -EPIPE);
        check_int(done, out.done);
        check(pattern_holds(received, done, 0));
        check_rc(coir_close(ends[0]), 0);
    }
    free(sent);
    free(received);
    return 0;
}

/* ---- Completion wins ---- */

struct canceller {
    int fd;
    coir_scope *scope;
};

static int cancel_on_data(void *arg) {
    const struct canceller *const canceller = arg;
    check_rc(call_read(canceller->fd), 1);
    coir_scope_cancel(canceller->scope);
    return 0;
}

/* All three are woken by the same look at the poller; whichever runs first, the readers had been
 * woken by then. */
TASK_TEST_SEEDS(io_fd, completion_wins_over_a_cancel_in_the_same_turn) {
    int first[2], second[2], third[2];
    ends_open(ENDS_PIPE, first);
    ends_open(ENDS_UNIX, second);
    ends_open(ENDS_PIPE, third);
    COIR_SCOPE(outer);
    COIR_SCOPE(inner);
    struct reading readings[] = {{.fd = first[0]}, {.fd = third[0]}};
    struct canceller canceller = {.fd = second[0], .scope = &inner};
    start(&inner, read_some, &readings[0]);
    start(&outer, cancel_on_data, &canceller);
    start(&inner, read_some, &readings[1]);
    settle();
    raw_write(second[1], "x");
    raw_write(first[1], "one");
    raw_write(third[1], "two");
    check_rc(coir_scope_close(&inner, 0), 0);
    check_rc(coir_scope_close(&outer, 0), 0);
    check_str(readings[0].text, "one");
    check_str(readings[1].text, "two");
    ends_close(first);
    ends_close(second);
    ends_close(third);
    return 0;
}

static void stay_busy_until(coir_time deadline) {
    while (real_now() < deadline)
        continue;
}

/* The deadline is set and has passed before the loop looks around again. False if it had passed by
 * the time it was set: the machine was too slow for that delay. */
static bool deadline_with_data(coir_time delay) {
    int ends[2];
    ends_open(ENDS_PIPE, ends);
    struct reading reading = {.fd = ends[0]};
    COIR_SCOPE(outer);
    COIR_SCOPE(inner, .deadline = coir_after(COIR_SEC(3000)));
    start(&inner, read_some, &reading);
    while (reading.rc != READING || stats().io_waiting == 0)
        check_rc(coir_yield(), 0);
    raw_write(ends[1], "in time");
    const coir_time due = coir_after(delay);
    check_rc(coir_scope_set_deadline(&inner, due), 0);
    const bool was_set = !coir_scope_expired(&inner);
    stay_busy_until(due + COIR_MS(1));
    const int rc = coir_scope_close(&inner, 0);
    check_rc(coir_scope_close(&outer, 0), 0);
    ends_close(ends);
    if (was_set) {
        check_rc(rc, 0);
        check_str(reading.text, "in time");
    }
    return was_set;
}

TASK_TEST_REAL(io_fd, completion_wins_over_a_deadline_in_the_same_turn) {
    coir_time delay = COIR_MS(2);
    while (!deadline_with_data(delay))
        delay *= 2;
    return 0;
}

/* Whatever the order of cancel and data: the data is in the reader's hands or still in the pipe. */
TASK_TEST_SEEDS(io_fd, no_byte_is_lost_between_data_and_cancel) {
    for (int i = 0; i < 50; i++) {
        int ends[2];
        ends_open(ENDS_UNIX, ends);
        struct reading reading = {.fd = ends[0]};
        COIR_SCOPE(s);
        start(&s, read_some, &reading);
        for (int yields = i % 5; yields > 0; yields--)
            check_rc(coir_yield(), 0);
        raw_write(ends[1], "x");
        for (int yields = i / 5 % 5; yields > 0; yields--)
            check_rc(coir_yield(), 0);
        coir_scope_cancel(&s);
        check_rc(coir_scope_close(&s, 0), 0);
        check(reading.rc == 1 || reading.rc == -ECANCELED);
        check_int(raw_drain(ends[0]), reading.rc == 1 ? 0 : 1);
        ends_close(ends);
    }
    return 0;
}

/* ---- coir_poll ---- */

TASK_TEST(io_fd, poll_refuses_unknown_events) {
    int ends[2];
    ends_open(ENDS_UNIX, ends);
    const int bad[] = {0, 4, 7, -1, COIR_READABLE | 8, INT_MIN};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        check_rc(coir_poll(ends[0], bad[i]), -EINVAL);
    ends_close(ends);
    return 0;
}

TASK_TEST(io_fd, poll_asks_the_system_each_time) {
    const int both = COIR_READABLE | COIR_WRITABLE;
    int ends[2];
    ends_open(ENDS_UNIX, ends);
    check_rc(coir_poll(ends[0], both), COIR_WRITABLE);
    check_rc(coir_poll(ends[0], COIR_WRITABLE), COIR_WRITABLE);
    raw_write(ends[1], "ab");
    for (int i = 0; i < 3; i++) {
        check_rc(coir_poll(ends[0], both), both);
        check_rc(coir_poll(ends[0], COIR_READABLE), COIR_READABLE);
    }
    char byte;
    check_int(read(ends[0], &byte, 1), 1);
    check_rc(coir_poll(ends[0], COIR_READABLE), COIR_READABLE);
    check_int(read(ends[0], &byte, 1), 1);
    check_rc(coir_poll(ends[0], both), COIR_WRITABLE);

    raw_fill(ends[0]);
    raw_write(ends[1], "ab");
    check_rc(coir_poll(ends[0], both), COIR_READABLE);
    ends_close(ends);
    return 0;
}

struct polling {
    int fd, events, rc;
};

static int poll_it(void *arg) {
    struct polling *const polling = arg;
    polling->rc = (int)READING;
    polling->rc = coir_poll(polling->fd, polling->events);
    return 0;
}

TASK_TEST_SEEDS(io_fd, poll_waits_for_either_direction) {
    int ends[2];
    ends_open(ENDS_UNIX, ends);
    for (int round = 0; round < 3; round++) {
        raw_fill(ends[0]);
        struct polling polling = {.fd = ends[0], .events = COIR_READABLE | COIR_WRITABLE};
        COIR_SCOPE(s);
        start(&s, poll_it, &polling);
        settle();
        check_int(polling.rc, READING);
        if (round == 0)
            raw_write(ends[1], "x");
        else if (round == 1)
            raw_drain(ends[1]);
        else
            coir_scope_cancel(&s);
        check_rc(coir_scope_close(&s, 0), 0);
        const int expected[] = {COIR_READABLE, COIR_WRITABLE, -ECANCELED};
        check_rc(polling.rc, expected[round]);
        raw_drain(ends[0]);
    }
    ends_close(ends);
    return 0;
}

/* The other side acts with plain system calls, so nothing was ever read through the runtime. */
TASK_TEST_SEEDS(io_fd, poll_waits_again_after_the_caller_has_read_all) {
    int ends[2];
    ends_open(ENDS_UNIX, ends);
    for (int round = 0; round < 4; round++) {
        struct polling polling = {.fd = ends[0], .events = COIR_READABLE};
        COIR_SCOPE(s);
        start(&s, poll_it, &polling);
        settle();
        check_int(polling.rc, READING);
        raw_write(ends[1], "x");
        check_rc(coir_scope_close(&s, 0), 0);
        check_rc(polling.rc, COIR_READABLE);
        check_int(raw_drain(ends[0]), 1);
    }
    ends_close(ends);
    return 0;
}

TASK_TEST(io_fd, poll_counts_ends_and_failures_as_ready) {
    for (enum ends_kind kind = 0; kind < ENDS_KINDS; kind++) {
        int ends[2];
        ends_open(kind, ends);
        check_rc(coir_close(ends[1]), 0);
        check_rc(coir_poll(ends[0], COIR_READABLE), COIR_READABLE);
        check_rc(call_read(ends[0]), 0);
        check_rc(coir_close(ends[0]), 0);
    }
    int ends[2];
    ends_open(ENDS_PIPE, ends);
    raw_fill(ends[1]);
    check_rc(coir_close(ends[0]), 0);
    check_rc(coir_poll(ends[1], COIR_WRITABLE), COIR_WRITABLE);
    check_rc(coir_close(ends[1]), 0);
    return 0;
}

TASK_TEST_SEEDS(io_fd, close_wakes_who_polls) {
    int ends[2];
    ends_open(ENDS_UNIX, ends);
    raw_fill(ends[0]);
    struct polling polling = {.fd = ends[0], .events = COIR_READABLE | COIR_WRITABLE};
    COIR_SCOPE(s);
    start(&s, poll_it, &polling);
    settle();
    check_rc(call_read(ends[0]), -EBUSY);
    check_rc(call_write(ends[0]), -EBUSY);
    check_rc(coir_close(ends[0]), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(polling.rc, -EBADF);
    check_rc(coir_close(ends[1]), 0);
    return 0;
}

/* ---- Surroundings ---- */

static int echo_rounds(void *arg) {
    const int fd = *(const int *)arg;
    char byte;
    while (coir_read(fd, &byte, 1) == 1)
        check_rc(coir_write(fd, &byte, 1), 1);
    return 0;
}

static void ping_pong(int fd, int rounds) {
    for (int i = 0; i < rounds; i++) {
        char sent = (char)i, back;
        check_rc(coir_write(fd, &sent, 1), 1);
        check_rc(coir_read(fd, &back, 1), 1);
        check_int(back, sent);
    }
}

static volatile sig_atomic_t alarms;

static void count_alarm(UNUSED int signal_number) {
    alarms = alarms + 1;
}

TASK_TEST_REAL(io_fd, signals_interrupt_nothing) {
    int ends[2];
    ends_open(ENDS_TCP, ends);
    const struct sigaction action = {.sa_handler = count_alarm}; /* no SA_RESTART */
    check_int(sigaction(SIGALRM, &action, NULL), 0);
    const struct itimerval often = {{0, 500}, {0, 500}};
    check_int(setitimer(ITIMER_REAL, &often, NULL), 0);

    COIR_SCOPE(s);
    start(&s, echo_rounds, &ends[1]);
    while (alarms < 20)
        ping_pong(ends[0], 50);
    check_rc(coir_sleep(COIR_MS(5)), 0);
    check_rc(coir_close(ends[0]), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(coir_close(ends[1]), 0);
    check_int(setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 0}}, NULL), 0);
    return 0;
}

static int small_stack_body(void *arg) {
    const int *const ends = arg;
    char block[256], text[COIR_ADDRESS_SIZE];
    check_rc(coir_write_all(ends[0], "hello", 5, NULL), 0);
    check_rc(coir_read_exact(ends[1], block, 5, NULL), 0);
    check_rc(coir_poll(ends[0], COIR_WRITABLE), COIR_WRITABLE);
    check_rc(coir_socket_address(ends[0], text, sizeof text), 0);
    return 0;
}

TASK_TEST(io_fd, the_smallest_stack_is_enough) {
    int ends[2];
    ends_open(ENDS_TCP, ends);
    COIR_SCOPE(s);
    const coir_spawn_options small = {.stack_size_bytes = 16 << 10};
    check_rc(coir_spawn_with(&s, small_stack_body, ends, &small), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    ends_close(ends);
    return 0;
}

/* Returns a number: checks are for the test's own thread. */
static int echo_body(void *arg) {
    const int fd = *(const int *)arg;
    if (coir_adopt(fd) != 0)
        return 1;
    char byte;
    ssize_t n;
    while ((n = coir_read(fd, &byte, 1)) == 1) {
        if (coir_write(fd, &byte, 1) != 1)
            return 2;
    }
    if (n != 0)
        return 3;
    return coir_close(fd) == 0 ? 0 : 4;
}

static void *echo_thread(void *fd) {
    return (void *)(intptr_t)coir_run(echo_body, fd);
}

static int client_of_thread(void *arg) {
    const int fd = *(const int *)arg;
    check_rc(coir_adopt(fd), 0);
    ping_pong(fd, 300);
    check_rc(coir_close(fd), 0);
    return 0;
}

Test(io_fd, two_runtimes_talk_across_threads) {
    int ends[2];
    ends_open_raw(ENDS_UNIX, ends);
    pthread_t thread;
    check_int(pthread_create(&thread, NULL, echo_thread, &ends[1]), 0);
    check_rc(coir_run(client_of_thread, &ends[0]), 0);
    void *result;
    check_int(pthread_join(thread, &result), 0);
    check_int((intptr_t)result, 0);
}
