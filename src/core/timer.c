/* The timer wheel: arm, disarm, and fire in order of deadline. Only scopes and sleeps use it.
 *
 * See struct coir__wheel. A timer that was armed for a time not after `base` lies at level 0, in
 * the slot of `base` itself. `base` only moves forward, and never past a slot that holds a timer
 * without emptying it. Of timers of equal deadline those armed first are never below the others,
 * and before them where they share a slot: what moves down is put in front. */
#include <string.h>

#include "core/runtime.h"

#define BITS COIR_WHEEL_BITS
#define SLOTS COIR_WHEEL_SLOTS
#define LEVELS COIR_WHEEL_LEVELS
#define WIDE COIR_WHEEL_WIDE
#define WIDE_SHIFT (BITS * WIDE)
#define WIDE_SLOTS (SLOTS * SLOTS)
#define SEARCH_MAX 8 /* timers coir__wheel_next is willing to look at */

void coir__wheel_init(struct coir__wheel *wheel, coir_time now) {
    memset(wheel, 0, offsetof(struct coir__wheel, wide));
    wheel->base = now;
    for (size_t level = 0; level < LEVELS; level++)
        for (size_t slot = 0; slot < SLOTS; slot++)
            list_init(&wheel->slots[level][slot]);
}

static uint64_t bit(size_t n) {
    return UINT64_C(1) << n % 64;
}

/* ---- In and out of slots ---- */

static struct coir__link *wide_slot(struct coir__wheel *wheel, coir_time deadline) {
    const size_t slot = ((uint64_t)deadline >> WIDE_SHIFT) % WIDE_SLOTS, word = slot / SLOTS;
    struct coir__link *const head = &wheel->wide[slot];
    if ((wheel->wide_occupied[word] & bit(slot)) == 0)
        list_init(head);
    wheel->wide_occupied[word] |= bit(slot);
    wheel->occupied[WIDE] |= bit(word);
    wheel->levels |= bit(WIDE);
    return head;
}

/* The slot that the key, which is not before `base`, has at a level other than the wide one. */
coir__inline struct coir__link *narrow_slot(struct coir__wheel *wheel, uint64_t key) {
    const uint64_t differs = key ^ (uint64_t)wheel->base;
    const unsigned level = (63U - (unsigned)__builtin_clzll(differs | 1)) / BITS;
    const unsigned slot = (key >> (BITS * level)) % SLOTS;
    wheel->occupied[level] |= bit(slot);
    wheel->levels |= bit(level);
    return &wheel->slots[level][slot];
}

/* How many wide slots the deadline is ahead; it lies in one if that is 1 or more, and less than
 * WIDE_SLOTS. */
coir__inline uint64_t wide_slots_ahead(const struct coir__wheel *wheel, coir_time deadline) {
    return ((uint64_t)deadline >> WIDE_SHIFT) - ((uint64_t)wheel->base >> WIDE_SHIFT);
}

/* The slot for the deadline. */
static struct coir__link *slot_for(struct coir__wheel *wheel, coir_time deadline) {
    const coir_time key = deadline > wheel->base ? deadline : wheel->base;
    return wide_slots_ahead(wheel, key) - 1 < WIDE_SLOTS - 1 ? wide_slot(wheel, key)
                                                             : narrow_slot(wheel, (uint64_t)key);
}

/* There is no timer any more in the list of `head`: a slot, or the timers about to fire. */
coir__inline void vacate(struct coir__wheel *wheel, const struct coir__link *head) {
    const size_t narrow = (size_t)((uintptr_t)head - (uintptr_t)wheel->slots);
    const size_t wide = (size_t)((uintptr_t)head - (uintptr_t)wheel->wide) / sizeof *head;
    size_t level = WIDE, slot = wide / SLOTS;
    if (narrow < sizeof wheel->slots) {
        level = narrow / sizeof *head / SLOTS;
        slot = narrow / sizeof *head % SLOTS;
    } else {
        if (wide >= WIDE_SLOTS)
            return;
        wheel->wide_occupied[slot] &= ~bit(wide);
        if (wheel->wide_occupied[slot] != 0)
            return;
    }
    wheel->occupied[level] &= ~bit(slot);
    if (wheel->occupied[level] == 0)
        wheel->levels &= ~bit(level);
}

/* ---- Arming ---- */

/* The same as coir__wheel_arm, for a deadline of the next second, or of the past. */
static coir__noinline void arm_near(struct coir__wheel *wheel, struct coir__timer *timer) {
    const uint64_t ahead = (uint64_t)timer->deadline - (uint64_t)wheel->base;
    if (ahead < COIR_WHEEL_PATIENT && timer->deadline > wheel->precise)
        wheel->precise = timer->deadline;
    list_append(slot_for(wheel, timer->deadline), &timer->link);
}

void coir__wheel_arm(struct coir__wheel *wheel, struct coir__timer *timer) {
    wheel->armed++;
    if (timer->deadline <= wheel->base || wide_slots_ahead(wheel, timer->deadline) < WIDE_SLOTS)
        arm_near(wheel, timer);
    else
        list_append(narrow_slot(wheel, (uint64_t)timer->deadline), &timer->link);
}

void coir__wheel_disarm(struct coir__wheel *wheel, struct coir__timer *timer) {
    if (!list_linked(&timer->link))
        return;
    wheel->armed--;
    struct coir__link *const before = timer->link.prev;
    const bool last = before == timer->link.next;
    list_unlink(&timer->link);
    timer->link.next = NULL;
    if (last)
        vacate(wheel, before);
}

/* ---- What comes first ---- */

/* The first slot of a level that has a timer, which must have one, and when it begins. */
static coir_time first_of_level(struct coir__wheel *wheel, unsigned level,
                                struct coir__link **head) {
    const unsigned slot = (unsigned)__builtin_ctzll(wheel->occupied[level]);
    const unsigned shift = BITS * level, above = shift + BITS;
    *head = &wheel->slots[level][slot];
    const uint64_t prefix = above < 64 ? (uint64_t)wheel->base >> above << above : 0;
    return (coir_time)(prefix | (uint64_t)slot << shift);
}

/* The same for the wide level, whose slots are those that follow that of `base`, and round. */
static coir_time first_of_wide(struct coir__wheel *wheel, struct coir__link **head) {
    const uint64_t begin = ((uint64_t)wheel->base >> WIDE_SHIFT) + 1;
    const size_t from = begin % WIDE_SLOTS;
    size_t word = from / SLOTS;
    uint64_t slots = wheel->wide_occupied[word] & -bit(from);
    if (slots == 0) { /* in the first word after that, or below in the same */
        const size_t next = word + 1;
        const uint64_t words = wheel->occupied[WIDE];
        const uint64_t round = words >> next % 64 | words << (64 - next) % 64;
        word = (next + (size_t)__builtin_ctzll(round)) % SLOTS;
        slots = wheel->wide_occupied[word];
    }
    const size_t slot = word * SLOTS + (size_t)__builtin_ctzll(slots);
    *head = &wheel->wide[slot];
    return (coir_time)((begin + (slot - from) % WIDE_SLOTS) << WIDE_SHIFT);
}

/* The same for all levels above that one; COIR_NEVER, and a list that means nothing, if none has a
 * timer. */
static coir_time first_above(struct coir__wheel *wheel, unsigned *level, struct coir__link **head) {
    const uint64_t above = wheel->levels >> (WIDE + 1);
    *head = &wheel->slots[0][0];
    if (above == 0)
        return COIR_NEVER;
    *level = WIDE + 1 + (unsigned)__builtin_ctzll(above);
    return first_of_level(wheel, *level, head);
}

/* The level of the slot to be emptied next, its list, and when it begins. There must be one. Where
 * two begin together, the wide one comes first, and then that of the level above, before those
 * below that have got timers from the wide one. */
static unsigned first_slot(struct coir__wheel *wheel, struct coir__link **head, coir_time *start) {
    const uint64_t below = wheel->levels & (bit(WIDE) - 1);
    struct coir__link *other;
    unsigned level = 0;
    *start = first_above(wheel, &level, head);
    if (below != 0) {
        const unsigned low = (unsigned)__builtin_ctzll(below);
        const coir_time begin = first_of_level(wheel, low, &other);
        if (*start <= begin)
            return level;
        *start = begin;
        *head = other;
        return low;
    }
    if ((wheel->levels & bit(WIDE)) != 0) {
        const coir_time begin = first_of_wide(wheel, &other);
        if (*start < begin)
            return level;
        *start = begin;
        *head = other;
        return WIDE;
    }
    return level;
}

/* Whether timers of another slot may be earlier than some in that first one. */
static bool overlaps(struct coir__wheel *wheel, unsigned level, coir_time start) {
    struct coir__link *head;
    unsigned above;
    return level > WIDE ? (wheel->levels & bit(WIDE)) != 0
                        : level == WIDE && first_above(wheel, &above, &head) == start;
}

static struct coir__timer *timer_of(struct coir__link *link) {
    return list_entry(link, struct coir__timer, link);
}

coir_time coir__wheel_next(struct coir__wheel *wheel) {
    if (wheel->levels == 0)
        return COIR_NEVER;
    struct coir__link *head;
    coir_time start;
    const unsigned level = first_slot(wheel, &head, &start);
    if (level == 0 || overlaps(wheel, level, start))
        return start;
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

coir_time coir__wheel_wake(struct coir__wheel *wheel, coir_time now) {
    const coir_time next = coir__wheel_next(wheel), together = wheel->fired + COIR_WHEEL_TOGETHER;
    return now < next && next < together && wheel->precise <= now ? together : next;
}

/* ---- Firing ---- */

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

/* Brings all of the list into the cache: from both ends, so that two misses are under way at once.
 */
static void fetch_all(const struct coir__link *head) {
    const struct coir__link *front = head->next, *back = head->prev;
    while (front != back && front->next != back) {
        front = front->next;
        back = back->prev;
        __builtin_prefetch(front);
        __builtin_prefetch(back);
    }
}

/* Empties a slot whose time has come: what is due goes to `due`, the rest down. Backwards, so that
 * what moves is put in front of what was armed later, and keeps its own order. Of those that are
 * due only what was above the wide level may have to go in front of others of the same deadline. */
static void empty(struct coir__wheel *wheel, unsigned level, struct coir__link *head, coir_time now,
                  struct coir__link *due) {
    struct coir__link moving;
    list_init(&moving);
    list_splice(&moving, head);
    vacate(wheel, head);
    fetch_all(&moving);
    for (struct coir__link *link = moving.prev, *before; link != &moving; link = before) {
        before = link->prev;
        if (timer_of(link)->deadline <= now)
            continue;
        list_unlink(link);
        list_prepend(slot_for(wheel, timer_of(link)->deadline), link);
    }
    list_splice(level > WIDE ? due->next : due, &moving);
}

void coir__wheel_advance(struct coir__wheel *wheel, coir_time now) {
    if (now < wheel->base)
        return;
    struct coir__link due;
    list_init(&due);
    while (wheel->levels != 0) {
        struct coir__link *head;
        coir_time start;
        const unsigned level = first_slot(wheel, &head, &start);
        if (start > now)
            break;
        wheel->base = start > wheel->base ? start : wheel->base;
        empty(wheel, level, head, now, &due);
    }
    wheel->base = now;
    if (list_empty(&due))
        return;
    wheel->fired = now;
    sort(&due);
    while (!list_empty(&due)) {
        struct coir__timer *const timer = timer_of(due.next);
        list_take(&timer->link);
        wheel->armed--;
        timer->fire(timer);
    }
}
