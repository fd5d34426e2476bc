/* Sockets: made, named, asked about. Who is found under an address. */
#include "sim/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "sim/calls.h"

#define FIRST_EPHEMERAL 49152

/* ---- Addresses ---- */

static const struct sockaddr_in *v4(const struct coir__address *address) {
    return (const struct sockaddr_in *)&address->as.storage;
}

static const struct sockaddr_in6 *v6(const struct coir__address *address) {
    return (const struct sockaddr_in6 *)&address->as.storage;
}

uint16_t coir__sim_port(const struct coir__address *address) {
    return ntohs(address->as.any.sa_family == AF_INET ? v4(address)->sin_port
                                                      : v6(address)->sin6_port);
}

static void set_port(struct coir__address *address, uint16_t port) {
    if (address->as.any.sa_family == AF_INET)
        ((struct sockaddr_in *)&address->as.storage)->sin_port = htons(port);
    else
        ((struct sockaddr_in6 *)&address->as.storage)->sin6_port = htons(port);
}

/* The machine itself, or all of its addresses. */
static bool is_local(const struct coir__address *address) {
    if (address->as.any.sa_family == AF_INET) {
        const in_addr_t number = ntohl(v4(address)->sin_addr.s_addr);
        return number == INADDR_ANY || number >> 24 == 127;
    }
    return address->as.any.sa_family != AF_INET6 || IN6_IS_ADDR_LOOPBACK(&v6(address)->sin6_addr) ||
           IN6_IS_ADDR_UNSPECIFIED(&v6(address)->sin6_addr);
}

bool coir__sim_is_any(const struct coir__address *address) {
    return address->as.any.sa_family == AF_INET6
               ? IN6_IS_ADDR_UNSPECIFIED(&v6(address)->sin6_addr)
               : address->as.any.sa_family == AF_INET &&
                     v4(address)->sin_addr.s_addr == htonl(INADDR_ANY);
}

struct coir__address coir__sim_reached(const struct coir__address *to, int family) {
    struct coir__address address = *to;
    if (coir__sim_is_any(to))
        coir__address_any(&address, to->as.any.sa_family == AF_INET6, true, coir__sim_port(to));
    if (family == AF_INET6 && address.as.any.sa_family == AF_INET) {
        const struct in_addr number = v4(&address)->sin_addr;
        coir__address_any(&address, true, false, coir__sim_port(to));
        unsigned char *const bytes =
            ((struct sockaddr_in6 *)&address.as.storage)->sin6_addr.s6_addr;
        memset(bytes + 10, 0xff, 2); /* ::ffff:10.0.0.7 */
        memcpy(bytes + 12, &number, sizeof number);
    }
    return address;
}

struct coir__address coir__sim_machine(const struct coir__address *address,
                                       const struct coir__address *host) {
    if (address->size == 0 || is_local(address))
        return *host;
    struct coir__address machine = *address;
    set_port(&machine, 0);
    return machine;
}

bool coir__sim_same_machine(const struct coir__address *a, const struct coir__address *b) {
    if (a->size != b->size || (a->size != 0 && a->as.any.sa_family != b->as.any.sa_family))
        return false;
    if (a->size == 0)
        return true;
    return a->as.any.sa_family == AF_INET
               ? v4(a)->sin_addr.s_addr == v4(b)->sin_addr.s_addr
               : memcmp(&v6(a)->sin6_addr, &v6(b)->sin6_addr, sizeof v6(a)->sin6_addr) == 0;
}

static bool same_name(const struct coir__address *a, const struct coir__address *b) {
    return a->size == b->size && memcmp(&a->as, &b->as, a->size) == 0;
}

/* Whether what is sent to `to` from the machine `host` reaches a bound socket. */
static bool reaches(const struct coir__sim_socket *socket, const struct coir__address *to,
                    const struct coir__address *host) {
    const int family = to->as.any.sa_family;
    if (family == AF_UNIX)
        return socket->family == AF_UNIX && same_name(&socket->own, to);
    if (socket->family == AF_UNIX || coir__sim_port(&socket->own) != coir__sim_port(to))
        return false;
    if (socket->family != family && (socket->family == AF_INET || socket->only_v6))
        return false;
    const struct coir__address machine = coir__sim_machine(to, host);
    const struct coir__address own = coir__sim_machine(&socket->own, &socket->host);
    return coir__sim_same_machine(&machine, &own);
}

struct coir__sim_socket *coir__sim_socket_at(const struct coir__address *address, int type,
                                             const struct coir__address *host) {
    struct coir__link *const all = &coir__sim->sockets;
    for (struct coir__link *link = all->next; link != all; link = link->next) {
        struct coir__sim_socket *const socket = list_entry(link, struct coir__sim_socket, of_world);
        if (socket->type == type && socket->bound && socket->state != COIR_SIM_CONNECTED &&
            reaches(socket, address, host))
            return socket;
    }
    return NULL;
}

/* ---- Made and forgotten ---- */

static void destroy_socket(struct coir__sim_object *object) {
    struct coir__sim_socket *const socket = (struct coir__sim_socket *)object;
    coir__sim_drop(socket->in);
    coir__sim_drop(socket->out);
    list_take(&socket->of_world);
    free(socket);
}

struct coir__sim_socket *coir__sim_socket_create(int family, int type,
                                                 const struct coir__address *host) {
    const struct coir__sim_kind *const kind =
        type == SOCK_STREAM ? &coir__sim_stream_kind : &coir__sim_datagram_kind;
    struct coir__sim_socket *const socket =
        coir__sim_file_create(kind, sizeof *socket, destroy_socket);
    socket->family = family;
    socket->type = type;
    socket->host = *host;
    list_init(&socket->backlog);
    list_init(&socket->queue);
    list_append(&coir__sim->sockets, &socket->of_world);
    return socket;
}

struct coir__sim_socket *coir__sim_socket_of(int fd, int *rc) {
    struct coir__sim_file *const file = coir__sim_file_of(fd);
    *rc = file == NULL ? -EBADF : -ENOTSOCK;
    return file != NULL && S_ISSOCK(file->kind->mode) ? (struct coir__sim_socket *)file : NULL;
}

int coir__sim_socket(int family, int type, int protocol) {
    if (coir__sim == NULL)
        return socket(family, type, protocol);
    coir__sim_enter();
    const struct coir__address host = coir__sim_own_host();
    int rc = coir__sim_own_host_dead()
                 ? -ENETDOWN
                 : coir__sim_failure(COIR_SIM_ENOBUFS,
                                     COIR_SIM_ERRORS(ENOBUFS, ENOMEM, EACCES, EAFNOSUPPORT));
    if (rc == 0) {
        struct coir__sim_socket *const made =
            coir__sim_socket_create(family, type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC), &host);
        made->file.blocking = (type & SOCK_NONBLOCK) == 0;
        rc = coir__sim_install(&made->file);
    }
    return (int)coir__sim_leave("socket", -1, rc);
}

/* ---- Names ---- */

/* Whether somebody has what `own` would be, as far as that is exclusive. */
static bool is_taken(const struct coir__sim_socket *socket, const struct coir__address *own) {
    const struct coir__sim_socket *const other =
        coir__sim_socket_at(own, socket->type, &socket->host);
    return other != NULL && (other->family == socket->family || !other->only_v6);
}

static int bind_unix(const struct coir__address *to, int type) {
    const struct sockaddr_un *const local = &to->as.local;
    if (to->size <= offsetof(struct sockaddr_un, sun_path))
        return -EINVAL;
    if (local->sun_path[0] != '\0')
        return coir__sim_path_bind(local->sun_path);
    const struct coir__address nowhere = {.size = 0};
    return coir__sim_socket_at(to, type, &nowhere) != NULL ? -EADDRINUSE : 0;
}

/* One with a number has no other. */
static bool is_of_another_machine(const struct coir__sim_socket *socket,
                                  const struct coir__address *own) {
    const struct coir__address machine = coir__sim_machine(own, &socket->host);
    return socket->host.size != 0 && !coir__sim_same_machine(&machine, &socket->host);
}

static int bind_port(struct coir__sim_socket *socket, struct coir__address *to) {
    if (is_of_another_machine(socket, to))
        return -EADDRNOTAVAIL;
    if (coir__sim_port(to) != 0)
        return is_taken(socket, to) ? -EADDRINUSE : 0;
    do {
        if (coir__sim->next_port < FIRST_EPHEMERAL)
            coir__sim->next_port = FIRST_EPHEMERAL;
        set_port(to, coir__sim->next_port++);
    } while (is_taken(socket, to));
    return 0;
}

static int bind_to(struct coir__sim_socket *socket, const struct coir__address *to) {
    struct coir__address own = *to;
    if (socket->bound)
        return -EINVAL;
    if (to->as.any.sa_family != socket->family)
        return -EAFNOSUPPORT;
    int rc = coir__sim_failure(COIR_SIM_ENOBUFS,
                               COIR_SIM_ERRORS(ENOBUFS, EADDRINUSE, EADDRNOTAVAIL, EACCES));
    if (rc == 0)
        rc = socket->family == AF_UNIX ? bind_unix(&own, socket->type) : bind_port(socket, &own);
    if (rc < 0)
        return rc;
    socket->own = own;
    socket->bound = true;
    return 0;
}

int coir__sim_socket_bind_any(struct coir__sim_socket *socket, const struct coir__address *to) {
    struct coir__address any = {.size = 0};
    if (socket->bound)
        return 0;
    if (socket->family == AF_UNIX) {
        socket->own = any;
        return 0;
    }
    any = socket->host;
    if (any.size == 0 || is_local(to) || any.as.any.sa_family != socket->family)
        coir__address_any(&any, socket->family == AF_INET6, true, 0);
    return bind_to(socket, &any);
}

static struct coir__address to_address(const struct sockaddr *to, socklen_t size) {
    struct coir__address address = {.size = size};
    memcpy(&address.as, to, size);
    return address;
}

int coir__sim_bind(int fd, const struct sockaddr *to, socklen_t to_size) {
    if (coir__sim == NULL)
        return bind(fd, to, to_size);
    coir__sim_enter();
    int rc;
    struct coir__sim_socket *const socket = coir__sim_socket_of(fd, &rc);
    const struct coir__address address = to_address(to, to_size);
    return (int)coir__sim_leave("bind", fd, socket != NULL ? bind_to(socket, &address) : rc);
}

int coir__sim_listen(int fd, int backlog) {
    if (coir__sim == NULL)
        return listen(fd, backlog);
    coir__sim_enter();
    int rc;
    struct coir__sim_socket *const socket = coir__sim_socket_of(fd, &rc);
    if (socket != NULL && socket->type != SOCK_STREAM)
        rc = -EOPNOTSUPP;
    else if (socket != NULL)
        rc = coir__sim_failure(COIR_SIM_ENOBUFS, COIR_SIM_ERRORS(EADDRINUSE, ENOBUFS));
    if (rc == 0)
        rc = coir__sim_socket_bind_any(socket, &socket->host);
    if (rc == 0) {
        socket->state = COIR_SIM_LISTENING;
        socket->room = backlog < 16 ? backlog : 16;
    }
    return (int)coir__sim_leave("listen", fd, rc);
}

static void trace_target(int fd, const struct coir__address *to) {
    char text[COIR_ADDRESS_SIZE];
    if (coir__sim->options.trace != NULL && coir__address_format(to, text, sizeof text) == 0)
        coir__sim_trace("connect(%d) to %s", fd, text);
}

int coir__sim_connect(int fd, const struct sockaddr *to, socklen_t to_size) {
    if (coir__sim == NULL)
        return connect(fd, to, to_size);
    coir__sim_enter();
    int rc;
    struct coir__sim_socket *const socket = coir__sim_socket_of(fd, &rc);
    const struct coir__address address = to_address(to, to_size);
    trace_target(fd, &address);
    if (socket != NULL && coir__sim_own_host_dead())
        rc = -ENETDOWN;
    else if (socket != NULL)
        rc = socket->type == SOCK_STREAM ? coir__sim_stream_connect(socket, &address)
                                         : coir__sim_datagram_connect(socket, &address);
    return (int)coir__sim_leave("connect", fd, rc);
}

/* ---- Questions ---- */

static int tell_address(int rc, const struct coir__sim_socket *socket,
                        const struct coir__address *address, struct sockaddr *out,
                        socklen_t *size) {
    if (socket == NULL)
        return rc;
    if (address->size == 0) { /* a Unix socket without a name */
        const struct sockaddr none = {.sa_family = (sa_family_t)socket->family};
        *size = sizeof none.sa_family;
        memcpy(out, &none, *size);
        return 0;
    }
    memcpy(out, &address->as, address->size < *size ? address->size : *size);
    *size = address->size;
    return 0;
}

int coir__sim_getsockname(int fd, struct sockaddr *out, socklen_t *size) {
    if (coir__sim == NULL)
        return getsockname(fd, out, size);
    coir__sim_enter();
    int rc;
    const struct coir__sim_socket *const socket = coir__sim_socket_of(fd, &rc);
    return (int)coir__sim_leave(
        "getsockname", fd,
        tell_address(rc, socket, socket != NULL ? &socket->own : NULL, out, size));
}

int coir__sim_getpeername(int fd, struct sockaddr *out, socklen_t *size) {
    if (coir__sim == NULL)
        return getpeername(fd, out, size);
    coir__sim_enter();
    int rc;
    const struct coir__sim_socket *socket = coir__sim_socket_of(fd, &rc);
    if (socket != NULL && socket->state != COIR_SIM_CONNECTED) {
        socket = NULL;
        rc = -ENOTCONN;
    }
    return (int)coir__sim_leave(
        "getpeername", fd,
        tell_address(rc, socket, socket != NULL ? &socket->peer : NULL, out, size));
}

int coir__sim_setsockopt(int fd, int level, int option, const void *value, socklen_t size) {
    if (coir__sim == NULL)
        return setsockopt(fd, level, option, value, size);
    coir__sim_enter();
    int rc;
    struct coir__sim_socket *const socket = coir__sim_socket_of(fd, &rc);
    if (socket != NULL)
        rc = coir__sim_failure(COIR_SIM_ENOBUFS, COIR_SIM_ERRORS(ENOBUFS, ENOPROTOOPT));
    if (rc == 0 && level == IPPROTO_IPV6 && option == IPV6_V6ONLY)
        socket->only_v6 = *(const int *)value != 0;
    return (int)coir__sim_leave("setsockopt", fd, rc);
}

int coir__sim_getsockopt(int fd, int level, int option, void *value, socklen_t *size) {
    if (coir__sim == NULL)
        return getsockopt(fd, level, option, value, size);
    coir__sim_enter();
    int rc, *const out = value;
    struct coir__sim_socket *const socket = coir__sim_socket_of(fd, &rc);
    if (socket == NULL)
        return (int)coir__sim_leave("getsockopt", fd, rc);
    rc = level == SOL_SOCKET ? 0 : -ENOPROTOOPT;
    if (option == SO_ERROR) {
        *out = socket->error;
        socket->error = 0;
    } else if (option == SO_TYPE) {
        *out = socket->type;
    } else if (option == SO_DOMAIN) {
        *out = socket->family;
    } else {
        rc = -ENOPROTOOPT;
    }
    return (int)coir__sim_leave("getsockopt", fd, rc);
}
