/* The timer wheel of src/core/timer.c, against a naive model: a table that is searched. */
#include "support.h"

#include "core/runtime.h"

SUITE(core_timer);

enum { TIMERS = 64 };

/* The model: which timers are armed, and in what order they were. */
struct alarm {
    struct coir__timer timer;
    bool armed;
    bool patient;      /* armed for so long that it may wait for others */
    uint64_t armed_as; /* the how-manieth arming this was */
};

static struct {
    struct coir__wheel wheel;
    struct alarm alarms[TIMERS];
    uint64_t armings;
    size_t armed;
    coir_time now;
    coir_time fired_at;
    size_t fired[TIMERS]; /* indices, in the order they fired */
    size_t fired_count;
} w;

static struct alarm *alarm_of(struct coir__timer *timer) {
    return (struct alarm *)(void *)((char *)timer - offsetof(struct alarm, timer));
}

static void note_fired(struct coir__timer *timer) {
    check(timer->link.next == NULL);
    check(w.fired_count < TIMERS);
    w.fired[w.fired_count++] = (size_t)(alarm_of(timer) - w.alarms);
}

static void begin(coir_time now) {
    memset(&w, 0, sizeof w);
    w.now = now;
    coir__wheel_init(&w.wheel, now);
}

static void arm(size_t i, coir_time deadline) {
    struct alarm *const alarm = &w.alarms[i];
    check(!alarm->armed);
    alarm->timer.deadline = deadline;
    alarm->timer.fire = note_fired;
    alarm->armed = true;
    alarm->patient = deadline > w.now && deadline - w.now >= COIR_WHEEL_PATIENT;
    alarm->armed_as = w.armings++;
    w.armed++;
    coir__wheel_arm(&w.wheel, &alarm->timer);
}

static void disarm(size_t i) {
    w.armed -= w.alarms[i].armed;
    w.alarms[i].armed = false;
    coir__wheel_disarm(&w.wheel, &w.alarms[i].timer);
    check(w.alarms[i].timer.link.next == NULL);
}

static bool before(const struct alarm *a, const struct alarm *b) {
    return a->timer.deadline != b->timer.deadline ? a->timer.deadline < b->timer.deadline
                                                  : a->armed_as < b->armed_as;
}

/* The armed alarm that is to fire first; NULL if none is armed. */
static struct alarm *first_armed(void) {
    struct alarm *first = NULL;
    for (size_t i = 0; i < TIMERS; i++)
        if (w.alarms[i].armed && (first == NULL || before(&w.alarms[i], first)))
            first = &w.alarms[i];
    return first;
}

static coir_time wake(void) {
    return coir__wheel_wake(&w.wheel, w.now);
}

/* Nobody is woken late who is not patient, and nobody else by more than a millisecond, nor where
 * none has fired within the last one. */
static void check_wake(void) {
    if (w.now > COIR_NEVER / 2) /* no real clock gets there, and virtual time does not wait */
        return;
    const coir_time woken = wake(), together = w.fired_at + COIR_WHEEL_TOGETHER;
    for (size_t i = 0; i < TIMERS; i++) {
        const struct alarm *const alarm = &w.alarms[i];
        const coir_time deadline = alarm->timer.deadline > w.now ? alarm->timer.deadline : w.now;
        if (alarm->armed && woken > deadline)
            check(alarm->patient && deadline > w.now && w.fired_at > 0 && woken <= together);
    }
}

static void check_next(void) {
    const struct alarm *const first = first_armed();
    const coir_time next = coir__wheel_next(&w.wheel);
    check_int(w.wheel.armed, w.armed);
    check_int(next == COIR_NEVER, first == NULL);
    if (first != NULL)
        check(next <= (first->timer.deadline > w.now ? first->timer.deadline : w.now));
    check_wake();
}

static void advance(coir_time now) {
    w.now = now;
    w.fired_count = 0;
    coir__wheel_advance(&w.wheel, now);
    struct alarm *first;
    size_t count = 0;
    while ((first = first_armed()) != NULL && first->timer.deadline <= now) {
        check(count < w.fired_count);
        check_int(w.fired[count], first - w.alarms);
        first->armed = false;
        w.armed--;
        count++;
    }
    check_int(w.fired_count, count);
    if (count > 0)
        w.fired_at = now;
    check_next();
}

/* ---- Chance, the same on every run ---- */

static uint64_t chance_state;

static uint64_t chance(uint64_t below) {
    chance_state = chance_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (chance_state >> 33) % below;
}

/* Distances from "at once" to centuries; many equal ones. */
static coir_time distance(void) {
    static const unsigned bits[] = {1, 4, 6, 7, 12, 13, 18, 24, 31, 40, 50, 58};
    const unsigned shift = bits[chance(COUNT_OF(bits))];
    const uint64_t raw = chance(UINT64_C(1) << 31) << 27 | chance(UINT64_C(1) << 27);
    return (coir_time)(raw & ((UINT64_C(1) << shift) - 1));
}

/* Where slots of a level begin, or just beside: of the wide one, mostly. */
static coir_time a_border(coir_time near) {
    static const unsigned begins[] = {6, 12, 18, 18, 18, 30, 36};
    const unsigned shift = begins[chance(COUNT_OF(begins))];
    const coir_time slots = (coir_time)chance(chance(2) == 0 ? 3 : 4200);
    const coir_time slot = ((near >> shift) + slots) * (COIR_NS(1) << shift);
    return slot + (coir_time)chance(5) - 2;
}

static coir_time a_deadline(void) {
    switch (chance(5)) {
    case 4:
        return a_border(w.now);
    case 0: /* one that is in use already, if there is any */
        return w.alarms[chance(TIMERS)].timer.deadline;
    case 1: /* past */
        return w.now - distance() % w.now;
    default:
        return w.now + distance();
    }
}

/* To advance to: not before now. */
static coir_time a_time(bool far) {
    const coir_time border = far && chance(2) == 0 ? a_border(w.now) : 0;
    if (border >= w.now)
        return border;
    return w.now + (far ? distance() : distance() % 64);
}

static void random_walk(uint64_t seed, int steps) {
    chance_state = seed;
    begin(1 + distance());
    for (int step = 0; step < steps; step++) {
        const size_t i = chance(TIMERS);
        const uint64_t kind = chance(10);
        if (kind < 6 && !w.alarms[i].armed)
            arm(i, a_deadline());
        else if (kind < 8)
            disarm(i);
        else if (w.now < COIR_NEVER / 2)
            advance(a_time(kind == 8));
        check_next();
    }
}

Test(core_timer, random_arms_disarms_and_advances) {
    for (uint64_t seed = 0; seed < scaled(2000); seed++)
        random_walk(seed, 300);
}

/* What a virtual clock does: it jumps to `next` until something fires. */
Test(core_timer, jumping_from_next_to_next_fires_everything_in_time) {
    for (uint64_t seed = 0; seed < scaled(2000); seed++) {
        chance_state = seed;
        begin(COIR_SEC(1));
        for (size_t i = 0; i < TIMERS; i++)
            arm(i, w.now + distance());
        for (int idle = 0; w.armed > 0; idle++) {
            const coir_time next = coir__wheel_next(&w.wheel);
            check(next >= w.now);
            advance(next);
            if (w.fired_count > 0)
                idle = 0;
            check(idle <= COIR_WHEEL_LEVELS);
        }
    }
}

Test(core_timer, equal_deadlines_fire_in_the_order_of_arming) {
    for (coir_time gap = 1; gap < COIR_SEC(100000); gap = gap * 3 + 1) {
        begin(COIR_SEC(1));
        const coir_time deadline = w.now + gap;
        for (size_t i = 0; i < TIMERS; i++) {
            arm((i * 37) % TIMERS, deadline);
            advance(w.now + (gap - 1) / TIMERS); /* so that they are armed at different levels */
        }
        advance(deadline);
        check_int(w.fired_count, TIMERS);
    }
}

/* Those of one slot, of several, and of all levels, which come due in one advance. */
Test(core_timer, what_is_due_together_fires_in_the_order_of_deadlines) {
    for (coir_time gap = 1; gap < COIR_SEC(100000); gap = gap * 3 + 1) {
        begin(COIR_SEC(1));
        for (size_t i = 0; i < TIMERS; i++)
            arm(i, w.now + gap * (coir_time)(1 + (i * 37) % TIMERS));
        coir__wheel_advance(&w.wheel, w.now + gap * TIMERS);
        check_int(w.fired_count, TIMERS);
        for (size_t n = 0; n < TIMERS; n++)
            check_int((w.fired[n] * 37) % TIMERS, n);
    }
}

/* The wide level's slots lie round, and reach over the ends of those of the level above, which may
 * hold timers of the same deadline, armed before. */
Test(core_timer, equal_deadlines_meet_from_the_wide_level_and_above) {
    const coir_time wide_slot = COIR_NS(1) << 18, end = 5 * (COIR_NS(1) << 30);
    const coir_time after[] = {0, 1, wide_slot - 1, wide_slot, 3 * wide_slot + 5};
    for (size_t i = 0; i < COUNT_OF(after); i++) {
        const coir_time deadline = end + after[i];
        begin(COIR_SEC(1));
        arm(0, deadline);
        arm(1, deadline);
        advance(end - 4000 * wide_slot);
        arm(2, deadline);
        advance(end - wide_slot);
        arm(3, deadline);
        advance(end - 1);
        arm(4, deadline);
        advance(deadline);
        check_int(w.fired_count, 5);
    }
}

Test(core_timer, the_first_of_two_slots_that_begin_together_may_be_in_either) {
    const coir_time end = 5 * (COIR_NS(1) << 30);
    for (size_t first = 0; first < 2; first++) {
        begin(COIR_SEC(1));
        arm(0, end + (first == 0 ? 10 : 5000));
        advance(end - COIR_MS(1));
        arm(1, end + (first == 0 ? 5000 : 10));
        check_next();
        advance(end + 9);
        check_int(w.fired_count, 0);
        advance(end + 10);
        check_int(w.fired_count, 1);
        advance(end + 5000);
        check_int(w.fired_count, 1);
    }
}

Test(core_timer, the_wide_level_reaches_as_far_as_its_slots_go_round) {
    const coir_time wide_slot = COIR_NS(1) << 18;
    for (coir_time base = COIR_NS(1) << 30; base < COIR_SEC(3); base += 256 * wide_slot - 1) {
        for (coir_time slots = 4090; slots < 4100; slots++) {
            begin(base);
            arm(0, base + slots * wide_slot - 1);
            arm(1, base + slots * wide_slot);
            arm(2, base + slots * wide_slot + 1);
            arm(3, base + wide_slot);
            check_next();
            advance(base + wide_slot);
            check_int(w.fired_count, 1);
            arm(3, base + slots * wide_slot);
            for (size_t i = 0; i < 3; i++) {
                advance(base + slots * wide_slot - 2 + (coir_time)i);
                check_int(w.fired_count, i == 0 ? 0 : i);
            }
            advance(base + slots * wide_slot + 1);
            check_int(w.fired_count, 1);
        }
    }
}

Test(core_timer, the_ends_of_time) {
    begin(1);
    check_int(coir__wheel_next(&w.wheel), COIR_NEVER);
    arm(0, COIR_NEVER - 1);
    arm(1, COIR_NEVER - 2);
    arm(2, INT64_MIN);
    arm(3, 0);
    arm(4, 1);
    advance(1);
    check_int(w.fired_count, 3);
    advance(COIR_NEVER - 2);
    check_int(w.fired_count, 1);
    advance(COIR_NEVER - 1);
    check_int(w.fired_count, 1);
}

Test(core_timer, time_does_not_run_backwards) {
    begin(COIR_SEC(1));
    arm(0, COIR_SEC(2));
    advance(COIR_SEC(1) + 5);
    coir__wheel_advance(&w.wheel, COIR_SEC(1)); /* earlier: nothing happens */
    check_next();
    advance(COIR_SEC(2));
    check_int(w.fired_count, 1);
}

Test(core_timer, disarming_what_is_not_armed_is_harmless) {
    begin(COIR_SEC(1));
    disarm(0);
    arm(0, COIR_SEC(2));
    disarm(0);
    disarm(0);
    arm(0, COIR_SEC(2));
    advance(COIR_SEC(2));
    disarm(0);
    check_int(w.wheel.armed, 0);
}

/* ---- Timers that wait for one another ---- */

#define FAR COIR_MS(100) /* armed so far ahead, a timer may be a millisecond late */

/* Five timers of which the first has fired just now: 200 us from one to the next. */
static void begin_crowd(coir_time now) {
    begin(now);
    for (size_t i = 0; i < 5; i++)
        arm(i, now + FAR + (coir_time)i * COIR_US(200));
    check_int(wake(), now + FAR);
    advance(now + FAR);
    check_int(w.fired_count, 1);
}

Test(core_timer, timers_wait_for_others_if_some_have_just_fired) {
    begin_crowd(COIR_SEC(1));
    check_int(wake(), COIR_SEC(1) + FAR + COIR_MS(1));
    advance(COIR_SEC(1) + FAR + COIR_MS(1));
    check_int(w.fired_count, 4);
    check_int(wake(), COIR_NEVER);
}

Test(core_timer, one_by_itself_does_not_wait) {
    begin(COIR_SEC(1));
    arm(0, COIR_SEC(2));
    arm(1, COIR_SEC(2) + COIR_MS(1));
    check_int(wake(), COIR_SEC(2));
    advance(COIR_SEC(2));
    check_int(wake(), COIR_SEC(2) + COIR_MS(1));
}

Test(core_timer, what_is_due_already_does_not_wait) {
    begin_crowd(COIR_SEC(1));
    w.now += COIR_US(200); /* without having advanced */
    check_int(wake(), COIR_SEC(1) + FAR + COIR_US(200));
}

Test(core_timer, those_armed_for_a_short_time_do_not_wait) {
    for (coir_time ahead = 1; ahead < FAR; ahead = 2 * ahead + 77) {
        begin_crowd(COIR_SEC(1));
        arm(0, w.now + ahead);
        check(wake() <= w.now + ahead);
        check(wake() <= w.now + COIR_US(200)); /* the crowd neither: it is not told apart */
        const coir_time end = w.now + ahead;
        while (w.now < end) {
            check(wake() > w.now && wake() <= end);
            advance(wake());
        }
        check_int(w.now, end);
    }
}

Test(core_timer, those_moved_down_are_as_patient_as_before) {
    begin_crowd(COIR_SEC(1));
    advance(w.now + COIR_US(100));
    check_int(wake(), COIR_SEC(1) + FAR + COIR_MS(1));
}

Test(core_timer, a_short_one_that_was_disarmed_is_forgotten_in_time) {
    begin_crowd(COIR_SEC(1));
    arm(0, w.now + COIR_US(50));
    disarm(0);
    check_int(wake(), w.now + COIR_US(200));
    advance(w.now + COIR_US(50));
    check_int(wake(), COIR_SEC(1) + FAR + COIR_MS(1));
}

/* ---- Timers that arm and disarm others while they fire ---- */

static void disarm_next(struct coir__timer *timer) {
    note_fired(timer);
    const size_t i = (size_t)(alarm_of(timer) - w.alarms);
    coir__wheel_disarm(&w.wheel, &w.alarms[i + 1].timer);
}

Test(core_timer, a_timer_disarmed_while_others_fire_does_not_fire) {
    begin(COIR_SEC(1));
    for (size_t i = 0; i < 10; i++) {
        arm(i, COIR_SEC(2) + (coir_time)i);
        w.alarms[i].timer.fire = disarm_next;
    }
    coir__wheel_advance(&w.wheel, COIR_SEC(3));
    check_int(w.fired_count, 5);
    for (size_t i = 0; i < 5; i++)
        check_int(w.fired[i], 2 * i);
    check_int(w.wheel.armed, 0);
    check_int(coir__wheel_next(&w.wheel), COIR_NEVER);
}

static void arm_again(struct coir__timer *timer) {
    note_fired(timer);
    if (w.fired_count < 3)
        coir__wheel_arm(&w.wheel, timer); /* its deadline has passed */
}

Test(core_timer, a_timer_armed_while_firing_fires_in_the_next_advance) {
    begin(COIR_SEC(1));
    arm(0, COIR_SEC(2));
    w.alarms[0].timer.fire = arm_again;
    for (size_t i = 1; i <= 3; i++) {
        coir__wheel_advance(&w.wheel, COIR_SEC(2));
        check_int(w.fired_count, i);
        check_int(w.wheel.armed, i < 3);
        check(i == 3 || coir__wheel_next(&w.wheel) <= COIR_SEC(2));
    }
}

static uint64_t advance_began; /* armings before it */

/* The armed alarm that is to fire next in this advance; NULL if there is none. */
static struct alarm *next_due(void) {
    struct alarm *first = NULL;
    for (size_t i = 0; i < TIMERS; i++) {
        struct alarm *const alarm = &w.alarms[i];
        if (alarm->armed && alarm->armed_as < advance_began && alarm->timer.deadline <= w.now &&
            (first == NULL || before(alarm, first)))
            first = alarm;
    }
    return first;
}

static void meddle(struct coir__timer *timer);

static void meddle_with(size_t i) {
    if (w.alarms[i].armed)
        disarm(i);
    else
        arm(i, a_deadline());
    w.alarms[i].timer.fire = meddle;
}

static void meddle(struct coir__timer *timer) {
    check(timer->link.next == NULL);
    check(alarm_of(timer) == next_due());
    alarm_of(timer)->armed = false;
    w.armed--;
    check_int(w.wheel.armed, w.armed);
    for (uint64_t times = chance(3); times > 0; times--)
        meddle_with(chance(TIMERS));
}

Test(core_timer, random_arms_and_disarms_while_others_fire) {
    for (uint64_t seed = 0; seed < scaled(1000); seed++) {
        chance_state = seed;
        begin(1 + distance());
        for (int step = 0; step < 50 && w.now < COIR_NEVER / 2; step++) {
            for (int i = 0; i < 20; i++)
                meddle_with(chance(TIMERS));
            w.now = a_time(true);
            advance_began = w.armings;
            coir__wheel_advance(&w.wheel, w.now);
            check(next_due() == NULL);
            w.fired_at = w.wheel.fired;
            check_next();
        }
    }
}
