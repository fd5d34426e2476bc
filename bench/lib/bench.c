/* See bench.h. Linux only in the parts that read /proc. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define RUN_NS UINT64_C(20000000) /* shortest run that counts */
#define PIECES 32                 /* that it is cut into */

void bench_pin(const char *variable) {
    const char *text = getenv(variable);
    if (text == NULL || *text == '\0')
        return;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(bench_number(text, NULL), &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0)
        perror(variable); /* the figure is still worth having, only noisier */
}

uint64_t bench_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

int bench_listen(int flags) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, SOMAXCONN) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        bench_die("listen", errno);
    printf("%d 127.0.0.1:%d\n", (int)getpid(), ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

uint64_t bench_cpu(void) {
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * UINT64_C(1000000000) + (uint64_t)used.tv_nsec;
}

static uint64_t timed(bench_op op, uint64_t count, void *arg) {
    const uint64_t start = bench_clock();
    op(count, arg);
    return bench_clock() - start;
}

static int compare(const void *a, const void *b) {
    const double left = *(const double *)a, right = *(const double *)b;
    return left < right ? -1 : left > right;
}

/* The median of what an operation takes in each of some pieces of the run, so that those in which
 * something else had the processor do not count. */
static double measured(bench_op op, uint64_t count, void *arg) {
    double pieces[PIECES];
    const uint64_t number = count < PIECES ? count : PIECES, each = count / number;
    for (uint64_t i = 0; i < number; ++i)
        pieces[i] = (double)timed(op, each, arg) / (double)each;
    qsort(pieces, number, sizeof *pieces, compare);
    return (pieces[(number - 1) / 2] + pieces[number / 2]) / 2;
}

double bench_ns(bench_op op, void *arg) {
    uint64_t count = 1;
    uint64_t took = timed(op, count, arg);
    while (took < RUN_NS) {
        /* Aim a quarter beyond the bound; early runs are cold and say little, so grow gently. */
        const uint64_t wanted = count * (RUN_NS + RUN_NS / 4) / (took + 1) + 1;
        count = wanted < count * 8 ? wanted : count * 8;
        took = timed(op, count, arg);
    }
    return measured(op, count, arg);
}

void bench_report(const char *name, const char *unit, double value) {
    printf("%s\t%s\t%.3f\n", name, unit, value);
    fflush(stdout);
}

void bench_die(const char *what, int error) {
    if (error != 0)
        fprintf(stderr, "%s: %s\n", what, strerror(abs(error)));
    else
        fprintf(stderr, "%s\n", what);
    exit(EXIT_FAILURE);
}

size_t bench_number(const char *text, const char **rest) {
    char *end;
    const unsigned long value = strtoul(text, &end, 10);
    if (end == text)
        bench_die(text, EINVAL);
    if (rest != NULL)
        *rest = end;
    return value;
}

/* The value of the line of a /proc file that begins with `key`, in bytes; the file gives KiB. */
static double proc_value(const char *path, const char *key) {
    FILE *file = fopen(path, "r");
    if (file == NULL)
        bench_die(path, errno);
    char line[256];
    double value = -1;
    while (value < 0 && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, key, strlen(key)) == 0)
            value = 1024 * (double)bench_number(line + strlen(key), NULL);
    fclose(file);
    if (value < 0)
        bench_die(key, ENOENT);
    return value;
}

/* statm is exact only to within the kernel's per-thread batches (some dozens of pages). */
static double resident(void) {
    FILE *file = fopen("/proc/self/statm", "r");
    unsigned long pages;
    if (file == NULL || fscanf(file, "%*u %lu", &pages) != 1)
        bench_die("/proc/self/statm", EIO);
    fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

void bench_memory_read(struct bench_memory *out) {
    out->resident = resident();
    out->page_tables = proc_value("/proc/self/status", "VmPTE:");
    out->peak = proc_value("/proc/self/status", "VmHWM:");
}

double bench_memory_available(void) {
    return proc_value("/proc/meminfo", "MemAvailable:");
}
