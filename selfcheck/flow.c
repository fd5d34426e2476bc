/* Channels, select and locks: what src/sync promises. */
#include <unistd.h>

#include "selfcheck.h"

/* ---- Channels ---- */

COIR_CHANNEL_OF(ints, int);

enum { SENDERS = 3, EACH = 100 };

struct sender {
    ints to;
    int first;
};

static int send_numbers(void *arg) {
    const struct sender *const it = arg;
    for (int i = 0; i < EACH; i++)
        EXPECT(ints_send(it->to, it->first + i), 0);
    EXPECT(coir_channel_release(it->to.channel), 0);
    return 0;
}

static int receive_all(ints from) {
    int number, rc, last[SENDERS] = {0}, count = 0;
    while ((rc = ints_recv(from, &number)) == 0) {
        EXPECT(number % 1000, last[number / 1000]); /* in the order of its sender */
        last[number / 1000]++;
        count++;
    }
    EXPECT(rc, -EPIPE);
    EXPECT(count, SENDERS * EACH);
    return 0;
}

static int pass_through(size_t capacity) {
    ints numbers;
    struct sender senders[SENDERS];
    EXPECT(ints_create(&numbers, capacity, NULL), 0);
    {
        COIR_SCOPE(scope);
        for (int i = 0; i < SENDERS; i++) {
            senders[i] = (struct sender){.to = numbers, .first = 1000 * i};
            EXPECT(coir_channel_hold(numbers.channel), 0);
            EXPECT(coir_spawn(&scope, send_numbers, &senders[i]), 0);
        }
        EXPECT(coir_scope_close(&scope, receive_all(numbers)), 0);
    }
    EXPECT(coir_channel_destroy(numbers.channel), 0);
    return 0;
}

static int channels_keep_order(UNUSED void *arg) {
    EXPECT(pass_through(0), 0);
    EXPECT(pass_through(1), 0);
    EXPECT(pass_through(64), 0);
    return 0;
}

/* ---- Select ---- */

static int send_seven(void *arg) {
    EXPECT(ints_send(*(ints *)arg, 7), 0);
    return 0;
}

static int send_byte(void *arg) {
    EXPECT(coir_write_all(*(int *)arg, "x", 1, NULL), 0);
    return 0;
}

static int return_three(UNUSED void *arg) {
    return 3;
}

/* Has each of the three happen, in turn, while it waits for all of them. */
static int select_waits_for_all(UNUSED void *arg) {
    ints numbers;
    int pipe_ends[2], number = 0;
    coir_task sleeper;
    EXPECT(ints_create(&numbers, 0, NULL), 0);
    EXPECT(pipe(pipe_ends), 0);
    EXPECT(coir_adopt(pipe_ends[0]), 0);
    EXPECT(coir_adopt(pipe_ends[1]), 0);
    COIR_SCOPE(scope);
    coir_case cases[] = {coir_case_recv(numbers.channel, &number),
                         coir_case_fd(pipe_ends[0], COIR_READABLE), coir_case_task((coir_task){0})};

    EXPECT(coir_spawn(&scope, send_seven, &numbers), 0);
    EXPECT(coir_select(cases, 2, 0), 0);
    EXPECT(cases[0].rc, 0);
    EXPECT(number, 7);

    EXPECT(coir_spawn(&scope, send_byte, &pipe_ends[1]), 0);
    EXPECT(coir_select(cases, 2, 0), 1);
    EXPECT(cases[1].rc, 0);
    EXPECT(cases[1].result, COIR_READABLE);
    char byte;
    EXPECT(coir_read(pipe_ends[0], &byte, 1), 1);

    EXPECT(coir_spawn_task(&scope, return_three, NULL, &sleeper), 0);
    cases[2] = coir_case_task(sleeper);
    EXPECT(coir_select(cases, 3, 0), 2);
    EXPECT(cases[2].result, 3);

    EXPECT(coir_select(cases, 2, COIR_SELECT_TRY), -EAGAIN);
    EXPECT(coir_scope_close(&scope, 0), 0);
    EXPECT(coir_close(pipe_ends[0]), 0);
    EXPECT(coir_close(pipe_ends[1]), 0);
    EXPECT(coir_channel_destroy(numbers.channel), 0);
    return 0;
}

/* ---- Locks ---- */

struct counter {
    coir_mutex mutex;
    int value;
};

static int count_slowly(void *arg) {
    struct counter *const it = arg;
    for (int i = 0; i < 10; i++) {
        EXPECT(coir_mutex_lock(&it->mutex), 0);
        const int seen = it->value;
        EXPECT(coir_yield(), 0);
        it->value = seen + 1;
        EXPECT(coir_mutex_unlock(&it->mutex), 0);
    }
    return 0;
}

static int a_mutex_keeps_others_out(UNUSED void *arg) {
    struct counter counter = {.value = 0};
    COIR_SCOPE(scope);
    for (int i = 0; i < 10; i++)
        EXPECT(coir_spawn(&scope, count_slowly, &counter), 0);
    EXPECT(coir_scope_close(&scope, 0), 0);
    EXPECT(counter.value, 100);
    EXPECT(coir_mutex_destroy(&counter.mutex), 0);
    return 0;
}

const struct check flow_checks[] = {
    {.name = "channel: items come in order, until it is closed", .run = channels_keep_order},
    {.name = "select: waits for a channel, a descriptor and a task", .run = select_waits_for_all},
    {.name = "mutex: one task at a time", .run = a_mutex_keeps_others_out},
    {.name = NULL},
};
