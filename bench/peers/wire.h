/* The least channel of words between the floor's tasks: at most one waits at either end, nobody is
 * cancelled, nothing is closed. */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include "tasks/floor.h"

#define WIRE_ROOM 64

/* Who waits for an item, of one or of several. */
struct wire_receiver {
    struct fiber *fiber; /* NULL: has been given one */
    uint64_t *place;
    const struct wire *from;
};

struct wire {
    size_t capacity, sent, received; /* the counters run on */
    struct wire_receiver *receiver;
    struct fiber *sender; /* who waits, */
    const uint64_t *item; /* with this */
    uint64_t buffer[WIRE_ROOM];
};

BENCH_INLINE void wire_send(struct wire *wire, const uint64_t *item) {
    struct wire_receiver *const receiver = wire->receiver;
    if (receiver != NULL && receiver->fiber != NULL) {
        *receiver->place = *item;
        fifo_push(receiver->fiber);
        receiver->fiber = NULL;
        receiver->from = wire;
        wire->receiver = NULL;
    } else if (wire->sent - wire->received < wire->capacity) {
        wire->buffer[wire->sent++ % WIRE_ROOM] = *item;
    } else {
        wire->item = item;
        wire->sender = fifo.running;
        fifo_park();
    }
}

/* Takes an item if there is one, and that of a sender who waits. */
BENCH_INLINE bool wire_try(struct wire *wire, uint64_t *place) {
    if (wire->sent != wire->received)
        *place = wire->buffer[wire->received++ % WIRE_ROOM];
    else if (wire->sender != NULL)
        *place = *wire->item;
    else
        return false;
    if (wire->sender == NULL)
        return true;
    if (wire->capacity != 0)
        wire->buffer[wire->sent++ % WIRE_ROOM] = *wire->item;
    fifo_push(wire->sender);
    wire->sender = NULL;
    return true;
}

BENCH_INLINE void wire_receive(struct wire *wire, uint64_t *place) {
    if (wire_try(wire, place))
        return;
    struct wire_receiver self = {.fiber = fifo.running, .place = place};
    wire->receiver = &self;
    fifo_park();
}

#endif
