/* Regular files and the devices that are always ready: no poller can wait for them, so what the
 * page cache can not serve goes by way of the pool of threads. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* posix_fadvise with all compilers' defaults */
#endif
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ends.h"

SUITE(io_file);

static int open_file(const char *name, int flags) {
    const int fd = open(path_in(name), flags | O_CLOEXEC, 0600);
    cr_assert(fd >= 0, "%s: %s", name, strerror(errno));
    check_rc(coir_adopt(fd), 0);
    return fd;
}

static off_t size_of(int fd) {
    struct stat now;
    check_int(fstat(fd, &now), 0);
    return now.st_size;
}

/* So that the next read has to go to the disk. Where the file system has none, it does not. */
static void forget_pages(int fd) {
    check_int(fsync(fd), 0);
#ifdef POSIX_FADV_DONTNEED
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
#endif
}

/* Files take both clocks: a job on the pool stops the virtual one. */
#define FILE_TEST(name)                                                                            \
    static int name##_body(void *);                                                                \
    Test(io_file, name) {                                                                          \
        folder_make();                                                                             \
        check_rc(run_task(name##_body, NULL), 0);                                                  \
        check_rc(run_task_real(name##_body, NULL), 0);                                             \
        folder_remove();                                                                           \
    }                                                                                              \
    static int name##_body(UNUSED void *arg)

/* ---- Regular files ---- */

FILE_TEST(what_is_written_is_read) {
    const int fd = open_file("file", O_RDWR | O_CREAT | O_TRUNC);
    check_rc(coir_write(fd, "hello ", 6), 6);
    check_rc(coir_write_all(fd, "world", 5, NULL), 0);
    check_int(size_of(fd), 11);
    check_int(lseek(fd, 0, SEEK_CUR), 11);

    char text[32] = "";
    check_rc(coir_read(fd, text, sizeof text), 0); /* at the end */
    check_int(lseek(fd, 0, SEEK_SET), 0);
    check_rc(coir_read(fd, text, 4), 4);
    check_str(text, "hell");
    check_rc(coir_read(fd, text, sizeof text), 7);
    check(memcmp(text, "o world", 7) == 0);
    for (int i = 0; i < 3; i++)
        check_rc(coir_read(fd, text, sizeof text), 0);
    check_rc(coir_close(fd), 0);
    return 0;
}

FILE_TEST(offsets_leave_the_position_alone) {
    const int fd = open_file("file", O_RDWR | O_CREAT | O_TRUNC);
    check_rc(coir_write_all(fd, "0123456789", 10, NULL), 0);
    check_int(lseek(fd, 3, SEEK_SET), 3);
    char text[32] = "";
    check_rc(coir_pread(fd, text, 2, 7), 2);
    check_str(text, "78");
    check_rc(coir_pwrite(fd, "ab", 2, 1), 2);
    check_int(lseek(fd, 0, SEEK_CUR), 3);
    check_rc(coir_pread(fd, text, sizeof text, 0), 10);
    check(memcmp(text, "0ab3456789", 10) == 0);
    check_rc(coir_pread(fd, text, sizeof text, 8), 2);
    check_rc(coir_pread(fd, text, sizeof text, 10), 0);
    check_rc(coir_pread(fd, text, sizeof text, 1000), 0);
    check_rc(coir_pread(fd, text, sizeof text, -1), -EINVAL);
    check_rc(coir_pwrite(fd, "x", 1, -1), -EINVAL);

    check_rc(coir_pwrite(fd, "end", 3, 100000), 3); /* with a hole before it */
    check_int(size_of(fd), 100003);
    check_rc(coir_pread(fd, text, 4, 99997), 4);
    check(memcmp(text, "\0\0\0e", 4) == 0);
    check_rc(coir_close(fd), 0);
    return 0;
}

FILE_TEST(offsets_beyond_four_gigabytes) {
    const off_t far = (off_t)5 << 30;
    const int fd = open_file("sparse", O_RDWR | O_CREAT | O_TRUNC);
    check_rc(coir_pwrite(fd, "far", 3, far), 3);
    char text[8] = "";
    check_rc(coir_pread(fd, text, sizeof text, far), 3);
    check_str(text, "far");
    check_rc(coir_close(fd), 0);
    return 0;
}

/* From the cache and, as far as the file system lets go of it, from the disk. */
FILE_TEST(a_file_bigger_than_the_buffer) {
    const size_t size_bytes = ((size_t)1 << 20) + 3;
    unsigned char *const all = malloc(size_bytes);
    pattern_fill(all, size_bytes, 0);
    const int fd = open_file("big", O_RDWR | O_CREAT | O_TRUNC);
    size_t done = 0;
    check_rc(coir_write_all(fd, all, size_bytes, &done), 0);
    check_int(done, size_bytes);
    check_int(size_of(fd), size_bytes);
    for (int round = 0; round < 2; round++) {
        check_int(lseek(fd, 0, SEEK_SET), 0);
        if (round == 1)
            forget_pages(fd);
        unsigned char block[4096];
        size_t at = 0;
        ssize_t n;
        while ((n = coir_read(fd, block, sizeof block)) > 0) {
            check(pattern_holds(block, (size_t)n, at));
            at += (size_t)n;
        }
        check_rc(n, 0);
        check_int(at, size_bytes);
    }
    forget_pages(fd);
    memset(all, 0, size_bytes);
    check_int(lseek(fd, 0, SEEK_SET), 0);
    check_rc(coir_read_exact(fd, all, size_bytes, &done), 0);
    check(pattern_holds(all, size_bytes, 0));
    check_rc(coir_read_exact(fd, all, 1, &done), -EPIPE);
    check_int(done, 0);
    for (size_t at = 0; at < size_bytes; at += 77777) {
        forget_pages(fd);
        unsigned char block[100];
        const ssize_t n = coir_pread(fd, block, sizeof block, (off_t)at);
        check(n > 0);
        check(pattern_holds(block, (size_t)n, at));
    }
    free(all);
    check_rc(coir_close(fd), 0);
    return 0;
}

FILE_TEST(scattered_and_gathered) {
    const int fd = open_file("file", O_RDWR | O_CREAT | O_TRUNC);
    char a[] = "abc", b[] = "defgh";
    check_rc(coir_writev(fd, (const struct iovec[]){{a, 3}, {b, 5}}, 2), 8);
    forget_pages(fd);
    check_int(lseek(fd, 0, SEEK_SET), 0);
    char first[6] = "", second[16] = "";
    check_rc(coir_readv(fd, (const struct iovec[]){{first, 5}, {second, 16}}, 2), 8);
    check_str(first, "abcde");
    check_str(second, "fgh");
    check_rc(coir_readv(fd, (const struct iovec[]){{first, 5}}, 1), 0);
    check_rc(coir_close(fd), 0);
    return 0;
}

FILE_TEST(appending_goes_to_the_end) {
    const int fd = open_file("log", O_RDWR | O_CREAT | O_TRUNC | O_APPEND);
    for (int i = 0; i < 5; i++) {
        check_int(lseek(fd, 0, SEEK_SET), 0);
        check_rc(coir_write_all(fd, "line\n", 5, NULL), 0);
    }
    check_int(size_of(fd), 25);
    check_rc(coir_close(fd), 0);
    return 0;
}

FILE_TEST(errors_of_the_system_come_through) {
    const int fd = open_file("file", O_RDONLY | O_CREAT);
    check_rc(coir_write(fd, "x", 1), -EBADF);
    check_rc(coir_pwrite(fd, "x", 1, 0), -EBADF);
    check_rc(coir_write_all(fd, "x", 1, NULL), -EBADF);
    check_rc(coir_close(fd), 0);
    const int to_write = open_file("file", O_WRONLY);
    char byte;
    check_rc(coir_read(to_write, &byte, 1), -EBADF);
    check_rc(coir_pread(to_write, &byte, 1, 0), -EBADF);
    check_rc(coir_close(to_write), 0);
    return 0;
}

FILE_TEST(a_full_disk_and_a_file_that_is_too_big) {
    const int full = open("/dev/full", O_WRONLY);
    check(full >= 0);
    check_rc(coir_adopt(full), 0);
    check_rc(coir_write(full, "x", 1), -ENOSPC);
    check_rc(coir_write_all(full, "x", 1, NULL), -ENOSPC);
    check_rc(coir_close(full), 0);

    signal(SIGXFSZ, SIG_IGN);
    struct rlimit before;
    check_int(getrlimit(RLIMIT_FSIZE, &before), 0);
    const int fd = open_file("bounded", O_WRONLY | O_CREAT | O_TRUNC);
    check_int(setrlimit(RLIMIT_FSIZE, &(struct rlimit){10, before.rlim_max}), 0);
    size_t done = 0;
    const int rc = coir_write_all(fd, "0123456789ABCDEF", 16, &done);
    check_int(setrlimit(RLIMIT_FSIZE, &before), 0);
    check_rc(rc, -EFBIG);
    check_int(done, 10);
    check_rc(coir_close(fd), 0);
    return 0;
}

FILE_TEST(nothing_asked_for_is_nothing_done) {
    const int fd = open_file("file", O_RDWR | O_CREAT | O_TRUNC);
    char byte;
    check_rc(coir_write(fd, "x", 0), 0);
    check_rc(coir_pwrite(fd, "x", 0, 50), 0);
    check_rc(coir_read(fd, &byte, 0), 0);
    check_rc(coir_pread(fd, &byte, 0, 0), 0);
    check_int(size_of(fd), 0);
    check_rc(coir_close(fd), 0);
    return 0;
}

FILE_TEST(a_file_is_always_ready) {
    const int fd = open_file("file", O_RDWR | O_CREAT | O_TRUNC);
    const int both = COIR_READABLE | COIR_WRITABLE;
    check_rc(coir_poll(fd, COIR_READABLE), COIR_READABLE);
    check_rc(coir_poll(fd, both), both);
    check_rc(coir_poll(fd, 0), -EINVAL);
    check_rc(coir_close(fd), 0);
    return 0;
}

FILE_TEST(directories_can_be_adopted_and_not_read) {
    const int fd = open_file(".", O_RDONLY | O_DIRECTORY);
    char block[64];
    check_rc(coir_read(fd, block, sizeof block), -EISDIR);
    check_rc(coir_pread(fd, block, sizeof block, 0), -EISDIR);
    check_rc(coir_write(fd, "x", 1), -EBADF);
    check_rc(coir_close(fd), 0);
    return 0;
}

FILE_TEST(adopting_and_releasing_are_counted) {
    const int fd = open_file("file", O_RDWR | O_CREAT);
    check_int(stats().descriptors, 1);
    check_rc(coir_adopt(fd), 0);
    check_int(stats().descriptors, 1);
    check_rc(coir_release(fd), 0);
    check_int(stats().descriptors, 0);
    check_rc(coir_write(fd, "x", 1), -EBADF);
    check(fcntl(fd, F_GETFD) >= 0);
    close(fd);
    return 0;
}

/* ---- Devices ---- */

FILE_TEST(devices_that_never_wait) {
    const int null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDWR);
    check_rc(coir_adopt(null), 0);
    check_rc(coir_adopt(zero), 0);
    char block[1000];
    memset(block, 'x', sizeof block);
    check_rc(coir_read(null, block, sizeof block), 0);
    check_rc(coir_write(null, block, sizeof block), sizeof block);
    check_rc(coir_write_all(null, block, sizeof block, NULL), 0);
    check_rc(coir_read_exact(zero, block, sizeof block, NULL), 0);
    for (size_t i = 0; i < sizeof block; i++)
        check_int(block[i], 0);
    check_rc(coir_poll(null, COIR_READABLE), COIR_READABLE);
    check_rc(coir_poll(zero, COIR_WRITABLE), COIR_WRITABLE);
    check_rc(coir_close(null), 0);
    check_rc(coir_close(zero), 0);
    return 0;
}

FILE_TEST(what_has_no_offsets) {
    for (enum ends_kind kind = 0; kind < ENDS_KINDS; kind++) {
        int ends[2];
        ends_open(kind, ends);
        raw_write(ends[1], "x");
        char byte;
        check_rc(coir_pread(ends[0], &byte, 1, 0), -ESPIPE);
        check_rc(coir_pwrite(ends[1], "y", 1, 0), -ESPIPE);
        check_rc(coir_read(ends[0], &byte, 1), 1);
        check_int(byte, 'x');
        ends_close(ends);
    }
    return 0;
}

/* ---- Others run on, cuts have no effect ---- */

struct bystander {
    bool *over;
    bool had_a_turn;
};

static int have_a_turn(void *arg) {
    struct bystander *const bystander = arg;
    bystander->had_a_turn = !*bystander->over;
    return 0;
}

FILE_TEST(reading_what_is_cached_lets_others_on) {
    const int fd = open_file("file", O_RDWR | O_CREAT | O_TRUNC);
    check_rc(coir_write_all(fd, "some text", 9, NULL), 0);
    bool over = false;
    struct bystander bystander = {.over = &over};
    COIR_SCOPE(s);
    start(&s, have_a_turn, &bystander);
    for (int i = 0; i < 1000; i++) {
        char text[16];
        check_rc(coir_pread(fd, text, sizeof text, 0), 9);
    }
    over = true;
    check_rc(coir_scope_close(&s, 0), 0);
    check(bystander.had_a_turn);
    check_rc(coir_close(fd), 0);
    return 0;
}

FILE_TEST(a_cancelled_call_has_no_effect) {
    const int fd = open_file("file", O_RDWR | O_CREAT | O_TRUNC);
    check_rc(coir_write_all(fd, "text", 4, NULL), 0);
    check_int(lseek(fd, 1, SEEK_SET), 1);
    char text[8];
    struct iovec part = {text, sizeof text};
    size_t done = 77;
    COIR_SCOPE(s);
    coir_scope_cancel(&s);
    check_rc(coir_read(fd, text, sizeof text), -ECANCELED);
    check_rc(coir_pread(fd, text, sizeof text, 0), -ECANCELED);
    check_rc(coir_readv(fd, &part, 1), -ECANCELED);
    check_rc(coir_write(fd, "x", 1), -ECANCELED);
    check_rc(coir_pwrite(fd, "x", 1, 0), -ECANCELED);
    check_rc(coir_writev(fd, &part, 1), -ECANCELED);
    check_rc(coir_read_exact(fd, text, 1, &done), -ECANCELED);
    check_int(done, 0);
    done = 77;
    check_rc(coir_write_all(fd, "x", 1, &done), -ECANCELED);
    check_int(done, 0);
    check_rc(coir_poll(fd, COIR_READABLE), -ECANCELED);
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(size_of(fd), 4);
    check_int(lseek(fd, 0, SEEK_CUR), 1);
    check_rc(coir_close(fd), 0);
    return 0;
}

/* ---- Waiting for the pool ---- */

static int read_gate(void *gate) {
    char byte;
    return (int)read(*(const int *)gate, &byte, 1);
}

static int occupy_the_pool(void *gate) {
    check_rc(coir_offload(read_gate, gate), 1);
    return 0;
}

struct late_write {
    int fd;
    ssize_t rc;
};

static int write_late(void *arg) {
    struct late_write *const late = arg;
    late->rc = READING;
    late->rc = coir_write(late->fd, "late", 4);
    return 0;
}

/* The only thread is taken, so a write that needs it waits; one that does not is done at once. A
 * descriptor that is closed meanwhile may stay so until its write is done, but no longer, and what
 * is opened then must not get what was meant for it. */
static int pool_is_busy(void *arg) {
    const bool by_close = *(const bool *)arg;
    int gate[2];
    check_int(pipe(gate), 0);
    const int fd = open_file("first", O_RDWR | O_CREAT | O_TRUNC);
    const int twin = dup(fd);
    struct late_write late = {.fd = fd};
    COIR_SCOPE(s);
    COIR_SCOPE(inner);
    start(&s, occupy_the_pool, &gate[0]);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    start(&inner, write_late, &late);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    const bool waits = late.rc == READING;
    int second = -1;
    if (by_close) {
        check_rc(coir_close(fd), 0);
        check_rc(coir_write(fd, "x", 1), -EBADF);
        check_rc(coir_close(fd), -EBADF);
        second = open(path_in("second"), O_RDWR | O_CREAT | O_TRUNC, 0600);
    } else {
        coir_scope_cancel(&inner);
        check_rc(coir_scope_close(&inner, 0), 0);
    }
    raw_write(gate[1], "x");
    if (by_close)
        check_rc(coir_scope_close(&inner, 0), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    if (by_close) {
        check(late.rc == 4 || late.rc == -EBADF);
        check_int(size_of(second), 0);
        if (second != fd)
            check(fcntl(fd, F_GETFD) < 0);
        close(second);
    } else {
        check_rc(late.rc, waits ? -ECANCELED : 4);
        check_rc(coir_close(fd), 0);
    }
    check_int(size_of(twin), late.rc == 4 ? 4 : 0);
    close(twin);
    close(gate[0]);
    close(gate[1]);
    return 0;
}

Test(io_file, a_write_that_waits_for_the_pool_is_cut_or_closed_without_effect) {
    folder_make();
    const run_options options = {.runtime.offload_threads = 1, .real_clock = true};
    for (int i = 0; i < 2; i++) {
        bool by_close = i == 1;
        check_rc(run_task_with(pool_is_busy, &by_close, &options), 0);
    }
    folder_remove();
}

struct line_writer {
    int fd;
    char letter;
};

static int write_lines(void *arg) {
    const struct line_writer *const writer = arg;
    char line[64];
    memset(line, writer->letter, sizeof line);
    for (int i = 0; i < 50; i++)
        check_rc(coir_pwrite(writer->fd, line, sizeof line, (writer->letter - 'a') * 3200 + i * 64),
                 64);
    return coir_close(writer->fd);
}

FILE_TEST(many_tasks_write_one_file_each_by_its_own_descriptor) {
    struct line_writer writers[10];
    COIR_SCOPE(s);
    for (int i = 0; i < (int)COUNT_OF(writers); i++) {
        writers[i] = (struct line_writer){open_file("shared", O_WRONLY | O_CREAT), (char)('a' + i)};
        start(&s, write_lines, &writers[i]);
    }
    check_rc(coir_scope_close(&s, 0), 0);
    const int fd = open_file("shared", O_RDONLY);
    check_int(size_of(fd), 32000);
    for (int i = 0; i < (int)COUNT_OF(writers); i++) {
        char block[3200];
        check_rc(coir_read_exact(fd, block, sizeof block, NULL), 0);
        for (size_t b = 0; b < sizeof block; b++)
            check_int(block[b], 'a' + i);
    }
    check_rc(coir_close(fd), 0);
    return 0;
}
