/* Waiting in a queue: what all primitives do when a call cannot go on.
 *
 * The record lives in the frame of the waiting call and is linked exactly while it may be found.
 * Whoever ends the wait unlinks it first: a waker by popping it, a cut by coir__queued_cut. */
#ifndef COIR_SYNC_QUEUED_H
#define COIR_SYNC_QUEUED_H

#include "base/queue.h"
#include "core/runtime.h"

struct coir__queued {
    coir_waiter wait; /* first, so that a cut finds the rest */
    struct coir__link link;
    struct coir__queue *queue; /* the one it waits in */
};

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

/* The same for a wait of which nothing but its place has to be known. */
coir__inline int coir__wait_in(struct coir__runtime *rt, struct coir__queue *queue,
                               const char *what, const void *object) {
    struct coir__queued queued = {
        .wait = {.cut = coir__queued_cut, .what = what, .object = object}};
    return coir__queued_park(rt, queue, &queued);
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
