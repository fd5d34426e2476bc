/* Sockets: a client and a server that answers, over TCP and Unix sockets; names; datagrams. */
#include <string.h>

#include "sim/calls.h"
#include "sim/nth/nth.h"

#define SOCKET_ERRORS EMFILE, ENFILE, ENOMEM, SYSTEM

static int answer(int fd, const char word[4]) {
    must(memcmp(word, "ping", 4) == 0, "the server was told something else");
    TRY(coir_write_all(fd, "pong", 4, NULL), 0, SYSTEM, ENOMEM, ENOSPC);
    return (int)CALL(coir_shutdown_write(fd), 0, ENOTCONN, SYSTEM);
}

static int answer_one(int fd) {
    char word[4];
    TRY(coir_read_exact(fd, word, 4, NULL), 0, SYSTEM, ENOMEM, ENOSPC);
    return answer(fd, word);
}

static int serve_one(void *arg) {
    const int fd = (int)CALL(coir_accept(*(const int *)arg), ANY, SOCKET_ERRORS);
    if (fd < 0)
        return fd;
    const int rc = answer_one(fd);
    close_fd(fd);
    return rc;
}

static int ask_with(int fd) {
    char word[5], own[COIR_ADDRESS_SIZE];
    TRY(coir_socket_address(fd, own, sizeof own), 0, SYSTEM);
    TRY(coir_write_all(fd, "ping", 4, NULL), 0, SYSTEM, ENOMEM, ENOSPC);
    TRY(coir_read_exact(fd, word, 4, NULL), 0, SYSTEM, ENOMEM, ENOSPC);
    must(memcmp(word, "pong", 4) == 0, "the client was told something else");
    TRY(coir_read(fd, word, 1), 0, SYSTEM, ENOMEM, ENOSPC);
    return 0;
}

static int ask(const char *address) {
    const int fd = (int)CALL(coir_connect(address), ANY, SOCKET_ERRORS);
    if (fd < 0)
        return fd;
    const int rc = ask_with(fd);
    close_fd(fd);
    return rc;
}

static int converse_at(int listener, const char *address) {
    COIR_SCOPE(s);
    long rc = CALL(coir_spawn(&s, serve_one, &listener), 0, ENOMEM);
    if (rc == 0)
        rc = ask(address);
    if (rc < 0)
        coir_scope_cancel(&s);
    return close_scope(&s, (int)rc);
}

static int converse(const char *address) {
    const int listener = (int)CALL(coir_listen(address), ANY, SOCKET_ERRORS, EADDRINUSE);
    if (listener < 0)
        return listener;
    const int rc = converse_at(listener, address);
    close_fd(listener);
    return rc;
}

static int tcp(void) {
    return converse("127.0.0.1:7000");
}

static int tcp6(void) {
    return converse("[::1]:7000");
}

static int unix_path(void) {
    return converse("unix:/run/nth.sock"); /* the second time it is there already */
}

static int unix_abstract(void) {
    return converse("unix:@nth");
}

/* ---- A server ---- */

static int handle(int fd, void *arg) {
    const int rc = answer_one(fd);
    *(int *)arg += rc == 0;
    return rc;
}

struct server {
    int listener, answered;
    coir_scope *scope;
};

static int serve(void *arg) {
    struct server *const it = arg;
    const long rc =
        CALL(coir_serve(it->listener, handle, &it->answered, NULL), -ECANCELED, SOCKET_ERRORS);
    coir_scope_cancel(it->scope); /* nobody answers the clients any more */
    return (int)rc;
}

static int serve_in(coir_scope *s, struct server *it) {
    it->scope = s;
    TRY(coir_spawn(s, serve, it), 0, ENOMEM);
    long rc = 0;
    for (int i = 0; i < 3; i++) { /* one bad connection does not stop the server */
        const int came_to = ask("127.0.0.1:7000");
        rc = came_to < 0 ? came_to : rc;
    }
    coir_scope_cancel(s);
    return (int)rc;
}

static int server(void) {
    struct server it = {
        .listener = (int)CALL(coir_listen("127.0.0.1:7000"), ANY, SOCKET_ERRORS, EADDRINUSE)};
    if (it.listener < 0)
        return it.listener;
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    const int rc = close_scope(&s, serve_in(&s, &it));
    must(rc < 0 || it.answered == 3, "%d were answered", it.answered);
    close_fd(it.listener);
    return rc;
}

/* ---- Names ---- */

#define NAME_ERRORS EHOSTUNREACH, ENOENT, ENOMEM, EAGAIN, EMFILE, ENFILE, SYSTEM

static int resolve(void) {
    char found[4][COIR_ADDRESS_SIZE];
    TRY(coir_sim_name("nth.test", "127.0.0.1"), 0);
    TRY(coir_resolve("nth.test:80", found, 4), ANY, NAME_ERRORS);
    TRY(coir_resolve("10.1.2.3:80", found, 4), 1);
    must(strcmp(found[0], "10.1.2.3:80") == 0, "10.1.2.3:80 is %s", found[0]);
    return 0;
}

/* A client with a second address to try may give up a connection that is accepted already. */
static int serve_who_stays(void *arg) {
    for (bool left = true; left;) {
        char word[4];
        const int fd = (int)CALL(coir_accept(*(const int *)arg), ANY, SOCKET_ERRORS);
        if (fd < 0)
            return fd;
        const struct before before = call_begins();
        long rc = coir_read_exact(fd, word, 4, NULL);
        left = (rc == -ECONNRESET || rc == -EPIPE) && call_begins().met == before.met;
        if (!left)
            rc = call_ends(&before, "coir_read_exact", rc,
                           (const long[]){0, SYSTEM, ENOMEM, ENOSPC, 0});
        if (rc == 0)
            rc = answer(fd, word);
        close_fd(fd);
        if (!left && rc < 0)
            return (int)rc;
    }
    return 0;
}

static int connect_by_name(void) {
    int listener = (int)CALL(coir_listen("127.0.0.1:7000"), ANY, SOCKET_ERRORS, EADDRINUSE);
    if (listener < 0)
        return listener;
    COIR_SCOPE(s);
    long rc = CALL(coir_spawn(&s, serve_who_stays, &listener), 0, ENOMEM);
    if (rc == 0) {
        const int fd = (int)CALL(coir_connect("localhost:7000"), ANY, NAME_ERRORS);
        rc = fd < 0 ? fd : ask_with(fd);
        if (fd >= 0)
            close_fd(fd);
    }
    if (rc < 0)
        coir_scope_cancel(&s);
    rc = close_scope(&s, (int)rc);
    close_fd(listener);
    return (int)rc;
}

/* ---- Datagrams ---- */

static int receive_one(void *arg) {
    char text[8], from[COIR_ADDRESS_SIZE];
    TRY(coir_receive_from(*(const int *)arg, text, sizeof text, &from), 4, SYSTEM, ENOMEM, ENOSPC);
    must(memcmp(text, "news", 4) == 0, "another datagram was received");
    return 0;
}

static int send_between(const int *fds, const char *to) {
    COIR_SCOPE(s);
    long rc = CALL(coir_spawn(&s, receive_one, (void *)(uintptr_t)&fds[0]), 0, ENOMEM);
    if (rc == 0)
        rc = CALL(coir_yield(), 0);
    if (rc == 0)
        rc = CALL(coir_send_to(fds[1], "news", 4, to), 4, SYSTEM, ENOMEM, ENOSPC);
    if (rc < 0)
        coir_scope_cancel(&s);
    return close_scope(&s, rc < 0 ? (int)rc : 0);
}

static int datagrams(const char *one, const char *other) {
    int fds[2], rc = 0;
    fds[0] = (int)CALL(coir_bind_datagram(one), ANY, SOCKET_ERRORS, EADDRINUSE);
    if (fds[0] < 0)
        return fds[0];
    fds[1] = (int)CALL(coir_bind_datagram(other), ANY, SOCKET_ERRORS, EADDRINUSE);
    rc = fds[1] < 0 ? fds[1] : send_between(fds, one);
    close_fd(fds[0]);
    if (fds[1] >= 0)
        close_fd(fds[1]);
    return rc;
}

static int datagrams_udp(void) {
    return datagrams("127.0.0.1:7001", "127.0.0.1:7002");
}

static int datagrams_unix(void) {
    return datagrams("unix:/run/one.sock", "unix:@other");
}

const struct scenario network_scenarios[] = {
    {.name = "tcp", .run = tcp, .patient = true},
    {.name = "tcp6", .run = tcp6, .patient = true},
    {.name = "unix", .run = unix_path, .patient = true},
    {.name = "unix_abstract", .run = unix_abstract, .patient = true},
    {.name = "serve", .run = server, .patient = true, .lossy = true},
    {.name = "resolve", .run = resolve},
    {.name = "connect_by_name", .run = connect_by_name, .patient = true},
    {.name = "datagrams", .run = datagrams_udp},
    {.name = "datagrams_unix", .run = datagrams_unix},
    {.name = NULL}};
