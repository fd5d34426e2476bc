/* Channels: sending and receiving, the end, and the work that the items stand for. The two moves
 * are channel.h's, the order of what waits in the buffer is buffer.c's.
 *
 * A call that waits leaves its offer in the seat of its task and ends in a jump into the switch:
 * whoever ends the wait has moved the item already, so that nothing is left to do after it. */
#include "sync/channel.h"

/* Why a call on this channel can not be made here. */
static coir__cold int refused(void) {
    return coir__rt == NULL ? coir__outside() : -EINVAL;
}

/* Whether the channel, which may be NULL, is one of this runtime; false outside of any. */
coir__inline bool is_ours(const coir_channel *channel) {
    return likely(channel != NULL) && likely(channel->runtime == coir__rt);
}

/* ---- Creating and destroying ---- */

static int check_options(size_t item_size, size_t capacity, const coir_channel_options *options) {
    if (item_size == 0 || item_size > COIR_ITEM_SIZE_MAX)
        return -EINVAL;
    if (options->order != COIR_FIFO && options->order != COIR_LIFO &&
        options->order != COIR_PRIORITY)
        return -EINVAL;
    if ((options->order == COIR_PRIORITY) != (options->compare != NULL))
        return -EINVAL;
    return capacity == 0 && options->order != COIR_FIFO ? -EINVAL : 0;
}

int coir_channel_create(coir_channel **out, size_t item_size_bytes, size_t capacity,
                        const coir_channel_options *options) {
    static const coir_channel_options defaults;
    if (out == NULL || coir__rt == NULL)
        return refused();
    *out = NULL;
    if (options == NULL)
        options = &defaults;
    COIR_TRY(check_options(item_size_bytes, capacity, options));
    coir_channel *const channel = sys_allocate(sizeof *channel);
    if (channel == NULL)
        return -ENOMEM;
    const int rc = coir__buffer_init(&channel->buffer, item_size_bytes, capacity, options);
    if (rc < 0) {
        sys_free(channel);
        return rc;
    }
    channel->runtime = coir__rt;
    channel->quick_for =
        coir__buffer_is_quick(&channel->buffer) ? (const void *)coir__rt : (const void *)channel;
    channel->drop = options->drop;
    list_init(&channel->receivers);
    list_init(&channel->senders);
    list_init(&channel->joiners);
    *out = channel;
    return 0;
}

/* Empties the buffer; returns how many items were in it. */
static size_t drop_all(coir_channel *channel) {
    size_t dropped = 0;
    for (; channel->buffer.count > 0; dropped++) {
        void *const item = coir__buffer_pop(&channel->buffer, false);
        if (channel->drop != NULL)
            channel->drop(item);
    }
    channel->dropped += dropped;
    return dropped;
}

int coir_channel_destroy(coir_channel *channel) {
    if (channel == NULL)
        return 0;
    if (!list_empty(&channel->receivers) || !list_empty(&channel->senders) ||
        !list_empty(&channel->joiners))
        return -EBUSY;
    (void)drop_all(channel);
    coir__buffer_fini(&channel->buffer);
    sys_free(channel);
    return 0;
}

/* ---- Sending and receiving ----
 *
 * Each call has a quick way for the common case: items of one word in FIFO order, no deadline, no
 * select, no end of a turn. It is free of calls, but for the jump into the switch, and so needs no
 * frame. Where it finds something in its way it has done nothing, and the slow way begins anew. */

coir__inline bool is_quick(const coir_channel *channel, const void *item) {
    return likely(channel != NULL) && likely(item != NULL) &&
           likely(channel->quick_for == coir__rt);
}

/* No cancel or deadline to look for, and no need yet to let others on. */
coir__inline bool is_carefree(const struct coir__task *self) {
    return likely(self->due == COIR_NEVER) && likely(self->budget > 1);
}

static bool cut_offer(coir_waiter *wait) {
    list_take(&list_entry(wait, struct coir__seat, wait)->offer.link);
    return true;
}

/* Makes the offer that the caller is about to wait with. */
coir__inline coir_waiter *offer(struct coir__task *self, struct coir__link *offers, void *item,
                                const char *what, const coir_channel *channel) {
    struct coir__seat *const seat = &self->seat;
    coir__wait_for(&seat->wait, cut_offer, what, channel);
    seat->offer.item = item;
    seat->offer.select = NULL;
    list_append(offers, &seat->offer.link);
    self->budget = COIR_IO_BUDGET;
    return &seat->wait;
}

coir__inline coir_waiter *offer_to_send(struct coir__task *self, coir_channel *channel,
                                        const void *item) {
    return offer(self, &channel->senders, (void *)(uintptr_t)item, coir__what_send, channel);
}

coir__inline coir_waiter *offer_to_recv(struct coir__task *self, coir_channel *channel,
                                        void *item) {
    return offer(self, &channel->receivers, item, coir__what_receive, channel);
}

static coir__noinline int send_slow(coir_channel *channel, const void *item) {
    if (item == NULL || !is_ours(channel))
        return refused();
    struct coir__runtime *const rt = coir__rt;
    struct coir__task *const self = rt->current;
    COIR_TRY(coir__check(rt, self));
    const int rc = coir__channel_send_now(rt, channel, item, false);
    if (rc == COIR_WOULD_WAIT)
        return coir__park(rt, self, offer_to_send(self, channel, item));
    return rc == 0 ? coir__let_others_on(rt, self, 0) : rc;
}

static coir__noinline int recv_slow(coir_channel *channel, void *item) {
    if (item == NULL || !is_ours(channel))
        return refused();
    struct coir__runtime *const rt = coir__rt;
    struct coir__task *const self = rt->current;
    COIR_TRY(coir__check(rt, self));
    const int rc = coir__channel_recv_now(rt, channel, item, false);
    if (rc == COIR_WOULD_WAIT)
        return coir__park(rt, self, offer_to_recv(self, channel, item));
    return rc == 0 ? coir__let_others_on(rt, self, 0) : rc;
}

int coir_channel_send(coir_channel *channel, const void *item) {
    struct coir__runtime *const rt = coir__rt;
    if (!is_quick(channel, item))
        return send_slow(channel, item);
    struct coir__task *const self = rt->current;
    if (!is_carefree(self))
        return send_slow(channel, item);
    const int rc = coir__channel_send_now(rt, channel, item, true);
    if (rc == COIR_WOULD_WAIT && !coir__turn_over(rt))
        return coir__park_unhindered(rt, self, offer_to_send(self, channel, item));
    if (rc != 0)
        return send_slow(channel, item);
    self->budget--;
    return 0;
}

int coir_channel_recv(coir_channel *channel, void *item) {
    struct coir__runtime *const rt = coir__rt;
    if (!is_quick(channel, item))
        return recv_slow(channel, item);
    struct coir__task *const self = rt->current;
    if (!is_carefree(self))
        return recv_slow(channel, item);
    const int rc = coir__channel_recv_now(rt, channel, item, true);
    if (rc == COIR_WOULD_WAIT && !coir__turn_over(rt))
        return coir__park_unhindered(rt, self, offer_to_recv(self, channel, item));
    if (rc != 0)
        return recv_slow(channel, item);
    self->budget--;
    return 0;
}

static coir__noinline int try_send_slow(coir_channel *channel, const void *item) {
    if (item == NULL || !is_ours(channel))
        return refused();
    return coir__channel_send_now(coir__rt, channel, item, false);
}

static coir__noinline int try_recv_slow(coir_channel *channel, void *item) {
    if (item == NULL || !is_ours(channel))
        return refused();
    return coir__channel_recv_now(coir__rt, channel, item, false);
}

int coir_channel_try_send(coir_channel *channel, const void *item) {
    int rc = COIR_NOT_QUICKLY;
    if (is_quick(channel, item))
        rc = coir__channel_send_now(coir__rt, channel, item, true);
    return likely(rc != COIR_NOT_QUICKLY) ? rc : try_send_slow(channel, item);
}

int coir_channel_try_recv(coir_channel *channel, void *item) {
    int rc = COIR_NOT_QUICKLY;
    if (is_quick(channel, item))
        rc = coir__channel_recv_now(coir__rt, channel, item, true);
    return likely(rc != COIR_NOT_QUICKLY) ? rc : try_recv_slow(channel, item);
}

/* ---- The end ---- */

static void end_all(coir_channel *channel, const struct coir__link *offers) {
    while (!list_empty(offers))
        coir__offer_end(channel->runtime, coir__offer_first(offers), -EPIPE, false);
}

static void shut(coir_channel *channel) {
    channel->closed = true;
    channel->quick_for = channel;
    channel->buffer.room = 0;
    end_all(channel, &channel->senders);
    end_all(channel, &channel->receivers);
}

int coir_channel_close(coir_channel *channel) {
    if (!is_ours(channel))
        return refused();
    shut(channel);
    return 0;
}

int coir_channel_hold(coir_channel *channel) {
    if (!is_ours(channel))
        return refused();
    if (channel->closed)
        return -EPIPE;
    channel->holds++;
    return 0;
}

int coir_channel_release(coir_channel *channel) {
    if (!is_ours(channel) || channel->holds == 0)
        return refused();
    if (--channel->holds == 0)
        shut(channel);
    return 0;
}

/* ---- Work ---- */

/* One task in coir_channel_join. */
struct joiner {
    coir_waiter wait;
    struct coir__link link;
};

static uint64_t unfinished(const coir_channel *channel) {
    return channel->sent - channel->finished;
}

static void finish(coir_channel *channel, uint64_t count) {
    channel->finished += count;
    while (unfinished(channel) == 0 && !list_empty(&channel->joiners)) {
        struct joiner *const joiner = list_entry(channel->joiners.next, struct joiner, link);
        list_take(&joiner->link);
        coir__wake(channel->runtime, &joiner->wait, 0);
    }
}

ssize_t coir_channel_close_now(coir_channel *channel) {
    if (!is_ours(channel))
        return refused();
    shut(channel);
    const size_t dropped = drop_all(channel);
    const uint64_t left =
        unfinished(channel); /* less, if some were called done before their time */
    finish(channel, dropped < left ? dropped : left);
    return (ssize_t)dropped;
}

int coir_channel_task_done(coir_channel *channel) {
    if (!is_ours(channel) || unfinished(channel) == 0)
        return refused();
    finish(channel, 1);
    return 0;
}

static bool cut_join(coir_waiter *wait) {
    list_take(&list_entry(wait, struct joiner, wait)->link);
    return true;
}

int coir_channel_join(coir_channel *channel) {
    if (!is_ours(channel))
        return refused();
    struct coir__runtime *const rt = coir__rt;
    COIR_TRY(coir__check(rt, rt->current));
    if (unfinished(channel) == 0)
        return 0;
    struct joiner joiner = {.wait = {.cut = cut_join, .what = coir__what_items, .object = channel}};
    list_append(&channel->joiners, &joiner.link);
    return coir__park(rt, rt->current, &joiner.wait);
}

/* ---- Looking ---- */

static size_t length(const struct coir__link *list) {
    size_t count = 0;
    for (const struct coir__link *link = list->next; link != list; link = link->next)
        count++;
    return count;
}

int coir_channel_stats_get(const coir_channel *channel, coir_channel_stats *out) {
    if (!is_ours(channel) || out == NULL)
        return refused();
    *out = (coir_channel_stats){
        .items = channel->buffer.count,
        .capacity = channel->buffer.capacity,
        .senders_waiting = length(&channel->senders),
        .receivers_waiting = length(&channel->receivers),
        .joiners_waiting = length(&channel->joiners),
        .holds = channel->holds,
        .sent = channel->sent,
        .received = channel->sent - channel->buffer.count - channel->dropped,
        .dropped = channel->dropped,
        .unfinished = unfinished(channel),
        .closed = channel->closed,
    };
    return 0;
}

size_t coir_channel_items(const coir_channel *channel) {
    return is_ours(channel) ? channel->buffer.count : 0;
}
