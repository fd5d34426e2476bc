/* The timer wheel: arm, disarm, and fire in order of deadline. Only scopes and sleeps use it.
 *
 * See struct coir__wheel. A timer that was armed for a time not after `base` lies at level 0, in
 * the slot of `base` itself. `base` only moves forward, and never past a slot that holds a timer
 * without emptying it; so timers of equal deadline always share a slot, in arming order. */
#include <string.h>

#include "core/runtime.h"

#define DIGIT_MASK (COIR_WHEEL_SLOTS - 1)
#define SEARCH_MAX 8 /* timers coir__wheel_next is willing to look at */

void coir__wheel_init(struct coir__wheel *wheel, coir_time now) {
    memset(wheel, 0, offsetof(struct coir__wheel, slots));
    wheel->base = now;
    for (size_t level = 0; level < COIR_WHEEL_LEVELS; level++)
        for (size_t slot = 0; slot < COIR_WHEEL_SLOTS; slot++)
            list_init(&wheel->slots[level][slot]);
}

static void place(struct coir__wheel *wheel, struct coir__timer *timer) {
    const uint64_t base = (uint64_t)wheel->base;
    const uint64_t key = timer->deadline > wheel->base ? (uint64_t)timer->deadline : base;
    const unsigned level = (63U - (unsigned)__builtin_clzll((key ^ base) | 1)) / COIR_WHEEL_BITS;
    const unsigned slot = (key >> (COIR_WHEEL_BITS * level)) & DIGIT_MASK;
    list_append(&wheel->slots[level][slot], &timer->link);
    wheel->occupied[level] |= UINT64_C(1) << slot;
    wheel->levels |= UINT64_C(1) << level;
}

static void clear(struct coir__wheel *wheel, size_t level, size_t slot) {
    wheel->occupied[level] &= ~(UINT64_C(1) << slot);
    if (wheel->occupied[level] == 0)
        wheel->levels &= ~(UINT64_C(1) << level);
}

void coir__wheel_arm(struct coir__wheel *wheel, struct coir__timer *timer) {
    wheel->armed++;
    place(wheel, timer);
}

void coir__wheel_disarm(struct coir__wheel *wheel, struct coir__timer *timer) {
    if (!list_linked(&timer->link))
        return;
    wheel->armed--;
    struct coir__link *const before = timer->link.prev;
    const bool last = before == timer->link.next;
    list_take(&timer->link);
    /* The last of its list: `before` is the head of a slot, or of the timers about to fire. */
    const size_t offset = (size_t)((uintptr_t)before - (uintptr_t)wheel->slots);
    if (last && offset < sizeof wheel->slots) {
        const size_t index = offset / sizeof *before;
        clear(wheel, index / COIR_WHEEL_SLOTS, index % COIR_WHEEL_SLOTS);
    }
}

/* The first time that belongs to an occupied slot at the lowest occupied level. */
static coir_time first_slot(const struct coir__wheel *wheel, unsigned *level, unsigned *slot) {
    *level = (unsigned)__builtin_ctzll(wheel->levels);
    *slot = (unsigned)__builtin_ctzll(wheel->occupied[*level]);
    const unsigned shift = COIR_WHEEL_BITS * *level;
    const uint64_t above = shift + COIR_WHEEL_BITS < 64
                               ? (uint64_t)wheel->base >> (shift + COIR_WHEEL_BITS)
                                                              << (shift + COIR_WHEEL_BITS)
                               : 0;
    return (coir_time)(above | (uint64_t)*slot << shift);
}

static struct coir__timer *timer_of(struct coir__link *link) {
    return list_entry(link, struct coir__timer, link);
}

coir_time coir__wheel_next(const struct coir__wheel *wheel) {
    if (wheel->levels == 0)
        return COIR_NEVER;
    unsigned level, slot;
    const coir_time start = first_slot(wheel, &level, &slot);
    if (level == 0)
        return start;
    const struct coir__link *const head = &wheel->slots[level][slot];
    coir_time earliest = COIR_NEVER;
    unsigned seen = 0;
    for (struct coir__link *link = head->next; link != head; link = link->next) {
        if (++seen > SEARCH_MAX)
            return start;
        const coir_time deadline = timer_of(link)->deadline;
        earliest = deadline < earliest ? deadline : earliest;
    }
    return earliest;
}

/* Merges two sorted chains, linked by `next` and ended by NULL; `a` first where equal. */
static struct coir__link *merge(struct coir__link *a, struct coir__link *b) {
    struct coir__link *first, **tail = &first;
    while (a != NULL && b != NULL) {
        struct coir__link **const less = timer_of(b)->deadline < timer_of(a)->deadline ? &b : &a;
        *tail = *less;
        tail = &(*less)->next;
        *less = *tail;
    }
    *tail = a != NULL ? a : b;
    return first;
}

/* Sorts a list by deadline, keeping the order of equals: merges runs of doubling length. */
static void sort(struct coir__link *head) {
    bool sorted = true;
    for (struct coir__link *link = head->next; link->next != head && sorted; link = link->next)
        sorted = timer_of(link)->deadline <= timer_of(link->next)->deadline;
    if (sorted)
        return;
    struct coir__link *runs[64] = {NULL}; /* runs[i]: 2^i timers, or none */
    head->prev->next = NULL;
    for (struct coir__link *link = head->next; link != NULL;) {
        struct coir__link *run = link;
        link = link->next;
        run->next = NULL;
        unsigned i = 0;
        for (; runs[i] != NULL; i++) {
            run = merge(runs[i], run);
            runs[i] = NULL;
        }
        runs[i] = run;
    }
    struct coir__link *all = NULL;
    for (unsigned i = 0; i < 64; i++)
        all = all == NULL ? runs[i] : runs[i] == NULL ? all : merge(runs[i], all);
    list_init(head);
    while (all != NULL) {
        struct coir__link *const link = all;
        all = all->next;
        list_append(head, link);
    }
}

void coir__wheel_advance(struct coir__wheel *wheel, coir_time now) {
    if (now < wheel->base)
        return;
    struct coir__link due;
    list_init(&due);
    while (wheel->levels != 0) {
        unsigned level, slot;
        const coir_time start = first_slot(wheel, &level, &slot);
        if (start > now)
            break;
        wheel->base = start > wheel->base ? start : wheel->base;
        struct coir__link moving;
        list_init(&moving);
        list_splice(&moving, &wheel->slots[level][slot]);
        clear(wheel, level, slot);
        while (!list_empty(&moving)) {
            struct coir__timer *const timer = timer_of(moving.next);
            list_take(&timer->link);
            if (timer->deadline <= now)
                list_append(&due, &timer->link);
            else
                place(wheel, timer);
        }
    }
    wheel->base = now;
    if (!list_empty(&due))
        sort(&due);
    while (!list_empty(&due)) {
        struct coir__timer *const timer = timer_of(due.next);
        list_take(&timer->link);
        wheel->armed--;
        timer->fire(timer);
    }
}
