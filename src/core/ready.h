/* The tasks that may run, first in, first out.
 *
 * A ring of pointers, not a list through the tasks: who comes after the next is known without
 * touching the tasks between, so that their memory can be fetched while others still run. With many
 * tasks that is nearly all that a switch waits for. */
#ifndef COIR_CORE_READY_H
#define COIR_CORE_READY_H

#include <stdbool.h>
#include <stddef.h>

#define COIR_MANY_READY 16 /* from so many on, the memory of those who come soon is fetched */

struct coir__task;

struct coir__ready {
    struct coir__task **places;
    size_t mask;       /* how many places there are, a power of two, less one */
    size_t head, tail; /* of the first, and behind the last; they run on, their low bits count */
};

bool coir__ready_widen(struct coir__ready *ready, size_t count);
void coir__ready_fini(struct coir__ready *ready);
/* Takes out the n-th, which must be there; 0 is the head. */
struct coir__task *coir__ready_take(struct coir__ready *ready, size_t n);

/* Adds one at the end; there must be room. */
static inline void coir__ready_add(struct coir__ready *ready, struct coir__task *task) {
    ready->places[ready->tail++ & ready->mask] = task;
}

/* Makes room for `count` tasks, so that adding one cannot fail. False if there is no memory. */
static inline bool coir__ready_reserve(struct coir__ready *ready, size_t count) {
    return count <= ready->mask || coir__ready_widen(ready, count);
}

static inline size_t coir__ready_count(const struct coir__ready *ready) {
    return ready->tail - ready->head;
}

#endif
