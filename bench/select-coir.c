/* A select that receives from several channels of one word, without a buffer.
 *
 * A case is the number of channels, alone ("4": one task sends to them in turn, so that every
 * other select has to wait) or with "-senders" ("4-senders": a task sends to each, so that several
 * cases are ready and one must be drawn). The unit is one select, one item. */
#include <coir.h>
#include <string.h>

#include "lib/bench.h"

struct channels {
    size_t count;
    coir_channel *channel[COIR_SELECT_MAX];
    uint64_t items[COIR_SELECT_MAX]; /* received from each */
};

static int send_in_turn(void *arg) {
    const struct channels *const all = arg;
    for (uint64_t item = 0;; ++item)
        for (size_t i = 0; i < all->count; ++i)
            if (coir_channel_send(all->channel[i], &item) < 0)
                return 0;
}

static int send_to_one(void *arg) {
    uint64_t item = 0;
    while (coir_channel_send(arg, &item) == 0)
        ++item;
    return 0;
}

static void receive(uint64_t count, void *arg) {
    struct channels *const all = arg;
    uint64_t item = 0;
    coir_case cases[COIR_SELECT_MAX];
    for (size_t i = 0; i < all->count; ++i)
        cases[i] = coir_case_recv(all->channel[i], &item);
    for (; count != 0; --count) {
        const int which = coir_select(cases, all->count, 0);
        bench_check("coir_select", which);
        bench_check("coir_select", cases[which].rc);
        if (item != all->items[which]++)
            bench_die("an item is missing", 0);
    }
}

static int spawn_senders(coir_scope *scope, struct channels *all, bool one_each) {
    if (!one_each)
        return coir_spawn(scope, send_in_turn, all);
    for (size_t i = 0; i < all->count; ++i)
        COIR_TRY(coir_spawn(scope, send_to_one, all->channel[i]));
    return 0;
}

static int app(void *arg) {
    const char *rest;
    struct channels all = {.count = bench_number(arg, &rest)};
    if (all.count == 0 || all.count > COIR_SELECT_MAX)
        return -EINVAL;
    for (size_t i = 0; i < all.count; ++i)
        COIR_TRY(coir_channel_create(&all.channel[i], sizeof(uint64_t), 0, NULL));
    COIR_SCOPE(scope, .name = "select");
    COIR_TRY(spawn_senders(&scope, &all, strcmp(rest, "-senders") == 0));
    bench_report(arg, "ns", bench_ns(receive, &all));
    for (size_t i = 0; i < all.count; ++i)
        COIR_TRY(coir_channel_close(all.channel[i]));
    const int rc = coir_scope_close(&scope, 0);
    for (size_t i = 0; i < all.count; ++i)
        COIR_TRY(coir_channel_destroy(all.channel[i]));
    return rc;
}

int main(int argc, char **argv) {
    bench_pin("BENCH_CPU");
    for (int i = 1; i < argc; ++i)
        bench_check(argv[i], coir_run(app, argv[i]));
    return 0;
}
