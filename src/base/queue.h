/* A queue of links: a list whose zeroed state is empty, so that zeroed memory is a valid object.
 *
 * The members form a ring, entered at the first one. A member leaves from any place in O(1). Like a
 * list's, a link that is in no queue has next == NULL once it was zeroed, or removed. */
#ifndef COIR_BASE_QUEUE_H
#define COIR_BASE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/list.h"
#include "coir/sync.h" /* struct coir__queue, which public types embed */

static inline bool queue_empty(const struct coir__queue *queue) {
    return queue->first == NULL;
}

static inline void queue_append(struct coir__queue *queue, struct coir__link *link) {
    if (queue->first == NULL) {
        list_init(link);
        queue->first = link;
    } else {
        list_append(queue->first, link);
    }
}

static inline void queue_prepend(struct coir__queue *queue, struct coir__link *link) {
    queue_append(queue, link);
    queue->first = link;
}

/* Removes a member. */
static inline void queue_take(struct coir__queue *queue, struct coir__link *link) {
    if (link->next == link)
        queue->first = NULL;
    else if (queue->first == link)
        queue->first = link->next;
    list_take(link);
}

/* Removes and returns the first member; NULL if there is none. */
static inline struct coir__link *queue_pop(struct coir__queue *queue) {
    struct coir__link *const link = queue->first;
    if (link != NULL)
        queue_take(queue, link);
    return link;
}

#endif
