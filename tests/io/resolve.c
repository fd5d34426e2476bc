/* Names: what getaddrinfo says becomes addresses or errors, and what happens to a look-up that is
 * cut.
 *
 * getaddrinfo is this file's own for names that end in ".test", so that no name server is asked and
 * a look-up takes as long as the test wants; for all others it is the system's. That works
 * because the library is linked into this program. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* RTLD_NEXT */
#endif
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "ends.h"

SUITE(io_resolve);

typedef char address_text[COIR_ADDRESS_SIZE];

/* ---- A getaddrinfo of our own ---- */

static int gate[2]; /* "slow.test" reads a byte from it before it answers */
static atomic_int slow_begun, slow_ended, freed;

struct own_list {
    struct addrinfo info;
    struct sockaddr_storage address;
};

static char own_mark[] = "own";

static struct addrinfo *own_v4(uint32_t host, const char *port, struct addrinfo *next) {
    struct own_list *const entry = calloc(1, sizeof *entry);
    struct sockaddr_in *const to = (struct sockaddr_in *)&entry->address;
    *to = (struct sockaddr_in){.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(host),
                               .sin_port = htons((uint16_t)atoi(port))};
    entry->info = (struct addrinfo){.ai_family = AF_INET,
                                    .ai_socktype = SOCK_STREAM,
                                    .ai_addrlen = sizeof *to,
                                    .ai_addr = (struct sockaddr *)to,
                                    .ai_canonname = own_mark,
                                    .ai_next = next};
    return &entry->info;
}

/* "loopN.test": 127.0.0.N to 127.0.0.1, in that order. */
static int own_answer(const char *name, const char *port, struct addrinfo **out) {
    int count;
    *out = NULL;
    if (strcmp(name, "slow.test") == 0) {
        char byte;
        atomic_fetch_add(&slow_begun, 1);
        const ssize_t n = read(gate[0], &byte, 1);
        atomic_fetch_add(&slow_ended, 1);
        *out = own_v4(0x7f000001, port, NULL);
        return n == 1 ? 0 : EAI_FAIL;
    }
    if (strcmp(name, "localhost") == 0)
        return (*out = own_v4(0x7f000001, port, NULL)) != NULL ? 0 : EAI_MEMORY;
    if (sscanf(name, "loop%d.test", &count) == 1) {
        for (int i = 1; i <= count; i++)
            *out = own_v4(0x7f000000u + (uint32_t)i, port, *out);
        return count > 0 ? 0 : EAI_NONAME;
    }
    if (sscanf(name, "error%d.test", &count) == 1) {
        errno = ENFILE;
        return -count;
    }
    return EAI_NONAME;
}

static bool is_own(const char *name) {
    const size_t length = name != NULL ? strlen(name) : 0;
    return length > 5 && strcmp(name + length - 5, ".test") == 0;
}

int getaddrinfo(const char *restrict name, const char *restrict port,
                const struct addrinfo *restrict hints, struct addrinfo **restrict out) {
    typedef int system_function(const char *, const char *, const struct addrinfo *,
                                struct addrinfo **);
    system_function *next;
    *(void **)&next = dlsym(RTLD_NEXT, "getaddrinfo");
    if (is_own(name) || next == NULL) /* there is no other in a program that is linked statically */
        return own_answer(name, port, out);
    return next(name, port, hints, out);
}

void freeaddrinfo(struct addrinfo *list) {
    typedef void system_function(struct addrinfo *);
    if (list != NULL && list->ai_canonname == own_mark) {
        for (struct addrinfo *next; list != NULL; list = next) {
            next = list->ai_next;
            free(list);
        }
        atomic_fetch_add(&freed, 1);
        return;
    }
    system_function *next;
    *(void **)&next = dlsym(RTLD_NEXT, "freeaddrinfo");
    next(list);
}

/* ---- Answers ---- */

TASK_TEST(io_resolve, all_addresses_of_a_name_come_in_order) {
    address_text out[3];
    check_rc(coir_resolve("loop3.test:80", out, COUNT_OF(out)), 3);
    check_str(out[0], "127.0.0.3:80");
    check_str(out[1], "127.0.0.2:80");
    check_str(out[2], "127.0.0.1:80");
    check_int(atomic_load(&freed), 1);
    return 0;
}

TASK_TEST(io_resolve, there_may_be_more_than_there_is_room_for) {
    address_text out[3] = {"", "", "untouched"};
    check_rc(coir_resolve("loop3.test:80", out, 2), 3);
    check_str(out[1], "127.0.0.2:80");
    check_str(out[2], "untouched");
    check_rc(coir_resolve("loop3.test:80", NULL, 0), 3);
    check_rc(coir_resolve("loop16.test:80", out, 1), 16);
    check_rc(coir_resolve("loop40.test:80", out, 1), 16); /* as many as are ever looked at */
    check_str(out[0], "127.0.0.40:80");
    return 0;
}

TASK_TEST(io_resolve, what_can_go_wrong_has_a_number) {
    static const struct {
        int error, expected;
    } errors[] = {
        {EAI_NONAME, -ENOENT},  {EAI_NODATA, -ENOENT},     {EAI_AGAIN, -EHOSTUNREACH},
        {EAI_MEMORY, -ENOMEM},  {EAI_FAIL, -EHOSTUNREACH}, {EAI_SYSTEM, -ENFILE},
        {-9999, -EHOSTUNREACH}, {EAI_ADDRFAMILY, -ENOENT},
    };
    for (size_t i = 0; i < COUNT_OF(errors); i++) {
        char text[64];
        address_text out[1];
        snprintf(text, sizeof text, "error%d.test:80", -errors[i].error);
        check_rc(coir_resolve(text, out, 1), errors[i].expected);
        check_rc(coir_connect(text), errors[i].expected);
        check_rc(coir_listen(text), errors[i].expected);
        check_rc(coir_bind_datagram(text), errors[i].expected);
    }
    return 0;
}

/* ---- Each address is tried ---- */

TASK_TEST(io_resolve, a_connect_goes_on_to_the_next_address) {
    skip_over_libkqueue(LIBKQUEUE_TAKES_ERRORS);
    address_text own, to;
    const int listener = coir_listen("127.0.0.2:0");
    check_rc(coir_socket_address(listener, own, sizeof own), 0);
    snprintf(to, sizeof to, "loop5.test:%s", strrchr(own, ':') + 1);
    const int client = coir_connect(to);
    check(client >= 0);
    check_rc(coir_peer_address(client, to, sizeof to), 0);
    check_str(to, own);
    check_rc(coir_close(client), 0);
    check_rc(coir_close(listener), 0);
    return 0;
}

TASK_TEST(io_resolve, the_error_of_the_last_address_is_the_connects) {
    skip_over_libkqueue(LIBKQUEUE_TAKES_ERRORS);
    address_text own, to;
    const int reserved = socket(AF_INET, SOCK_STREAM, 0); /* bound, and not listened at */
    const struct sockaddr_in any = {.sin_family = AF_INET};
    check_int(bind(reserved, (const struct sockaddr *)&any, sizeof any), 0);
    check_rc(coir_socket_address(reserved, own, sizeof own), 0);
    snprintf(to, sizeof to, "loop5.test:%s", strrchr(own, ':') + 1);
    check_rc(coir_connect(to), -ECONNREFUSED);
    check_int(stats().descriptors, 0);
    close(reserved);
    return 0;
}

TASK_TEST(io_resolve, a_listener_takes_the_first_address_that_works) {
    address_text own;
    const int listener = coir_listen("loop7.test:0");
    check(listener >= 0);
    check_rc(coir_socket_address(listener, own, sizeof own), 0);
    check(strncmp(own, "127.0.0.7:", 10) == 0);
    check_rc(coir_close(listener), 0);
    return 0;
}

/* ---- Cuts ---- */

struct lookup {
    const char *address;
    bool connects;
    int rc;
};

static int look_up(void *arg) {
    struct lookup *const it = arg;
    address_text out[1];
    it->rc = (int)READING;
    it->rc = it->connects ? coir_connect(it->address) : coir_resolve(it->address, out, 1);
    return 0;
}

static void await_slow(int count) {
    while (atomic_load(&slow_begun) < count)
        check_rc(coir_sleep(COIR_US(200)), 0);
}

static int cut_both_ways(UNUSED void *arg) {
    for (int connects = 0; connects < 2; connects++) {
        struct lookup it = {.address = "slow.test:80", .connects = connects};
        COIR_SCOPE(s);
        start(&s, look_up, &it);
        await_slow(connects + 1);
        check_int(it.rc, READING);
        coir_scope_cancel(&s);
        check_rc(coir_scope_close(&s, 0), 0); /* at once: the gate is shut */
        check_rc(it.rc, -ECANCELED);
        check_int(stats().offload_jobs, 0);
    }
    check_int(atomic_load(&slow_ended), 0);
    address_text out[1];
    check_rc(coir_resolve("loop1.test:80", out, 1), 1); /* others are looked up meanwhile */
    raw_write(gate[1], "xx");
    while (atomic_load(&freed) < 3) /* what nobody waits for any more is disposed of */
        check_rc(coir_sleep(COIR_US(200)), 0);
    return 0;
}

/* The answer belongs to nobody then, and is freed by the thread. */
Test(io_resolve, a_look_up_that_has_begun_is_left_to_its_thread) {
    check_int(pipe(gate), 0);
    check_rc(run_task_real(cut_both_ways, NULL), 0);
    check_int(atomic_load(&freed), 3);
}

static int leave_one_behind(UNUSED void *arg) {
    struct lookup it = {.address = "slow.test:80"};
    COIR_SCOPE(s, .deadline = coir_after(COIR_MS(5)), .move_on = true);
    start(&s, look_up, &it);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(it.rc, -ECANCELED);
    return 0;
}

/* Cases L04 and L06: the run ends while a thread still looks up; the thread ends later, alone. */
Test(io_resolve, L06_a_thread_left_behind_may_outlive_the_run) {
    check_int(pipe(gate), 0);
    check_rc(run_task_real(leave_one_behind, NULL), 0);
    if (atomic_load(&slow_begun) == 0)
        return; /* so slow that the look-up was cut before it began */
    check_int(atomic_load(&slow_ended), 0);
    check_rc(run_task_real(leave_one_behind, NULL), 0); /* the next run has a pool of its own */
    raw_write(gate[1], "xx");
    while (atomic_load(&freed) < atomic_load(&slow_begun))
        usleep(1000);
    usleep(20000); /* until the threads are gone, or as good as */
}

static int bounded(UNUSED void *arg) {
    struct lookup slow = {.address = "slow.test:80"}, quick = {.address = "loop1.test:80"};
    COIR_SCOPE(s);
    coir_task task;
    check_rc(coir_spawn_task(&s, look_up, &slow, &task), 0);
    await_slow(1);
    check(coir_task_cancel(task));
    check_rc(coir_join(task, NULL), 0);
    start(&s, look_up, &quick);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(quick.rc, 1); /* though the only thread of the bound still hangs */
    check_int(stats().offload_threads, 2);
    raw_write(gate[1], "x");
    while (stats().offload_threads > 1)
        check_rc(coir_sleep(COIR_US(200)), 0);
    return 0;
}

Test(io_resolve, L04_threads_left_behind_hold_up_nobody) {
    check_int(pipe(gate), 0);
    const run_options options = {.runtime.offload_threads = 1, .real_clock = true};
    check_rc(run_task_with(bounded, NULL, &options), 0);
}

/* Cuts at every moment of a look-up, also as its answer comes. */
TASK_TEST_REAL(io_resolve, cuts_at_any_moment_leak_nothing) {
    for (size_t i = 0; i < scaled(500) + 20; i++) {
        struct lookup lookups[4];
        COIR_SCOPE(s);
        for (size_t j = 0; j < COUNT_OF(lookups); j++) {
            lookups[j] = (struct lookup){.address = "loop2.test:80"};
            start(&s, look_up, &lookups[j]);
        }
        check_rc(coir_sleep(COIR_US((int64_t)(i % 50) * 4)), 0);
        coir_scope_cancel(&s);
        check_rc(coir_scope_close(&s, 0), 0);
        for (size_t j = 0; j < COUNT_OF(lookups); j++)
            check(lookups[j].rc == 2 || lookups[j].rc == -ECANCELED);
    }
    return 0;
}
