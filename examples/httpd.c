/* A web server for the files of one folder: HTTP/1.1 and 1.0, one task a connection.
 *
 *     httpd [-v] [-l ADDRESS] [-c CONNECTIONS] [-g SECONDS] [FOLDER]
 *
 * Shows: a protocol written as plain loops over blocking calls; scopes with deadlines for each wait
 * on a client; a server that drains. SIGTERM cancels the main task; coir_serve then lets handlers
 * finish within the grace period; and a task that was cancelled with it tells the idle connections,
 * which would otherwise sit that period out. Read connection() first, then serve() near the end. */
#include <coir.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/args.h"
#include "lib/folder.h"
#include "lib/http.h"
#include "lib/site.h"

#define IDLE_LIMIT COIR_SEC(15)  /* for the first byte of a request */
#define HEAD_LIMIT COIR_SEC(10)  /* for the rest of its head */
#define STALL_LIMIT COIR_SEC(30) /* for a client to take the next piece of an answer */
#define LINGER_LIMIT COIR_SEC(1) /* for a client to read our last words */

#define CONNECTIONS_DEFAULT 10000
#define DESCRIPTORS_SPARE 64 /* for everything that is not a connection */

struct connection;

struct server {
    struct site site;
    bool verbose;
    bool draining;           /* answer what was asked already, then close */
    struct connection *idle; /* those that wait for a request: a doubly linked list */
};

struct connection {
    struct server *server;
    int fd;
    bool keep;   /* another request may follow */
    bool linger; /* the client may still be sending what nobody will read */
    struct connection *idle_next, *idle_previous;

    struct http_head head; /* of the request; its texts point into the buffer */
    size_t used;           /* bytes of the buffer: a request, and what was sent behind it */
    char buffer[HTTP_HEAD_MAX];
};

/* ---- A connection: receive, respond, and again ---- */

static void idle_begin(struct connection *c) {
    struct server *const server = c->server;
    c->idle_previous = NULL;
    c->idle_next = server->idle;
    if (server->idle != NULL)
        server->idle->idle_previous = c;
    server->idle = c;
}

static void idle_end(struct connection *c) {
    if (c->idle_next != NULL)
        c->idle_next->idle_previous = c->idle_previous;
    if (c->idle_previous != NULL)
        c->idle_previous->idle_next = c->idle_next;
    else
        c->server->idle = c->idle_next;
}

/* Between two requests. Whoever waits here when the server drains is woken by the end of its
 * reading side (see drain); a request that had arrived by then is still read, and answered. */
static ssize_t read_idle(struct connection *c) {
    if (c->server->draining)
        shutdown(c->fd, SHUT_RD);
    idle_begin(c);
    const ssize_t size = coir_read(c->fd, c->buffer, sizeof(c->buffer));
    idle_end(c);
    return size;
}

/* Reads until the head of a request is complete, or refused: then returns 1. Returns 0 when the
 * client ends instead. */
static int read_request(struct connection *c, coir_scope *limit) {
    http_begin(&c->head, false);
    while (http_parse(&c->head, c->buffer, c->used) == HTTP_MORE) {
        const bool idle = c->used == 0;
        const ssize_t size =
            idle ? read_idle(c)
                 : coir_read(c->fd, c->buffer + c->used, sizeof(c->buffer) - c->used);
        if (size <= 0)
            return (int)size;
        c->used += (size_t)size;
        if (idle)
            coir_scope_set_deadline(limit, coir_after(HEAD_LIMIT));
    }
    return 1;
}

/* A client that stops in the middle of a head is told so; one that never began is not. */
static int receive(struct connection *c) {
    COIR_SCOPE(limit, .deadline = coir_after(c->used > 0 ? HEAD_LIMIT : IDLE_LIMIT));
    const int rc = coir_scope_close(&limit, read_request(c, &limit));
    if (rc != -ETIMEDOUT || c->used == 0)
        return rc;
    c->head.refused = 408;
    return 1;
}

static void log_request(const struct connection *c, int status) {
    const struct http_head *const head = &c->head;
    char peer[COIR_ADDRESS_SIZE] = "?";
    coir_peer_address(c->fd, peer, sizeof(peer));
    if (head->refused != 0)
        printf("%s refused %d\n", peer, status);
    else
        printf("%s %.*s %.*s %d\n", peer, (int)head->method.size, head->method.at,
               (int)head->target.size, head->target.at, status);
    fflush(stdout);
}

/* Bodies of requests have no meaning here. They are not read, which makes such a request the last
 * one of its connection. */
static int respond(struct connection *c) {
    COIR_SCOPE(limit, .deadline = coir_after(STALL_LIMIT));
    c->linger = c->head.refused != 0 || c->head.content_length > 0;
    c->keep = !c->linger && c->head.keep_alive && !c->server->draining;
    struct exchange x = {.site = &c->server->site,
                         .fd = c->fd,
                         .head = &c->head,
                         .keep = c->keep,
                         .limit = &limit,
                         .patience = STALL_LIMIT};
    const int rc = coir_scope_close(&limit, site_answer(&x));
    if (c->server->verbose)
        log_request(c, x.status);
    return rc;
}

/* To close while the client is sending makes the system reset the connection, and our answer may be
 * lost with it. So: say that we are done, and read on for a moment. */
static int linger(struct connection *c) {
    COIR_SCOPE(limit, .deadline = coir_after(LINGER_LIMIT), .move_on = true);
    ssize_t size = coir_shutdown_write(c->fd);
    while (size >= 0) {
        size = coir_read(c->fd, c->buffer, sizeof(c->buffer));
        if (size == 0)
            break;
    }
    return coir_scope_close(&limit, (int)size);
}

/* One connection from its first request to its last. What the client sent ahead of time stays in
 * the buffer, behind the request that is being answered. */
static int connection(int fd, void *arg) {
    struct connection c = {.server = arg, .fd = fd};
    int rc;
    do {
        rc = receive(&c);
        if (rc == 0)
            return 0;
        if (rc > 0)
            rc = respond(&c);
        if (rc < 0)
            return rc;
        c.used -= c.head.size;
        memmove(c.buffer, c.buffer + c.head.size, c.used);
    } while (c.keep);
    return c.linger || c.used > 0 ? linger(&c) : 0;
}

/* ---- The server ---- */

/* Waits until it is cancelled, along with the main task; then wakes the idle connections. */
static int drain(void *arg) {
    struct server *const server = arg;
    const int rc = coir_sleep(COIR_NEVER);
    server->draining = true;
    for (const struct connection *c = server->idle; c != NULL; c = c->idle_next)
        shutdown(c->fd, SHUT_RD);
    return rc;
}

struct settings {
    const char *address, *folder;
    size_t connections_max;
    coir_time grace;
    bool verbose;
};

static int serve(int listener, int folder, const struct settings *settings) {
    struct server server = {.site = {.folder = folder}, .verbose = settings->verbose};
    const coir_serve_options options = {.connections_max = settings->connections_max,
                                        .grace = settings->grace};
    COIR_SCOPE(life, .name = "server");
    COIR_TRY(coir_spawn(&life, drain, &server));
    return coir_scope_close(&life, coir_serve(listener, connection, &server, &options));
}

static int listen_and_serve(const struct settings *settings, int folder) {
    char address[COIR_ADDRESS_SIZE] = "?";
    const int listener = coir_listen(settings->address);
    if (listener < 0) {
        fprintf(stderr, "httpd: %s: %s\n", settings->address, coir_strerror(listener));
        return listener;
    }
    coir_socket_address(listener, address, sizeof(address));
    printf("httpd: serving %s on http://%s/\n", settings->folder, address);
    fflush(stdout);
    const int rc = serve(listener, folder, settings);
    coir_close(listener);
    if (rc != -ECANCELED)
        fprintf(stderr, "httpd: %s\n", coir_strerror(rc));
    return rc == -ECANCELED ? 0 : rc; /* a signal is how this server is meant to end */
}

static int run(void *arg) {
    const struct settings *const settings = arg;
    const int folder = folder_open(settings->folder);
    if (folder < 0) {
        fprintf(stderr, "httpd: %s: %s\n", settings->folder, coir_strerror(folder));
        return folder;
    }
    const int rc = listen_and_serve(settings, folder);
    close(folder);
    return rc;
}

/* Each connection has at most one file open: two descriptors. With room for that nobody is turned
 * away; whoever comes when all places are taken waits in the backlog. */
static size_t connections_possible(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return CONNECTIONS_DEFAULT;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit); /* if it fails, the limit is what it was: */
    getrlimit(RLIMIT_NOFILE, &limit);
    const size_t all = (size_t)limit.rlim_cur;
    const size_t spare = all > DESCRIPTORS_SPARE ? all - DESCRIPTORS_SPARE : 0;
    return spare >= 2 ? spare / 2 : 1;
}

static int usage(FILE *out, int status) {
    fputs("usage: httpd [-v] [-l ADDRESS] [-c CONNECTIONS] [-g SECONDS] [FOLDER]\n"
          "Serves the files of FOLDER (default: this one) over HTTP.\n"
          "  -l ADDRESS      where to listen (default 127.0.0.1:8080)\n"
          "  -c CONNECTIONS  at most so many at once (default 10000, or what the limits allow)\n"
          "  -g SECONDS      on SIGTERM and SIGINT answers may take so long to finish (default 5)\n"
          "  -v              print a line for each request\n",
          out);
    return status;
}

static int bad(char option, const char *value, const char *wanted, size_t most) {
    fprintf(stderr, "httpd: -%c %s: must be a number of %s, at most %zu\n", option, value, wanted,
            most);
    return 2;
}

int main(int argc, char **argv) {
    const size_t possible = connections_possible();
    struct settings settings = {
        .address = "127.0.0.1:8080",
        .folder = ".",
        .connections_max = possible < CONNECTIONS_DEFAULT ? possible : CONNECTIONS_DEFAULT,
        .grace = COIR_SEC(5),
    };
    int option;
    while ((option = getopt(argc, argv, "hvl:c:g:")) != -1) {
        if (option == 'h')
            return usage(stdout, 0);
        else if (option == 'v')
            settings.verbose = true;
        else if (option == 'l')
            settings.address = optarg;
        else if (option == 'c' && !args_count(optarg, 1, possible, &settings.connections_max))
            return bad('c', optarg, "connections", possible);
        else if (option == 'g' && !args_seconds(optarg, &settings.grace))
            return bad('g', optarg, "seconds", 1000000);
        else if (option == '?')
            return usage(stderr, 2);
    }
    if (argc - optind > 1)
        return usage(stderr, 2);
    if (optind < argc)
        settings.folder = argv[optind];
    const coir_options options = {.cancel_on_signals = true};
    return coir_run_with(run, &settings, &options) < 0;
}
