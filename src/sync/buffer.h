/* The items a channel holds, in one of three orders; used by channel.c alone.
 *
 * FIFO: a ring. LIFO: a stack. Priority: a heap whose entries point to the items, which stay where
 * they are; entries behind the heap point to the places that are free. Items are numbered, so that
 * equal ones keep their order. A place that pop has returned keeps its item until the next put. */
#ifndef COIR_SYNC_BUFFER_H
#define COIR_SYNC_BUFFER_H

#include <string.h>

#include "coir/channel.h"
#include "core/runtime.h"

struct coir__entry;

struct coir__buffer {
    size_t item_size;
    size_t count;
    size_t room;       /* items it takes: its capacity, or 0 once it is shut */
    char *head;        /* FIFO: the item that leaves next */
    char *tail;        /* FIFO: the place of the next to come */
    char *begin, *end; /* of the places */
    size_t capacity;
    coir_order order;
    size_t places_used; /* priority: entries beyond were never filled in */
    uint64_t next_number;
    struct coir__entry *heap;
    int (*compare)(const void *a, const void *b);
};

/* 0, -EINVAL or -ENOMEM. The options have been checked. */
int coir__buffer_init(struct coir__buffer *buffer, size_t item_size, size_t capacity,
                      const coir_channel_options *options);
void coir__buffer_fini(struct coir__buffer *buffer);
/* These two for LIFO and priority. */
void coir__buffer_put_ordered(struct coir__buffer *buffer, const void *item);
char *coir__buffer_pop_ordered(struct coir__buffer *buffer);

/* The inline parts take `quick` as a constant: true if the buffer is known to be a FIFO of items of
 * one word. Then they are free of calls. */

coir__inline void coir__item_copy(void *to, const void *from, size_t size, const bool quick) {
    if (quick)
        memcpy(to, from, sizeof(uint64_t));
    else
        memcpy(to, from, size);
}

coir__inline bool coir__buffer_is_quick(const struct coir__buffer *buffer) {
    return buffer->order == COIR_FIFO && buffer->item_size == sizeof(uint64_t);
}

/* The place behind a place, in the ring. */
coir__inline char *coir__buffer_next(const struct coir__buffer *buffer, char *place,
                                     const bool quick) {
    place += quick ? sizeof(uint64_t) : buffer->item_size;
    return place == buffer->end ? buffer->begin : place;
}

/* There must be room. */
coir__inline void coir__buffer_put(struct coir__buffer *buffer, const void *item,
                                   const bool quick) {
    buffer->count++;
    if (!quick && buffer->order != COIR_FIFO) {
        coir__buffer_put_ordered(buffer, item);
        return;
    }
    coir__item_copy(buffer->tail, item, buffer->item_size, quick);
    buffer->tail = coir__buffer_next(buffer, buffer->tail, quick);
}

/* Takes the item out whose turn it is and returns where it lies. There must be one. */
coir__inline char *coir__buffer_pop(struct coir__buffer *buffer, const bool quick) {
    buffer->count--;
    if (!quick && buffer->order != COIR_FIFO)
        return coir__buffer_pop_ordered(buffer);
    char *const place = buffer->head;
    buffer->head = coir__buffer_next(buffer, place, quick);
    return place;
}

#endif
