/* Waiting in a queue: what all primitives do when a call cannot go on.
 *
 * The record lives in the frame of the waiting call, or in the seat of its task where nothing more
 * has to be known of the wait, and is linked exactly while it may be found.
 * Whoever ends the wait unlinks it first: a waker by popping it, a cut by coir__queued_cut. */
#ifndef COIR_SYNC_QUEUED_H
#define COIR_SYNC_QUEUED_H

#include "base/queue.h"
#include "core/runtime.h"

static inline struct coir__queued *coir__queued_of(struct coir__link *link) {
    return list_entry(link, struct coir__queued, link);
}

/* A cut that needs no more than to leave the queue. */
static inline bool coir__queued_cut(coir_waiter *wait) {
    struct coir__queued *const queued = (struct coir__queued *)(void *)wait;
    queue_take(queued->queue, &queued->link);
    return true;
}

/* Parks at the end of the queue. The caller has checked. */
coir__inline int coir__queued_park(struct coir__runtime *rt, struct coir__queue *queue,
                                   struct coir__queued *queued) {
    queued->queue = queue;
    queue_append(queue, &queued->link);
    return coir__park(rt, rt->current, &queued->wait);
}

/* Puts the task, which is about to park, at the end of the queue, by the record in its seat. */
coir__inline coir_waiter *coir__queue_up(struct coir__task *self, struct coir__queue *queue,
                                         const char *what, const void *object) {
    struct coir__queued *const queued = &self->seat.queued;
    coir__wait_for(&queued->wait, coir__queued_cut, what, object);
    queued->queue = queue;
    queue_append(queue, &queued->link);
    return &queued->wait;
}

/* Parks for a wait of which nothing but its place has to be known. The caller has checked. Ends in
 * a jump into the switch, unless the turn ends. */
coir__inline int coir__wait_in(struct coir__runtime *rt, struct coir__queue *queue,
                               const char *what, const void *object) {
    struct coir__task *const self = rt->current;
    coir_waiter *const wait = coir__queue_up(self, queue, what, object);
    return coir__turn_over(rt) ? coir__park(rt, self, wait) : coir__park_unhindered(rt, self, wait);
}

/* Takes the first waiter out of the queue; NULL if there is none. */
static inline struct coir__queued *coir__queued_pop(struct coir__queue *queue) {
    struct coir__link *const link = queue_pop(queue);
    return link != NULL ? coir__queued_of(link) : NULL;
}

static inline void coir__wake_all(struct coir__runtime *rt, struct coir__queue *queue, int value) {
    struct coir__queued *queued;
    while ((queued = coir__queued_pop(queue)) != NULL)
        coir__wake(rt, &queued->wait, value);
}

/* Why a call of this object cannot be made; 0 if it can. */
coir__inline int coir__refused(const struct coir__runtime *rt, const void *object) {
    if (unlikely(rt == NULL))
        return coir__outside();
    return unlikely(object == NULL) ? -EINVAL : 0;
}

#endif
