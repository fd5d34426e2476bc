/* Channels and select. */
#include "sim/nth/nth.h"

#define ITEMS 20

struct line {
    coir_channel *channel;
    int sum;
};

static int send_all(void *arg) {
    struct line *const it = arg;
    int rc = 0;
    for (int i = 1; i <= ITEMS && rc == 0; i++)
        rc = (int)CALL(coir_channel_send(it->channel, &i), 0);
    (void)CALL(coir_channel_close(it->channel), 0);
    return rc;
}

static int receive_all(void *arg) {
    struct line *const it = arg;
    int item;
    long rc;
    while ((rc = coir_channel_recv(it->channel, &item)) == 0)
        it->sum += item;
    return rc == -EPIPE ? 0 : (int)rc;
}

static int pass_items(struct line *it) {
    COIR_SCOPE(s);
    long rc = CALL(coir_spawn(&s, send_all, it), 0, ENOMEM);
    if (rc == 0)
        rc = receive_all(it);
    rc = close_scope(&s, (int)rc);
    must(rc < 0 || it->sum == ITEMS * (ITEMS + 1) / 2, "the items add up to %d", it->sum);
    return (int)rc;
}

static int compare(const void *a, const void *b) {
    return *(const int *)a - *(const int *)b;
}

static int channel_of(size_t capacity, const coir_channel_options *options) {
    struct line it = {.sum = 0};
    TRY(coir_channel_create(&it.channel, sizeof(int), capacity, options), 0, ENOMEM);
    const int rc = pass_items(&it);
    must(coir_channel_destroy(it.channel) == 0, "a channel is in use");
    return rc;
}

static int rendezvous(void) {
    return channel_of(0, NULL);
}

static int buffered(void) {
    return channel_of(5, NULL);
}

static int sorted(void) {
    return channel_of(5, &(coir_channel_options){.order = COIR_PRIORITY, .compare = compare});
}

static int large(void) {
    return channel_of((size_t)1 << 20, NULL);
}

static int pause_a_little(void *arg) {
    (void)arg;
    return (int)CALL(coir_sleep(COIR_MS(3)), 0);
}

/* Of a channel, a descriptor and a task, each in its turn. */
static int select_in(coir_scope *s, struct line *it, const int *fds) {
    coir_task task;
    int item = 0, sum = 0, which;
    TRY(coir_spawn(s, send_all, it), 0, ENOMEM);
    TRY(coir_spawn_task(s, pause_a_little, NULL, &task), 0, ENOMEM);
    coir_case cases[] = {coir_case_recv(it->channel, &item), coir_case_fd(fds[0], COIR_READABLE),
                         coir_case_task(task)};
    for (int left = 3; left > 0;) {
        const struct before before = call_begins();
        which = coir_select(cases, 3, 0);
        if (which < 0)
            return (int)call_ends(&before, "coir_select", which, (const long[]){ANY, ENOMEM, 0});
        if (which == 0 && cases[0].rc == 0) {
            sum += item;
            continue;
        }
        if (which == 1 && cases[1].rc < 0)
            return (int)call_ends(&before, "coir_select", cases[1].rc,
                                  (const long[]){0, SYSTEM, 0});
        if (which == 2 && cases[2].rc == 0)
            TRY(coir_write(fds[1], "x", 1), 1, SYSTEM);
        cases[which].kind = COIR_CASE_NONE;
        left--;
    }
    must(sum == ITEMS * (ITEMS + 1) / 2, "the items add up to %d", sum);
    return 0;
}

static int select_with(struct line *it) {
    int fds[2];
    TRY(open_ends(coir_sim_pipe, fds), 0, EMFILE, ENFILE, ENOMEM);
    COIR_SCOPE(s);
    const int rc = close_scope(&s, select_in(&s, it, fds));
    close_ends(fds);
    return rc;
}

static int select_one(void) {
    struct line it = {.sum = 0};
    TRY(coir_channel_create(&it.channel, sizeof(int), 2, NULL), 0, ENOMEM);
    const int rc = select_with(&it);
    must(coir_channel_destroy(it.channel) == 0, "a channel is in use");
    return rc;
}

const struct scenario channel_scenarios[] = {
    {.name = "rendezvous", .run = rendezvous}, {.name = "channel", .run = buffered},
    {.name = "priority", .run = sorted},       {.name = "large_channel", .run = large},
    {.name = "select", .run = select_one},     {.name = NULL}};
