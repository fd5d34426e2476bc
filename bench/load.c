/* The load for the echo measure: keeps one request of 64 bytes under way on each of N connections
 * to one server after another, in turn, checks every answer, and reports requests per second, the
 * server's CPU time per request, and how long requests take: p50, p99 and p999, of all of a window.
 *
 *   load CONNECTIONS SERVER...         the figures, a line a window: case, unit, value, subject
 *   load --count WINDOWS CONNECTIONS SERVER...
 *                                      only how many requests the servers answered in all
 *
 * SERVER is a command line; its subject is what follows the last hyphen in it. It prints one line,
 * "PID ADDRESS:PORT", and serves until it is killed. Its CPU time is read from the kernel's clock
 * of that process, so any program in any language can be a subject. Servers run on the CPU that
 * BENCH_CPU names, this program on BENCH_CPU_LOAD. Windows are short and alternate, so that a slow
 * stretch of a shared machine hits all subjects alike; each begins and ends with nothing under way,
 * so that time and requests belong together exactly. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/bench.h"

#define REQUEST_SIZE 64
#define EVENTS_MAX 256
#define WINDOW_NS UINT64_C(80000000)
#define WINDOWS 5       /* for each server, after one that does not count */
#define SILENCE_MS 3000 /* a server that is silent for so long has failed */
#define SERVERS_MAX 16
#define DESCRIPTORS_SPARE 64 /* for what is no connection */

#define LATENCY_BITS 5 /* of precision: classes are at most 1/32 wide */
#define LATENCIES ((64 - LATENCY_BITS + 1) << LATENCY_BITS)

struct server;

struct connection {
    struct server *server;
    int fd;
    uint64_t sequence; /* of the request under way */
    uint64_t sent_at;
    size_t received; /* of its answer */
    char answer[REQUEST_SIZE];
};

struct server {
    const char *subject;
    pid_t child; /* what was started: the server, or a tool around it */
    pid_t pid;   /* the server itself */
    int port;
    clockid_t cpu_clock;
    struct connection *connections;
    uint64_t answered;
    size_t under_way;
    uint64_t latencies[LATENCIES]; /* in this window, by latency_class */
};

static struct server servers[SERVERS_MAX];
static size_t server_count;
static size_t connection_count; /* for each server */
static bool window_open;        /* an answer is followed by the next request */

/* ---- The servers ---- */

static void stop_servers(void) {
    for (size_t i = 0; i < server_count; ++i) {
        const struct server *server = &servers[i];
        if (server->child <= 0)
            continue;
        kill(server->pid > 0 ? server->pid : server->child, SIGTERM);
        waitpid(server->child, NULL, 0);
    }
}

static void run_server(int out, const char *command) {
    char line[4096];
    snprintf(line, sizeof line, "exec %s", command);
    /* It must not outlive this program, whatever becomes of that. */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    dup2(out, STDOUT_FILENO);
    bench_pin("BENCH_CPU");
    execl("/bin/sh", "sh", "-c", line, (char *)NULL);
    perror("/bin/sh");
    _exit(EXIT_FAILURE);
}

static void start_server(struct server *server, const char *command) {
    const char *hyphen = strrchr(command, '-');
    server->subject = hyphen != NULL ? hyphen + 1 : command;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        bench_die("pipe", errno);
    server->child = fork();
    if (server->child < 0)
        bench_die("fork", errno);
    if (server->child == 0)
        run_server(ends[1], command);
    close(ends[1]);
    FILE *hello = fdopen(ends[0], "r");
    if (hello == NULL || fscanf(hello, "%d %*[^:]:%d", &server->pid, &server->port) != 2)
        bench_die("the server did not say where it listens", 0);
    fclose(hello);
    if (clock_getcpuclockid(server->pid, &server->cpu_clock) != 0)
        bench_die("clock_getcpuclockid", errno);
}

static uint64_t server_cpu(const struct server *server) {
    struct timespec used;
    if (clock_gettime(server->cpu_clock, &used) != 0)
        bench_die("the server ended", errno);
    return (uint64_t)used.tv_sec * UINT64_C(1000000000) + (uint64_t)used.tv_nsec;
}

/* ---- The connections ---- */

/* ---- How long requests take ---- */

/* Exact below 64 ns; above, the highest bits of the time. */
static size_t latency_class(uint64_t ns) {
    const int top = 63 - __builtin_clzll(ns | 1);
    if (top <= LATENCY_BITS)
        return (size_t)ns;
    const int shift = top - LATENCY_BITS;
    return ((size_t)(shift + 1) << LATENCY_BITS) + (size_t)(ns >> shift) -
           ((size_t)1 << LATENCY_BITS);
}

/* The least time in a class. */
static double latency_of(size_t class) {
    const size_t shift = class >> LATENCY_BITS;
    if (shift <= 1)
        return (double)class;
    const uint64_t bits = (class & ((1U << LATENCY_BITS) - 1)) + (1U << LATENCY_BITS);
    return (double)(bits << (shift - 1));
}

/* The time that so many of a thousand requests stay below. */
static double quantile(const struct server *server, uint64_t requests, uint64_t per_mille) {
    uint64_t seen = 0;
    const uint64_t wanted = (requests * per_mille + 999) / 1000;
    for (size_t i = 0; i < LATENCIES; ++i) {
        seen += server->latencies[i];
        if (seen >= wanted)
            return latency_of(i);
    }
    return 0;
}

/* Names the connection and the request, so that an answer that went astray or came twice is seen.
 */
static void compose(const struct connection *connection, char *request) {
    memset(request, '.', REQUEST_SIZE);
    memcpy(request, &connection->fd, sizeof connection->fd);
    memcpy(request + REQUEST_SIZE - sizeof connection->sequence, &connection->sequence,
           sizeof connection->sequence);
}

static void send_request(struct connection *connection) {
    char request[REQUEST_SIZE];
    ++connection->sequence;
    connection->received = 0;
    ++connection->server->under_way;
    connection->sent_at = bench_clock();
    compose(connection, request);
    if (send(connection->fd, request, sizeof request, MSG_NOSIGNAL) != sizeof request)
        bench_die("send", errno);
}

static void check_answer(const struct connection *connection) {
    char request[REQUEST_SIZE];
    compose(connection, request);
    if (memcmp(request, connection->answer, sizeof request) != 0)
        bench_die("an answer is not what was asked", 0);
}

static void receive(struct connection *connection) {
    const ssize_t size = recv(connection->fd, connection->answer + connection->received,
                              REQUEST_SIZE - connection->received, 0);
    if (size < 0 && errno == EAGAIN)
        return;
    if (size <= 0)
        bench_die("the server closed a connection", size < 0 ? errno : 0);
    connection->received += (size_t)size;
    if (connection->received < REQUEST_SIZE) {
        receive(connection);
        return;
    }
    check_answer(connection);
    ++connection->server->latencies[latency_class(bench_clock() - connection->sent_at)];
    ++connection->server->answered;
    --connection->server->under_way;
    if (window_open)
        send_request(connection);
}

/* A server may have said that it cannot have so many. */
__attribute__((noreturn)) static void refused(struct server *server) {
    const int error = errno;
    int status;
    if (error == ECONNREFUSED && waitpid(server->child, &status, 0) == server->child) {
        server->child = 0;
        if (WIFEXITED(status) && WEXITSTATUS(status) == BENCH_CANNOT)
            exit(BENCH_CANNOT);
    }
    bench_die("connect", error);
}

static void open_connection(int epoll_fd, struct connection *connection) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)connection->server->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        bench_die("socket", errno);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        refused(connection->server);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    fcntl(fd, F_SETFL, O_NONBLOCK);
    connection->fd = fd;
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = connection};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
        bench_die("epoll_ctl", errno);
}

static void open_connections(int epoll_fd, struct server *server) {
    server->connections = calloc(connection_count, sizeof *server->connections);
    if (server->connections == NULL)
        bench_die("calloc", errno);
    for (size_t i = 0; i < connection_count; ++i) {
        server->connections[i].server = server;
        open_connection(epoll_fd, &server->connections[i]);
    }
}

/* For this program and the servers, which inherit it. */
static void allow_descriptors(size_t needed) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    const struct rlimit more = {.rlim_cur = needed, .rlim_max = needed};
    if (limit.rlim_max < needed && setrlimit(RLIMIT_NOFILE, &more) == 0)
        return; /* root may */
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_max >= needed)
        return;
    fprintf(stderr, "needs %zu descriptors, and no more than %zu are allowed (ulimit -n)\n", needed,
            (size_t)limit.rlim_max);
    exit(BENCH_CANNOT);
}

/* ---- The run ---- */

static void run_window(int epoll_fd, struct server *server) {
    struct epoll_event events[EVENTS_MAX];
    const uint64_t end = bench_clock() + WINDOW_NS;
    window_open = true;
    for (size_t i = 0; i < connection_count; ++i)
        send_request(&server->connections[i]);
    while (server->under_way > 0) {
        const int count = epoll_wait(epoll_fd, events, EVENTS_MAX, SILENCE_MS);
        if (count == 0)
            bench_die("the server does not answer", 0);
        for (int i = 0; i < count; ++i)
            receive(events[i].data.ptr);
        window_open = bench_clock() < end;
    }
}

static void report(const struct server *server, uint64_t requests, uint64_t ns, uint64_t cpu_ns) {
    printf("%zu requests\t1/s\t%.0f\t%s\n", connection_count, (double)requests * 1e9 / (double)ns,
           server->subject);
    printf("%zu server CPU\tns\t%.1f\t%s\n", connection_count, (double)cpu_ns / (double)requests,
           server->subject);
    static const struct {
        const char *name;
        unsigned per_mille;
    } quantiles[] = {{"p50", 500}, {"p99", 990}, {"p999", 999}};
    for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles; ++i)
        printf("%zu %s\tus\t%.1f\t%s\n", connection_count, quantiles[i].name,
               quantile(server, requests, quantiles[i].per_mille) / 1000, server->subject);
}

static void measure_window(int epoll_fd, struct server *server, bool counts) {
    memset(server->latencies, 0, sizeof server->latencies);
    const uint64_t start = bench_clock(), cpu = server_cpu(server), before = server->answered;
    run_window(epoll_fd, server);
    const uint64_t took = bench_clock() - start, cpu_used = server_cpu(server) - cpu;
    if (counts)
        report(server, server->answered - before, took, cpu_used);
}

static void report_count(void) {
    uint64_t answered = 0;
    for (size_t i = 0; i < server_count; ++i)
        answered += servers[i].answered;
    printf("%llu\n", (unsigned long long)answered);
}

int main(int argc, char **argv) {
    const bool count_only = argc > 1 && strcmp(argv[1], "--count") == 0;
    const int first = count_only ? 4 : 2; /* argument that is a server */
    if (argc <= first || argc - first > SERVERS_MAX)
        bench_die("usage: load [--count WINDOWS] CONNECTIONS SERVER...", 0);
    connection_count = bench_number(argv[first - 1], NULL);
    const int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0)
        bench_die("epoll_create1", errno);

    allow_descriptors((size_t)(argc - first) * connection_count + DESCRIPTORS_SPARE);
    atexit(stop_servers);
    for (int i = first; i < argc; ++i)
        start_server(&servers[server_count++], argv[i]);
    bench_pin("BENCH_CPU_LOAD");
    for (size_t i = 0; i < server_count; ++i)
        open_connections(epoll_fd, &servers[i]);

    const size_t windows = count_only ? bench_number(argv[2], NULL) : 1 + WINDOWS;
    for (size_t window = 0; window < windows; ++window)
        for (size_t i = 0; i < server_count; ++i)
            measure_window(epoll_fd, &servers[i], window > 0 && !count_only);
    if (count_only)
        report_count();
    return 0;
}
