/* Datagrams: over Unix sockets none is lost and a full queue says EAGAIN; over the network they may
 * be lost, come twice or overtake each other, and nobody is told. */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "sim/socket.h"

#define UNIX_QUEUE 10
#define NETWORK_QUEUE 64
#define SIZE_MAX_BYTES 65507

struct datagram {
    struct coir__sim_object object;
    struct coir__link link;
    struct coir__sim_socket *receiver; /* while it is on its way; a reference */
    struct coir__address from;
    size_t size;
    unsigned char bytes[];
};

static void destroy_datagram(struct coir__sim_object *object) {
    struct datagram *const it = (struct datagram *)object;
    coir__sim_drop(it->receiver);
    free(it);
}

void coir__sim_datagram_forget(struct coir__sim_socket *socket) {
    while (!list_empty(&socket->queue)) {
        struct datagram *const it = list_entry(socket->queue.next, struct datagram, link);
        list_take(&it->link);
        coir__sim_drop(it);
    }
    socket->queued = 0;
}

static void closed(struct coir__sim_file *file) {
    struct coir__sim_socket *const socket = (struct coir__sim_socket *)file;
    coir__sim_datagram_forget(socket);
    socket->bound = false;
    socket->state = COIR_SIM_BROKEN;
}

/* Whether a name that no socket has exists: an abstract one always does, a file may. */
static bool is_name(const struct coir__address *to) {
    const char *const path = to->as.local.sun_path;
    return path[0] == '\0' || coir__sim_path_exists(path);
}

int coir__sim_datagram_connect(struct coir__sim_socket *socket, const struct coir__address *to) {
    if (to->as.any.sa_family == AF_UNIX) {
        if (coir__sim_socket_at(to, SOCK_STREAM, &socket->host) != NULL)
            return -EPROTOTYPE;
        if (coir__sim_socket_at(to, SOCK_DGRAM, &socket->host) == NULL)
            return is_name(to) ? -ECONNREFUSED : -ENOENT;
    }
    socket->peer = *to;
    return 0;
}

/* ---- Sending ---- */

static void arrive(struct coir__sim_object *object, uint64_t unused) {
    struct datagram *const it = (struct datagram *)object;
    struct coir__sim_socket *const receiver = it->receiver;
    (void)unused;
    if (receiver->state == COIR_SIM_BROKEN || receiver->queued >= NETWORK_QUEUE)
        return;
    list_append(&receiver->queue, &it->link);
    receiver->queued++;
    coir__sim_hold(it);
    it->receiver = NULL;
    coir__sim_notify(&receiver->file, EPOLLIN);
    coir__sim_drop(receiver);
}

static struct datagram *make(const struct coir__sim_socket *from, struct coir__sim_socket *receiver,
                             const struct iovec *parts, size_t size) {
    struct datagram *const it = coir__sim_allocate(sizeof *it + size);
    it->object = (struct coir__sim_object){.references = 1, .destroy = destroy_datagram};
    it->receiver = coir__sim_hold(receiver);
    it->from = from->own;
    it->size = size;
    coir__sim_copy_parts(parts, 0, it->bytes, size, false);
    return it;
}

static void send_off(struct coir__sim_socket *from, struct coir__sim_socket *receiver,
                     const struct iovec *parts, size_t size) {
    const coir_time delay = coir__sim_latency(&from->host, &receiver->host);
    if (delay == COIR_NEVER || coir__sim_fault(COIR_SIM_LOSS))
        return;
    coir_time time = coir__sim->now + delay;
    if (coir__sim_fault(COIR_SIM_REORDER))
        time += coir__sim_draw_time(COIR_MS(500)); /* others pass it */
    else
        time = from->last_arrives = time > from->last_arrives ? time : from->last_arrives;
    struct datagram *const it = make(from, receiver, parts, size);
    coir__sim_at(time, arrive, it, 0);
    coir__sim_drop(it);
}

/* As Linux counts them; fewer where little room is asked for. */
static size_t unix_queue(void) {
    const size_t room = coir__sim->options.socket_room_bytes;
    return room != 0 && room < UNIX_QUEUE * 64 ? 1 + room / 64 : UNIX_QUEUE;
}

static ssize_t send_unix(struct coir__sim_socket *from, const struct coir__address *to,
                         const struct iovec *parts, size_t size) {
    if (to->as.any.sa_family != AF_UNIX)
        return -EINVAL;
    struct coir__sim_socket *const receiver = coir__sim_socket_at(to, SOCK_DGRAM, &from->host);
    if (receiver == NULL)
        return is_name(to) ? -ECONNREFUSED : -ENOENT;
    if (receiver->queued >= unix_queue())
        return -EAGAIN;
    struct datagram *const it = make(from, receiver, parts, size);
    arrive(&it->object, 0);
    coir__sim_drop(it);
    return (ssize_t)size;
}

static ssize_t send_remote(struct coir__sim_socket *from, const struct coir__address *to,
                           const struct iovec *parts, size_t size) {
    if (from->family != to->as.any.sa_family)
        return -EAFNOSUPPORT;
    if (coir__sim_fault(COIR_SIM_UNREACHABLE))
        return -ENETUNREACH;
    const int rc = coir__sim_socket_bind_any(from, &from->host);
    if (rc < 0)
        return rc;
    struct coir__sim_socket *const receiver = coir__sim_socket_at(to, SOCK_DGRAM, &from->host);
    if (receiver == NULL)
        return (ssize_t)size;
    send_off(from, receiver, parts, size);
    if (coir__sim_fault(COIR_SIM_DUPLICATE))
        send_off(from, receiver, parts, size);
    return (ssize_t)size;
}

static ssize_t datagram_output(struct coir__sim_file *file, const struct iovec *parts, int count,
                               size_t most, const struct coir__sim_message *message) {
    struct coir__sim_socket *const socket = (struct coir__sim_socket *)file;
    const struct coir__address *const to =
        message != NULL && message->address.size > 0 ? &message->address : &socket->peer;
    (void)count;
    if (socket->state == COIR_SIM_BROKEN)
        return -ENETDOWN;
    if (to->size == 0)
        return -EDESTADDRREQ;
    if (most > SIZE_MAX_BYTES)
        return -EMSGSIZE;
    return socket->family == AF_UNIX ? send_unix(socket, to, parts, most)
                                     : send_remote(socket, to, parts, most);
}

/* ---- Receiving ---- */

static ssize_t datagram_input(struct coir__sim_file *file, const struct iovec *parts, int count,
                              size_t most, struct coir__sim_message *message) {
    struct coir__sim_socket *const socket = (struct coir__sim_socket *)file;
    (void)count;
    if (list_empty(&socket->queue))
        return socket->state == COIR_SIM_BROKEN ? -ENETDOWN : -EAGAIN;
    struct datagram *const it = list_entry(socket->queue.next, struct datagram, link);
    const size_t size = it->size < most ? it->size : most;
    coir__sim_copy_parts(parts, 0, it->bytes, size, true);
    if (message != NULL)
        message->address = it->from;
    list_take(&it->link);
    socket->queued--;
    coir__sim_drop(it);
    return (ssize_t)size;
}

static unsigned datagram_ready(struct coir__sim_file *file) {
    const struct coir__sim_socket *const socket = (struct coir__sim_socket *)file;
    const bool broken = socket->state == COIR_SIM_BROKEN;
    return EPOLLOUT | (list_empty(&socket->queue) && !broken ? 0 : EPOLLIN);
}

const struct coir__sim_kind coir__sim_datagram_kind = {.name = "datagram",
                                                       .mode = S_IFSOCK,
                                                       .ready = datagram_ready,
                                                       .input = datagram_input,
                                                       .output = datagram_output,
                                                       .closed = closed};
