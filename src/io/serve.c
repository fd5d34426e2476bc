/* A server: one task a connection, a bound on their number, and an orderly end.
 *
 * Two scopes make the order. The acceptor lives in the outer one, which a cancel reaches; the handlers
 * live in an inner, shielded one, which it does not. When the acceptor is cut, the inner scope gets
 * the grace period as its deadline. Written with the public API alone. */
#include "coir/io.h"
#include "coir/net.h"
#include "coir/runtime.h"
#include "coir/scope.h"
#include "coir/task.h"

struct server {
    int listener;
    coir_handler handler;
    void *arg;
    const coir_serve_options *options;
    coir_scope *handlers;
    size_t connections;
    coir_wait *full; /* the acceptor, waiting for a connection to end */
    int rc;          /* how accepting ended */
};

struct connection {
    struct server *server;
    int fd;
};

static int handle(void *arg) {
    const struct connection connection = *(struct connection *)arg;
    struct server *const server = connection.server;
    (void)server->handler(connection.fd, server->arg);
    (void)coir_close(connection.fd); /* -EBADF: the handler has closed it */
    server->connections--;
    if (server->full != NULL) {
        coir_wait *const acceptor = server->full;
        server->full = NULL;
        (void)coir_unpark(acceptor, 0);
    }
    return 0;
}

struct turn {
    coir_wait wait;
    struct server *server;
};

static bool cut_turn(coir_wait *wait) {
    ((struct turn *)(void *)wait)->server->full = NULL;
    return true;
}

/* Waits until there may be one more connection. */
static int wait_for_room(struct server *server) {
    const size_t most = server->options->connections_max;
    while (most != 0 && server->connections >= most) {
        struct turn turn = {.wait = {.cut = cut_turn, .what = "a connection to end"},
                            .server = server};
        server->full = &turn.wait;
        COIR_TRY(coir_park(&turn.wait));
    }
    return 0;
}

static int start_handler(struct server *server, int fd) {
    struct connection connection = {.server = server, .fd = fd};
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

static int accept_all(void *arg) {
    struct server *const server = arg;
    for (;;) {
        int rc = wait_for_room(server);
        if (rc == 0)
            rc = coir_accept(server->listener);
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
    if (handler == NULL || options->grace < 0)
        return -EINVAL;
    struct server server = {
        .listener = listener, .handler = handler, .arg = arg, .options = options};
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
