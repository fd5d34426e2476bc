/* Storms: a scope full of tasks that talk over sockets and channels, lock, sleep and use threads,
 * all on the real system, is cancelled at some moment, or left to its deadline. Afterwards nothing
 * may be left of it: no task, timer, wait, descriptor or job; and of the items that were sent each
 * was received, or is still in the channel, or stayed with its sender. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "soak/soak.h"

#define TASKS 60 /* of each kind */
#define CHANNEL_ROOM 4

struct storm {
    coir_channel *channel;
    coir_mutex mutex;
    bool inside;
    uint64_t sent, received, wrong;
};

struct tally {
    uint64_t storms, cuts, lost;
};

/* ---- Work ---- */

static int send_items(void *arg) {
    struct storm *const storm = arg;
    for (;;) {
        COIR_TRY(coir_channel_send(storm->channel, &(uint64_t){7}));
        storm->sent++;
    }
}

static int receive_items(void *arg) {
    struct storm *const storm = arg;
    uint64_t item;
    for (;;) {
        COIR_TRY(coir_channel_recv(storm->channel, &item));
        storm->received++;
        storm->wrong += item != 7;
    }
}

static int lock_and_yield(void *arg) {
    struct storm *const storm = arg;
    for (;;) {
        COIR_TRY(coir_mutex_lock(&storm->mutex));
        storm->wrong += storm->inside;
        storm->inside = true;
        const int rc = pick(2) == 0 ? coir_yield() : coir_sleep(COIR_US(1) * pick(200));
        storm->inside = false;
        coir_mutex_unlock(&storm->mutex);
        COIR_TRY(rc);
    }
}

static int echo_side(void *arg) {
    const int fd = *(const int *)arg;
    char buffer[512];
    for (;;) {
        const ssize_t size = coir_read(fd, buffer, sizeof buffer);
        if (size <= 0)
            return (int)size;
        COIR_TRY(coir_write_all(fd, buffer, (size_t)size, NULL));
    }
}

static int ask_side(int fd) {
    char buffer[512];
    for (;;) {
        const size_t size = 1 + pick(sizeof buffer - 1);
        for (size_t i = 0; i < size; i++)
            buffer[i] = (char)i;
        COIR_TRY(coir_write_all(fd, buffer, size, NULL));
        COIR_TRY(coir_read_exact(fd, buffer, size, NULL));
        for (size_t i = 0; i < size; i++)
            if (buffer[i] != (char)i)
                return -EBADMSG;
    }
}

static int converse(void *arg) {
    int fds[2];
    (void)arg;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
        return -errno;
    COIR_SCOPE(s);
    int rc = coir_adopt(fds[0]);
    if (rc == 0)
        rc = coir_adopt(fds[1]);
    if (rc == 0)
        rc = coir_spawn(&s, echo_side, &fds[1]);
    if (rc == 0)
        rc = ask_side(fds[0]);
    coir_scope_cancel(&s);
    rc = coir_scope_close(&s, rc);
    for (int i = 0; i < 2; i++)
        if (coir_close(fds[i]) == -EBADF) /* it was not adopted */
            (void)close(fds[i]);
    return rc;
}

static int block(void *arg) {
    return usleep(*(const unsigned *)arg);
}

static int use_threads(void *arg) {
    (void)arg;
    for (;;) {
        unsigned microseconds = pick(2000);
        COIR_TRY(coir_offload(block, &microseconds));
    }
}

static int nest(void *arg) {
    for (;;) {
        COIR_SCOPE(s, .deadline = coir_after(COIR_US(1) * pick(3000)), .move_on = true);
        COIR_TRY(coir_spawn(&s, lock_and_yield, arg));
        COIR_TRY(coir_spawn(&s, converse, NULL));
        COIR_TRY(coir_scope_close(&s, coir_sleep(COIR_NEVER)));
    }
}

/* ---- A storm ---- */

static int fill(coir_scope *scope, struct storm *storm) {
    static const coir_fn kinds[] = {send_items,  receive_items, lock_and_yield,
                                    use_threads, converse,      nest};
    for (unsigned i = 0; i < TASKS * sizeof kinds / sizeof kinds[0]; i++)
        COIR_TRY(coir_spawn(scope, kinds[i % (sizeof kinds / sizeof kinds[0])], storm));
    return 0;
}

static int blow(struct storm *storm) {
    const coir_time length = COIR_US(1) * pick(40000);
    const bool by_deadline = pick(2) == 0;
    COIR_SCOPE(s, .deadline = by_deadline ? coir_after(length) : 0, .move_on = true);
    int rc = fill(&s, storm);
    if (rc == 0)
        rc = coir_sleep(by_deadline ? COIR_NEVER : length);
    if (!by_deadline || rc == 0)
        coir_scope_cancel(&s);
    return coir_scope_close(&s, rc);
}

static uint64_t count_lost(const struct storm *storm) {
    coir_stats stats;
    if (coir_stats_get(&stats) < 0)
        return 1;
    const uint64_t left = coir_channel_items(storm->channel);
    return stats.tasks_alive - 1 + stats.timers_armed + stats.descriptors + stats.io_waiting +
           stats.offload_jobs + storm->wrong + (storm->sent != storm->received + left) +
           (coir_task_equal(coir_mutex_owner(&storm->mutex), (coir_task){0}) ? 0 : 1);
}

static int run_storm(struct tally *tally) {
    struct storm storm = {.sent = 0};
    COIR_TRY(coir_channel_create(&storm.channel, sizeof(uint64_t), pick(CHANNEL_ROOM), NULL));
    const int rc = blow(&storm);
    tally->storms++;
    tally->cuts += 6 * TASKS;
    const uint64_t lost = count_lost(&storm) + (rc != 0);
    if (lost > 0)
        (void)fprintf(stderr, "soak: storm %llu came to %s, and lost %llu\n",
                      (unsigned long long)tally->storms, coir_strerror(rc),
                      (unsigned long long)lost);
    tally->lost += lost;
    return coir_channel_destroy(storm.channel);
}

struct storms {
    coir_time end;
    struct tally tally;
};

static int run_all(void *arg) {
    struct storms *const storms = arg;
    storms->end += coir_now();
    while (coir_now() < storms->end)
        COIR_TRY(run_storm(&storms->tally));
    return 0;
}

uint64_t run_storms(coir_time duration) {
    struct storms storms = {.end = duration};
    const int rc = coir_run(run_all, &storms);
    if (rc < 0)
        (void)fprintf(stderr, "soak: the storms failed: %s\n", coir_strerror(rc));
    (void)printf("storm: %llu storms, %llu tasks cancelled, %llu lost\n",
                 (unsigned long long)storms.tally.storms, (unsigned long long)storms.tally.cuts,
                 (unsigned long long)storms.tally.lost);
    return storms.tally.lost + (rc < 0);
}
