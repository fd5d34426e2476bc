/* Addresses as text: which forms are taken, which are refused and how, what sockets tell of their
 * own, and that no text whatever does more than be refused.
 *
 * Nothing here asks a name server: numbers never do, and coir_send_to looks nothing up. */
#include <arpa/inet.h>
#include <limits.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ends.h"

SUITE(io_address);

typedef char address_text[COIR_ADDRESS_SIZE];

/* ---- Good ones ---- */

struct form {
    const char *text, *resolved;
};

static const struct form good_forms[] = {
    {"127.0.0.1:80", "127.0.0.1:80"},
    {"127.0.0.1:1", "127.0.0.1:1"},
    {"127.0.0.1:65535", "127.0.0.1:65535"},
    {"0.0.0.0:8080", "0.0.0.0:8080"},
    {"255.255.255.255:9", "255.255.255.255:9"},
    {"[::1]:80", "[::1]:80"},
    {"[::]:80", "[::]:80"},
    {"[0:0:0:0:0:0:0:1]:80", "[::1]:80"},
    {"[2001:DB8::A]:443", "[2001:db8::a]:443"},
    {"[::ffff:192.0.2.1]:80", "[::ffff:192.0.2.1]:80"},
    {"unix:/run/app.sock", "unix:/run/app.sock"},
    {"unix:relative.sock", "unix:relative.sock"},
    {"unix:with space:and:colons", "unix:with space:and:colons"},
    {"unix:@name", "unix:@name"},
};

TASK_TEST(io_address, good_forms_resolve_to_their_numbers) {
    for (size_t i = 0; i < COUNT_OF(good_forms); i++) {
        address_text out[4];
        const int count = coir_resolve(good_forms[i].text, out, COUNT_OF(out));
        cr_assert(count == 1, "\"%s\": %s", good_forms[i].text, rc_text(count));
        check_str(out[0], good_forms[i].resolved);
    }
    check_int(stats().offload_threads, 0); /* numbers never leave the loop */
    return 0;
}

TASK_TEST(io_address, no_host_stands_for_this_machine) {
    address_text out[8];
    const int count = coir_resolve(":8080", out, COUNT_OF(out));
    check(count >= 1);
    for (int i = 0; i < count && i < (int)COUNT_OF(out); i++) {
        const char *const port = strrchr(out[i], ':');
        check(port != NULL);
        check_str(port, ":8080");
    }
    return 0;
}

TASK_TEST(io_address, resolve_counts_what_it_has_no_room_for) {
    address_text out[2] = {"first", "second"};
    check_rc(coir_resolve("127.0.0.1:80", out, 0), 1);
    check_str(out[0], "first");
    check_rc(coir_resolve("127.0.0.1:80", NULL, 0), 1);
    check_rc(coir_resolve("127.0.0.1:80", out, 1), 1);
    check_str(out[0], "127.0.0.1:80");
    check_str(out[1], "second");
    return 0;
}

/* Any number, there and back, against what the system's own functions make of it. */
TASK_TEST(io_address, random_numbers_come_back_as_they_went) {
    unsigned state = 7;
    for (int i = 0; i < 2000; i++) {
        unsigned char bytes[16];
        for (size_t b = 0; b < sizeof bytes; b++) {
            state = state * 1664525u + 1013904223u;
            bytes[b] = state >> 28 < 5 ? 0 : (unsigned char)(state >> 20);
        }
        const unsigned port = 1 + (state >> 8) % 65535;
        char number[INET6_ADDRSTRLEN], text[COIR_ADDRESS_SIZE];
        const bool v6 = i % 2;
        check(inet_ntop(v6 ? AF_INET6 : AF_INET, bytes, number, sizeof number) != NULL);
        snprintf(text, sizeof text, v6 ? "[%s]:%u" : "%s:%u", number, port);
        address_text out[1];
        check_rc(coir_resolve(text, out, 1), 1);
        check_str(out[0], text);
    }
    return 0;
}

/* ---- Bad ones ---- */

static const char *const bad_forms[] = {
    "",
    ":",
    "::",
    ":::",
    "80",
    "127.0.0.1",
    "127.0.0.1:",
    "127.0.0.1:x",
    "127.0.0.1:http",
    "127.0.0.1:-1",
    "127.0.0.1:+1",
    "127.0.0.1: 1",
    "127.0.0.1:1 ",
    "127.0.0.1:1\n",
    "127.0.0.1:0x50",
    "127.0.0.1:1.5",
    "127.0.0.1:1e3",
    "127.0.0.1:65536",
    "127.0.0.1:99999",
    "127.0.0.1:4294967376",           /* 80 in 32 bits */
    "127.0.0.1:18446744073709551696", /* 80 in 64 bits */
    "127.0.0.1:99999999999999999999999999999999999999999999",
    "127.0.0.1:80:80",
    "127.0.0.1:80/",
    "127.0.0.1:\xef\xbc\x98\xef\xbc\x90", /* 80 in full-width digits */
    "http://127.0.0.1:80",
    "http://127.0.0.1",
    ":x",
    ":-1",
    ":65536",
    "::1",
    "::1:80",
    "fe80::1:80",
    "[::1]",
    "[::1]:",
    "[::1]80",
    "[::1]:x",
    "[::1]:65536",
    "[::1] :80",
    "[::1:80",
    "::1]:80",
    "[]:80",
    "[[::1]]:80",
    "[::1",
    "[",
    "]",
    "[]",
    "[:]:80",
    "[:::]:80",
    "[::1::2]:80",
    "[1:2:3:4:5:6:7]:80",
    "[1:2:3:4:5:6:7:8:9]:80",
    "[12345::]:80",
    "[::g]:80",
    "[127.0.0.1]:80",
    "[localhost]:80",
    "[::1%]:80",
    "[%lo]:80",
    "unix:",
    "unix:@",
};

/* Of all calls that take an address, on a datagram socket for the last. */
static void check_refused(const char *text, int expected, int datagram_fd) {
    address_text out[2];
    const int rcs[] = {
        coir_resolve(text, out, COUNT_OF(out)),
        coir_listen(text),
        coir_connect(text),
        coir_bind_datagram(text),
        (int)coir_send_to(datagram_fd, "x", 1, text),
    };
    static const char *const names[] = {"resolve", "listen", "connect", "bind", "send_to"};
    for (size_t i = 0; i < COUNT_OF(rcs); i++)
        cr_assert(rcs[i] == expected, "%s \"%s\": %s", names[i], text == NULL ? "(null)" : text,
                  rc_text(rcs[i]));
}

TASK_TEST(io_address, bad_forms_are_refused) {
    const int fd = coir_bind_datagram("127.0.0.1:0");
    check(fd >= 0);
    for (size_t i = 0; i < COUNT_OF(bad_forms); i++)
        check_refused(bad_forms[i], -EINVAL, fd);
    check_refused(NULL, -EINVAL, fd);
    check_int(stats().offload_threads, 0);
    check_rc(coir_close(fd), 0);
    return 0;
}

TASK_TEST(io_address, port_zero_is_for_listening_only) {
    check_rc(coir_connect("127.0.0.1:0"), -EINVAL);
    check_rc(coir_connect("[::1]:0"), -EINVAL);
    check_rc(coir_connect(":0"), -EINVAL);
    const int fd = coir_listen("127.0.0.1:0");
    check(fd >= 0);
    check_rc(coir_close(fd), 0);
    return 0;
}

TASK_TEST(io_address, an_interface_that_does_not_exist_is_refused) {
    address_text out[1];
    check(coir_resolve("[fe80::1%no-such-interface]:80", out, 1) < 0);
    check(coir_connect("[fe80::1%no-such-interface]:80") < 0);
    return 0;
}

TASK_TEST(io_address, an_interface_is_kept) {
    address_text out[1];
    const int rc = coir_resolve("[fe80::1%lo]:80", out, 1);
    if (rc < 0)
        skip_test("no interface called lo on this system");
    check_rc(rc, 1);
    check_str(out[0], "[fe80::1%lo]:80");
    return 0;
}

TASK_TEST(io_address, resolve_refuses_no_room_that_has_a_size) {
    address_text(*volatile nowhere)[1] = NULL;
    check_rc(coir_resolve("127.0.0.1:80", nowhere == NULL ? NULL : nowhere[0], 1), -EINVAL);
    return 0;
}

/* ---- Long ones ---- */

static char *repeated(const char *head, char unit, size_t count, const char *tail) {
    const size_t head_length = strlen(head);
    char *const text = malloc(head_length + count + strlen(tail) + 1);
    memcpy(text, head, head_length);
    memset(text + head_length, unit, count);
    memcpy(text + head_length + count, tail, strlen(tail) + 1);
    return text;
}

TASK_TEST(io_address, unix_paths_that_just_fit_and_that_do_not) {
    const size_t room = sizeof((struct sockaddr_un *)0)->sun_path;
    const int fd = coir_bind_datagram("127.0.0.1:0");
    address_text out[1];
    char *text = repeated("unix:", 'p', room - 1, "");
    check_rc(coir_resolve(text, out, 1), 1);
    check_str(out[0], text);
    free(text);
    text = repeated("unix:@", 'a', room - 1, "");
    check_rc(coir_resolve(text, out, 1), 1);
    check_str(out[0], text);
    free(text);

    const size_t too_long[] = {room, room + 1, 200, 4096, 1 << 20};
    for (size_t i = 0; i < COUNT_OF(too_long); i++) {
        text = repeated("unix:/", 'p', too_long[i], "");
        check_refused(text, -ENAMETOOLONG, fd);
        free(text);
        text = repeated("unix:@", 'a', too_long[i], "");
        check_refused(text, -ENAMETOOLONG, fd);
        free(text);
    }
    check_rc(coir_close(fd), 0);
    return 0;
}

TASK_TEST(io_address, very_long_texts_are_refused) {
    static const struct {
        const char *head, *tail;
        char unit;
    } forms[] = {
        {"", "", '1'},        {"", ":80", '1'},   {"127.0.0.1:", "", '9'}, {"127.0.0.1:", "", '0'},
        {"[", "]:80", ':'},   {"[", "]:80", 'f'}, {"[::1%", "]:80", 'x'},  {"", "", ':'},
        {"", "", '['},        {"", ":80", '.'},   {"", ":80", '\xff'},     {"[::1]", ":80", ']'},
        {"", "x:80", '\x01'}, {"unix", "", ':'},
    };
    const size_t sizes[] = {300, 5000, 1 << 20};
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        for (size_t j = 0; j < COUNT_OF(sizes); j++) {
            char *const text = repeated(forms[i].head, forms[i].unit, sizes[j], forms[i].tail);
            address_text out[1];
            check(coir_resolve(text, out, 1) < 0);
            check(coir_listen(text) < 0);
            check(coir_connect(text) < 0);
            check(coir_bind_datagram(text) < 0);
            free(text);
        }
    }
    return 0;
}

/* ---- Junk ---- */

/* Sent from a Unix socket, so that an accidental number goes nowhere. */
TASK_TEST(io_address, random_texts_are_refused_or_taken_but_never_crash) {
    static const char alphabet[] = "0123456789abf:::[[]]%%..@/unix lo-+\x01\x7f\xc3\xa4\xff";
    static const char *const heads[] = {"", "unix:", "unix:@", "[", "127.0.0.1:", "[::1]:", ":"};
    folder_make();
    char home[PATH_MAX], name[256];
    check(getcwd(home, sizeof home) != NULL);
    check_int(chdir(path_in(".")), 0);
    snprintf(name, sizeof name, "unix:%s", path_in("own"));
    const int fd = coir_bind_datagram(name);
    check(fd >= 0);
    unsigned state = 99;
    for (size_t i = 0; i < scaled(20000); i++) {
        char text[64];
        const char *const head = heads[i % COUNT_OF(heads)];
        size_t length = strlen(head);
        memcpy(text, head, length);
        state = state * 1664525u + 1013904223u;
        for (size_t more = (state >> 16) % 40; more > 0; more--) {
            state = state * 1664525u + 1013904223u;
            text[length++] = alphabet[(state >> 16) % (sizeof alphabet - 1)];
        }
        text[length] = '\0';
        const ssize_t rc = coir_send_to(fd, "x", 1, text);
        cr_assert(rc == 1 || (rc < 0 && rc > -4096), "\"%s\": %s", text, rc_text(rc));
    }
    check_int(stats().offload_threads, 0);
    check_int(chdir(home), 0);
    check_rc(coir_close(fd), 0);
    folder_remove();
    return 0;
}

/* ---- What sockets tell ---- */

static int bound(int family, const void *address, size_t size_bytes) {
    const int fd = socket(family, SOCK_STREAM, 0);
    check(fd >= 0);
    check_int(bind(fd, address, (socklen_t)size_bytes), 0);
    return fd;
}

Test(io_address, a_socket_tells_its_address_outside_the_runtime_too) {
    const struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001)};
    const int fd = bound(AF_INET, &at, sizeof at);
    address_text text;
    check_rc(coir_socket_address(fd, text, sizeof text), 0);
    unsigned port;
    char tail;
    check_int(sscanf(text, "127.0.0.1:%u%c", &port, &tail), 1);
    check(port > 0);
    check_rc(coir_peer_address(fd, text, sizeof text), -ENOTCONN);
    close(fd);
}

Test(io_address, an_address_that_does_not_fit_is_refused) {
    const struct sockaddr_un at = {.sun_family = AF_UNIX, .sun_path = "\0coir-test-fits"};
    const size_t size_bytes = offsetof(struct sockaddr_un, sun_path) + strlen("?coir-test-fits");
    const int fd = bound(AF_UNIX, &at, size_bytes);
    const char *const expected = "unix:@coir-test-fits";
    address_text text;
    check_rc(coir_socket_address(fd, text, strlen(expected) + 1), 0);
    check_str(text, expected);
    memset(text, '#', sizeof text);
    check_rc(coir_socket_address(fd, text, strlen(expected)), -ENOSPC);
    check_int(text[strlen(expected)], '#');
    check_rc(coir_socket_address(fd, text, 1), -ENOSPC);
    check(coir_socket_address(fd, text, 0) < 0);
    close(fd);
}

Test(io_address, what_is_no_socket_has_no_address) {
    int ends[2];
    ends_open_raw(ENDS_PIPE, ends);
    address_text text;
    check_rc(coir_socket_address(ends[0], text, sizeof text), -ENOTSOCK);
    check_rc(coir_peer_address(ends[0], text, sizeof text), -ENOTSOCK);
    check_rc(coir_socket_address(-1, text, sizeof text), -EBADF);
    check_rc(coir_peer_address(INT_MAX, text, sizeof text), -EBADF);
    ends_open_raw(ENDS_UNIX, ends);
    check_rc(coir_socket_address(ends[0], NULL, 10), -EINVAL);
    check_rc(coir_peer_address(ends[0], NULL, 10), -EINVAL);
}

/* A socket without a name, and one whose name holds zeros and every other byte. */
Test(io_address, odd_unix_names_are_text_all_the_same) {
    int ends[2];
    ends_open_raw(ENDS_UNIX, ends);
    address_text text;
    memset(text, '#', sizeof text);
    check_rc(coir_socket_address(ends[0], text, sizeof text), 0);
    check(memchr(text, '\0', sizeof text) != NULL);
    check(strncmp(text, "unix:", 5) == 0);

    struct sockaddr_un at = {.sun_family = AF_UNIX};
    for (size_t i = 1; i < sizeof at.sun_path; i++)
        at.sun_path[i] = (char)(i * 37);
    at.sun_path[5] = '\0';
    const int fd = bound(AF_UNIX, &at, sizeof at);
    memset(text, '#', sizeof text);
    const int rc = coir_socket_address(fd, text, sizeof text);
    check(rc == 0 || rc == -ENOSPC);
    if (rc == 0)
        check(memchr(text, '\0', sizeof text) != NULL);
    close(fd);
}

Test(io_address, the_longest_unix_path_is_told_whole) {
    folder_make();
    struct {
        struct sockaddr_un un;
        char zero; /* Valgrind reads the path as a string */
    } at = {.un.sun_family = AF_UNIX};
    char *const path = at.un.sun_path;
    const size_t room = sizeof at.un.sun_path;
    const int used = snprintf(path, room, "%s", path_in("long-"));
    memset(path + used, 'p', room - (size_t)used); /* no room for a zero of its own */
    const int fd = bound(AF_UNIX, &at.un, sizeof at.un);
    address_text text;
    check_rc(coir_socket_address(fd, text, sizeof text), 0);
    check_int(strlen(text), strlen("unix:") + room);
    check(memcmp(text + 5, path, room) == 0);
    close(fd);
    folder_remove();
}

Test(io_address, outside_the_runtime_the_other_calls_are_refused) {
    address_text out[1];
    check_rc(coir_listen("127.0.0.1:0"), -EPERM);
    check_rc(coir_connect("127.0.0.1:1"), -EPERM);
    check_rc(coir_resolve("127.0.0.1:1", out, 1), -EPERM);
    check_rc(coir_bind_datagram("127.0.0.1:0"), -EPERM);
}

TASK_TEST(io_address, a_cancelled_caller_looks_nothing_up) {
    COIR_SCOPE(s);
    coir_scope_cancel(&s);
    address_text out[1];
    check_rc(coir_connect("127.0.0.1:1"), -ECANCELED);
    check_rc(coir_connect("localhost:1"), -ECANCELED);
    check_rc(coir_resolve("localhost:1", out, 1), -ECANCELED);
    check_rc(coir_listen("localhost:0"), -ECANCELED);
    check_rc(coir_bind_datagram("localhost:0"), -ECANCELED);
    check_int(stats().offload_threads, 0);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}
