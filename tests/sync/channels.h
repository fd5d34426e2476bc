/* What the tests of channels and of select share: channels of int, and single sends and receives,
 * each by a task of its own. */
#ifndef TESTS_SYNC_CHANNELS_H
#define TESTS_SYNC_CHANNELS_H

#include "io/ends.h" /* start, settle */

coir_channel *make_channel(size_t item_size_bytes, size_t capacity,
                           const coir_channel_options *options);
coir_channel *ints_channel(size_t capacity);
/* Checks that nobody waits, and destroys it. */
void end_channel(coir_channel *channel);

coir_channel_stats channel_stats(const coir_channel *channel);
/* That so many wait to send and to receive. */
void check_waiting(const coir_channel *channel, size_t senders, size_t receivers);

#define PENDING (-100000)

/* One call, by a task: make one by SENDING or RECEIVING, and start send_one or recv_one with its
 * address. rc is PENDING until the call returns. */
struct transfer {
    coir_channel *channel;
    int item;
    int rc;
    int next; /* of a coir_check after it */
};
#define SENDING(to, what)                                                                          \
    { .channel = (to), .item = (what), .rc = PENDING }
#define RECEIVING(from) SENDING(from, -1)
int send_one(void *transfer);
int recv_one(void *transfer);

/* Without waiting; both must succeed. */
void put(coir_channel *channel, int item);
int take(coir_channel *channel);

/* The next number of a sequence that looks random and is always the same. */
unsigned noise(uint64_t *state, unsigned below);

#endif
