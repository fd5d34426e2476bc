/* What runs in the process of one check: what it tells, and to whom. */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "selfcheck.h"

static int report; /* where it tells */
static bool told;

void tell(const char *format, ...) {
    char text[1024];
    va_list arguments;
    if (told)
        return;
    told = true;
    va_start(arguments, format);
    const int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    (void)!write(report, text, size < (int)sizeof text ? (size_t)size : sizeof text - 1);
}

/* "-2 (ENOENT: ...)"; out has room for 128 characters. */
static const char *number_text(long long number, char *out) {
    if (number < 0 && number > -4096)
        (void)snprintf(out, 128, "%lld (%s)", number, coir_strerror((int)number));
    else
        (void)snprintf(out, 128, "%lld", number);
    return out;
}

bool expect(const char *what, long long actual, long long expected) {
    char is[128], want[128];
    if (actual == expected)
        return true;
    tell("%s: expected %s, saw %s", what, number_text(expected, want), number_text(actual, is));
    return false;
}

void run_check(const struct check *check, int to) {
    report = to;
    (void)alarm(check->limit_s > 0 ? check->limit_s : CHECK_LIMIT_S);
    const int rc = check->bare ? check->run(NULL) : coir_run(check->run, NULL);
    if (rc < 0)
        (void)expect("what it came to", rc, 0);
    if (!told)
        (void)!write(report, CHECK_PASSED, sizeof CHECK_PASSED - 1);
    exit(told);
}

void *new_stack(size_t size_bytes) {
#ifdef __OpenBSD__
    const int flags = MAP_PRIVATE | MAP_ANON | MAP_STACK;
#else
    const int flags = MAP_PRIVATE | MAP_ANON;
#endif
    void *const memory = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (memory != MAP_FAILED)
        return memory;
    tell("no memory for a stack of %zu bytes", size_bytes);
    exit(1);
}

size_t read_text(int fd, char *out, size_t size_bytes) {
    size_t size = 0;
    char rest[512];
    ssize_t got = 1;
    while (got > 0) {
        const size_t room = size_bytes - 1 - size;
        got = room > 0 ? read(fd, out + size, room) : read(fd, rest, sizeof rest);
        if (got > 0 && room > 0)
            size += (size_t)got;
    }
    out[size] = '\0';
    (void)close(fd);
    return size;
}

struct caught run_caught(int (*fn)(void *), void *arg) {
    struct caught caught = {.status = -1};
    int ends[2];
    if (pipe(ends) < 0)
        return caught;
    const pid_t child = fork();
    if (child == 0) {
        (void)close(report); /* which would else stay open for as long as this process lives */
        (void)dup2(ends[1], STDERR_FILENO);
        (void)alarm(CHECK_LIMIT_S / 2);
        exit(fn(arg));
    }
    (void)close(ends[1]);
    (void)read_text(ends[0], caught.text, sizeof caught.text);
    if (child > 0)
        (void)waitpid(child, &caught.status, 0);
    return caught;
}
