/* A program that notices if it is disturbed: two tasks hand a number to and fro over a socket, each
 * time one higher, and a third sleeps again and again. Ends on SIGTERM, with 0 if all went well. */
#include <coir.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/prctl.h>
#endif

struct player {
    int fd;
    uint64_t first; /* the number to begin with; 0: the other one begins */
};

static uint64_t rounds, sleeps;

static int play(void *arg) {
    const struct player *const player = arg;
    uint64_t number = player->first, got;
    COIR_TRY(coir_adopt(player->fd));
    if (number != 0)
        COIR_TRY(coir_write_all(player->fd, &number, sizeof number, NULL));
    for (;;) {
        COIR_TRY(coir_read_exact(player->fd, &got, sizeof got, NULL));
        if (number != 0 && got != number + 1)
            return -EPROTO;
        number = got + 1;
        COIR_TRY(coir_write_all(player->fd, &number, sizeof number, NULL));
        rounds++;
    }
}

static int doze(void *arg) {
    (void)arg;
    for (;;) {
        const coir_time until = coir_after(COIR_MS(1));
        COIR_TRY(coir_sleep_until(until));
        if (coir_now() < until)
            return -EPROTO;
        sleeps++;
    }
}

static int work(void *arg) {
    (void)arg;
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
        return -errno;
    struct player players[] = {{.fd = ends[0], .first = 1}, {.fd = ends[1]}};
    COIR_SCOPE(s);
    COIR_TRY(coir_spawn(&s, play, &players[0]));
    COIR_TRY(coir_spawn(&s, play, &players[1]));
    COIR_TRY(coir_spawn(&s, doze, NULL));
    puts("ready");
    fflush(stdout);
    return coir_scope_close(&s, 0);
}

int main(void) {
    alarm(300);
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
#endif
    const int rc = coir_run_with(work, NULL, &(coir_options){.cancel_on_signals = true});
    if (rc != -ECANCELED || rounds < 10 || sleeps < 10) {
        fprintf(stderr, "busy: %s after %ju rounds and %ju sleeps\n", coir_strerror(rc),
                (uintmax_t)rounds, (uintmax_t)sleeps);
        return 1;
    }
    return 0;
}
