/* Helpers for the tests of channels; channels.h says what each is for. */
#include "channels.h"

coir_channel *make_channel(size_t item_size_bytes, size_t capacity,
                           const coir_channel_options *options) {
    coir_channel *channel = NULL;
    check_rc(coir_channel_create(&channel, item_size_bytes, capacity, options), 0);
    check(channel != NULL);
    return channel;
}

coir_channel *ints_channel(size_t capacity) {
    return make_channel(sizeof(int), capacity, NULL);
}

void end_channel(coir_channel *channel) {
    check_waiting(channel, 0, 0);
    check_int(channel_stats(channel).joiners_waiting, 0);
    check_rc(coir_channel_destroy(channel), 0);
}

coir_channel_stats channel_stats(const coir_channel *channel) {
    coir_channel_stats stats;
    check_rc(coir_channel_stats_get(channel, &stats), 0);
    check_int(stats.items, coir_channel_items(channel));
    check_int(stats.sent, stats.items + stats.received + stats.dropped);
    return stats;
}

void check_waiting(const coir_channel *channel, size_t senders, size_t receivers) {
    const coir_channel_stats stats = channel_stats(channel);
    check_int(stats.senders_waiting, senders);
    check_int(stats.receivers_waiting, receivers);
}

int send_one(void *transfer) {
    struct transfer *const it = transfer;
    it->rc = coir_channel_send(it->channel, &it->item);
    it->next = coir_check();
    return 0;
}

int recv_one(void *transfer) {
    struct transfer *const it = transfer;
    it->rc = coir_channel_recv(it->channel, &it->item);
    it->next = coir_check();
    return 0;
}

void put(coir_channel *channel, int item) {
    check_rc(coir_channel_try_send(channel, &item), 0);
}

int take(coir_channel *channel) {
    int item = -1;
    check_rc(coir_channel_try_recv(channel, &item), 0);
    return item;
}

unsigned noise(uint64_t *state, unsigned below) {
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(*state >> 33) % below;
}
