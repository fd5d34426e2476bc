/* What a program that is linked with libcoir-sim.a can count on, as include/coir/sim.h promises it.
 *
 *   simulated NAME     one of the cases below; says what did not hold, and exits with 1
 *   simulated          their names */
#include <coir.h>
#include <coir/sim.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEEDS 50

#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)printf("%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition);             \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

/* ---- Two machines: one echoes, the other asks ---- */

#define SERVER "10.0.0.1"
#define CLIENT "10.0.0.2"
#define ADDRESS SERVER ":80"

static int echo(int fd, void *arg) {
    char byte;
    (void)arg;
    for (;;) {
        const ssize_t size = coir_read(fd, &byte, 1);
        if (size <= 0)
            return (int)size;
        COIR_TRY(coir_write_all(fd, &byte, 1, NULL));
    }
}

static int serve(void *ready) {
    HOLDS(coir_sim_host(SERVER) == 0);
    const int listener = coir_listen(ADDRESS);
    HOLDS(listener >= 0);
    coir_event_set(ready);
    const int rc = coir_serve(listener, echo, NULL, NULL);
    coir_close(listener);
    return rc;
}

static int start_server(coir_scope *scope) {
    coir_event ready = {0};
    COIR_TRY(coir_spawn(scope, serve, &ready));
    return coir_event_wait(&ready);
}

static int ask(int fd) {
    char byte = 'x';
    COIR_TRY(coir_write_all(fd, &byte, 1, NULL));
    return coir_read_exact(fd, &byte, 1, NULL);
}

/* ---- Cases that are bodies of a simulated main task ---- */

static int cut_and_mend(void *arg) {
    (void)arg;
    COIR_SCOPE(s);
    COIR_TRY(coir_sim_host(CLIENT));
    COIR_TRY(start_server(&s));
    const int fd = coir_connect(ADDRESS);
    HOLDS(fd >= 0);
    HOLDS(ask(fd) == 0);
    HOLDS(coir_sim_partition(SERVER, CLIENT, true) == 0);
    char byte = 'x';
    HOLDS(coir_write(fd, &byte, 1) == 1);
    coir_scope patience = {0};
    coir_scope_open(&patience, .deadline = coir_after(COIR_SEC(60)));
    HOLDS(coir_read(fd, &byte, 1) == -ECANCELED);
    HOLDS(coir_scope_close(&patience, 0) == -ETIMEDOUT);
    HOLDS(coir_sim_partition(CLIENT, SERVER, false) == 0);
    HOLDS(coir_read(fd, &byte, 1) == 1); /* what was sent meanwhile arrives */

    HOLDS(coir_sim_partition("*", SERVER, true) == 0);
    coir_time begin = coir_now();
    HOLDS(coir_connect(ADDRESS) == -ETIMEDOUT);
    HOLDS(coir_now() - begin >= COIR_SEC(127));
    begin = coir_now();
    HOLDS(ask(fd) == -ETIMEDOUT);
    HOLDS(coir_now() - begin >= COIR_SEC(900));
    coir_close(fd);
    coir_scope_cancel(&s);
    return coir_scope_close(&s, 0);
}

/* A read that is under way, on the machine that is killed. */
static int await_death(void *arg) {
    int *const listener = arg;
    HOLDS(coir_sim_host("10.0.0.3") == 0);
    *listener = coir_listen("10.0.0.3:9");
    HOLDS(*listener >= 0);
    const int fd = coir_connect(ADDRESS);
    HOLDS(fd >= 0);
    char byte;
    HOLDS(coir_read(fd, &byte, 1) == -ENETDOWN);
    HOLDS(coir_read(fd, &byte, 1) == 0);
    HOLDS(coir_write(fd, &byte, 1) == -EPIPE);
    HOLDS(coir_connect(ADDRESS) == -ENETDOWN); /* it is on what is dead */
    HOLDS(coir_close(fd) == 0);
    HOLDS(coir_accept(*listener) < 0);
    HOLDS(coir_close(*listener) == 0);
    return 0;
}

static int live_again(void *arg) {
    (void)arg;
    HOLDS(coir_sim_host("10.0.0.3") == 0);
    const int listener = coir_listen("10.0.0.3:9");
    HOLDS(listener >= 0);
    const int fd = coir_connect(ADDRESS);
    HOLDS(fd >= 0);
    HOLDS(ask(fd) == 0);
    coir_close(fd);
    coir_close(listener);
    return 0;
}

static int kill_a_client(void *arg) {
    (void)arg;
    int listener = -1;
    COIR_SCOPE(s);
    COIR_TRY(start_server(&s));
    coir_task dying;
    COIR_TRY(coir_spawn_task(&s, await_death, &listener, &dying));
    HOLDS(coir_sleep(COIR_SEC(1)) == 0);
    HOLDS(coir_sim_host(CLIENT) == 0);
    const int fd = coir_connect("10.0.0.3:9");
    HOLDS(fd >= 0);
    HOLDS(coir_sim_kill("10.0.0.3") == 0);
    char byte;
    const ssize_t end = coir_read(fd, &byte, 1);
    HOLDS(end == 0 || end == -ECONNRESET);
    coir_close(fd);
    HOLDS(coir_join(dying, NULL) == 0);
    HOLDS(coir_connect("10.0.0.3:9") == -ECONNREFUSED);
    coir_task alive;
    COIR_TRY(coir_spawn_task(&s, live_again, NULL, &alive));
    HOLDS(coir_join(alive, NULL) == 0);
    coir_scope_cancel(&s);
    return coir_scope_close(&s, 0);
}

static int kill_a_server(void *arg) {
    (void)arg;
    COIR_SCOPE(s);
    COIR_TRY(coir_sim_host(CLIENT));
    coir_scope first = {0};
    coir_scope_open(&first, .policy = COIR_SUPERVISE);
    COIR_TRY(start_server(&first));
    const int fd = coir_connect(ADDRESS);
    HOLDS(fd >= 0);
    HOLDS(ask(fd) == 0);
    HOLDS(coir_sim_partition(SERVER, "*", true) == 0); /* it loses its power, */
    HOLDS(coir_sim_kill(SERVER) == 0);
    coir_scope_cancel(&first);
    (void)coir_scope_close(&first, 0);
    HOLDS(coir_sleep(COIR_SEC(5)) == 0);
    HOLDS(start_server(&s) == 0); /* and starts again */
    char byte = 'x';
    coir_scope patience = {0};
    coir_scope_open(&patience, .deadline = coir_after(COIR_SEC(60)));
    HOLDS(coir_read(fd, &byte, 1) == -ECANCELED); /* of which nobody was told */
    HOLDS(coir_scope_close(&patience, 0) == -ETIMEDOUT);
    HOLDS(coir_sim_partition(SERVER, "*", false) == 0);
    const int rc = ask(fd);
    HOLDS(rc == -EPIPE || rc == -ECONNRESET);
    coir_close(fd);
    const int again = coir_connect(ADDRESS);
    HOLDS(again >= 0);
    HOLDS(ask(again) == 0);
    coir_close(again);
    coir_scope_cancel(&s);
    return coir_scope_close(&s, 0);
}

static int accept_nobody(void *listener) {
    HOLDS(coir_sim_host(SERVER) == 0);
    *(int *)listener = coir_listen(ADDRESS);
    HOLDS(*(int *)listener >= 0);
    return 0;
}

/* What waits in the backlog goes with the listener, whoever has connected and left. */
static int kill_a_backlog(void *arg) {
    (void)arg;
    int listener = -1;
    COIR_SCOPE(s);
    COIR_TRY(coir_sim_host(CLIENT));
    coir_task busy;
    COIR_TRY(coir_spawn_task(&s, accept_nobody, &listener, &busy));
    HOLDS(coir_join(busy, NULL) == 0);
    for (int i = 0; i < 3; i++) {
        const int left = coir_connect(ADDRESS);
        HOLDS(left >= 0);
        coir_close(left);
    }
    const int fd = coir_connect(ADDRESS);
    HOLDS(fd >= 0);
    HOLDS(coir_sim_kill(SERVER) == 0);
    char byte;
    HOLDS(coir_read(fd, &byte, 1) <= 0);
    coir_close(fd);
    HOLDS(coir_accept(listener) < 0);
    coir_close(listener);
    return coir_scope_close(&s, 0);
}

/* Who waits for room in a backlog tries again later; not so when it is dead. */
static int await_room(void *arg) {
    (void)arg;
    HOLDS(coir_sim_host("10.0.0.3") == 0);
    HOLDS(coir_connect("unix:@full") == -ENETDOWN);
    return 0;
}

static int kill_who_waits_for_room(void *arg) {
    enum { MANY = 17 };
    (void)arg;
    int fds[MANY];
    COIR_SCOPE(s);
    const int listener = coir_listen("unix:@full");
    HOLDS(listener >= 0);
    for (int i = 0; i < MANY; i++)
        HOLDS((fds[i] = coir_connect("unix:@full")) >= 0);
    COIR_TRY(coir_spawn(&s, await_room, NULL));
    HOLDS(coir_sleep(COIR_SEC(1)) == 0);
    HOLDS(coir_sim_kill("10.0.0.3") == 0);
    for (int i = 0; i < MANY; i++) {
        const int fd = coir_accept(listener);
        HOLDS(fd >= 0);
        coir_close(fd);
        coir_close(fds[i]);
    }
    const int rc = coir_scope_close(&s, 0);
    coir_close(listener);
    return rc;
}

static int kill_datagrams(void *arg) {
    (void)arg;
    char text[8];
    COIR_TRY(coir_sim_host(SERVER));
    const int fd = coir_bind_datagram(SERVER ":53");
    HOLDS(fd >= 0);
    HOLDS(coir_sim_kill(SERVER) == 0);
    HOLDS(coir_receive_from(fd, text, sizeof text, NULL) == -ENETDOWN);
    HOLDS(coir_send_to(fd, text, 1, CLIENT ":53") == -ENETDOWN);
    return coir_close(fd);
}

/* As many cuts as there may be; each of them can be cut again, and be mended. */
static int cut_off_many(void *arg) {
    enum { MANY = 64 };
    char machine[32];
    (void)arg;
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(machine, sizeof machine, "10.1.0.%d", i);
        HOLDS(coir_sim_partition(machine, "*", true) == 0);
    }
    HOLDS(coir_sim_partition("10.2.0.0", "*", true) == -ENOSPC);
    HOLDS(coir_sim_partition("10.1.0.0", "*", true) == 0);
    HOLDS(coir_sim_partition("10.2.0.0", "*", true) == -ENOSPC);
    HOLDS(coir_sim_partition("*", "10.1.0.0", false) == 0);
    HOLDS(coir_sim_partition("10.2.0.0", "*", true) == 0);
    return 0;
}

static int wait_for_ever(void *arg) {
    (void)arg;
    int fds[2];
    char byte;
    COIR_TRY(coir_sim_pair(fds));
    COIR_TRY(coir_adopt(fds[0]));
    return (int)coir_read(fds[0], &byte, 1);
}

__attribute__((noinline)) static int fill_large_array(void *arg) {
    volatile char room[4 << 20];
    for (size_t i = 0; i < sizeof room; i += 1024)
        room[i] = *(char *)arg;
    return room[sizeof room - 1024];
}

static int offload_large_array(void *arg) {
    return coir_offload(fill_large_array, arg);
}

/* Several at a time, on stacks that were used before too. */
static int need_large_stacks(void *arg) {
    char value = 7;
    (void)arg;
    for (int round = 0; round < 2; round++) {
        coir_call calls[4];
        for (size_t i = 0; i < 4; i++)
            calls[i] = (coir_call){.fn = offload_large_array, .arg = &value};
        COIR_TRY(coir_gather(calls, 4, COIR_FAIL_FAST));
        for (size_t i = 0; i < 4; i++)
            HOLDS(calls[i].rc == value);
    }
    return 0;
}

static int nested(void *arg) {
    (void)arg;
    return coir_sim_run(wait_for_ever, NULL, NULL, NULL);
}

static int misuse(void *arg) {
    (void)arg;
    HOLDS(coir_sim_active());
    HOLDS(coir_sim_host(NULL) == -EINVAL);
    HOLDS(coir_sim_host("somewhere") == -EINVAL);
    HOLDS(coir_sim_host("10.0.0.1:80") == -EINVAL);
    HOLDS(coir_sim_host("127.0.0.1") == -EINVAL); /* which machine is that? */
    HOLDS(coir_sim_host("::1") == -EINVAL);
    HOLDS(coir_sim_host("0.0.0.0") == -EINVAL);
    HOLDS(coir_sim_kill("*") == -EINVAL);
    HOLDS(coir_sim_kill("10.9.9.9") == 0); /* nobody is there */
    HOLDS(coir_sim_partition(NULL, "*", true) == -EINVAL);
    HOLDS(coir_sim_partition("10.0.0.1", "x", true) == -EINVAL);
    HOLDS(coir_sim_partition("10.0.0.1", "10.0.0.2", false) == 0); /* there is no such cut */
    HOLDS(coir_sim_name("a", "b") == -EINVAL);
    HOLDS(coir_sim_name(NULL, SERVER) == -EINVAL);
    HOLDS(coir_sim_pair(NULL) == -EINVAL);
    HOLDS(coir_sim_pipe(NULL) == -EINVAL);
    HOLDS(coir_sim_file(NULL) == -EINVAL);
    HOLDS(coir_sim_draw(0) == 0);
    HOLDS(coir_sim_draw(1) == 0);
    coir_sim_set_rate(COIR_SIM_FAULTS, 1);
    HOLDS(strcmp(coir_sim_fault_name(COIR_SIM_FAULTS), "unknown fault") == 0);
    return 0;
}

static void run(coir_fn body) {
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        const coir_sim_options options = {.seed = seed, .order = (coir_sim_order)(seed % 4)};
        coir_sim_report report;
        const int rc = coir_sim_run(body, NULL, &options, &report);
        if (rc != 0)
            (void)printf("seed %llu: %s\n", (unsigned long long)seed, coir_strerror(rc));
        HOLDS(rc == 0);
        HOLDS(report.descriptors_left == 0);
        HOLDS(report.allocations_left == 0);
        HOLDS(report.mappings_left == 0);
        HOLDS(report.threads_left == 0);
    }
}

/* ---- Cases around runs ---- */

static void refuses_options(void) {
    const coir_sim_options bad[] = {{.order = (coir_sim_order)4},
                                    {.look_rate = 65537},
                                    {.call_time = -1},
                                    {.latency = -1},
                                    {.call_time = COIR_NEVER},
                                    {.latency = COIR_NEVER},
                                    {.descriptors_max = 1025},
                                    {.runtime.seed = 7},
                                    {.runtime.virtual_clock = true},
                                    {.runtime.stack_size_bytes = 1}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        HOLDS(coir_sim_run(misuse, NULL, &bad[i], NULL) == -EINVAL);
    HOLDS(coir_sim_run(NULL, NULL, NULL, NULL) == -EINVAL);
    HOLDS(coir_sim_run(nested, NULL, NULL, NULL) == -EPERM);
    HOLDS(coir_run(nested, NULL) == -EPERM);
    run(misuse);
}

static int sleep_on(void *arg) {
    int rc = 0;
    (void)arg;
    for (int i = 0; i < 100 && rc == 0; i++)
        rc = coir_sleep(COIR_MS(1));
    return rc;
}

static void signals_in_each_order(void) {
    for (unsigned order = 0; order <= COIR_SIM_MIXED; order++) {
        const coir_sim_options options = {.order = (coir_sim_order)order,
                                          .rates[COIR_SIM_SIGNAL] = 20000,
                                          .runtime.cancel_on_signals = true};
        coir_sim_report report;
        HOLDS(coir_sim_run(sleep_on, NULL, &options, &report) == -ECANCELED);
        HOLDS(report.occurred[COIR_SIM_SIGNAL] == 1);
    }
}

static void check_outside(void) {
    int fds[2];
    HOLDS(!coir_sim_active());
    HOLDS(coir_sim_draw(9) == 0);
    HOLDS(coir_sim_host(SERVER) == -EPERM);
    HOLDS(coir_sim_kill(SERVER) == -EPERM);
    HOLDS(coir_sim_partition(SERVER, "*", true) == -EPERM);
    HOLDS(coir_sim_name("a", SERVER) == -EPERM);
    HOLDS(coir_sim_pair(fds) == -EPERM);
    HOLDS(coir_sim_pipe(fds) == -EPERM);
    HOLDS(coir_sim_file("/a") == -EPERM);
    coir_sim_set_rate(COIR_SIM_EINTR, 1);
    coir_sim_trace("nowhere");
}

static int in_a_real_runtime(void *arg) {
    (void)arg;
    check_outside();
    return coir_sleep(COIR_MS(1)); /* by the real clock */
}

static void does_nothing_outside(void) {
    check_outside();
    HOLDS(coir_run(in_a_real_runtime, NULL) == 0);
}

static void calls_waiting_for_ever_a_deadlock(void) {
    for (uint64_t seed = 0; seed < 3; seed++) {
        const coir_sim_options options = {.seed = seed, .runtime.cancel_on_signals = seed == 1};
        HOLDS(coir_sim_run(wait_for_ever, NULL, &options, NULL) == -EDEADLK);
    }
}

/* The digest and the whole trace, with faults. */
static void does_the_same_again(void) {
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        char *texts[2];
        size_t sizes[2];
        coir_sim_report reports[2];
        for (int i = 0; i < 2; i++) {
            coir_sim_options options = {
                .seed = seed, .order = COIR_SIM_MIXED, .look_rate = seed % 2 == 0 ? 30000 : 0};
            options.rates[COIR_SIM_EAGAIN] = options.rates[COIR_SIM_LATE_EVENT] = 6000;
            options.rates[COIR_SIM_SLOW_LINK] = options.rates[COIR_SIM_EARLY_WAKE] = 6000;
            options.trace = open_memstream(&texts[i], &sizes[i]);
            HOLDS(options.trace != NULL);
            HOLDS(coir_sim_run(kill_a_server, NULL, &options, &reports[i]) == 0);
            HOLDS(fclose(options.trace) == 0);
        }
        HOLDS(sizes[0] > 1000);
        HOLDS(strcmp(texts[0], texts[1]) == 0);
        HOLDS(memcmp(&reports[0], &reports[1], sizeof reports[0]) == 0);
        free(texts[0]);
        free(texts[1]);
    }
}

static int visit(void *arg) {
    (void)arg;
    COIR_TRY(coir_sim_host(CLIENT));
    return coir_yield();
}

static int read_one(void *fd) {
    char byte;
    return (int)coir_read(*(const int *)fd, &byte, 1);
}

/* Many tasks end while one waits for a descriptor, so that the poller has something to look at. */
static int visit_often(void *arg) {
    (void)arg;
    COIR_SCOPE(s);
    int fds[2];
    COIR_TRY(coir_sim_pair(fds));
    COIR_TRY(coir_adopt(fds[0]));
    COIR_TRY(coir_adopt(fds[1]));
    COIR_TRY(coir_spawn(&s, read_one, &fds[0]));
    for (int i = 0; i < 300; i++) {
        COIR_TRY(coir_spawn(&s, visit, NULL));
        COIR_TRY(coir_yield());
    }
    COIR_TRY(coir_write_all(fds[1], "x", 1, NULL));
    COIR_TRY(coir_scope_close(&s, 0));
    coir_close(fds[0]);
    return coir_close(fds[1]);
}

/* Between two tasks the loop looks around, when the one before may be gone. */
static void traces_what_no_task_does(void) {
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        char *text;
        size_t size;
        FILE *const trace = open_memstream(&text, &size);
        const coir_sim_options options = {.seed = seed, .look_rate = 30000, .trace = trace};
        HOLDS(trace != NULL);
        HOLDS(coir_sim_run(visit_often, NULL, &options, NULL) == 0);
        HOLDS(fclose(trace) == 0);
        free(text);
    }
}

static const struct {
    const char *name;
    coir_fn body; /* or */
    void (*act)(void);
} cases[] = {
    {"partition", .body = cut_and_mend},
    {"killed client", .body = kill_a_client},
    {"killed server", .body = kill_a_server},
    {"killed backlog", .body = kill_a_backlog},
    {"killed in line", .body = kill_who_waits_for_room},
    {"killed datagrams", .body = kill_datagrams},
    {"many cuts", .body = cut_off_many},
    {"large stacks", .body = need_large_stacks},
    {"signals", .act = signals_in_each_order},
    {"misuse", .act = refuses_options},
    {"outside", .act = does_nothing_outside},
    {"deadlock", .act = calls_waiting_for_ever_a_deadlock},
    {"again", .act = does_the_same_again},
    {"trace", .act = traces_what_no_task_does},
};

int main(int argc, char **argv) {
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (argc < 2)
            (void)puts(cases[i].name);
        else if (strcmp(cases[i].name, argv[1]) != 0)
            continue;
        else if (cases[i].body != NULL)
            run(cases[i].body);
        else
            cases[i].act();
        if (argc >= 2)
            return 0;
    }
    return argc >= 2 ? 2 : 0;
}
