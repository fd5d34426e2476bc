/* Sockets: listening, accepting, connecting, datagrams. */
#include "coir/net.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include "io/address.h"
#include "io/fd.h"

#define BACKLOG 4096 /* the system lowers it to its own bound */
#define ACCEPT_PAUSE COIR_MS(10)
#define BROKEN_IN_A_ROW 64     /* connections that may break before accept pauses */
#define PAUSE_FIRST COIR_MS(1) /* between attempts where the system tells of nothing */
#define PAUSE_MAX COIR_MS(64)

/* Makes a fresh socket known, or closes it. Returns it, or the error. */
static int keep(struct coir__runtime *rt, int fd, enum coir__fd_kind kind) {
    const int rc = coir__fd_know(rt, fd, kind);
    if (rc == 0)
        return fd;
    (void)sys_close(fd);
    return rc;
}

static bool is_internet(const struct coir__address *address) {
    return address->as.any.sa_family == AF_INET || address->as.any.sa_family == AF_INET6;
}

static enum coir__fd_kind kind_of(const struct coir__address *address, int type) {
    return type == SOCK_STREAM && is_internet(address) ? COIR_FD_STREAM : COIR_FD_SOCKET;
}

/* ---- Listening ---- */

/* Removes a Unix socket's file that nobody has open: connecting to it is refused. Asks with a
 * datagram socket, because that leaves no connection in the backlog of a listener that is alive. */
static bool remove_stale(const struct coir__address *address) {
    if (address->as.any.sa_family != AF_UNIX || !sys_is_socket(address->as.local.sun_path))
        return false;
    const int fd = sys_socket(AF_UNIX, SOCK_DGRAM, 0);
    if (fd < 0)
        return false;
    const int rc = sys_connect(fd, &address->as.any, address->size);
    (void)sys_close(fd);
    return rc == -ECONNREFUSED && sys_unlink(address->as.local.sun_path) == 0;
}

static int bind_socket(int fd, const struct coir__address *address, bool only_v6) {
    if (address->as.any.sa_family == AF_INET6)
        COIR_TRY(sys_set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, only_v6));
    int rc = sys_bind(fd, &address->as.any, address->size);
    if (rc == -EADDRINUSE && remove_stale(address))
        rc = sys_bind(fd, &address->as.any, address->size);
    return rc;
}

static int listen_at(int fd, const struct coir__address *address, bool only_v6) {
    if (is_internet(address)) {
        COIR_TRY(sys_set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1));
        (void)sys_set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1); /* accepted sockets inherit it */
    }
    COIR_TRY(bind_socket(fd, address, only_v6));
    return sys_listen(fd, BACKLOG);
}

/* A socket of the given type, bound to the first of the addresses that works. */
static int bind_any(struct coir__runtime *rt, const char *text, int type) {
    struct coir__address all[COIR_ADDRESSES_MAX];
    const int count = coir__resolve(rt, text, true, all, COIR_ADDRESSES_MAX);
    int rc = count;
    for (int i = 0; i < count; i++) {
        const int fd = sys_socket(all[i].as.any.sa_family, type, 0);
        if (fd < 0) {
            rc = fd;
            continue;
        }
        const bool only_v6 = text[0] != ':';
        rc = type == SOCK_STREAM ? listen_at(fd, &all[i], only_v6)
                                 : bind_socket(fd, &all[i], only_v6);
        if (rc == 0)
            return keep(rt, fd, kind_of(&all[i], type));
        (void)sys_close(fd);
    }
    return rc;
}

int coir_listen(const char *address) {
    struct coir__runtime *const rt = coir__rt;
    if (rt == NULL)
        return coir__outside();
    COIR_TRY(coir__check(rt, rt->current));
    coir__spend(rt, rt->current);
    return bind_any(rt, address, SOCK_STREAM);
}

/* ---- Accepting ---- */

/* One accept that waits for a descriptor to be closed, or a little. It stays the reader of its
 * listener, so that nobody else accepts there, and a close ends it. */
struct starving {
    struct coir__fd_wait wait;
    struct coir__link link;
    struct coir__timer timer;
};

static void stop_starving(struct starving *it) {
    if (list_linked(&it->link))
        list_take(&it->link);
    coir__wheel_disarm(&coir__rt->wheel, &it->timer);
}

static bool cut_starving(coir_waiter *wait) {
    stop_starving((struct starving *)(void *)wait);
    return coir__fd_cut(wait);
}

static void end_pause(struct coir__timer *timer) {
    coir__fd_wake(coir__rt, &list_entry(timer, struct starving, timer)->wait, 0);
}

void coir__accept_retry(struct coir__runtime *rt) {
    while (!list_empty(&rt->starved)) {
        struct starving *const it = list_entry(rt->starved.next, struct starving, link);
        stop_starving(it);
        coir__fd_wake(rt, &it->wait, 0);
    }
}

static int starve(struct coir__runtime *rt, int listener, struct coir__fd *entry) {
    struct starving it = {
        .wait = {.wait = {.cut = cut_starving, .what = "a descriptor to spare, to accept on fd"},
                 .fd = entry,
                 .directions = COIR_POLL_READ},
        .timer = {.deadline = coir_after(ACCEPT_PAUSE), .fire = end_pause}};
    rt->accept_backoffs++;
    list_append(&rt->starved, &it.link);
    coir__wheel_arm(&rt->wheel, &it.timer);
    const int rc = coir__fd_wait_for(rt, listener, entry, &it.wait);
    stop_starving(&it);
    coir__fd_done(&it.wait);
    return rc;
}

static bool out_of_resources(ssize_t rc) {
    return rc == -EMFILE || rc == -ENFILE || rc == -ENOBUFS || rc == -ENOMEM;
}

/* Errors of the one connection that was at the head of the backlog, not of the listener
 * (accept(2)). */
static bool connection_broke(ssize_t rc) {
    switch (rc) {
    case -ECONNABORTED:
    case -EPROTO:
    case -EPERM:
    case -ENETDOWN:
    case -ENOPROTOOPT:
    case -EHOSTDOWN:
    case -EHOSTUNREACH:
    case -ENETUNREACH:
#ifdef ENONET
    case -ENONET:
#endif
        return true;
    default:
        return false;
    }
}

/* `context`: where to put the kind of the new socket, which is the listener's. */
static ssize_t try_accept(int fd, const struct coir__fd *entry, void *context) {
    *(enum coir__fd_kind *)context = (enum coir__fd_kind)entry->kind;
    return sys_accept(fd);
}

int coir_accept(int listener) {
    for (int broken = 0;;) {
        struct coir__fd *entry;
        enum coir__fd_kind kind;
        COIR_TRY(coir__io_begin(listener, &entry));
        const uint32_t generation = entry->generation;
        const ssize_t fd = coir__io(listener, entry, COIR_POLL_READ, try_accept, &kind, 0);
        if (fd >= 0)
            return keep(coir__rt, (int)fd, kind);
        if (connection_broke(fd))
            broken++;
        else if (!out_of_resources(fd))
            return (int)fd;
        if (entry->generation != generation) /* closed while this gave way to others */
            return -EBADF;
        if (entry->reader != NULL)
            return -EBUSY;
        /* What breaks each time is not the connections' fault; trying without end helps nobody. */
        if (out_of_resources(fd) || broken % BROKEN_IN_A_ROW == 0)
            COIR_TRY(starve(coir__rt, listener, entry));
    }
}

/* ---- Connecting ---- */

static int finish_connect(struct coir__runtime *rt, int fd) {
    struct coir__fd *const entry = coir__fd_find(rt, fd);
    struct coir__fd_wait wait = {
        .wait = {.what = "connect of fd"}, .fd = entry, .directions = COIR_POLL_WRITE};
    int rc = coir__fd_wait_for(rt, fd, entry, &wait);
    coir__fd_done(&wait);
    int error = 0;
    if (rc == 0)
        rc = sys_get_option(fd, SOL_SOCKET, SO_ERROR, &error);
    return rc < 0 ? rc : -error;
}

/* Sleeps, each time twice as long as before. */
static int rest(coir_time *pause) {
    COIR_TRY(coir_sleep(*pause));
    *pause = 2 * *pause < PAUSE_MAX ? 2 * *pause : PAUSE_MAX;
    return 0;
}

/* A Unix socket's full backlog says EAGAIN, and nothing tells when there is room. */
static int connect_patiently(int fd, const struct coir__address *address) {
    coir_time pause = PAUSE_FIRST;
    int rc;
    while ((rc = sys_connect(fd, &address->as.any, address->size)) == -EAGAIN)
        COIR_TRY(rest(&pause));
    return rc;
}

static int connect_to(struct coir__runtime *rt, const struct coir__address *address) {
    int fd = sys_socket(address->as.any.sa_family, SOCK_STREAM, 0);
    if (fd < 0)
        return fd;
    fd = keep(rt, fd, kind_of(address, SOCK_STREAM));
    if (fd < 0)
        return fd;
    if (is_internet(address))
        (void)sys_set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    int rc = connect_patiently(fd, address);
    if (rc == -EINPROGRESS || rc == -EINTR)
        rc = finish_connect(rt, fd);
    if (rc == 0)
        return fd;
    (void)coir_close(fd);
    return rc;
}

int coir_connect(const char *address) {
    struct coir__runtime *const rt = coir__rt;
    struct coir__address all[COIR_ADDRESSES_MAX];
    struct coir__target target;
    if (rt == NULL)
        return coir__outside();
    COIR_TRY(coir__check(rt, rt->current));
    coir__spend(rt, rt->current);
    COIR_TRY(coir__address_parse(address, &target));
    if (target.port == 0 && target.address.as.any.sa_family != AF_UNIX)
        return -EINVAL;
    const int count = coir__resolve(rt, address, false, all, COIR_ADDRESSES_MAX);
    int rc = count;
    for (int i = 0; i < count; i++) {
        rc = connect_to(rt, &all[i]);
        if (rc >= 0 || rc == -ECANCELED)
            break;
    }
    return rc;
}

/* ---- Addresses and ends ---- */

static int describe(int fd, int (*ask)(int, struct sockaddr *, socklen_t *), char *out,
                    size_t size_bytes) {
    if (out == NULL || size_bytes == 0)
        return -EINVAL;
    struct coir__address address = {.size = sizeof address.as};
    COIR_TRY(ask(fd, &address.as.any, &address.size));
    return coir__address_format(&address, out, size_bytes);
}

int coir_socket_address(int fd, char *out, size_t size_bytes) {
    return describe(fd, sys_own_address, out, size_bytes);
}

int coir_peer_address(int fd, char *out, size_t size_bytes) {
    return describe(fd, sys_peer_address, out, size_bytes);
}

int coir_shutdown_write(int fd) {
    if (coir__rt == NULL)
        return coir__outside();
    return coir__fd_find(coir__rt, fd) != NULL ? sys_shutdown(fd, SHUT_WR) : -EBADF;
}

/* ---- Datagrams ---- */

int coir_bind_datagram(const char *address) {
    struct coir__runtime *const rt = coir__rt;
    if (rt == NULL)
        return coir__outside();
    COIR_TRY(coir__check(rt, rt->current));
    coir__spend(rt, rt->current);
    return bind_any(rt, address, SOCK_DGRAM);
}

struct datagram {
    void *data;
    size_t size_bytes;
    struct coir__address address;
};

static ssize_t try_send_to(int fd, const struct coir__fd *entry, void *context) {
    const struct datagram *const it = context;
    (void)entry;
    return sys_send_to(fd, it->data, it->size_bytes, &it->address.as.any, it->address.size);
}

/* The queue that is full is the receiver's, and the system tells only some senders when it is not.
 */
static ssize_t send_patiently(int fd, struct coir__fd *entry, struct datagram *it) {
    const uint32_t generation = entry->generation;
    coir_time pause = PAUSE_FIRST;
    ssize_t result;
    while ((result = try_send_to(fd, entry, it)) == -EAGAIN) {
        COIR_TRY(rest(&pause));
        if (entry->generation != generation)
            return -EBADF;
    }
    coir__spend(coir__rt, coir__rt->current);
    return result;
}

ssize_t coir_send_to(int fd, const void *buffer, size_t size_bytes, const char *address) {
    struct coir__target target;
    struct coir__fd *entry;
    COIR_TRY(coir__address_parse(address, &target));
    if (target.is_name || (buffer == NULL && size_bytes > 0))
        return -EINVAL;
    struct datagram it = {
        .data = (void *)(uintptr_t)buffer, .size_bytes = size_bytes, .address = target.address};
    if (target.any)
        coir__address_any(&it.address, false, true, target.port);
    COIR_TRY(coir__io_begin(fd, &entry));
    if (it.address.as.any.sa_family == AF_UNIX && entry->writer == NULL)
        return send_patiently(fd, entry, &it);
    return coir__io(fd, entry, COIR_POLL_WRITE, try_send_to, &it, 0);
}

static ssize_t try_receive_from(int fd, const struct coir__fd *entry, void *context) {
    struct datagram *const it = context;
    (void)entry;
    it->address.size = sizeof it->address.as;
    return sys_receive_from(fd, it->data, it->size_bytes, &it->address.as.any, &it->address.size);
}

ssize_t coir_receive_from(int fd, void *buffer, size_t size_bytes,
                          char (*from)[COIR_ADDRESS_SIZE]) {
    if (buffer == NULL && size_bytes > 0)
        return -EINVAL;
    struct datagram it = {.data = buffer, .size_bytes = size_bytes};
    struct coir__fd *entry;
    COIR_TRY(coir__io_begin(fd, &entry));
    const ssize_t result = coir__io(fd, entry, COIR_POLL_READ, try_receive_from, &it, 0);
    if (result >= 0 && from != NULL) {
        (*from)[0] = '\0'; /* stays so for a sender without a name of its own */
        if (it.address.size > 0)
            (void)coir__address_format(&it.address, *from, sizeof *from);
    }
    return result;
}
