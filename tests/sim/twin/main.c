/* Runs each behaviour of twin.h on this system and on the simulated one. TWIN=name: that alone. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "coir/sim.h"
#include "sim/twin/twin.h"

static char notes[4096];
static char folder[] = "/tmp/coir-twin-XXXXXX";

/* ---- Notes ---- */

void note_word(const char *word) {
    const size_t length = strlen(notes);
    (void)snprintf(notes + length, sizeof notes - length, "%s%s", length > 0 ? " " : "", word);
}

void note(const char *call, long rc) {
    char text[128];
    if (rc >= 0) {
        (void)snprintf(text, sizeof text, "%s=%ld", call, rc);
    } else {
        const char *const name = coir_strerror((int)rc);
        (void)snprintf(text, sizeof text, "%s=%.*s", call, (int)strcspn(name, ":"), name);
    }
    note_word(text);
}

long said(long rc) {
    return rc == -1 ? -(long)errno : rc;
}

/* ---- Descriptors ---- */

static void fail(const char *what) {
    (void)printf("FAILED in the preparation: %s: %s\n", what, strerror(errno));
    exit(2);
}

static void adopt(const int fds[2]) {
    if (coir_adopt(fds[0]) < 0 || coir_adopt(fds[1]) < 0)
        fail("adopt");
}

void make_pair(int fds[2]) {
    if ((coir_sim_active() ? coir_sim_pair(fds)
                           : socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds)) < 0)
        fail("pair");
    adopt(fds);
}

void make_pipe(int fds[2]) {
    if ((coir_sim_active() ? coir_sim_pipe(fds) : pipe2(fds, O_CLOEXEC)) < 0)
        fail("pipe");
    adopt(fds);
}

void make_tcp(int fds[2]) {
    char address[COIR_ADDRESS_SIZE];
    const int listener = coir_listen("127.0.0.1:0");
    if (listener < 0 || coir_socket_address(listener, address, sizeof address) < 0)
        fail("listen");
    fds[0] = coir_connect(address);
    fds[1] = coir_accept(listener);
    if (fds[0] < 0 || fds[1] < 0 || coir_close(listener) < 0)
        fail("connect");
}

void close_both(const int fds[2]) {
    for (int i = 0; i < 2; i++)
        if (fds[i] >= 0)
            (void)coir_close(fds[i]);
}

const char *path_of(const char *name) {
    static char text[128];
    (void)snprintf(text, sizeof text, "unix:%s/%s", folder, name);
    return text;
}

const char *abstract_of(const char *name) {
    static char text[COIR_ADDRESS_SIZE];
    (void)snprintf(text, sizeof text, "unix:@%s-%s", folder + strlen("/tmp/"), name);
    return text;
}

void settle(void) {
    (void)coir_sleep(COIR_MS(20));
}

/* ---- Both worlds ---- */

static int run(void *arg) {
    const struct behaviour *const it = arg;
    coir_stats before, after;
    (void)coir_stats_get(&before);
    it->run();
    (void)coir_stats_get(&after);
    if (after.descriptors != before.descriptors)
        note_word("(descriptors left)");
    return 0;
}

static bool differs(const struct behaviour *it, const char *world, int rc) {
    if (rc == 0 && strcmp(notes, it->expected) == 0)
        return false;
    (void)printf("FAILED TWIN='%s': %s says\n       %s\n       not\n       %s\n", it->name, world,
                 notes, it->expected);
    return true;
}

static unsigned try_both(const struct behaviour *it) {
    unsigned failures = 0;
    void *const arg = (void *)(uintptr_t)it;
    notes[0] = '\0';
    failures += differs(it, "this system", coir_run(run, arg));
    notes[0] = '\0';
    failures += differs(it, "the simulated one",
                        coir_sim_run(run, arg, &(coir_sim_options){.seed = 1}, NULL));
    return failures;
}

int main(void) {
    static const struct behaviour *const lists[] = {stream_behaviours, epoll_behaviours,
                                                    address_behaviours};
    const char *const asked = getenv("TWIN");
    unsigned count = 0, failures = 0;
    (void)signal(SIGPIPE, SIG_IGN); /* of pipes: the simulated system has no signals of its own */
    (void)alarm(60);
    if (mkdtemp(folder) == NULL)
        fail(folder);
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        for (const struct behaviour *it = lists[i]; it->name != NULL; it++)
            if (asked == NULL || strcmp(asked, it->name) == 0) {
                failures += try_both(it);
                count++;
            }
    (void)rmdir(folder);
    (void)printf("simulation: %u behaviours like this system's, %u failures\n", count - failures,
                 failures);
    return failures > 0 || count == 0;
}
