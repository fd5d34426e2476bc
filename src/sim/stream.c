/* Streams: connecting, accepting, and the connection with its two flows until both ends are closed,
 * over Unix sockets (at once, within a machine) and TCP (through the network). */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "sim/calls.h"
#include "sim/socket.h"

#define SYN_RETRY COIR_SEC(1)
#define SYN_GIVE_UP COIR_SEC(127)
#define RESET_RETRY COIR_MS(200)
#define RESET_GIVE_UP COIR_SEC(900)

static struct coir__sim_socket *socket_of(struct coir__sim_object *object) {
    return (struct coir__sim_socket *)object;
}

/* ---- A connection and its end ---- */

static size_t stream_room(void) {
    const size_t room = coir__sim->options.socket_room_bytes;
    return room != 0 ? room : 65536;
}

static void lose(struct coir__sim_flow *flow) {
    struct coir__sim_socket *const writer = (struct coir__sim_socket *)flow->writer;
    struct coir__sim_socket *const reader = (struct coir__sim_socket *)flow->reader;
    flow->lost = NULL;
    if (writer != NULL)
        coir__sim_stream_break(writer, ETIMEDOUT);
    if (reader != NULL)
        coir__sim_stream_break(reader, ETIMEDOUT);
}

static struct coir__sim_flow *flow_between(struct coir__sim_socket *from,
                                           struct coir__sim_socket *to) {
    struct coir__sim_flow *const flow =
        coir__sim_flow_create(stream_room(), from->family != AF_UNIX);
    flow->writer = &from->file;
    flow->reader = &to->file;
    flow->from = from->host;
    flow->to = to->host;
    flow->lost = lose;
    return flow;
}

static void join(struct coir__sim_socket *a, struct coir__sim_socket *b) {
    a->out = flow_between(a, b);
    b->out = flow_between(b, a);
    a->in = coir__sim_hold(b->out);
    b->in = coir__sim_hold(a->out);
}

/* Whether the other end of a TCP connection has said that nothing more will come. */
static bool is_over(const struct coir__sim_socket *socket) {
    return socket->in != NULL && socket->in->remote && socket->in->ended;
}

void coir__sim_stream_break(struct coir__sim_socket *socket, int error) {
    if (socket->state == COIR_SIM_BROKEN)
        return;
    socket->state = COIR_SIM_BROKEN;
    socket->error = error == ECONNRESET && is_over(socket) ? EPIPE : error;
    if (socket->in != NULL)
        socket->in->lost = NULL; /* what is on its way will not arrive */
    coir__sim_notify(&socket->file, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP | EPOLLERR);
}

/* A reset reaches the reader of a flow, unless the two are cut off from each other. */
static void arrive_reset(struct coir__sim_object *object, uint64_t sent) {
    struct coir__sim_flow *const flow = (struct coir__sim_flow *)object;
    const coir_time delay = flow->remote ? coir__sim_latency(&flow->from, &flow->to) : 0;
    if (flow->reader == NULL)
        return;
    if (delay != COIR_NEVER)
        coir__sim_stream_break((struct coir__sim_socket *)flow->reader, ECONNRESET);
    else if (coir__sim->now - (coir_time)sent < RESET_GIVE_UP)
        coir__sim_at(coir__sim->now + RESET_RETRY, arrive_reset, flow, sent);
}

/* Its other end gets one: at once within a machine. */
static void send_reset(struct coir__sim_flow *flow) {
    const coir_time now = coir__sim->now;
    const coir_time delay = flow->remote ? coir__sim_latency(&flow->from, &flow->to) : 0;
    coir__sim_at(delay != COIR_NEVER ? now + delay : now, arrive_reset, flow, (uint64_t)now);
}

static void reset_peer(struct coir__sim_socket *socket) {
    if (socket->out != NULL && socket->out->reader != NULL)
        send_reset(socket->out);
}

static void broken(struct coir__sim_file *file) {
    struct coir__sim_socket *const socket = (struct coir__sim_socket *)file;
    if (socket->state != COIR_SIM_CONNECTED)
        return;
    reset_peer(socket);
    coir__sim_stream_break(socket, ECONNRESET);
}

/* Lets go of both flows. What the other end has sent and nobody will read is answered by a reset.
 */
static void let_go(struct coir__sim_socket *socket) {
    if (socket->out == NULL)
        return;
    const bool unread = socket->in->sent > socket->in->taken;
    if (unread || socket->state != COIR_SIM_CONNECTED)
        reset_peer(socket);
    else
        coir__sim_flow_finish(socket->out);
    socket->in->reader = NULL;
    socket->out->writer = NULL;
    coir__sim_notify(socket->in->writer, EPOLLOUT); /* which will fail */
}

void coir__sim_stream_abandon(struct coir__sim_socket *socket) {
    while (!list_empty(&socket->backlog)) {
        struct coir__sim_socket *const waiting =
            list_entry(socket->backlog.next, struct coir__sim_socket, waiting);
        list_take(&waiting->waiting);
        broken(&waiting->file);
        let_go(waiting);
        coir__sim_drop(waiting);
    }
    let_go(socket);
    coir__sim_drop(socket->in);
    coir__sim_drop(socket->out);
    socket->in = socket->out = NULL;
    socket->bound = false;
    socket->state = COIR_SIM_BROKEN;
}

static void closed(struct coir__sim_file *file) {
    coir__sim_stream_abandon((struct coir__sim_socket *)file);
}

/* ---- Connecting ---- */

/* A socket for the other end, in the backlog of the listener. NULL: that has no room. */
static struct coir__sim_socket *enter_backlog(struct coir__sim_socket *client,
                                              struct coir__sim_socket *listener) {
    int waiting = 0;
    for (struct coir__link *link = listener->backlog.next; link != &listener->backlog;
         link = link->next)
        waiting++;
    if (waiting > listener->room)
        return NULL;
    const struct coir__address host = coir__sim_machine(&listener->own, &listener->host);
    struct coir__sim_socket *const server =
        coir__sim_socket_create(listener->family, SOCK_STREAM, &host);
    server->own = coir__sim_is_any(&listener->own)
                      ? coir__sim_reached(&client->peer, listener->family)
                      : listener->own;
    server->peer = coir__sim_reached(&client->own, listener->family);
    join(client, server);
    server->state = COIR_SIM_CONNECTED;
    server->aborted = coir__sim_fault(COIR_SIM_ABORTED);
    list_append(&listener->backlog, &server->waiting);
    coir__sim_notify(&listener->file, EPOLLIN);
    return server;
}

static void get_refused(struct coir__sim_object *object, uint64_t unused) {
    (void)unused;
    coir__sim_stream_break(socket_of(object), ECONNREFUSED);
}

static void establish(struct coir__sim_object *object, uint64_t unused) {
    struct coir__sim_socket *const client = socket_of(object);
    (void)unused;
    if (client->state != COIR_SIM_CONNECTING)
        return;
    client->state = COIR_SIM_CONNECTED;
    coir__sim_notify(&client->file, EPOLLOUT);
}

/* The first packet arrives, if it does. */
static void arrive_at_listener(struct coir__sim_object *object, uint64_t wait) {
    struct coir__sim_socket *const client = socket_of(object);
    if (client->state != COIR_SIM_CONNECTING)
        return;
    const struct coir__address machine = coir__sim_machine(&client->peer, &client->host);
    const coir_time delay = coir__sim_latency(&client->host, &machine);
    struct coir__sim_socket *const listener =
        coir__sim_socket_at(&client->peer, SOCK_STREAM, &client->host);
    const bool refused = listener == NULL || listener->state != COIR_SIM_LISTENING ||
                         coir__sim_fault(COIR_SIM_REFUSED);
    if (delay != COIR_NEVER && refused)
        coir__sim_at(coir__sim->now + delay, get_refused, client, 0);
    else if (delay != COIR_NEVER && enter_backlog(client, listener) != NULL)
        coir__sim_at(coir__sim->now + delay, establish, client, 0);
    else if (coir__sim->now >= client->give_up)
        coir__sim_stream_break(client, ETIMEDOUT);
    else
        coir__sim_at(coir__sim->now + (coir_time)wait, arrive_at_listener, client, 2 * wait);
}

static int connect_remote(struct coir__sim_socket *client) {
    const int trouble = coir__sim_failure(
        COIR_SIM_UNREACHABLE,
        COIR_SIM_ERRORS(ENETUNREACH, EHOSTUNREACH, EADDRNOTAVAIL, EACCES, EPERM, EINTR));
    const int rc = trouble == 0 || trouble == -EINTR
                       ? coir__sim_socket_bind_any(client, &client->peer)
                       : trouble;
    if (rc < 0)
        return rc;
    const struct coir__address machine = coir__sim_machine(&client->peer, &client->host);
    const coir_time delay = coir__sim_latency(&client->host, &machine);
    client->state = COIR_SIM_CONNECTING;
    client->give_up = coir__sim->now + SYN_GIVE_UP;
    coir__sim_at(coir__sim->now + (delay != COIR_NEVER ? delay : SYN_RETRY), arrive_at_listener,
                 client, (uint64_t)SYN_RETRY);
    return trouble == -EINTR || coir__sim_fault(COIR_SIM_EINTR) ? -EINTR : -EINPROGRESS;
}

static int connect_local(struct coir__sim_socket *client) {
    const char *const path = client->peer.as.local.sun_path;
    struct coir__sim_socket *const listener =
        coir__sim_socket_at(&client->peer, SOCK_STREAM, &client->host);
    if (listener == NULL && path[0] != '\0' && !coir__sim_path_exists(path))
        return -ENOENT;
    const int rc =
        coir__sim_failure(COIR_SIM_REFUSED, COIR_SIM_ERRORS(ECONNREFUSED, EACCES, EAGAIN));
    if (rc < 0)
        return rc;
    if (listener == NULL || listener->state != COIR_SIM_LISTENING)
        return -ECONNREFUSED;
    if (coir__sim_fault(COIR_SIM_EAGAIN) || enter_backlog(client, listener) == NULL)
        return -EAGAIN;
    client->state = COIR_SIM_CONNECTED;
    coir__sim_notify(&client->file, EPOLLOUT);
    return 0;
}

int coir__sim_stream_connect(struct coir__sim_socket *socket, const struct coir__address *to) {
    if (socket->state == COIR_SIM_CONNECTING)
        return -EALREADY;
    if (socket->state == COIR_SIM_CONNECTED)
        return -EISCONN;
    socket->peer = coir__sim_reached(to, socket->family);
    return socket->family == AF_UNIX ? connect_local(socket) : connect_remote(socket);
}

int coir__sim_pair_create(int fds[2]) {
    const struct coir__address host = coir__sim_own_host();
    struct coir__sim_socket *const a = coir__sim_socket_create(AF_UNIX, SOCK_STREAM, &host);
    struct coir__sim_socket *const b = coir__sim_socket_create(AF_UNIX, SOCK_STREAM, &host);
    join(a, b);
    a->state = b->state = COIR_SIM_CONNECTED;
    fds[0] = coir__sim_install(&a->file);
    if (fds[0] < 0) {
        let_go(b);
        coir__sim_drop(b);
        return fds[0];
    }
    fds[1] = coir__sim_install(&b->file);
    if (fds[1] < 0) {
        (void)coir__sim_close(fds[0]);
        return fds[1];
    }
    return 0;
}

/* ---- Accepting ---- */

static int accept_one(struct coir__sim_socket *listener) {
    if (coir__sim_fault(COIR_SIM_EINTR))
        return -EINTR;
    if (listener->state != COIR_SIM_LISTENING)
        return listener->type == SOCK_STREAM ? -EINVAL : -EOPNOTSUPP;
    const int rc =
        coir__sim_failure(COIR_SIM_ENOBUFS, COIR_SIM_ERRORS(ENOBUFS, ENOMEM, ECONNABORTED, EPROTO,
                                                            EPERM, EHOSTUNREACH, EINTR, EAGAIN));
    if (rc < 0 && rc != -EAGAIN)
        return rc;
    if (list_empty(&listener->backlog))
        return -EAGAIN;
    if (rc == -EAGAIN || coir__sim_fault(COIR_SIM_EAGAIN)) {
        coir__sim_notify_later(&listener->file, EPOLLIN);
        return -EAGAIN;
    }
    struct coir__sim_socket *const server =
        list_entry(listener->backlog.next, struct coir__sim_socket, waiting);
    if (server->aborted) {
        static const int causes[] = {ECONNABORTED, EPROTO, ENETDOWN, EHOSTUNREACH};
        list_take(&server->waiting);
        broken(&server->file);
        let_go(server);
        coir__sim_drop(server);
        return -causes[coir__sim_draw(4)];
    }
    const int fd = coir__sim_reserve();
    if (fd < 0)
        return fd; /* it stays in the backlog */
    list_take(&server->waiting);
    coir__sim_install_at(&server->file, fd);
    return fd;
}

int coir__sim_accept4(int fd, struct sockaddr *from, socklen_t *from_size, int flags) {
    if (coir__sim == NULL)
        return accept4(fd, from, from_size, flags);
    coir__sim_enter();
    int rc;
    struct coir__sim_socket *const listener = coir__sim_socket_of(fd, &rc);
    return (int)coir__sim_leave("accept4", fd, listener != NULL ? accept_one(listener) : rc);
}

int coir__sim_shutdown(int fd, int how) {
    if (coir__sim == NULL)
        return shutdown(fd, how);
    coir__sim_enter();
    int rc;
    struct coir__sim_socket *const socket = coir__sim_socket_of(fd, &rc);
    if (socket != NULL)
        rc = socket->state == COIR_SIM_CONNECTED ? 0 : -ENOTCONN;
    if (rc == 0) {
        coir__sim_flow_finish(socket->out);
        coir__sim_notify(&socket->file, EPOLLOUT);
    }
    return (int)coir__sim_leave("shutdown", fd, rc);
}

/* ---- Reading, writing, readiness ---- */

static int take_error(struct coir__sim_socket *socket) {
    const int error = socket->error;
    socket->error = 0;
    return -error;
}

static ssize_t stream_input(struct coir__sim_file *file, const struct iovec *parts, int count,
                            size_t most, struct coir__sim_message *message) {
    struct coir__sim_socket *const socket = (struct coir__sim_socket *)file;
    (void)message;
    if (socket->in == NULL || coir__sim_flow_readable(socket->in) == 0) {
        if (is_over(socket)) /* whatever has happened since */
            return 0;
        if (socket->error != 0)
            return take_error(socket);
        if (socket->state == COIR_SIM_BROKEN)
            return 0;
    }
    if (socket->state == COIR_SIM_LISTENING && socket->family == AF_UNIX)
        return -EINVAL;
    if (socket->in == NULL || socket->state == COIR_SIM_CONNECTING)
        return socket->state == COIR_SIM_CONNECTING ? -EAGAIN : -ENOTCONN;
    return coir__sim_flow_read(socket->in, parts, count, most);
}

static ssize_t stream_output(struct coir__sim_file *file, const struct iovec *parts, int count,
                             size_t most, const struct coir__sim_message *message) {
    struct coir__sim_socket *const socket = (struct coir__sim_socket *)file;
    (void)message;
    if (socket->error != 0)
        return take_error(socket);
    if (socket->state == COIR_SIM_BROKEN)
        return -EPIPE;
    if (socket->state == COIR_SIM_CONNECTING)
        return -EAGAIN;
    if (socket->state != COIR_SIM_CONNECTED)
        return socket->family == AF_UNIX ? -ENOTCONN : -EPIPE;
    if (socket->out->ending || (!socket->out->remote && socket->out->reader == NULL))
        return -EPIPE;
    const ssize_t rc = coir__sim_flow_write(socket->out, parts, count, most);
    if (rc > 0 && socket->out->reader == NULL)
        send_reset(socket->in); /* that is the answer */
    return rc;
}

static unsigned stream_ready(struct coir__sim_file *file) {
    struct coir__sim_socket *const socket = (struct coir__sim_socket *)file;
    unsigned events = 0;
    switch (socket->state) {
    case COIR_SIM_FRESH:
        return EPOLLOUT | EPOLLHUP;
    case COIR_SIM_LISTENING:
        return list_empty(&socket->backlog) ? 0 : EPOLLIN;
    case COIR_SIM_CONNECTING:
        return 0;
    case COIR_SIM_BROKEN:
        return EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP | (socket->error != 0 ? EPOLLERR : 0);
    default:
        break;
    }
    if (coir__sim_flow_readable(socket->in) > 0)
        events |= EPOLLIN;
    if (socket->in->ended)
        events |= EPOLLIN | EPOLLRDHUP | (socket->out->ending ? EPOLLHUP : 0);
    const bool refused = !socket->out->remote && socket->out->reader == NULL;
    events |= refused ? EPOLLHUP : 0;
    if (socket->out->ending || refused || coir__sim_flow_writable(socket->out))
        events |= EPOLLOUT;
    else
        socket->out->starved = true; /* who asks wants to hear of it */
    return events;
}

static struct coir__sim_flow *stream_flow(struct coir__sim_file *file, bool writing) {
    const struct coir__sim_socket *const socket = (struct coir__sim_socket *)file;
    return writing ? socket->out : socket->in;
}

const struct coir__sim_kind coir__sim_stream_kind = {.name = "stream",
                                                     .mode = S_IFSOCK,
                                                     .ready = stream_ready,
                                                     .input = stream_input,
                                                     .output = stream_output,
                                                     .broken = broken,
                                                     .closed = closed,
                                                     .flow = stream_flow};
