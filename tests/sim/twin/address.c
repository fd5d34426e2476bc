/* Addresses, connecting, datagrams, files. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>

#include "coir/sim.h"
#include "sim/twin/twin.h"

static char bytes[64];

static void nobody_there(void) {
    char own[COIR_ADDRESS_SIZE];
    const int listener = coir_listen("127.0.0.1:0");
    (void)coir_socket_address(listener, own, sizeof own);
    (void)coir_close(listener);
    note("tcp", coir_connect(own));
    note("path", coir_connect(path_of("none")));
    note("abstract", coir_connect(abstract_of("none")));
    note("name", coir_connect("10.0.0.1:0"));
}

static void address_in_use(void) {
    char own[COIR_ADDRESS_SIZE];
    const int listener = coir_listen("127.0.0.1:0");
    (void)coir_socket_address(listener, own, sizeof own);
    note("tcp", coir_listen(own));
    const int datagram = coir_bind_datagram(abstract_of("bound"));
    note("unix", coir_bind_datagram(abstract_of("bound")));
    (void)coir_close(datagram);
    (void)coir_close(listener);
}

/* The file of a socket stays when that is closed, and is replaced. */
static void stale_path(void) {
    const char *const path = path_of("stale");
    int listener = coir_listen(path);
    note("listen", listener >= 0);
    note("listen", coir_listen(path));
    (void)coir_close(listener);
    note("connect", coir_connect(path));
    listener = coir_listen(path);
    note("listen", listener >= 0);
    (void)coir_close(listener);
    NOTE("unlink", coir__sim_unlink(path + strlen("unix:")));
    note("connect", coir_connect(path));
}

static void wrong_calls(void) {
    char own[COIR_ADDRESS_SIZE];
    const int listener = coir_listen(abstract_of("calls"));
    const int datagram = coir_bind_datagram(abstract_of("datagram"));
    const int client = coir_connect(abstract_of("calls"));
    NOTE("listen", coir__sim_listen(datagram, 1));
    NOTE("accept", coir__sim_accept4(datagram, NULL, NULL, 0));
    NOTE("accept", coir__sim_accept4(client, NULL, NULL, 0));
    note("peer", coir_peer_address(listener, own, sizeof own));
    note("peer", coir_peer_address(client, own, sizeof own));
    note("name", strcmp(own, abstract_of("calls")) == 0);
    note("read", coir_read(listener, bytes, 1));
    note("stream to datagram", coir_connect(abstract_of("datagram")));
    (void)coir_close(client);
    (void)coir_close(datagram);
    (void)coir_close(listener);
}

static int make_file(void) {
    const char *const path = path_of("plain") + strlen("unix:");
    return coir_sim_active() ? coir_sim_file(path)
                             : open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600);
}

static void no_sockets(void) {
    int fds[2];
    char from[COIR_ADDRESS_SIZE] = "";
    const int file = make_file();
    const int datagram = coir_bind_datagram("127.0.0.1:0");
    make_pipe(fds);
    note("stream", coir_connect(path_of("plain")));
    note("listen", coir_listen(path_of("plain")));
    const int named = coir_bind_datagram(abstract_of("one"));
    note("to file", coir_send_to(named, "x", 1, path_of("plain")));
    note("file", coir_adopt(file));
    note("send to", coir_send_to(file, "x", 1, "127.0.0.1:9"));
    note("send to", coir_send_to(fds[1], "x", 1, "127.0.0.1:9"));
    NOTE("sendmsg", coir__sim_sendmsg(fds[1], &(struct msghdr){.msg_iov = NULL}, 0));
    note("receive from", coir_receive_from(fds[0], bytes, 1, &from));
    NOTE("unlink", coir__sim_unlink(path_of("plain") + strlen("unix:")));
    (void)coir_close(named);
    (void)coir_close(datagram);
    (void)coir_close(file);
    close_both(fds);
}

/* Without its port, which differs from run to run. */
static void note_address(const char *what, int rc, char *address) {
    char text[COIR_ADDRESS_SIZE + 16];
    char *const port = strrchr(address, ':');
    if (rc < 0 || port == NULL) {
        note(what, rc);
        return;
    }
    *port = '\0';
    (void)snprintf(text, sizeof text, "%s=%s", what, address);
    note_word(text);
}

/* How the two ends of a connection are called. */
static void note_ends(const char *listen_at, const char *call) {
    char own[COIR_ADDRESS_SIZE], to[COIR_ADDRESS_SIZE];
    const int listener = coir_listen(listen_at);
    (void)coir_socket_address(listener, own, sizeof own);
    (void)snprintf(to, sizeof to, "%s%s", call, strrchr(own, ':'));
    const int client = coir_connect(to), server = coir_accept(listener);
    note_address("from", coir_socket_address(client, own, sizeof own), own);
    note_address("to", coir_peer_address(client, own, sizeof own), own);
    note_address("server", coir_socket_address(server, own, sizeof own), own);
    note_address("client", coir_peer_address(server, own, sizeof own), own);
    (void)coir_close(client);
    (void)coir_close(server);
    (void)coir_close(listener);
}

static void ends_by_number(void) {
    note_ends("127.0.0.1:0", "127.0.0.1");
}

#define MAPPED "from=127.0.0.1 to=127.0.0.1 server=[::ffff:127.0.0.1] client=[::ffff:127.0.0.1]"

static void ends_of_all(void) {
    char own[COIR_ADDRESS_SIZE] = "";
    const int listener = coir_listen(":0");
    (void)coir_socket_address(listener, own, sizeof own);
    (void)coir_close(listener);
    if (own[0] == '[') {
        note_ends(":0", "127.0.0.1");
    } else {
        (void)puts("there is no IPv6 here: what a listener of both families sees is left out");
        note_word(MAPPED);
    }
}

static void ends_of_all_v4(void) {
    note_ends("0.0.0.0:0", "127.0.0.1");
    note_ends("0.0.0.0:0", "0.0.0.0");
}

static int on_a_machine(void *run) {
    if (coir_sim_active() && coir_sim_host("10.0.0.5") < 0)
        return -EINVAL;
    (*(void (**)(void))run)();
    return 0;
}

static void call_from_a_machine(void) {
    note("another's", coir_listen("203.0.113.7:9"));
    note("another's", coir_bind_datagram("203.0.113.7:9"));
    ends_by_number();
    ends_of_all_v4();
}

static void a_machine(void) {
    void (*run)(void) = call_from_a_machine;
    coir_call call = COIR_CALL(on_a_machine, &run);
    note("gather", coir_gather(&call, 1, COIR_FAIL_FAST));
}

/* ---- Datagrams ---- */

static void cut_off(const char *one, const char *other) {
    char to[COIR_ADDRESS_SIZE], from[COIR_ADDRESS_SIZE] = "", sender[COIR_ADDRESS_SIZE];
    const int a = coir_bind_datagram(one), b = coir_bind_datagram(other);
    (void)coir_socket_address(a, to, sizeof to);
    (void)coir_socket_address(b, sender, sizeof sender);
    note("send", coir_send_to(b, "0123456789", 10, to));
    note("send", coir_send_to(b, "", 0, to));
    note("send", coir_send_to(b, "xy", 2, to));
    settle();
    note("receive", coir_receive_from(a, bytes, 4, &from));
    note("sender", strcmp(from, sender) == 0);
    note("receive", coir_receive_from(a, bytes, 4, NULL));
    note("receive", coir_receive_from(a, bytes, 4, NULL));
    NOTE("recv", coir__sim_recv(a, bytes, 4, 0));
    (void)coir_close(a);
    (void)coir_close(b);
}

static void cut_off_udp(void) {
    cut_off("127.0.0.1:0", "127.0.0.1:0");
}

static void cut_off_unix(void) {
    char one[COIR_ADDRESS_SIZE];
    (void)strcpy(one, abstract_of("one"));
    cut_off(one, abstract_of("other"));
}

static void sent_to_nobody(void) {
    char gone[COIR_ADDRESS_SIZE];
    const int fd = coir_bind_datagram(abstract_of("one"));
    const int udp = coir_bind_datagram("127.0.0.1:0"), other = coir_bind_datagram("127.0.0.1:0");
    note("path", coir_send_to(fd, "x", 1, path_of("nobody")));
    note("abstract", coir_send_to(fd, "x", 1, abstract_of("nobody")));
    (void)coir_socket_address(other, gone, sizeof gone);
    (void)coir_close(other);
    note("udp", coir_send_to(udp, "x", 1, gone));
    settle();
    note("udp", coir_send_to(udp, "x", 1, gone));
    note("family", coir_send_to(udp, "x", 1, "[::1]:9"));
    (void)coir_close(fd);
    (void)coir_close(udp);
}

#define ENDS "from=127.0.0.1 to=127.0.0.1 server=127.0.0.1 client=127.0.0.1"

const struct behaviour address_behaviours[] = {
    {"nobody there", nobody_there,
     "tcp=ECONNREFUSED path=ENOENT abstract=ECONNREFUSED name=EINVAL"},
    {"address in use", address_in_use, "tcp=EADDRINUSE unix=EADDRINUSE"},
    {"stale path", stale_path,
     "listen=1 listen=EADDRINUSE connect=ECONNREFUSED listen=1 unlink=0 connect=ENOENT"},
    {"wrong calls", wrong_calls,
     "listen=EOPNOTSUPP accept=EOPNOTSUPP accept=EINVAL peer=ENOTCONN peer=0 "
     "name=1 read=EINVAL stream to datagram=ECONNREFUSED"},
    {"no sockets", no_sockets,
     "stream=ECONNREFUSED listen=EADDRINUSE to file=ECONNREFUSED file=0 send to=ENOTSOCK "
     "send to=ENOTSOCK sendmsg=ENOTSOCK receive from=ENOTSOCK unlink=0"},
    {"ends", ends_by_number, ENDS},
    {"ends, all addresses", ends_of_all, MAPPED},
    {"ends, all of IPv4", ends_of_all_v4, ENDS " " ENDS},
    {"a machine", a_machine,
     "another's=EADDRNOTAVAIL another's=EADDRNOTAVAIL " ENDS " " ENDS " " ENDS " gather=0"},
    {"cut off, UDP", cut_off_udp,
     "send=10 send=0 send=2 receive=4 sender=1 receive=0 receive=2 recv=EAGAIN"},
    {"cut off, Unix", cut_off_unix,
     "send=10 send=0 send=2 receive=4 sender=1 receive=0 receive=2 recv=EAGAIN"},
    {"sent to nobody", sent_to_nobody,
     "path=ENOENT abstract=ECONNREFUSED udp=1 udp=1 family=EAFNOSUPPORT"},
    {NULL, NULL, NULL}};
