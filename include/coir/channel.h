/* Channels: items of one size, handed from task to task.
 *
 * A send gives its item to the task that has waited longest for one, or puts it into the buffer; a
 * send that finds the buffer full waits until its item has been taken. With capacity 0 there is no
 * buffer: a send and a receive meet, and the item goes straight from the one's memory to the
 * other's. Items are copied byte by byte and owned by whoever has the copy. What asyncio calls a
 * queue, trio a memory channel and Go a channel is this.
 *
 * Those who wait are served first come, first served, and nobody who comes later, by a try-call
 * either, gets in before them. A call that fails has had no effect: the item of a send is still the
 * sender's, the item of a receive is still in the channel. After its creation a channel allocates
 * nothing. It belongs to the runtime that created it; once that has ended it can only be destroyed.
 * Errors common to all calls but destroy: -EPERM outside the runtime; -EINVAL for NULL, or a
 * channel of another runtime. */
#ifndef COIR_CHANNEL_H
#define COIR_CHANNEL_H

#include "base.h"

COIR_BEGIN_DECLS

typedef struct coir_channel coir_channel;

#define COIR_ITEM_SIZE_MAX ((size_t)64 << 10) /* largest item, in bytes; else send pointers */

/* Which item of the buffer leaves next. Concerns nobody who waits: senders that find the buffer
 * full put their items there in the order in which they came. */
typedef enum coir_order {
    COIR_FIFO,    /* the one that came first */
    COIR_LIFO,    /* the one that came last */
    COIR_PRIORITY /* the least, by the caller's comparison; of equal ones the one that came first */
} coir_order;

/* A zero in any field means the default. */
typedef struct coir_channel_options {
    coir_order order; /* default COIR_FIFO */
    /* COIR_PRIORITY: negative if *a shall leave before *b, positive if after, 0 if they are equal,
     * as for qsort. Neither this function nor the next may call Coir. */
    int (*compare)(const void *a, const void *b);
    /* Disposes of an item that nobody will receive, because the channel was destroyed or closed at
     * once. Default: nothing is done about it. */
    void (*drop)(void *item);
} coir_channel_options;

/* Creates a channel for items of the given size, 1 to COIR_ITEM_SIZE_MAX, `capacity` of which may
 * wait in its buffer, and stores it in *out; coir_channel_destroy frees it. Memory of a large
 * buffer is taken up only as far as it comes to be used. `options` may be NULL. Never parks.
 * Errors, with *out NULL: -ENOMEM; -EINVAL out is NULL, a size or an order out of its range, a
 * capacity that no memory could hold, COIR_PRIORITY without a comparison or a comparison without
 * it, or another order than COIR_FIFO with capacity 0, where there is nothing to order. */
COIR_API COIR_MUST_CHECK int coir_channel_create(coir_channel **out, size_t item_size_bytes,
                                                 size_t capacity,
                                                 const coir_channel_options *options);

/* Frees a channel, open or closed, and drops the items in its buffer. NULL is fine; so is a channel
 * whose runtime has ended. Never parks. Error: -EBUSY tasks wait for it; nothing changes. */
COIR_API int coir_channel_destroy(coir_channel *channel);

/* Copies *item into the channel: waits until it was handed to a receiver or, if there is a buffer,
 * until it is there. May park; then `item` must stay in place, as what lives in the caller's frame
 * does. A task that never has to wait gives way now and then. Errors, with the item still the
 * caller's: -ECANCELED; -EPIPE the channel is or was then closed. */
COIR_API COIR_MUST_CHECK int coir_channel_send(coir_channel *channel, const void *item);

/* Waits until there is an item and moves it to *item. May park, as above. Errors: -ECANCELED;
 * -EPIPE the channel is or was then closed, and nothing is left in it. */
COIR_API COIR_MUST_CHECK int coir_channel_recv(coir_channel *channel, void *item);

/* The same without waiting and whether or not the caller is cancelled: -EAGAIN there is no room and
 * nobody waits to receive, or no item and nobody waits to send. Never park. */
COIR_API COIR_MUST_CHECK int coir_channel_try_send(coir_channel *channel, const void *item);
COIR_API COIR_MUST_CHECK int coir_channel_try_recv(coir_channel *channel, void *item);

/* ---- The end ---- */

/* Closes the channel: every send fails with -EPIPE from now on, those that wait now keep their
 * items, and receivers get what is in the buffer before they get -EPIPE too. Closing again is fine.
 * Never parks. */
COIR_API int coir_channel_close(coir_channel *channel);

/* The same, and drops what is in the buffer, also of a channel that was closed before. Returns how
 * many items that were; those are done, as far as coir_channel_join is concerned. Never parks. */
COIR_API ssize_t coir_channel_close_now(coir_channel *channel);

/* For several senders, the last of which shall close the channel: hold it once for each, before any
 * of them runs, and let each release it at its end. (Where trio clones one end of a channel and
 * closes each clone.) A close before that counts all the same. Errors: -EPIPE, of hold: the channel
 * is closed; -EINVAL, of release: nobody holds it. Never park. */
COIR_API COIR_MUST_CHECK int coir_channel_hold(coir_channel *channel);
COIR_API int coir_channel_release(coir_channel *channel);

/* ---- Items as work to be done, as with asyncio's queues ---- */

/* Says that one item that was received is dealt with. Never parks. -EINVAL: all that ever were in
 * the channel are. */
COIR_API int coir_channel_task_done(coir_channel *channel);

/* Waits until every item that ever was in the channel is dealt with: said to be by
 * coir_channel_task_done, or dropped. Returns 0 at once if so. May park. Closing does not end the
 * wait. Errors: -ECANCELED. */
COIR_API COIR_MUST_CHECK int coir_channel_join(coir_channel *channel);

/* ---- Looking ---- */

typedef struct coir_channel_stats {
    size_t items;             /* in the buffer */
    size_t capacity;          /* of the buffer */
    size_t senders_waiting;   /* tasks; a select that waits to send counts too */
    size_t receivers_waiting; /* the same */
    size_t joiners_waiting;
    size_t holds;        /* senders that are to release it */
    uint64_t sent;       /* items that ever were in the channel, or were handed over */
    uint64_t received;   /* of those, how many have left it */
    uint64_t dropped;    /* of those, how many were thrown away */
    uint64_t unfinished; /* of those, how many are not dealt with yet: coir_channel_join waits */
    bool closed;
} coir_channel_stats;

/* Fills `out`; takes time in proportion to the number of waiting tasks. Never parks. */
COIR_API int coir_channel_stats_get(const coir_channel *channel, coir_channel_stats *out);

/* How many items are in the buffer; 0 for NULL. Never parks. */
COIR_API size_t coir_channel_items(const coir_channel *channel);

/* ---- Channels of one type ----
 *
 * COIR_CHANNEL_OF(ints, int); defines a type `ints`, a channel of int, and its functions, so that
 * the compiler checks what goes in and out:
 *
 *     ints numbers;
 *     COIR_TRY(ints_create(&numbers, 16, NULL));
 *     COIR_TRY(ints_send(numbers, 42));
 *     int number;
 *     while (ints_recv(numbers, &number) == 0) ...
 *
 * All else is done with numbers.channel. */
#define COIR_CHANNEL_OF(name, type)                                                                \
    struct name {                                                                                  \
        coir_channel *channel;                                                                     \
    };                                                                                             \
    typedef struct name name;                                                                      \
    COIR__TYPED int name##_create(name *out, size_t capacity,                                      \
                                  const coir_channel_options *options) {                           \
        return coir_channel_create(&out->channel, sizeof(type), capacity, options);                \
    }                                                                                              \
    COIR__TYPED int name##_send(name to, type item) {                                              \
        return coir_channel_send(to.channel, &item);                                               \
    }                                                                                              \
    COIR__TYPED int name##_recv(name from, type *item) {                                           \
        return coir_channel_recv(from.channel, item);                                              \
    }                                                                                              \
    COIR__TYPED int name##_try_send(name to, type item) {                                          \
        return coir_channel_try_send(to.channel, &item);                                           \
    }                                                                                              \
    COIR__TYPED int name##_try_recv(name from, type *item) {                                       \
        return coir_channel_try_recv(from.channel, item);                                          \
    }                                                                                              \
    struct name
#define COIR__TYPED __attribute__((unused, warn_unused_result)) static inline

COIR_END_DECLS

#endif
