/* The ring of ready tasks: its room, and taking out others than the head. */
#include <string.h>

#include "core/runtime.h"

#define PLACES_MIN 64

bool coir__ready_widen(struct coir__ready *ready, size_t count) {
    size_t places = PLACES_MIN;
    while (places <= count)
        places *= 2;
    struct coir__task **const wider = sys_allocate(places * sizeof *wider);
    if (wider == NULL)
        return false;
    for (size_t i = ready->head; i != ready->tail; i++)
        wider[i & (places - 1)] = ready->places[i & ready->mask];
    sys_free(ready->places);
    ready->places = wider;
    ready->mask = places - 1;
    return true;
}

void coir__ready_fini(struct coir__ready *ready) {
    sys_free(ready->places);
}

struct coir__task *coir__ready_take(struct coir__ready *ready, size_t n) {
    size_t place = ready->head + n;
    struct coir__task *const task = ready->places[place & ready->mask];
    for (; place != ready->head; place--)
        ready->places[place & ready->mask] = ready->places[(place - 1) & ready->mask];
    ready->head++;
    return task;
}
