/* Listening, connecting, accepting and datagrams, over TCP of both families and Unix sockets.
 *
 * All of it happens on the loopback addresses and in a folder of the test's own. Where something
 * has to fail to connect, the listener's backlog is full, so that nothing needs a far network. */
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/syscall.h>
#endif

#include "ends.h"

SUITE(io_net);

typedef char address_text[COIR_ADDRESS_SIZE];

static const char *unix_address(const char *name) {
    static address_text text;
    snprintf(text, sizeof text, "unix:%s", path_in(name));
    return text;
}

static int listen_at(const char *address, address_text own) {
    const int fd = coir_listen(address);
    cr_assert(fd >= 0, "listen at %s: %s", address, rc_text(fd));
    check_rc(coir_socket_address(fd, own, COIR_ADDRESS_SIZE), 0);
    return fd;
}

static int connect_to(const char *address) {
    const int fd = coir_connect(address);
    cr_assert(fd >= 0, "connect to %s: %s", address, rc_text(fd));
    return fd;
}

static int accept_from(int listener) {
    const int fd = coir_accept(listener);
    cr_assert(fd >= 0, "accept: %s", rc_text(fd));
    return fd;
}

static const char *port_of(const char *address) {
    return strrchr(address, ':') + 1;
}

/* ---- Each family, from listening to the last byte ---- */

static void check_flags(int fd) {
    check(fcntl(fd, F_GETFL) & O_NONBLOCK);
    check(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static void check_without_delay(int fd) {
    int value = 0;
    socklen_t size = sizeof value;
    check_int(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &size), 0);
    check(value != 0);
}

struct peer {
    const char *address;
    int fd;
};

static int connect_it(void *arg) {
    struct peer *const peer = arg;
    peer->fd = coir_connect(peer->address);
    return 0;
}

static int accept_it(void *arg) {
    struct peer *const peer = arg;
    peer->fd = coir_accept(peer->fd);
    return 0;
}

static void check_conversation(const char *address, bool tcp) {
    address_text at, client_own, client_peer, server_own, server_peer;
    const int listener = listen_at(address, at);
    check_flags(listener);

    struct peer accepted = {.fd = listener}, connected = {.address = at};
    COIR_SCOPE(s);
    start(&s, accept_it, &accepted);
    start(&s, connect_it, &connected);
    check_rc(coir_scope_close(&s, 0), 0);
    check(accepted.fd >= 0);
    check(connected.fd >= 0);
    check_int(stats().descriptors, 3);

    check_rc(coir_socket_address(connected.fd, client_own, sizeof client_own), 0);
    check_rc(coir_peer_address(connected.fd, client_peer, sizeof client_peer), 0);
    check_rc(coir_socket_address(accepted.fd, server_own, sizeof server_own), 0);
    check_rc(coir_peer_address(accepted.fd, server_peer, sizeof server_peer), 0);
    check_str(client_peer, at);
    check_str(server_own, at);
    check_str(server_peer, client_own);
    for (int i = 0; i < 2; i++) {
        const int fd = i == 0 ? accepted.fd : connected.fd;
        check_flags(fd);
        if (tcp)
            check_without_delay(fd);
    }

    char text[8] = "";
    check_rc(coir_write_all(connected.fd, "ping", 4, NULL), 0);
    check_rc(coir_read_exact(accepted.fd, text, 4, NULL), 0);
    check_str(text, "ping");
    check_rc(coir_write_all(accepted.fd, "pong", 4, NULL), 0);
    check_rc(coir_shutdown_write(accepted.fd), 0);
    check_rc(coir_read_exact(connected.fd, text, 4, NULL), 0);
    check_str(text, "pong");
    check_rc(coir_read(connected.fd, text, 1), 0);

    check_rc(coir_close(connected.fd), 0);
    check_rc(coir_close(accepted.fd), 0);
    check_rc(coir_close(listener), 0);
    check_int(stats().offload_threads, 0);
}

TASK_TEST_SEEDS(io_net, a_conversation_over_ipv4) {
    check_conversation("127.0.0.1:0", true);
    return 0;
}

TASK_TEST_SEEDS(io_net, a_conversation_over_ipv6) {
    if (!has_ipv6())
        skip_test("no IPv6 loopback address on this machine");
    check_conversation("[::1]:0", true);
    return 0;
}

TASK_TEST_SEEDS(io_net, a_conversation_over_a_unix_path) {
    folder_make();
    check_conversation(unix_address("talk"), false);
    unlink(path_in("talk"));
    folder_remove();
    return 0;
}

TASK_TEST_SEEDS(io_net, a_conversation_over_an_abstract_name) {
    char name[64];
    snprintf(name, sizeof name, "unix:@coir-test-talk-%d", (int)getpid());
    check_conversation(name, false);
    return 0;
}

/* ---- Listening ---- */

TASK_TEST(io_net, port_zero_is_chosen_by_the_system) {
    address_text first, second;
    const int a = listen_at("127.0.0.1:0", first), b = listen_at("127.0.0.1:0", second);
    check(strcmp(first, second) != 0);
    check_rc(coir_listen(first), -EADDRINUSE);
    check_rc(coir_close(a), 0);
    check_rc(coir_close(b), 0);
    return 0;
}

TASK_TEST(io_net, a_port_is_free_again_after_a_server_that_closed_first) {
    address_text at;
    int listener = listen_at("127.0.0.1:0", at);
    const int client = connect_to(at), server = accept_from(listener);
    check_rc(coir_close(server), 0); /* the side that closes first keeps TIME_WAIT */
    char byte;
    check_rc(coir_read(client, &byte, 1), 0);
    check_rc(coir_close(client), 0);
    check_rc(coir_close(listener), 0);
    listener = coir_listen(at);
    check(listener >= 0);
    check_rc(coir_close(listener), 0);
    return 0;
}

TASK_TEST(io_net, an_address_of_another_machine_can_not_be_listened_at) {
    check_rc(coir_listen("192.0.2.77:0"), -EADDRNOTAVAIL);
    check_rc(coir_bind_datagram("192.0.2.77:0"), -EADDRNOTAVAIL);
    return 0;
}

TASK_TEST(io_net, listening_without_a_host_takes_all_addresses) {
    address_text own, to;
    const int listener = listen_at(":0", own);
    snprintf(to, sizeof to, "127.0.0.1:%s", port_of(own));
    int client = connect_to(to), server = accept_from(listener);
    check_rc(coir_close(client), 0);
    check_rc(coir_close(server), 0);
    if (has_ipv6()) {
        snprintf(to, sizeof to, "[::1]:%s", port_of(own));
        client = connect_to(to), server = accept_from(listener);
        check_rc(coir_close(client), 0);
        check_rc(coir_close(server), 0);
    }
    check_rc(coir_close(listener), 0);
    return 0;
}

static void leave_stale_socket(const char *name) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "%s", path_in(name));
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    check_int(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    check_int(listen(fd, 1), 0);
    close(fd);
}

TASK_TEST(io_net, a_unix_socket_left_behind_is_replaced) {
    folder_make();
    for (int i = 0; i < 3; i++) {
        if (i == 0)
            leave_stale_socket(
                "stale"); /* the later ones were left by coir_close, if it leaves any */
        address_text own;
        const int listener = listen_at(unix_address("stale"), own);
        const int client = connect_to(own), server = accept_from(listener);
        check_rc(coir_close(client), 0);
        check_rc(coir_close(server), 0);
        check_rc(coir_close(listener), 0);
    }
    unlink(path_in("stale"));
    folder_remove();
    return 0;
}

/* Finding out whether it is in use must not look like a client to the server. */
TASK_TEST(io_net, a_unix_socket_in_use_is_left_alone) {
    folder_make();
    address_text own;
    const int listener = listen_at(unix_address("live"), own);
    for (int i = 0; i < 3; i++)
        check_rc(coir_listen(own), -EADDRINUSE);
    const int client = connect_to(own), server = accept_from(listener);
    check_rc(coir_write_all(client, "x", 1, NULL), 0);
    char byte;
    check_rc(coir_read(server, &byte, 1), 1);
    check_rc(coir_close(client), 0);
    check_rc(coir_close(server), 0);
    check_rc(coir_close(listener), 0);
    unlink(path_in("live"));
    folder_remove();
    return 0;
}

TASK_TEST(io_net, a_unix_socket_with_a_full_backlog_is_in_use_too) {
    folder_make();
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "%s", path_in("full"));
    const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    check_int(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
    check_int(listen(listener, 0), 0);
    int clients[8];
    size_t count = 0;
    for (int rc = 0; rc == 0 && count < COUNT_OF(clients);) {
        clients[count] = socket(AF_UNIX, SOCK_STREAM, 0);
        fcntl(clients[count], F_SETFL, O_NONBLOCK);
        rc = connect(clients[count++], (struct sockaddr *)&at, sizeof at);
    }
    check(count < COUNT_OF(clients));
    check_rc(coir_listen(unix_address("full")), -EADDRINUSE);
    check_int(access(path_in("full"), F_OK), 0);
    while (count > 0)
        close(clients[--count]);
    close(listener);
    folder_remove();
    return 0;
}

TASK_TEST(io_net, a_file_that_is_no_socket_is_never_replaced) {
    folder_make();
    const int file = open(path_in("precious"), O_CREAT | O_WRONLY, 0600);
    raw_write(file, "data");
    close(file);
    check_rc(coir_listen(unix_address("precious")), -EADDRINUSE);
    struct stat now;
    check_int(stat(path_in("precious"), &now), 0);
    check(S_ISREG(now.st_mode));
    check_int(now.st_size, 4);

    check_rc(coir_listen(unix_address("no-folder/socket")), -ENOENT);
    check_int(mkdir(path_in("folder"), 0700), 0);
    check_rc(coir_listen(unix_address("folder")), -EADDRINUSE);
    check_int(rmdir(path_in("folder")), 0);
    folder_remove();
    return 0;
}

/* ---- Connecting ---- */

/* A port that is taken on all addresses, so that nobody else gets it, and not listened at. */
static int reserve_port(char port[8]) {
    const struct sockaddr_in v4 = {.sin_family = AF_INET};
    const struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    address_text at;
    const int fd = socket(has_ipv6() ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
    if (has_ipv6()) {
        check_int(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){0}, sizeof(int)), 0);
        check_int(bind(fd, (const struct sockaddr *)&v6, sizeof v6), 0);
    } else {
        check_int(bind(fd, (const struct sockaddr *)&v4, sizeof v4), 0);
    }
    check_rc(coir_socket_address(fd, at, sizeof at), 0);
    snprintf(port, 8, "%s", port_of(at));
    return fd;
}

TASK_TEST(io_net, where_nobody_listens_a_connection_is_refused) {
    skip_over_libkqueue(LIBKQUEUE_TAKES_ERRORS);
    char port[8];
    address_text at;
    const int reserved = reserve_port(port);
    snprintf(at, sizeof at, "127.0.0.1:%s", port);
    check_rc(coir_connect(at), -ECONNREFUSED);
    close(reserved);
    folder_make();
    check_rc(coir_connect(unix_address("nobody")), -ENOENT);
    leave_stale_socket("left");
    check_rc(coir_connect(unix_address("left")), -ECONNREFUSED);
    check_rc(coir_connect("unix:@coir-test-nobody-is-here"), -ECONNREFUSED);
    folder_remove();
    return 0;
}

/* A listener whose backlog is full: further connections hang. */
struct crowd {
    int listener;
    int clients[16];
    size_t count;
    address_text at;
};

static void crowd_make(struct crowd *crowd) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    crowd->listener = socket(AF_INET, SOCK_STREAM, 0);
    check_int(bind(crowd->listener, (struct sockaddr *)&at, size), 0);
    check_int(listen(crowd->listener, 0), 0);
    check_int(getsockname(crowd->listener, (struct sockaddr *)&at, &size), 0);
    check_rc(coir_socket_address(crowd->listener, crowd->at, sizeof crowd->at), 0);
    for (crowd->count = 0; crowd->count < 4; crowd->count++) {
        crowd->clients[crowd->count] = socket(AF_INET, SOCK_STREAM, 0);
        check_int(fcntl(crowd->clients[crowd->count], F_SETFL, O_NONBLOCK), 0);
        (void)connect(crowd->clients[crowd->count], (struct sockaddr *)&at, size);
    }
}

static void crowd_disperse(struct crowd *crowd) {
    while (crowd->count > 0)
        close(crowd->clients[--crowd->count]);
    close(crowd->listener);
}

TASK_TEST_SEEDS(io_net, a_connect_that_hangs_is_cut) {
    struct crowd crowd;
    crowd_make(&crowd);
    struct peer peer = {.address = crowd.at, .fd = (int)READING};
    COIR_SCOPE(s);
    start(&s, connect_it, &peer);
    settle();
    check_int(peer.fd, READING);
    check_int(stats().io_waiting, 1);
    coir_scope_cancel(&s);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(peer.fd, -ECANCELED);
    check_int(stats().descriptors, 0);
    crowd_disperse(&crowd);
    return 0;
}

TASK_TEST_SEEDS(io_net, a_connect_that_hangs_ends_with_its_deadline) {
    struct crowd crowd;
    crowd_make(&crowd);
    const coir_time due = coir_after(COIR_MS(300));
    COIR_SCOPE(s, .deadline = due);
    const int fd = coir_connect(crowd.at);
    check_rc(fd, -ECANCELED);
    check_rc(coir_scope_close(&s, fd), -ETIMEDOUT);
    check_int(coir_now(), due);
    check_int(stats().descriptors, 0);
    crowd_disperse(&crowd);
    return 0;
}

/* The system answers EAGAIN here and tells nobody when there is room. */
TASK_TEST(io_net, a_unix_connect_waits_for_room_in_the_backlog) {
    folder_make();
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "%s", path_in("busy"));
    const int raw = socket(AF_UNIX, SOCK_STREAM, 0);
    check_int(bind(raw, (struct sockaddr *)&at, sizeof at), 0);
    check_int(listen(raw, 0), 0);
    check_rc(coir_adopt(raw), 0);

    const int first = connect_to(unix_address("busy"));
    struct peer second = {.address = unix_address("busy"), .fd = (int)READING};
    COIR_SCOPE(s);
    start(&s, connect_it, &second);
    settle();
    check_int(second.fd, READING);
    const int served = accept_from(raw);
    check_rc(coir_scope_close(&s, 0), 0);
    check(second.fd >= 0);

    COIR_SCOPE(late, .deadline = coir_after(COIR_SEC(5)));
    check_rc(coir_connect(unix_address("busy")), -ECANCELED);
    check_rc(coir_scope_close(&late, -ECANCELED), -ETIMEDOUT);
    check_rc(coir_close(first), 0);
    check_rc(coir_close(second.fd), 0);
    check_rc(coir_close(served), 0);
    check_rc(coir_close(raw), 0);
    folder_remove();
    return 0;
}

/* ---- Names ---- */

TASK_TEST_REAL(io_net, a_name_is_looked_up) {
    address_text out[8];
    const int count = coir_resolve("localhost:80", out, COUNT_OF(out));
    check(count >= 1);
    check(stats().offload_threads >= 1);
    for (int i = 0; i < count && i < (int)COUNT_OF(out); i++) {
        const bool v4 = strncmp(out[i], "127.", 4) == 0;
        cr_assert(v4 || strcmp(out[i], "[::1]:80") == 0, "%s", out[i]);
        check_str(port_of(out[i]), "80");
    }
    return 0;
}

TASK_TEST_REAL(io_net, names_may_be_listened_at_and_connected_to) {
    address_text own, by_name;
    const int listener = listen_at("localhost:0", own);
    snprintf(by_name, sizeof by_name, "localhost:%s", port_of(own));
    const int client = connect_to(by_name), server = accept_from(listener);
    check_rc(coir_close(client), 0);
    check_rc(coir_close(server), 0);
    check_rc(coir_close(listener), 0);
    return 0;
}

/* Without a name server that can be reached it is "not now" instead of "no such name". */
TASK_TEST_REAL(io_net, an_unknown_name_is_an_error) {
    setenv("RES_OPTIONS", "timeout:1 attempts:1", 1);
    address_text out[1];
    const int rcs[] = {coir_resolve("no-such-host.invalid:80", out, 1),
                       coir_connect("no-such-host.invalid:80"),
                       coir_listen("no-such-host.invalid:80")};
    for (size_t i = 0; i < COUNT_OF(rcs); i++)
        cr_assert(rcs[i] == -ENOENT || rcs[i] == -EHOSTUNREACH, "%s", rc_text(rcs[i]));
    return 0;
}

/* "This machine" is both families: whichever comes first, the other is tried when it fails. */
TASK_TEST_REAL(io_net, each_address_is_tried) {
    skip_over_libkqueue(LIBKQUEUE_TAKES_ERRORS);
    static const char *const homes[] = {"127.0.0.1:0", "[::1]:0"};
    for (size_t i = 0; i < (has_ipv6() ? 2 : 1); i++) {
        address_text own, to;
        const int listener = listen_at(homes[i], own);
        snprintf(to, sizeof to, ":%s", port_of(own));
        const int client = connect_to(to), server = accept_from(listener);
        check_rc(coir_close(client), 0);
        check_rc(coir_close(server), 0);
        check_rc(coir_close(listener), 0);
    }
    char port[8];
    address_text to;
    const int reserved = reserve_port(port);
    snprintf(to, sizeof to, ":%s", port);
    check_rc(coir_connect(to), -ECONNREFUSED);
    close(reserved);
    check_int(stats().descriptors, 0);
    return 0;
}

static int wait_for_release(void *arg) {
    char byte;
    return (int)read(*(const int *)arg, &byte, 1);
}

static int occupy_pool(void *arg) {
    check_rc(coir_offload(wait_for_release, arg), 1);
    return 0;
}

static int look_up(void *arg) {
    address_text out[1];
    *(int *)arg = coir_resolve("localhost:80", out, 1);
    return 0;
}

static int cut_queued_look_up(UNUSED void *arg) {
    int gate[2], result = 77;
    check_int(pipe(gate), 0);
    COIR_SCOPE(s);
    COIR_SCOPE(inner);
    start(&s, occupy_pool, &gate[0]);
    check_rc(coir_yield(), 0);
    start(&inner, look_up, &result);
    for (int i = 0; i < 3; i++)
        check_rc(coir_yield(), 0);
    check_int(stats().offload_jobs, 2);
    coir_scope_cancel(&inner);
    check_rc(coir_scope_close(&inner, 0), 0);
    check_rc(result, -ECANCELED);
    raw_write(gate[1], "x");
    check_rc(coir_scope_close(&s, 0), 0);
    close(gate[0]);
    close(gate[1]);
    return 0;
}

Test(io_net, a_look_up_that_has_not_begun_is_withdrawn) {
    const run_options options = {.runtime.offload_threads = 1, .real_clock = true};
    check_rc(run_task_with(cut_queued_look_up, NULL, &options), 0);
}

/* ---- Accepting ---- */

TASK_TEST(io_net, accept_is_for_listeners) {
    int ends[2];
    ends_open(ENDS_PIPE, ends);
    check_rc(coir_accept(ends[0]), -ENOTSOCK);
    ends_close(ends);
    ends_open(ENDS_UNIX, ends);
    check_rc(coir_accept(ends[0]), -EINVAL);
    ends_close(ends);
    return 0;
}

TASK_TEST_SEEDS(io_net, one_task_accepts_at_a_time) {
    address_text at;
    const int listener = listen_at("127.0.0.1:0", at);
    struct peer accepted = {.fd = listener};
    COIR_SCOPE(s);
    start(&s, accept_it, &accepted);
    settle();
    check_rc(coir_accept(listener), -EBUSY);
    const int client = connect_to(at);
    check_rc(coir_scope_close(&s, 0), 0);
    check(accepted.fd >= 0);
    check_rc(coir_close(client), 0);
    check_rc(coir_close(accepted.fd), 0);
    check_rc(coir_close(listener), 0);
    return 0;
}

TASK_TEST_SEEDS(io_net, a_cut_accept_leaves_the_connection_to_the_next_one) {
    folder_make();
    address_text at;
    const int listener = listen_at(unix_address("listener"), at);
    struct peer accepted = {.fd = listener};
    COIR_SCOPE(s);
    start(&s, accept_it, &accepted);
    settle();
    coir_scope_cancel(&s);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(accepted.fd, -ECANCELED);
    const int client = connect_to(at);
    const int server = accept_from(listener);
    check_rc(coir_close(client), 0);
    check_rc(coir_close(server), 0);
    check_rc(coir_close(listener), 0);
    unlink(path_in("listener"));
    folder_remove();
    return 0;
}

TASK_TEST_SEEDS(io_net, closing_a_listener_wakes_who_accepts) {
    address_text at;
    const int listener = listen_at("127.0.0.1:0", at);
    struct peer accepted = {.fd = listener};
    COIR_SCOPE(s);
    start(&s, accept_it, &accepted);
    settle();
    check_rc(coir_close(listener), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(accepted.fd, -EBADF);
    return 0;
}

static int raw_client(const address_text at) {
    const struct sockaddr_in to = {.sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                   .sin_port = htons((uint16_t)atoi(port_of(at)))};
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    check_int(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

/* ---- Accepts that fail ---- */

#ifdef __linux__
static struct {
    int error, times; /* so many accepts fail with it; -1: all */
    bool takes_one;   /* and lose the connection that was at the head of the backlog */
} fault;

static int system_accept(int fd, struct sockaddr *from, socklen_t *size, int flags) {
    return (int)syscall(SYS_accept4, fd, from, size, flags);
}

/* Stands in for the system's, because the library is linked into this program. */
int faulty_accept(int fd, struct sockaddr *from, socklen_t *size, int flags) __asm__("accept4");

int faulty_accept(int fd, struct sockaddr *from, socklen_t *size, int flags) {
    if (fault.times == 0)
        return system_accept(fd, from, size, flags);
    if (fault.takes_one) {
        const int lost = system_accept(fd, NULL, NULL, flags);
        if (lost < 0)
            return lost;
        close(lost);
    }
    if (fault.times > 0)
        fault.times--;
    errno = fault.error;
    return -1;
}

TASK_TEST(io_net, connections_that_fail_are_passed_over) {
    static const int errors[] = {ECONNABORTED, EPROTO,       ENETDOWN,    ENOPROTOOPT, EHOSTDOWN,
                                 ENONET,       EHOSTUNREACH, ENETUNREACH, EPERM,       EINTR};
    address_text at;
    const int listener = listen_at("127.0.0.1:0", at);
    for (size_t i = 0; i < COUNT_OF(errors); i++) {
        int clients[4];
        for (size_t c = 0; c < COUNT_OF(clients); c++)
            clients[c] = connect_to(at);
        fault.error = errors[i];
        fault.times = COUNT_OF(clients) - 1;
        fault.takes_one = true;
        const int server = accept_from(listener);
        check_int(fault.times, 0);
        for (size_t c = 0; c < COUNT_OF(clients); c++)
            check_rc(coir_close(clients[c]), 0);
        check_rc(coir_close(server), 0);
    }
    check_int(stats().accept_backoffs, 0);
    check_rc(coir_close(listener), 0);
    return 0;
}

TASK_TEST(io_net, where_the_system_lacks_something_accept_tries_again_after_a_while) {
    static const int errors[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM};
    address_text at;
    const int listener = listen_at("127.0.0.1:0", at);
    for (size_t i = 0; i < COUNT_OF(errors); i++) {
        const int client = connect_to(at);
        const coir_time began = coir_now();
        fault.error = errors[i];
        fault.times = 3;
        fault.takes_one = false;
        const int server = accept_from(listener);
        check(coir_now() > began);
        check(coir_now() <= began + 3 * COIR_MS(10));
        check_int(stats().accept_backoffs, 3 * (i + 1));
        check_rc(coir_close(client), 0);
        check_rc(coir_close(server), 0);
    }
    check_rc(coir_close(listener), 0);
    return 0;
}

TASK_TEST(io_net, errors_of_the_listener_are_accepts_own) {
    static const int errors[] = {EINVAL, EOPNOTSUPP, EFAULT};
    address_text at;
    const int listener = listen_at("127.0.0.1:0", at);
    for (size_t i = 0; i < COUNT_OF(errors); i++) {
        fault.error = errors[i];
        fault.times = 1;
        fault.takes_one = false;
        check_rc(coir_accept(listener), -errors[i]);
    }
    check_rc(coir_close(listener), 0);
    return 0;
}

static int cancel_after_some_turns(void *scope) {
    for (int i = 0; i < 20; i++)
        check_rc(coir_yield(), 0);
    coir_scope_cancel(scope);
    return 0;
}

/* A policy of the system's may refuse every accept; then too the others run, and a cancel cuts. */
TASK_TEST(io_net, an_accept_that_always_fails_keeps_nobody_from_running) {
    address_text at;
    const int listener = listen_at("127.0.0.1:0", at);
    const int client = connect_to(at);
    const int errors[] = {ECONNABORTED, EPERM, EMFILE};
    for (size_t i = 0; i < COUNT_OF(errors); i++) {
        fault.error = errors[i];
        fault.times = -1;
        fault.takes_one = false;
        COIR_SCOPE(s);
        start(&s, cancel_after_some_turns, &s);
        const int rc = coir_accept(listener);
        fault.times = 0;
        check_rc(rc, -ECANCELED);
        check_rc(coir_scope_close(&s, rc), 0);
    }
    const int server = accept_from(listener);
    check_rc(coir_close(server), 0);
    check_rc(coir_close(client), 0);
    check_rc(coir_close(listener), 0);
    return 0;
}
#endif

/* Systems differ in whether accept shows such a connection; a good one behind it must get through.
 */
TASK_TEST_REAL(io_net, connections_that_break_before_they_are_accepted_do_no_harm) {
    address_text at;
    const int listener = listen_at("127.0.0.1:0", at);
    for (int i = 0; i < 5; i++)
        raw_reset(raw_client(at));
    const int client = raw_client(at);
    raw_write(client, "good");
    char text[8] = "";
    while (text[0] == '\0') {
        const int server = accept_from(listener);
        const ssize_t n = coir_read(server, text, sizeof text - 1);
        check(n == 4 || n == -ECONNRESET);
        check_rc(coir_close(server), 0);
    }
    check_str(text, "good");
    close(client);
    check_rc(coir_close(listener), 0);
    return 0;
}

#define PENDING 100 /* as many as any backlog has room for */

static int accept_many(void *arg) {
    const int listener = *(const int *)arg;
    for (int i = 0; i < PENDING; i++)
        check_rc(coir_close(accept_from(listener)), 0);
    return 0;
}

static int note_turn(void *arg) {
    *(bool *)arg = true;
    return 0;
}

/* All the connections are there before the first is accepted. */
TASK_TEST(io_net, an_acceptor_with_much_to_do_lets_others_on) {
    folder_make();
    address_text at;
    int listener = listen_at(unix_address("crowded"), at);
    static int clients[PENDING];
    for (size_t i = 0; i < COUNT_OF(clients); i++)
        clients[i] = connect_to(at);
    bool had_a_turn = false;
    COIR_SCOPE(s);
    coir_task acceptor;
    check_rc(coir_spawn_task(&s, accept_many, &listener, &acceptor), 0);
    start(&s, note_turn, &had_a_turn);
    while (!had_a_turn)
        check_rc(coir_yield(), 0);
    check(!coir_task_done(acceptor));
    check_rc(coir_scope_close(&s, 0), 0);
    for (size_t i = 0; i < COUNT_OF(clients); i++)
        check_rc(coir_close(clients[i]), 0);
    check_rc(coir_close(listener), 0);
    unlink(path_in("crowded"));
    folder_remove();
    return 0;
}

static int connect_and_read(void *arg) {
    const int fd = connect_to(arg);
    char text[8] = "";
    check_rc(coir_read_exact(fd, text, 7, NULL), 0);
    check_str(text, "welcome");
    return coir_close(fd);
}

static int welcome_slowly(void *arg) {
    const int listener = *(const int *)arg;
    for (;;) {
        const int fd = coir_accept(listener);
        if (fd == -EBADF)
            return 0;
        check(fd >= 0);
        check_rc(coir_write_all(fd, "welcome", 7, NULL), 0);
        check_rc(coir_close(fd), 0);
        check_rc(coir_yield(), 0);
    }
}

TASK_TEST_REAL(io_net, more_clients_at_once_than_are_accepted_at_a_time) {
    address_text at;
    int listener = listen_at("127.0.0.1:0", at);
    COIR_SCOPE(server);
    start(&server, welcome_slowly, &listener);
    COIR_SCOPE(clients);
    for (size_t i = 0; i < scaled(300) + 10; i++)
        start(&clients, connect_and_read, at);
    check_rc(coir_scope_close(&clients, 0), 0);
    check_rc(coir_close(listener), 0);
    check_rc(coir_scope_close(&server, 0), 0);
    return 0;
}

/* ---- Out of descriptors ---- */

TASK_TEST_SEEDS(io_net, without_descriptors_accept_waits_and_does_not_spin) {
    address_text at;
    const int listener = listen_at("127.0.0.1:0", at);
    const int client = connect_to(at);
    struct rlimit limit;
    no_more_descriptors(&limit);
    struct peer accepted = {.fd = listener};
    COIR_SCOPE(s);
    start(&s, accept_it, &accepted);
    settle();
    const coir_stats before = stats();
    check(before.accept_backoffs >= 1);
    check_rc(coir_sleep(COIR_SEC(1)), 0);
    const coir_stats after = stats();
    check_int(accepted.fd, listener);
    check(after.accept_backoffs - before.accept_backoffs >= 50); /* it goes on trying */
    check(after.accept_backoffs - before.accept_backoffs <= 101);
    check(after.polls - before.polls <= 500);

    descriptors_again(&limit);
    check_rc(coir_scope_close(&s, 0), 0);
    check(accepted.fd >= 0);
    check_rc(coir_close(accepted.fd), 0);
    check_rc(coir_close(client), 0);
    check_rc(coir_close(listener), 0);
    return 0;
}

TASK_TEST_SEEDS(io_net, a_closed_descriptor_is_accepts_at_once) {
    address_text at;
    const int listener = listen_at("127.0.0.1:0", at);
    const int client = connect_to(at), spare = coir_bind_datagram("127.0.0.1:0");
    struct rlimit limit;
    no_more_descriptors(&limit);
    struct peer accepted = {.fd = listener};
    COIR_SCOPE(s);
    start(&s, accept_it, &accepted);
    settle();
    check_int(accepted.fd, listener);
    const coir_time before = coir_now();
    check_rc(coir_close(spare), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(coir_now(), before); /* not by the timer */
    check_int(accepted.fd, spare);
    descriptors_again(&limit);
    check_rc(coir_close(accepted.fd), 0);
    check_rc(coir_close(client), 0);
    check_rc(coir_close(listener), 0);
    return 0;
}

TASK_TEST_SEEDS(io_net, an_accept_without_descriptors_is_cut_and_closed_like_any_other) {
    for (int by_close = 0; by_close < 2; by_close++) {
        address_text at;
        const int listener = listen_at("127.0.0.1:0", at);
        const int client = connect_to(at);
        struct rlimit limit;
        no_more_descriptors(&limit);
        struct peer accepted = {.fd = listener};
        COIR_SCOPE(s);
        start(&s, accept_it, &accepted);
        settle();
        check_rc(coir_accept(listener), -EBUSY);
        if (by_close)
            check_rc(coir_close(listener), 0);
        else
            coir_scope_cancel(&s);
        check_rc(coir_scope_close(&s, 0), 0);
        check_rc(accepted.fd, by_close ? -EBADF : -ECANCELED);
        descriptors_again(&limit);
        check_rc(coir_close(client), 0);
        if (!by_close)
            check_rc(coir_close(listener), 0);
    }
    return 0;
}

/* Between two attempts of an accept without descriptors the listener's number becomes another's. */
TASK_TEST_SEEDS(io_net, an_accept_without_descriptors_does_not_change_over_to_another_listener) {
    address_text at, other;
    const int listener = listen_at("127.0.0.1:0", at);
    const int client = connect_to(at);
    struct rlimit limit;
    no_more_descriptors(&limit);
    struct peer accepted = {.fd = listener};
    COIR_SCOPE(s);
    start(&s, accept_it, &accepted);
    settle();
    check_rc(coir_close(listener), 0);
    const int second = listen_at("127.0.0.1:0", other);
    check_int(second, listener);
    descriptors_again(&limit);
    const int second_client = connect_to(other);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(accepted.fd, -EBADF);
    const int server = accept_from(second);
    check_rc(coir_close(client), 0);
    check_rc(coir_close(second_client), 0);
    check_rc(coir_close(server), 0);
    check_rc(coir_close(second), 0);
    return 0;
}

TASK_TEST(io_net, without_descriptors_the_other_calls_say_so) {
    address_text at;
    const int listener = listen_at("127.0.0.1:0", at);
    struct rlimit limit;
    no_more_descriptors(&limit);
    check_rc(coir_connect(at), -EMFILE);
    check_rc(coir_connect("unix:@coir-test-nobody"), -EMFILE);
    check_rc(coir_listen("127.0.0.1:0"), -EMFILE);
    check_rc(coir_bind_datagram("127.0.0.1:0"), -EMFILE);
    descriptors_again(&limit);
    const int client = connect_to(at);
    check_rc(coir_close(client), 0);
    check_rc(coir_close(listener), 0);
    return 0;
}

/* ---- Datagrams ---- */

static void check_datagrams(const char *address) {
    address_text at, other, from;
    const int receiver = coir_bind_datagram(address), sender = coir_bind_datagram(address);
    check(receiver >= 0);
    check(sender >= 0);
    check_flags(receiver);
    check_rc(coir_socket_address(receiver, at, sizeof at), 0);
    check_rc(coir_socket_address(sender, other, sizeof other), 0);

    char text[16] = "";
    check_rc(coir_send_to(sender, "hello", 5, at), 5);
    check_rc(coir_receive_from(receiver, text, sizeof text, &from), 5);
    check_str(text, "hello");
    check_str(from, other);
    check_rc(coir_send_to(receiver, "", 0, from), 0);
    check_rc(coir_receive_from(sender, text, sizeof text, NULL), 0);

    check_rc(coir_send_to(sender, "0123456789", 10, at), 10);
    check_rc(coir_send_to(sender, "next", 4, at), 4);
    memset(text, 0, sizeof text);
    check_rc(coir_receive_from(receiver, text, 4, NULL), 4); /* the rest of it is lost */
    check_str(text, "0123");
    check_rc(coir_receive_from(receiver, text, sizeof text, &from), 4);
    check(memcmp(text, "next", 4) == 0);
    check_rc(coir_close(receiver), 0);
    check_rc(coir_close(sender), 0);
}

TASK_TEST(io_net, datagrams_over_ipv4) {
    check_datagrams("127.0.0.1:0");
    return 0;
}

TASK_TEST(io_net, datagrams_over_ipv6) {
    if (!has_ipv6())
        skip_test("no IPv6 loopback address on this machine");
    check_datagrams("[::1]:0");
    return 0;
}

TASK_TEST(io_net, datagrams_over_unix_sockets) {
    folder_make();
    const int a = coir_bind_datagram(unix_address("a"));
    const int b = coir_bind_datagram(unix_address("b"));
    check(a >= 0);
    check(b >= 0);
    check_rc(coir_send_to(a, "hello", 5, unix_address("b")), 5);
    address_text from;
    char text[8] = "";
    check_rc(coir_receive_from(b, text, sizeof text, &from), 5);
    check_str(from, unix_address("a"));
    check_rc(coir_send_to(a, "x", 1, unix_address("nobody")), -ENOENT);
    check_rc(coir_close(a), 0);
    check_rc(coir_close(b), 0);
    folder_remove();
    return 0;
}

struct receiving {
    int fd;
    ssize_t rc;
};

static int receive_one(void *arg) {
    struct receiving *const receiving = arg;
    char text[16];
    receiving->rc = READING;
    receiving->rc = coir_receive_from(receiving->fd, text, sizeof text, NULL);
    return 0;
}

TASK_TEST_SEEDS(io_net, a_receive_waits_and_is_cut_and_leaves_the_datagram) {
    folder_make();
    const int fd = coir_bind_datagram(unix_address("receiver"));
    const int sender = socket(AF_UNIX, SOCK_DGRAM, 0);
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    snprintf(to.sun_path, sizeof to.sun_path, "%s", path_in("receiver"));
    check_int(connect(sender, (struct sockaddr *)&to, sizeof to), 0);

    struct receiving first = {.fd = fd}, second = {.fd = fd};
    COIR_SCOPE(s);
    start(&s, receive_one, &first);
    settle();
    check_int(first.rc, READING);
    check_rc(coir_receive_from(fd, NULL, 0, NULL), -EBUSY);
    raw_write(sender, "one");
    settle();
    check_rc(first.rc, 3);

    start(&s, receive_one, &second);
    settle();
    coir_scope_cancel(&s);
    raw_write(sender, "four");
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(second.rc, -ECANCELED);
    receive_one(&second);
    check_rc(second.rc, 4);
    close(sender);
    check_rc(coir_close(fd), 0);
    folder_remove();
    return 0;
}

TASK_TEST(io_net, datagrams_that_can_not_be_sent) {
    static const char huge[70000];
    const int fd = coir_bind_datagram("127.0.0.1:0");
    address_text own;
    check_rc(coir_socket_address(fd, own, sizeof own), 0);
    check_rc(coir_send_to(fd, huge, sizeof huge, own), -EMSGSIZE);
    check_rc(coir_send_to(fd, "x", 1, "localhost:80"), -EINVAL); /* no look-up */
    check_rc(coir_send_to(fd, "x", 1, NULL), -EINVAL);
    check_rc(coir_close(fd), 0);
    return 0;
}

struct flood {
    int fd, count;
};

static int send_flood(void *arg) {
    const struct flood *const flood = arg;
    for (int i = 0; i < flood->count; i++)
        check_rc(coir_send_to(flood->fd, "x", 1, unix_address("sink")), 1);
    return 0;
}

/* A Unix datagram socket holds few; the sender waits for the receiver. */
TASK_TEST(io_net, a_sender_waits_for_room) {
    folder_make();
    const int sink = coir_bind_datagram(unix_address("sink"));
    struct flood flood = {.fd = coir_bind_datagram(unix_address("source")), .count = 2000};
    COIR_SCOPE(s, .deadline = coir_after(COIR_SEC(100000)));
    start(&s, send_flood, &flood);
    for (int i = 0; i < flood.count; i++) {
        char byte;
        check_rc(coir_receive_from(sink, &byte, 1, NULL), 1);
    }
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(coir_close(sink), 0);
    check_rc(coir_close(flood.fd), 0);
    folder_remove();
    return 0;
}

static int send_one(void *arg) {
    struct receiving *const it = arg;
    it->rc = READING;
    it->rc = coir_send_to(it->fd, "x", 1, unix_address("sink"));
    return 0;
}

/* What fills the receiver is not the sender's own, so the system does not tell it of the room. */
TASK_TEST(io_net, a_sender_waits_for_room_that_others_took) {
    folder_make();
    const int sink = coir_bind_datagram(unix_address("sink"));
    const int other = coir_bind_datagram(unix_address("other"));
    struct receiving sending = {.fd = coir_bind_datagram(unix_address("source"))};
    size_t queued = 0;
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    snprintf(to.sun_path, sizeof to.sun_path, "%s", path_in("sink"));
    while (sendto(other, "x", 1, 0, (struct sockaddr *)&to, sizeof to) == 1)
        queued++;
    COIR_SCOPE(s, .deadline = coir_after(COIR_SEC(1000)));
    start(&s, send_one, &sending);
    settle();
    check_int(sending.rc, READING);
    for (size_t i = 0; i < queued + 1; i++) {
        char byte;
        check_rc(coir_receive_from(sink, &byte, 1, NULL), 1);
    }
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(sending.rc, 1);
    check_rc(coir_close(sink), 0);
    check_rc(coir_close(other), 0);
    check_rc(coir_close(sending.fd), 0);
    folder_remove();
    return 0;
}

struct drain {
    int sink;
    coir_scope *senders;
};

/* At the moment at which the sender tries again, and before it. */
static int drain_and_cancel(void *arg) {
    const struct drain *const it = arg;
    char byte;
    check_rc(coir_sleep(COIR_MS(1)), 0);
    check_rc(coir_receive_from(it->sink, &byte, 1, NULL), 1);
    coir_scope_cancel(it->senders);
    return 0;
}

/* Completion wins here too, though the sender only sleeps: who is cancelled after the sleep has
 * ended tries once more. */
TASK_TEST(io_net, a_sender_that_is_cancelled_as_it_tries_again_has_sent) {
    folder_make();
    const int sink = coir_bind_datagram(unix_address("sink"));
    struct receiving sending = {.fd = coir_bind_datagram(unix_address("source"))};
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    snprintf(to.sun_path, sizeof to.sun_path, "%s", path_in("sink"));
    while (sendto(sending.fd, "x", 1, 0, (struct sockaddr *)&to, sizeof to) == 1)
        continue;
    COIR_SCOPE(s);
    COIR_SCOPE(senders);
    struct drain drain = {.sink = sink, .senders = &senders};
    start(&s, drain_and_cancel, &drain);
    start(&senders, send_one, &sending);
    check_rc(coir_scope_close(&senders, 0), 0);
    check(coir_scope_cancelled(&senders));
    check_rc(sending.rc, 1);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(coir_close(sink), 0);
    check_rc(coir_close(sending.fd), 0);
    folder_remove();
    return 0;
}
