/* Channels of one word each, between two tasks.
 *
 * Cases: "pingpong-N": there and back over two channels of capacity N; the unit is one message,
 * half a round trip. "stream-N": one task sends, the other receives, over one channel of capacity
 * N; the unit is one item. */
#include <coir.h>
#include <string.h>

#include "lib/bench.h"

static coir_channel *create(size_t capacity) {
    coir_channel *channel;
    bench_check("coir_channel_create",
                coir_channel_create(&channel, sizeof(uint64_t), capacity, NULL));
    return channel;
}

static void destroy(coir_channel *channel) {
    bench_check("coir_channel_destroy", coir_channel_destroy(channel));
}

/* ---- There and back ---- */

struct table {
    coir_channel *there, *back;
};

/* Returns each item, until the channel is closed. */
static int echo(void *arg) {
    const struct table *const table = arg;
    uint64_t item;
    while (coir_channel_recv(table->there, &item) == 0)
        bench_check("coir_channel_send", coir_channel_send(table->back, &item));
    return 0;
}

static void play(uint64_t count, void *arg) {
    const struct table *const table = arg;
    uint64_t item;
    for (; count != 0; --count) {
        bench_check("coir_channel_send", coir_channel_send(table->there, &count));
        bench_check("coir_channel_recv", coir_channel_recv(table->back, &item));
        if (item != count)
            bench_die("another item came back", 0);
    }
}

static int pingpong(const char *name, size_t capacity) {
    struct table table = {.there = create(capacity), .back = create(capacity)};
    COIR_SCOPE(scope, .name = "channel");
    COIR_TRY(coir_spawn(&scope, echo, &table));
    bench_report(name, "ns", bench_ns(play, &table) / 2);
    bench_check("coir_channel_close", coir_channel_close(table.there));
    const int rc = coir_scope_close(&scope, 0);
    destroy(table.there);
    destroy(table.back);
    return rc;
}

/* ---- One way ---- */

struct stream {
    coir_channel *channel;
    uint64_t expected;
};

static int pour(void *arg) {
    uint64_t item = 0;
    while (coir_channel_send(arg, &item) == 0)
        ++item;
    return 0;
}

static void drain(uint64_t count, void *arg) {
    struct stream *const from = arg;
    uint64_t item;
    for (; count != 0; --count) {
        bench_check("coir_channel_recv", coir_channel_recv(from->channel, &item));
        if (item != from->expected++)
            bench_die("an item is missing", 0);
    }
}

static int stream(const char *name, size_t capacity) {
    struct stream to = {.channel = create(capacity)};
    COIR_SCOPE(scope, .name = "channel");
    COIR_TRY(coir_spawn(&scope, pour, to.channel));
    bench_report(name, "ns", bench_ns(drain, &to));
    bench_check("coir_channel_close", coir_channel_close(to.channel));
    const int rc = coir_scope_close(&scope, 0);
    destroy(to.channel);
    return rc;
}

static int app(void *arg) {
    const char *const name = arg;
    if (strncmp(name, "pingpong-", 9) == 0)
        return pingpong(name, bench_number(name + 9, NULL));
    if (strncmp(name, "stream-", 7) == 0)
        return stream(name, bench_number(name + 7, NULL));
    return -EINVAL;
}

int main(int argc, char **argv) {
    bench_pin("BENCH_CPU");
    for (int i = 1; i < argc; ++i)
        bench_check(argv[i], coir_run(app, argv[i]));
    return 0;
}
