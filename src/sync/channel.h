/* A channel as channel.c and select.c see it: its buffer, who waits, and the two moves, send and
 * receive, as far as they go without waiting.
 *
 * Invariants: tasks wait to receive only while the buffer is empty, and to send only while it is
 * full; none waits once the channel is closed. Both kinds wait at a time only if there is no buffer
 * and the same select is among both. Who ends a wait moves the item, unlinks the offer (and all
 * others of its select) and wakes the task, there and then. */
#ifndef COIR_SYNC_CHANNEL_H
#define COIR_SYNC_CHANNEL_H

#include "sync/buffer.h"

struct coir_channel {
    /* Its runtime while the quick way is open to it: items of one word, in FIFO order, not closed.
     * Otherwise the channel itself, so that a call needs one comparison to take that way. */
    const void *quick_for;
    struct coir__runtime *runtime;
    struct coir__link receivers, senders; /* struct coir__offer, longest waiting first */
    uint64_t sent;                        /* into the buffer or to a receiver */
    struct coir__buffer buffer;

    bool closed;
    size_t holds;
    uint64_t dropped;  /* out of the buffer, received by nobody */
    uint64_t finished; /* of those sent: dropped, or said to be dealt with */
    struct coir__link joiners;
    void (*drop)(void *item);
};

/* A task parked in coir_select. */
struct coir__select;
/* Ends it: the case that the offer belongs to has happened (select.c). */
void coir__select_moved(struct coir__select *select, struct coir__offer *offer, int rc);

/* Ends the wait for which an offer was made: its item has been moved, or rc says why not. `quick`:
 * it is known not to be a select's. */
coir__inline void coir__offer_end(struct coir__runtime *rt, struct coir__offer *offer, int rc,
                                  const bool quick) {
    if (!quick && offer->select != NULL) {
        coir__select_moved(offer->select, offer, rc);
        return;
    }
    list_unlink(&offer->link);
    coir__resume(rt, list_entry(offer, struct coir__task, seat.offer), rc);
}

coir__inline struct coir__offer *coir__offer_first(const struct coir__link *offers) {
    return list_entry(offers->next, struct coir__offer, link);
}

coir__inline bool coir__channel_may_send(const coir_channel *channel) {
    return channel->buffer.count < channel->buffer.room || !list_empty(&channel->receivers) ||
           channel->closed;
}

coir__inline bool coir__channel_may_recv(const coir_channel *channel) {
    return channel->buffer.count > 0 || !list_empty(&channel->senders) || channel->closed;
}

/* The end of a call that did not have to wait, with what it returns: a task that never has to must
 * let others on, now and then. */
coir__inline int coir__let_others_on(struct coir__runtime *rt, struct coir__task *self, int value) {
    if (likely(--self->budget > 0))
        return value;
    self->budget = COIR_IO_BUDGET;
    self->value = value;
    coir__make_ready(rt, self);
    return coir__suspend(rt, self);
}

/* What the moves return, beside 0 and -EPIPE: */
#define COIR_WOULD_WAIT (-EAGAIN)
#define COIR_NOT_QUICKLY (-EINPROGRESS) /* `quick` only, and nothing has been done */

/* The moves take `quick` as buffer.h does; then the channel is known not to be closed. */
coir__inline int coir__channel_send_now(struct coir__runtime *rt, coir_channel *channel,
                                        const void *item, const bool quick) {
    struct coir__buffer *const buffer = &channel->buffer;
    if (!list_empty(&channel->receivers)) {
        struct coir__offer *const receiver = coir__offer_first(&channel->receivers);
        if (quick && receiver->select != NULL)
            return COIR_NOT_QUICKLY;
        coir__item_copy(receiver->item, item, buffer->item_size, quick);
        coir__offer_end(rt, receiver, 0, quick);
    } else if (buffer->count < buffer->room) {
        coir__buffer_put(buffer, item, quick);
    } else {
        return !quick && channel->closed ? -EPIPE : COIR_WOULD_WAIT;
    }
    channel->sent++;
    return 0;
}

coir__inline int coir__channel_recv_now(struct coir__runtime *rt, coir_channel *channel, void *item,
                                        const bool quick) {
    struct coir__buffer *const buffer = &channel->buffer;
    const bool buffered = buffer->count > 0;
    if (list_empty(&channel->senders)) {
        if (!buffered)
            return !quick && channel->closed ? -EPIPE : COIR_WOULD_WAIT;
        coir__item_copy(item, coir__buffer_pop(buffer, quick), buffer->item_size, quick);
        return 0;
    }
    struct coir__offer *const sender = coir__offer_first(&channel->senders);
    if (quick && sender->select != NULL)
        return COIR_NOT_QUICKLY;
    if (buffered) { /* full: the sender's item gets the place that becomes free */
        coir__item_copy(item, coir__buffer_pop(buffer, quick), buffer->item_size, quick);
        coir__buffer_put(buffer, sender->item, quick);
    } else {
        coir__item_copy(item, sender->item, buffer->item_size, quick);
    }
    channel->sent++;
    coir__offer_end(rt, sender, 0, quick);
    return 0;
}

#endif
