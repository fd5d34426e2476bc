/* coir_serve: a task a connection, a bound on them, and how it comes to its end.
 *
 * Most of it runs over Unix sockets under the virtual clock, where a grace period is exact; the
 * crowds come over TCP. */
#include <fcntl.h>
#include <unistd.h>

#include "ends.h"

SUITE(io_serve);

/* ---- A server, its clients, and what its handlers went through ---- */

struct server {
    int listener;
    coir_handler handler;
    void *arg; /* of the handler; default: the server */
    coir_serve_options options;
    int rc; /* what coir_serve returned; READING until then */
    char address[COIR_ADDRESS_SIZE];
    int running, peak, handled; /* for handlers to count */
};

static int serve_it(void *arg) {
    struct server *const server = arg;
    server->rc = (int)READING;
    server->rc = coir_serve(server->listener, server->handler,
                            server->arg != NULL ? server->arg : server, &server->options);
    return 0;
}

static void server_listen(struct server *server, const char *address) {
    char own[COIR_ADDRESS_SIZE];
    if (address == NULL) {
        snprintf(own, sizeof own, "unix:@coir-test-serve-%d", (int)getpid());
        address = own;
    }
    server->listener = coir_listen(address);
    check(server->listener >= 0);
    check_rc(coir_socket_address(server->listener, server->address, sizeof server->address), 0);
}

static int client_of(const struct server *server) {
    const int fd = coir_connect(server->address);
    cr_assert(fd >= 0, "connect: %s", rc_text(fd));
    return fd;
}

/* That the server has let go of the connection. */
static void check_hung_up(int client) {
    char byte;
    const ssize_t n = coir_read(client, &byte, 1);
    check(n == 0 || n == -ECONNRESET);
    check_rc(coir_close(client), 0);
}

static int handle_echo(int fd, UNUSED void *arg) {
    char block[64];
    ssize_t n;
    while ((n = coir_read(fd, block, sizeof block)) > 0)
        COIR_TRY(coir_write_all(fd, block, (size_t)n, NULL));
    return (int)n;
}

static void converse(int client) {
    char text[8] = "";
    check_rc(coir_write_all(client, "hello", 5, NULL), 0);
    check_rc(coir_read_exact(client, text, 5, NULL), 0);
    check_str(text, "hello");
}

/* ---- Serving ---- */

static int converse_and_leave(void *server) {
    const int client = client_of(server);
    converse(client);
    check_rc(coir_yield(), 0);
    converse(client);
    return coir_close(client);
}

static void serve_a_crowd(const char *address, size_t count, coir_serve_options options) {
    struct server server = {.handler = handle_echo, .options = options};
    server_listen(&server, address);
    COIR_SCOPE(s);
    start(&s, serve_it, &server);
    COIR_SCOPE(clients);
    for (size_t i = 0; i < count; i++)
        start(&clients, converse_and_leave, &server);
    check_rc(coir_scope_close(&clients, 0), 0);
    coir_scope_cancel(&s);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(server.rc, -ECANCELED);
    check_rc(coir_close(server.listener), 0);
}

TASK_TEST_REAL(io_serve, a_thousand_connections) {
    serve_a_crowd("127.0.0.1:0", scaled(1000), (coir_serve_options){.connections_max = 0});
    check_int(stats().descriptors, 0);
    return 0;
}

TASK_TEST_REAL(io_serve, a_thousand_connections_a_few_at_a_time) {
    serve_a_crowd("127.0.0.1:0", scaled(1000), (coir_serve_options){.connections_max = 7});
    check_int(stats().descriptors, 0);
    return 0;
}

TASK_TEST_SEEDS(io_serve, in_any_order_of_tasks) {
    serve_a_crowd(NULL, 20, (coir_serve_options){.stack_size_bytes = 32 << 10});
    return 0;
}

/* What ended leaves nothing: neither descriptors nor records of tasks. */
TASK_TEST(io_serve, connections_one_after_another_leave_nothing) {
    struct server server = {.handler = handle_echo};
    server_listen(&server, NULL);
    COIR_SCOPE(s);
    start(&s, serve_it, &server);
    coir_stats before = {0};
    for (size_t i = 0; i < scaled(2000) + 20; i++) {
        const int client = client_of(&server);
        converse(client);
        check_rc(coir_close(client), 0);
        settle();
        if (i == 10)
            before = stats();
    }
    const coir_stats after = stats();
    check_int(after.descriptors, before.descriptors);
    check_int(after.tasks_alive, before.tasks_alive);
    check_int(after.stacks_mapped, before.stacks_mapped);
    check_int(after.timers_armed, before.timers_armed);
    coir_scope_cancel(&s);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(coir_close(server.listener), 0);
    return 0;
}

static int handle_counting(UNUSED int fd, void *arg) {
    struct server *const server = arg;
    server->running++;
    if (server->peak < server->running)
        server->peak = server->running;
    const int rc = coir_sleep(COIR_MS(10));
    server->running--;
    server->handled++;
    return rc;
}

TASK_TEST_SEEDS(io_serve, never_more_connections_than_allowed) {
    const int bounds[] = {1, 3, 20};
    for (size_t i = 0; i < COUNT_OF(bounds); i++) {
        struct server server = {.handler = handle_counting,
                                .options.connections_max = (size_t)bounds[i]};
        server_listen(&server, NULL);
        int clients[20];
        for (size_t c = 0; c < COUNT_OF(clients); c++)
            clients[c] = client_of(&server);
        COIR_SCOPE(s);
        start(&s, serve_it, &server);
        for (size_t c = 0; c < COUNT_OF(clients); c++)
            check_hung_up(clients[c]);
        check_int(server.peak, bounds[i]);
        check_int(server.handled, COUNT_OF(clients));
        coir_scope_cancel(&s);
        check_rc(coir_scope_close(&s, 0), 0);
        check_rc(coir_close(server.listener), 0);
    }
    return 0;
}

static int handle_badly(int fd, void *arg) {
    struct server *const server = arg;
    static const int results[] = {-EIO, -ECANCELED, -ETIMEDOUT, -EBADF, -1, 0, 7, -EDEADLK};
    const int rc = results[(size_t)server->handled++ % COUNT_OF(results)];
    COIR_TRY(coir_write_all(fd, "x", 1, NULL));
    return rc;
}

TASK_TEST_SEEDS(io_serve, bad_handlers_do_not_stop_the_server) {
    struct server server = {.handler = handle_badly};
    server_listen(&server, NULL);
    COIR_SCOPE(s);
    start(&s, serve_it, &server);
    for (int i = 1; i <= 24; i++) {
        const int client = client_of(&server);
        char byte;
        check_rc(coir_read(client, &byte, 1), 1);
        check_hung_up(client);
        check_int(server.handled, i);
    }
    check_int(server.rc, READING);
    coir_scope_cancel(&s);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(server.rc, -ECANCELED);
    check_rc(coir_close(server.listener), 0);
    return 0;
}

/* A handler that closes its descriptor itself, and whose number becomes somebody else's. */
struct hand_over {
    int other; /* adopted by the handler; lives on */
};

static int handle_by_closing(int fd, void *arg) {
    struct hand_over *const it = arg;
    check_rc(coir_close(fd), 0);
    it->other = open("/dev/null", O_RDWR);
    check_int(it->other, fd);
    check_rc(coir_adopt(it->other), 0);
    return 0;
}

TASK_TEST(io_serve, a_handler_may_close_its_descriptor_itself) {
    struct hand_over it = {.other = -1};
    struct server server = {.handler = handle_by_closing, .arg = &it};
    server_listen(&server, NULL);
    COIR_SCOPE(s);
    start(&s, serve_it, &server);
    check_hung_up(client_of(&server));
    settle();
    check(fcntl(it.other, F_GETFD) >= 0);
    check_rc(coir_close(it.other), 0);
    coir_scope_cancel(&s);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(coir_close(server.listener), 0);
    return 0;
}

/* ---- Coming to an end ---- */

/* Sleeps as long as the client said in milliseconds, then says so. */
struct request {
    int client;
    int milliseconds;
    int rc; /* of the handler's sleep */
    coir_time ended;
};

static struct request requests[4];

static int handle_request(int fd, UNUSED void *arg) {
    int number;
    COIR_TRY(coir_read_exact(fd, &number, sizeof number, NULL));
    struct request *const request = &requests[number];
    request->rc = coir_sleep(COIR_MS(request->milliseconds));
    request->ended = coir_now();
    COIR_TRY(request->rc);
    return coir_write_all(fd, "done", 4, NULL);
}

static void send_request(const struct server *server, int number, int milliseconds) {
    requests[number] = (struct request){client_of(server), milliseconds, (int)READING, 0};
    check_rc(coir_write_all(requests[number].client, &number, sizeof number, NULL), 0);
}

static void check_answered(int number) {
    char text[8] = "";
    check_rc(coir_read_exact(requests[number].client, text, 4, NULL), 0);
    check_str(text, "done");
    check_hung_up(requests[number].client);
}

TASK_TEST_SEEDS(io_serve, without_grace_handlers_are_cut_at_once) {
    struct server server = {.handler = handle_request};
    server_listen(&server, NULL);
    COIR_SCOPE(s);
    start(&s, serve_it, &server);
    send_request(&server, 0, 50);
    send_request(&server, 1, 1000);
    settle();
    const coir_time now = coir_now();
    coir_scope_cancel(&s);
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(coir_now(), now);
    check_rc(server.rc, -ECANCELED);
    for (int i = 0; i < 2; i++) {
        check_rc(requests[i].rc, -ECANCELED);
        check_hung_up(requests[i].client);
    }
    check_rc(coir_close(server.listener), 0);
    return 0;
}

static void end_server(struct server *server, coir_scope *s, bool by_close) {
    if (by_close)
        check_rc(coir_close(server->listener), 0);
    else
        coir_scope_cancel(s);
}

/* Those that end within the grace period do; the others are cut when it is over. */
static int grace_body(void *arg) {
    const bool by_close = *(const bool *)arg;
    struct server server = {.handler = handle_request, .options.grace = COIR_MS(100)};
    server_listen(&server, NULL);
    COIR_SCOPE(s);
    start(&s, serve_it, &server);
    send_request(&server, 0, 50);
    send_request(&server, 1, 1000);
    settle();
    const coir_time began = coir_now();
    end_server(&server, &s, by_close);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(server.rc, by_close ? -EBADF : -ECANCELED);
    check_int(coir_now(), began + COIR_MS(100));
    check_rc(requests[0].rc, 0);
    check_rc(requests[1].rc, -ECANCELED);
    check_int(requests[1].ended, began + COIR_MS(100));
    check_answered(0);
    check_hung_up(requests[1].client);
    if (!by_close)
        check_rc(coir_close(server.listener), 0);
    return 0;
}

Test(io_serve, within_the_grace_period_handlers_finish_and_later_ones_are_cut) {
    bool by_close = false;
    run_task_seeds(grace_body, &by_close);
}

Test(io_serve, a_closed_listener_drains_in_the_same_way) {
    bool by_close = true;
    run_task_seeds(grace_body, &by_close);
}

TASK_TEST_SEEDS(io_serve, a_grace_period_that_nobody_needs_is_not_waited_for) {
    for (int by_close = 0; by_close < 2; by_close++) {
        struct server server = {.handler = handle_request, .options.grace = COIR_SEC(3600)};
        server_listen(&server, NULL);
        COIR_SCOPE(s);
        start(&s, serve_it, &server);
        send_request(&server, 0, 50);
        settle();
        end_server(&server, &s, by_close);
        check_rc(coir_scope_close(&s, 0), 0);
        check_rc(requests[0].rc, 0);
        check_int(coir_now(), requests[0].ended);
        check_answered(0);
        if (!by_close)
            check_rc(coir_close(server.listener), 0);
    }
    return 0;
}

static int request_later(void *server) {
    check_rc(coir_sleep(COIR_MS(20)), 0);
    send_request(server, 1, 0);
    return 0;
}

TASK_TEST_SEEDS(io_serve, while_draining_nobody_is_let_in) {
    struct server server = {.handler = handle_request, .options.grace = COIR_MS(100)};
    server_listen(&server, NULL);
    COIR_SCOPE(outer);
    start(&outer, request_later, &server);
    COIR_SCOPE(s);
    start(&s, serve_it, &server);
    send_request(&server, 0, 50);
    settle();
    coir_scope_cancel(&s);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(coir_scope_close(&outer, 0), 0);
    check_rc(requests[0].rc, 0);
    check_int(requests[1].rc, READING);
    check_answered(0);

    COIR_SCOPE(again); /* the listener is still open, and the client waits in its backlog */
    start(&again, serve_it, &server);
    check_answered(1);
    coir_scope_cancel(&again);
    check_rc(coir_scope_close(&again, 0), 0);
    check_rc(coir_close(server.listener), 0);
    return 0;
}

static int cancel_later(void *arg) {
    check_rc(coir_sleep(COIR_MS(110)), 0);
    coir_scope_cancel(arg);
    return 0;
}

/* A second cancel, from further out, changes nothing: the grace period bounds it all. */
TASK_TEST_SEEDS(io_serve, a_deadline_ends_the_server_like_a_cancel) {
    struct server server = {.handler = handle_request, .options.grace = COIR_MS(30)};
    server_listen(&server, NULL);
    const coir_time due = coir_after(COIR_MS(100));
    COIR_SCOPE(outer);
    start(&outer, cancel_later, &outer);
    COIR_SCOPE(s, .deadline = due);
    start(&s, serve_it, &server);
    send_request(&server, 0, 1000);
    send_request(&server, 1, 120);
    check(coir_scope_close(&s, 0) < 0);
    check(coir_scope_expired(&s));
    check_rc(coir_scope_close(&outer, 0), 0);
    check_rc(server.rc, -ECANCELED);
    check_int(coir_now(), due + COIR_MS(30));
    check_rc(requests[0].rc, -ECANCELED);
    check_rc(requests[1].rc, 0);
    check_hung_up(requests[0].client);
    check_answered(1);
    check_rc(coir_close(server.listener), 0);
    return 0;
}

static int sleep_below(UNUSED void *arg) {
    return coir_sleep(COIR_NEVER);
}

static int handle_with_children(UNUSED int fd, void *arg) {
    struct server *const server = arg;
    COIR_SCOPE(s);
    for (int i = 0; i < 3; i++)
        COIR_TRY(coir_spawn(&s, sleep_below, NULL));
    const int rc = coir_scope_close(&s, 0);
    server->handled++;
    return rc;
}

TASK_TEST_SEEDS(io_serve, a_cut_reaches_the_children_of_handlers) {
    struct server server = {.handler = handle_with_children};
    server_listen(&server, NULL);
    COIR_SCOPE(s);
    start(&s, serve_it, &server);
    int clients[3];
    for (size_t i = 0; i < COUNT_OF(clients); i++)
        clients[i] = client_of(&server);
    settle();
    check(stats().tasks_alive >= 2 + 3 * 4);
    coir_scope_cancel(&s);
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(server.handled, 3);
    for (size_t i = 0; i < COUNT_OF(clients); i++)
        check_hung_up(clients[i]);
    check_rc(coir_close(server.listener), 0);
    return 0;
}

TASK_TEST_SEEDS(io_serve, a_full_house_is_cancelled_and_closed_like_any_other) {
    for (int by_close = 0; by_close < 2; by_close++) {
        struct server server = {.handler = handle_request, .options.connections_max = 1};
        server_listen(&server, NULL);
        COIR_SCOPE(s);
        start(&s, serve_it, &server);
        send_request(&server, 0, 1000);
        send_request(&server, 1, 1000);
        settle();
        end_server(&server, &s, by_close);
        const coir_time now = coir_now();
        check_rc(coir_scope_close(&s, 0), 0);
        if (!by_close) /* nobody accepts in a full house: a close is seen when there is room */
            check_int(coir_now(), now);
        check_rc(server.rc, by_close ? -EBADF : -ECANCELED);
        if (!by_close)
            check_rc(coir_close(server.listener), 0);
        check_hung_up(requests[0].client);
        check_hung_up(requests[1].client);
    }
    return 0;
}

/* ---- Trouble ---- */

TASK_TEST(io_serve, bad_arguments_are_refused) {
    struct server server = {.handler = handle_echo};
    server_listen(&server, NULL);
    check_rc(coir_serve(server.listener, NULL, NULL, NULL), -EINVAL);
    check_rc(coir_serve(-1, handle_echo, NULL, NULL), -EBADF);
    check_rc(coir_serve(server.listener, handle_echo, NULL, &(coir_serve_options){.grace = -1}),
             -EINVAL);
    check_rc(coir_serve(server.listener, handle_echo, NULL,
                        &(coir_serve_options){.stack_size_bytes = 1}),
             -EINVAL);
    check_rc(coir_serve(server.listener, handle_echo, NULL,
                        &(coir_serve_options){.stack_size_bytes = SIZE_MAX}),
             -EINVAL);
    int ends[2];
    ends_open(ENDS_UNIX, ends);
    check_rc(coir_serve(ends[0], handle_echo, NULL, NULL), -EINVAL);
    ends_close(ends);
    check_rc(coir_close(server.listener), 0);
    check_rc(coir_serve(server.listener, handle_echo, NULL, NULL), -EBADF);
    return 0;
}

Test(io_serve, outside_the_runtime_it_is_refused) {
    check_rc(coir_serve(0, handle_echo, NULL, NULL), -EPERM);
}

TASK_TEST(io_serve, in_a_cancelled_scope_nobody_is_let_in) {
    struct server server = {.handler = handle_request, .options.grace = COIR_SEC(10)};
    server_listen(&server, NULL);
    send_request(&server, 0, 0);
    const coir_time now = coir_now();
    COIR_SCOPE(s);
    coir_scope_cancel(&s);
    serve_it(&server);
    check_rc(server.rc, -ECANCELED);
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(coir_now(), now);
    check_int(requests[0].rc, READING);
    check_rc(coir_close(requests[0].client), 0);
    check_rc(coir_close(server.listener), 0);
    return 0;
}

TASK_TEST_SEEDS(io_serve, a_server_without_descriptors_recovers) {
    struct server server = {.handler = handle_echo};
    server_listen(&server, NULL);
    const int first = client_of(&server), second = client_of(&server);
    struct rlimit limit;
    no_more_descriptors(&limit);
    COIR_SCOPE(s);
    start(&s, serve_it, &server);
    check_rc(coir_sleep(COIR_SEC(1)), 0);
    check(stats().accept_backoffs > 0);
    check_int(server.rc, READING);
    descriptors_again(&limit);
    converse(first);
    converse(second);
    coir_scope_cancel(&s);
    check_rc(coir_scope_close(&s, 0), 0);
    check_hung_up(first);
    check_hung_up(second);
    check_rc(coir_close(server.listener), 0);
    return 0;
}

TASK_TEST_SEEDS(io_serve, two_servers_side_by_side) {
    struct server servers[2] = {{.handler = handle_echo}, {.handler = handle_echo}};
    server_listen(&servers[0], NULL);
    server_listen(&servers[1], "127.0.0.1:0");
    COIR_SCOPE(s);
    COIR_SCOPE(inner);
    start(&s, serve_it, &servers[0]);
    start(&inner, serve_it, &servers[1]);
    converse_and_leave(&servers[0]);
    converse_and_leave(&servers[1]);
    coir_scope_cancel(&inner);
    check_rc(coir_scope_close(&inner, 0), 0);
    converse_and_leave(&servers[0]);
    coir_scope_cancel(&s);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(coir_close(servers[0].listener), 0);
    check_rc(coir_close(servers[1].listener), 0);
    return 0;
}

/* The number is given out again before the server has begun to accept. */
TASK_TEST(io_serve, a_listener_that_reuses_the_number_is_not_served) {
    struct server server = {.handler = handle_echo}, other = {.handler = NULL};
    server_listen(&server, NULL);
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, serve_it, &server), 0);
    check_rc(coir_yield(), 0); /* its acceptor is ready, and has not run */
    check_rc(coir_close(server.listener), 0);
    server_listen(&other, "unix:@coir-test-serve-other");
    check_int(other.listener, server.listener);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(server.rc, -EBADF);
    return coir_close(other.listener);
}
