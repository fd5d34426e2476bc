/* A server: one task a connection, a bound on their number, and an orderly end.
 *
 * Two scopes make the order. The acceptor lives in the outer one, which a cancel reaches; the
 * handlers live in an inner, shielded one, which it does not. When the acceptor is cut, the inner
 * scope gets the grace period as its deadline. */
#include "coir/io.h"
#include "coir/net.h"
#include "io/fd.h"

struct server {
    int listener;
    uint32_t identity; /* of the listener: its number may come to stand for another descriptor */
    coir_handler handler;
    void *arg;
    const coir_serve_options *options;
    coir_scope *handlers;
    size_t connections;
    struct coir__fd_wait *full; /* the acceptor, waiting for a connection to end */
    int rc;                     /* how accepting ended */
};

struct connection {
    struct server *server;
    int fd;
    uint32_t identity; /* of the descriptor */
};

static int handle(void *arg) {
    const struct connection connection = *(struct connection *)arg;
    struct server *const server = connection.server;
    (void)server->handler(connection.fd, server->arg);
    const struct coir__fd *const entry = coir__fd_find(coir__rt, connection.fd);
    if (entry != NULL && entry->identity == connection.identity)
        (void)coir_close(connection.fd); /* unless the handler has done it */
    server->connections--;
    coir__fd_wake(coir__rt, server->full, 0);
    return 0;
}

/* Waits until there may be one more connection. As the reader of the listener, so that its close
 * ends the wait; a new connection in the backlog does so for nothing. */
static int wait_for_room(struct server *server) {
    const size_t most = server->options->connections_max;
    int rc = 0;
    while (rc == 0 && most != 0 && server->connections >= most) {
        struct coir__fd *entry;
        COIR_TRY(coir__io_begin(server->listener, &entry));
        struct coir__fd_wait wait = {.wait = {.what = "a connection to end, to accept on fd"},
                                     .fd = entry,
                                     .directions = COIR_POLL_READ};
        if (entry->reader != NULL)
            return -EBUSY;
        server->full = &wait;
        rc = coir__fd_wait_for(coir__rt, server->listener, entry, &wait);
        server->full = NULL;
        coir__fd_done(&wait);
    }
    return rc;
}

static int start_handler(struct server *server, int fd) {
    struct connection connection = {
        .server = server, .fd = fd, .identity = coir__fd_find(coir__rt, fd)->identity};
    const coir_spawn_options options = {.name = "connection",
                                        .stack_size_bytes = server->options->stack_size_bytes,
                                        .arg_size_bytes = sizeof connection};
    server->connections++;
    const int rc = coir_spawn_with(server->handlers, handle, &connection, &options);
    if (rc < 0) {
        server->connections--;
        (void)coir_close(fd);
    }
    return rc;
}

static uint32_t identity_of(int listener) {
    const struct coir__fd *const entry =
        coir__rt != NULL ? coir__fd_find(coir__rt, listener) : NULL;
    return entry != NULL ? entry->identity : 0;
}

static int accept_one(const struct server *server) {
    if (identity_of(server->listener) == server->identity)
        return coir_accept(server->listener);
    COIR_TRY(coir_check());
    return -EBADF;
}

static int accept_all(void *arg) {
    struct server *const server = arg;
    for (;;) {
        int rc = wait_for_room(server);
        if (rc == 0)
            rc = accept_one(server);
        if (rc >= 0)
            rc = start_handler(server, rc);
        if (rc == -ENOMEM) /* that connection is lost; the others go on */
            rc = coir_sleep(COIR_MS(10));
        if (rc < 0)
            return server->rc = rc;
    }
}

int coir_serve(int listener, coir_handler handler, void *arg, const coir_serve_options *options) {
    static const coir_serve_options defaults;
    if (options == NULL)
        options = &defaults;
    const size_t stack = options->stack_size_bytes;
    if (handler == NULL || options->grace < 0 ||
        (stack != 0 && (stack < COIR_STACK_SIZE_MIN || stack > COIR_STACK_SIZE_MAX)))
        return -EINVAL;
    struct server server = {.listener = listener,
                            .identity = identity_of(listener),
                            .handler = handler,
                            .arg = arg,
                            .options = options};
    coir_task acceptor;
    COIR_SCOPE(accepting, .policy = COIR_SUPERVISE, .name = "accepting");
    COIR_SCOPE(handling, .policy = COIR_SUPERVISE, .shield = true, .move_on = true,
               .name = "connections");
    server.handlers = &handling;
    int rc = coir_spawn_with(&accepting, accept_all, &server,
                             &(coir_spawn_options){.name = "acceptor", .task = &acceptor});
    if (rc == 0)
        rc = coir_join(acceptor, NULL);
    const int result = rc < 0 ? rc : server.rc;
    if (options->grace > 0)
        (void)coir_scope_set_deadline(&handling, coir_after(options->grace));
    else
        coir_scope_cancel(&handling);
    (void)coir_scope_close(&handling, 0);
    (void)coir_scope_close(&accepting, 0);
    return result;
}
