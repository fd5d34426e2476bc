/* Barriers. The last to arrive lets the others go on, and finds the barrier as new when it returns.
 */
#include "sync/queued.h"

struct party {
    struct coir__queued queued;
    coir_barrier *barrier;
};

int coir_barrier_init(coir_barrier *barrier, int parties) {
    if (barrier == NULL || parties < 1)
        return -EINVAL;
    *barrier = (coir_barrier){.coir__parties = parties};
    return 0;
}

static bool cut_party(coir_waiter *wait) {
    ((struct party *)(void *)wait)->barrier->coir__waiting--;
    return coir__queued_cut(wait);
}

/* Each learns its place in the queue. Returns the place of the caller, who is the last. */
static int open_barrier(struct coir__runtime *rt, coir_barrier *barrier) {
    struct coir__queued *party;
    int place = 0;
    barrier->coir__waiting = 0;
    while ((party = coir__queued_pop(&barrier->coir__waiters)) != NULL)
        coir__wake(rt, &party->wait, place++);
    return place;
}

int coir_barrier_wait(coir_barrier *barrier) {
    struct coir__runtime *const rt = coir__rt;
    COIR_TRY(coir__refused(rt, barrier));
    COIR_TRY(coir__check(rt, rt->current));
    if (barrier->coir__broken)
        return -EPIPE;
    if (barrier->coir__parties == 0)
        return -EINVAL;
    if (barrier->coir__waiting == barrier->coir__parties - 1)
        return open_barrier(rt, barrier);
    struct party party = {
        .queued.wait = {.cut = cut_party, .what = coir__what_barrier, .object = barrier},
        .barrier = barrier};
    barrier->coir__waiting++;
    return coir__queued_park(rt, &barrier->coir__waiters, &party.queued);
}

/* Sends away all who wait. */
static int turn_away(coir_barrier *barrier, bool broken) {
    struct coir__runtime *const rt = coir__rt;
    COIR_TRY(coir__refused(rt, barrier));
    barrier->coir__broken = broken;
    barrier->coir__waiting = 0;
    coir__wake_all(rt, &barrier->coir__waiters, -EPIPE);
    return 0;
}

int coir_barrier_abort(coir_barrier *barrier) {
    return turn_away(barrier, true);
}

int coir_barrier_reset(coir_barrier *barrier) {
    return turn_away(barrier, false);
}

int coir_barrier_destroy(coir_barrier *barrier) {
    if (barrier == NULL)
        return 0;
    if (barrier->coir__waiting > 0)
        return -EBUSY;
    *barrier = (coir_barrier){.coir__parties = 0};
    return 0;
}
