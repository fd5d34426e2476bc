/* The timer wheel: what the machine asks of timer.c. */
#ifndef COIR_CORE_TIMER_H
#define COIR_CORE_TIMER_H

#include "coir/scope.h" /* struct coir__timer, which scopes embed */

#define COIR_WHEEL_BITS 6 /* of a deadline, per level */
#define COIR_WHEEL_SLOTS (1 << COIR_WHEEL_BITS)
#define COIR_WHEEL_LEVELS ((63 + COIR_WHEEL_BITS - 1) / COIR_WHEEL_BITS)
#define COIR_WHEEL_WIDE 3 /* the level that stands for itself and the next, with as many slots */

/* To sleep and to wake costs more than what most tasks do in between. So where timers go off more
 * often than each of these, those that were armed for a hundred times as long at least wait for one
 * another: the loop wakes a thousand times a second at most, and one by itself is not late. */
#define COIR_WHEEL_TOGETHER COIR_MS(1)
#define COIR_WHEEL_PATIENT (100 * COIR_WHEEL_TOGETHER)

/* A radix wheel, exact to the nanosecond. A timer lies at the level of the highest six-bit digit in
 * which its deadline differs from `base`, in the slot of that digit. Arming and disarming cost the
 * same whatever is outstanding; a timer moves down at most once a level.
 *
 * Each move is a miss of the cache, so most timers shall have few. The wide level has a slot for
 * each of the 4,096 quarters of a millisecond to come, whatever the digits above are: a timer of up
 * to a second moves once, to the levels below, shortly before it fires.
 *
 *      level       0     1      2       wide          5      6  ...
 *      a slot      1 ns  64 ns  4.1 us  262 us        1.07 s 69 s
 *      all slots   64 ns 4.1 us 262 us  1.07 s, round 69 s   73 min
 */
struct coir__wheel {
    struct coir__link slots[COIR_WHEEL_LEVELS][COIR_WHEEL_SLOTS];
    coir_time base;    /* no deadline at level > 0 lies before it */
    size_t armed;      /* timers in the wheel or about to fire */
    uint64_t levels;   /* bit: level has a timer */
    coir_time fired;   /* when advance last fired some */
    coir_time precise; /* until then one may be armed that is not patient */
    /* Bit: slot has a timer. At the wide level: 64 of its slots have. */
    uint64_t occupied[COIR_WHEEL_LEVELS];
    uint64_t wide_occupied[COIR_WHEEL_SLOTS]; /* bit: wide slot has a timer */
    /* That of a slot without a timer is not even initialised: few pages are ever touched. */
    struct coir__link wide[COIR_WHEEL_SLOTS * COIR_WHEEL_SLOTS];
};

void coir__wheel_init(struct coir__wheel *wheel, coir_time now);
/* Arms a disarmed timer; timer->deadline and timer->fire are set. */
void coir__wheel_arm(struct coir__wheel *wheel, struct coir__timer *timer);
/* Disarms; harmless on a timer that is not armed. */
void coir__wheel_disarm(struct coir__wheel *wheel, struct coir__timer *timer);
/* Fires, in order of deadline and then of arming, every timer whose deadline is not after `now`. */
void coir__wheel_advance(struct coir__wheel *wheel, coir_time now);
/* Tells a wheel without timers the time, so that it knows how far ahead the first one will be. */
static inline void coir__wheel_keep_up(struct coir__wheel *wheel, coir_time now) {
    if (wheel->armed == 0 && now > wheel->base)
        wheel->base = now;
}
/* A time at which advance has something to do: the earliest deadline, or, where finding it would
 * mean a search, a time before it. COIR_NEVER if none is armed. */
coir_time coir__wheel_next(struct coir__wheel *wheel);
/* Until when one may sleep who has nothing else to do: that, or later where timers may wait for one
 * another. */
coir_time coir__wheel_wake(struct coir__wheel *wheel, coir_time now);

#endif
