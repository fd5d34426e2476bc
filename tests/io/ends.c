/* Both ends of a connection, and the rest of what ends.h promises. */
#include "ends.h"

#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

const char *ends_name(enum ends_kind kind) {
    static const char *const names[] = {"pipe", "unix", "tcp"};
    return names[kind];
}

static void open_tcp(int ends[2]) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    check(listener >= 0);
    check_int(bind(listener, (struct sockaddr *)&at, size), 0);
    check_int(listen(listener, 1), 0);
    check_int(getsockname(listener, (struct sockaddr *)&at, &size), 0);
    ends[0] = socket(AF_INET, SOCK_STREAM, 0);
    check(ends[0] >= 0);
    check_int(connect(ends[0], (struct sockaddr *)&at, size), 0);
    ends[1] = accept(listener, NULL, NULL);
    check(ends[1] >= 0);
    close(listener);
    for (int i = 0; i < 2; i++) /* many small writes in a row are what these are for */
        check_int(setsockopt(ends[i], IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)), 0);
}

void ends_open_raw(enum ends_kind kind, int ends[2]) {
    switch (kind) {
    case ENDS_PIPE:
        check_int(pipe(ends), 0);
        break;
    case ENDS_UNIX:
        check_int(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
        break;
    default:
        open_tcp(ends);
    }
}

void ends_open(enum ends_kind kind, int ends[2]) {
    ends_open_raw(kind, ends);
    check_rc(coir_adopt(ends[0]), 0);
    check_rc(coir_adopt(ends[1]), 0);
}

void ends_close(const int ends[2]) {
    for (int i = 0; i < 2; i++) {
        if (ends[i] >= 0)
            check_rc(coir_close(ends[i]), 0);
    }
}

void settle(void) {
    check_rc(coir_sleep(COIR_NS(1)), 0);
}

void start(coir_scope *scope, coir_fn fn, void *arg) {
    check_rc(coir_spawn(scope, fn, arg), 0);
}

coir_stats stats(void) {
    coir_stats now;
    check_rc(coir_stats_get(&now), 0);
    return now;
}

int read_some(void *arg) {
    struct reading *const reading = arg;
    size_t size_bytes = reading->size_bytes;
    if (size_bytes == 0)
        size_bytes = sizeof reading->text - 1;
    reading->rc = READING;
    reading->rc = coir_read(reading->fd, reading->text, size_bytes);
    if (reading->rc >= 0 && reading->rc < (ssize_t)sizeof reading->text)
        reading->text[reading->rc] = '\0';
    return 0;
}

int write_byte(void *arg) {
    struct writing *const writing = arg;
    writing->rc = READING;
    writing->rc = coir_write(writing->fd, "+", 1);
    return 0;
}

size_t raw_fill(int fd) {
    static const char block[4096];
    size_t total = 0;
    for (size_t size_bytes = sizeof block; size_bytes > 0; size_bytes /= 2) {
        ssize_t n;
        while ((n = write(fd, block, size_bytes)) > 0)
            total += (size_t)n;
        check_int(errno, EAGAIN);
    }
    return total;
}

size_t raw_drain(int fd) {
    char block[4096];
    size_t total = 0;
    ssize_t n;
    while ((n = read(fd, block, sizeof block)) > 0)
        total += (size_t)n;
    return total;
}

void raw_write(int fd, const char *text) {
    check_int(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

bool raw_empty(int fd) {
    char byte;
    const ssize_t n = read(fd, &byte, 1);
    return n < 0 && errno == EAGAIN;
}

void raw_reset(int fd) {
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    check_int(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    check_int(close(fd), 0);
}

void no_more_descriptors(struct rlimit *before) {
    if (on_valgrind())
        skip_test("Valgrind keeps the limit of descriptors in a way of its own");
    const int lowest = open("/dev/null", O_RDONLY);
    check(lowest >= 0);
    close(lowest);
    check_int(getrlimit(RLIMIT_NOFILE, before), 0);
    const struct rlimit tight = {.rlim_cur = (rlim_t)lowest, .rlim_max = before->rlim_max};
    check_int(setrlimit(RLIMIT_NOFILE, &tight), 0);
    check_int(dup(STDERR_FILENO), -1);
    check_int(errno, EMFILE);
}

void descriptors_again(const struct rlimit *before) {
    check_int(setrlimit(RLIMIT_NOFILE, before), 0);
}

static unsigned char pattern_at(size_t offset) {
    return (unsigned char)((offset * 31 + (offset >> 8) * 7 + (offset >> 16)) & 0xff);
}

void pattern_fill(void *buffer, size_t size_bytes, size_t offset) {
    unsigned char *const bytes = buffer;
    for (size_t i = 0; i < size_bytes; i++)
        bytes[i] = pattern_at(offset + i);
}

bool pattern_holds(const void *buffer, size_t size_bytes, size_t offset) {
    const unsigned char *const bytes = buffer;
    for (size_t i = 0; i < size_bytes; i++) {
        if (bytes[i] != pattern_at(offset + i))
            return false;
    }
    return true;
}

static char folder[64];

void folder_make(void) {
    const char *const base = getenv("TMPDIR");
    const bool fits = base != NULL && strlen(base) < 40;
    snprintf(folder, sizeof folder, "%s/coir-test-XXXXXX", fits ? base : "/tmp");
    check(mkdtemp(folder) != NULL);
}

void folder_remove(void) {
    DIR *const dir = opendir(folder);
    check(dir != NULL);
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            check_int(unlinkat(dirfd(dir), entry->d_name, 0), 0);
    }
    closedir(dir);
    check_int(rmdir(folder), 0);
}

const char *path_in(const char *name) {
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

bool has_ipv6(void) {
    const struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    const int fd = socket(AF_INET6, SOCK_STREAM, 0);
    const bool has = fd >= 0 && bind(fd, (const struct sockaddr *)&at, sizeof at) == 0;
    if (fd >= 0)
        close(fd);
    return has;
}
