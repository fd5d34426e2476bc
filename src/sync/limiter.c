/* Limiters: permits whose holders are known.
 *
 * A holder is a handle: that of a task, or a key in its place with generation 0. They are kept in a
 * table by hash, with linear probing, at most half full: it has room for the greatest limit there
 * was, so that only a change of the limit allocates. Nobody waits while a permit is to be had. */
#include "sync/queued.h"

#define TABLE_SIZE_MIN 8

struct applicant {
    struct coir__queued queued;
    coir_task who;
};

static coir_task caller(const struct coir__runtime *rt) {
    struct coir__record *const record = rt->current->record;
    return (coir_task){.coir__record = record, .coir__generation = record->generation};
}

static coir_task key_holder(const void *key) {
    return (coir_task){.coir__record = (void *)(uintptr_t)key};
}

/* ---- The table ---- */

static bool same(coir_task a, coir_task b) {
    return a.coir__record == b.coir__record && a.coir__generation == b.coir__generation;
}

static size_t home_of(coir_task who, size_t table_size) {
    const uint64_t mixed =
        ((uintptr_t)who.coir__record ^ who.coir__generation << 20) * UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(mixed >> 32) & (table_size - 1);
}

/* The place of the holder, or else the free one where it would be put. There is a table. */
static coir_task *place_of(const coir_limiter *limiter, coir_task who) {
    coir_task *const table = limiter->coir__table;
    size_t at = home_of(who, limiter->coir__table_size);
    while (table[at].coir__record != NULL && !same(table[at], who))
        at = (at + 1) & (limiter->coir__table_size - 1);
    return &table[at];
}

/* Closes the gap: moves up whoever had found its home taken and been put further on. */
static void remove_holder(coir_limiter *limiter, const coir_task *place) {
    coir_task *const table = limiter->coir__table;
    const size_t mask = limiter->coir__table_size - 1;
    size_t gap = (size_t)(place - table);
    for (size_t at = (gap + 1) & mask; table[at].coir__record != NULL; at = (at + 1) & mask) {
        const size_t home = home_of(table[at], mask + 1);
        if (((at - home) & mask) >= ((at - gap) & mask)) {
            table[gap] = table[at];
            gap = at;
        }
    }
    table[gap].coir__record = NULL;
    limiter->coir__held--;
}

/* Sees to it that `limit` holders have room. */
static int grow(coir_limiter *limiter, size_t limit) {
    size_t size = TABLE_SIZE_MIN;
    while (size < 2 * limit)
        size *= 2;
    if (limit == 0 || size <= limiter->coir__table_size)
        return 0;
    const coir_limiter old = *limiter;
    coir_task *const table = sys_allocate(size * sizeof *table);
    if (table == NULL)
        return -ENOMEM;
    limiter->coir__table = table;
    limiter->coir__table_size = size;
    for (size_t i = 0; i < old.coir__table_size; i++)
        if (old.coir__table[i].coir__record != NULL)
            *place_of(limiter, old.coir__table[i]) = old.coir__table[i];
    sys_free(old.coir__table);
    return 0;
}

/* ---- Permits ---- */

/* A limiter without a table has limit 0, and nobody holds a permit. */
static int try_acquire(coir_limiter *limiter, coir_task who) {
    if (limiter->coir__table == NULL)
        return -EAGAIN;
    coir_task *const place = place_of(limiter, who);
    if (place->coir__record != NULL)
        return -EDEADLK;
    if (limiter->coir__held >= limiter->coir__limit)
        return -EAGAIN;
    *place = who;
    limiter->coir__held++;
    return 0;
}

/* Lets in as many as fit. One may fail: two can wait on behalf of the same key. Returns 0. */
static coir__noinline int let_in(struct coir__runtime *rt, coir_limiter *limiter) {
    while (limiter->coir__held < limiter->coir__limit && !queue_empty(&limiter->coir__waiters)) {
        struct applicant *const next =
            (struct applicant *)(void *)coir__queued_pop(&limiter->coir__waiters);
        coir__wake(rt, &next->queued.wait, try_acquire(limiter, next->who));
    }
    return 0;
}

static coir__noinline int acquire_slow(struct coir__runtime *rt, coir_limiter *limiter,
                                       coir_task who) {
    COIR_TRY(coir__check(rt, rt->current));
    const int rc = try_acquire(limiter, who);
    if (rc != -EAGAIN)
        return rc;
    struct applicant applicant = {
        .queued.wait = {.cut = coir__queued_cut, .what = coir__what_limiter, .object = limiter},
        .who = who};
    return coir__queued_park(rt, &limiter->coir__waiters, &applicant.queued);
}

static int acquire(struct coir__runtime *rt, coir_limiter *limiter, coir_task who) {
    if (unlikely(rt->current->due != COIR_NEVER))
        return acquire_slow(rt, limiter, who);
    const int rc = try_acquire(limiter, who);
    return likely(rc != -EAGAIN) ? rc : acquire_slow(rt, limiter, who);
}

static int release(struct coir__runtime *rt, coir_limiter *limiter, coir_task who) {
    if (limiter->coir__table == NULL)
        return -EPERM;
    const coir_task *const place = place_of(limiter, who);
    if (place->coir__record == NULL)
        return -EPERM;
    remove_holder(limiter, place);
    return likely(queue_empty(&limiter->coir__waiters)) ? 0 : let_in(rt, limiter);
}

int coir_limiter_acquire(coir_limiter *limiter) {
    struct coir__runtime *const rt = coir__rt;
    COIR_TRY(coir__refused(rt, limiter));
    return acquire(rt, limiter, caller(rt));
}

int coir_limiter_try_acquire(coir_limiter *limiter) {
    const struct coir__runtime *const rt = coir__rt;
    COIR_TRY(coir__refused(rt, limiter));
    return try_acquire(limiter, caller(rt));
}

int coir_limiter_release(coir_limiter *limiter) {
    struct coir__runtime *const rt = coir__rt;
    COIR_TRY(coir__refused(rt, limiter));
    return release(rt, limiter, caller(rt));
}

int coir_limiter_acquire_for(coir_limiter *limiter, const void *key) {
    struct coir__runtime *const rt = coir__rt;
    COIR_TRY(coir__refused(rt, limiter));
    return key != NULL ? acquire(rt, limiter, key_holder(key)) : -EINVAL;
}

int coir_limiter_try_acquire_for(coir_limiter *limiter, const void *key) {
    COIR_TRY(coir__refused(coir__rt, limiter));
    return key != NULL ? try_acquire(limiter, key_holder(key)) : -EINVAL;
}

int coir_limiter_release_for(coir_limiter *limiter, const void *key) {
    struct coir__runtime *const rt = coir__rt;
    COIR_TRY(coir__refused(rt, limiter));
    return key != NULL ? release(rt, limiter, key_holder(key)) : -EINVAL;
}

int coir_limiter_set_limit(coir_limiter *limiter, size_t limit) {
    if (limiter == NULL || limit > COIR_LIMITER_MAX)
        return -EINVAL;
    if (coir__rt == NULL && !queue_empty(&limiter->coir__waiters))
        return coir__outside();
    COIR_TRY(grow(limiter, limit));
    limiter->coir__limit = limit;
    return let_in(coir__rt, limiter);
}

/* ---- Looking, and the end ---- */

size_t coir_limiter_holders(const coir_limiter *limiter, coir_holder *out, size_t capacity) {
    if (limiter == NULL)
        return 0;
    size_t count = 0;
    for (size_t i = 0; out != NULL && i < limiter->coir__table_size && count < capacity; i++) {
        const coir_task who = limiter->coir__table[i];
        if (who.coir__record == NULL)
            continue;
        out[count] = (coir_holder){.key = NULL};
        if (who.coir__generation != 0)
            out[count].task = who;
        else
            out[count].key = who.coir__record;
        count++;
    }
    return limiter->coir__held;
}

int coir_limiter_destroy(coir_limiter *limiter) {
    if (limiter == NULL)
        return 0;
    if (!queue_empty(&limiter->coir__waiters))
        return -EBUSY;
    for (size_t i = 0; i < limiter->coir__table_size; i++) {
        const coir_task who = limiter->coir__table[i];
        if (who.coir__record != NULL && (who.coir__generation == 0 || !coir_task_done(who)))
            return -EBUSY;
    }
    sys_free(limiter->coir__table);
    *limiter = (coir_limiter){.coir__limit = 0};
    return 0;
}
