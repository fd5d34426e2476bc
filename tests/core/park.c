/* Park and unpark, the primitive of all waiting: a wait is ended exactly once, by an unpark or by a
 * cut; whoever ends it hands over a value, and nothing takes that back. */
#include "support.h"

SUITE(core_park);

/* One waiting task, as a primitive would see it. */
struct seat {
    coir_waiter wait;
    bool linked;   /* a waker can find it */
    bool stubborn; /* refuses to be cut */
    int result;    /* of the first park */
    int after;     /* of a yield after it */
    int cuts;      /* how often it was asked to be cut */
};

static struct seat *seat_of(coir_waiter *wait) {
    return (struct seat *)(void *)((char *)wait - offsetof(struct seat, wait));
}

static bool cut_seat(coir_waiter *wait) {
    struct seat *const seat = seat_of(wait);
    seat->cuts++;
    trace("cut");
    if (seat->stubborn)
        return false;
    check(seat->linked);
    seat->linked = false;
    return true;
}

static int sit(void *arg) {
    struct seat *const seat = arg;
    seat->wait = (coir_waiter){.cut = cut_seat, .what = "seat", .object = seat};
    seat->linked = true;
    seat->result = coir_park(&seat->wait);
    trace("woke");
    check(!seat->linked || seat->stubborn);
    seat->after = coir_yield();
    return 0;
}

static int unpark_seat(struct seat *seat, int value) {
    seat->linked = false;
    return coir_unpark(&seat->wait, value);
}

TASK_TEST_SEEDS(core_park, park_returns_what_unpark_gave) {
    const int values[] = {0, 1, INT32_MAX, -1, -ECANCELED, INT32_MIN};
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        struct seat seat = {.linked = false};
        COIR_SCOPE(s);
        check_rc(coir_spawn(&s, sit, &seat), 0);
        check_rc(coir_sleep(COIR_MS(1)), 0);
        check_rc(unpark_seat(&seat, values[i]), 0);
        check_rc(coir_scope_close(&s, 0), 0);
        check_int(seat.result, values[i]);
        check_rc(seat.after, 0);
        check_int(seat.cuts, 0);
    }
    return 0;
}

TASK_TEST(core_park, the_woken_task_runs_later) {
    struct seat seat = {.linked = false};
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, sit, &seat), 0);
    check_rc(coir_yield(), 0);
    check_rc(unpark_seat(&seat, 0), 0);
    trace("unparked");
    check_rc(coir_yield(), 0);
    check_trace("unparked woke");
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

TASK_TEST_SEEDS(core_park, a_wait_is_ended_once) {
    struct seat seat = {.linked = false};
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, sit, &seat), 0);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    check_rc(unpark_seat(&seat, 1), 0);
    check_rc(coir_unpark(&seat.wait, 2), -EINVAL);
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(seat.result, 1);
    check_rc(coir_unpark(&seat.wait, 3), -EINVAL);
    return 0;
}

TASK_TEST(core_park, bad_records_are_refused) {
    coir_waiter never_parked = {.what = "test"};
    check_rc(coir_park(NULL), -EINVAL);
    check_rc(coir_unpark(NULL, 0), -EINVAL);
    check_rc(coir_unpark(&never_parked, 0), -EINVAL);
    check_rc(coir_yield(), 0);
    return 0;
}

TASK_TEST(core_park, a_cut_unlinks_within_the_cancel) {
    struct seat seat = {.linked = false};
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, sit, &seat), 0);
    check_rc(coir_yield(), 0);
    coir_scope_cancel(&s);
    trace("cancelled");
    check(!seat.linked);
    check_rc(coir_unpark(&seat.wait, 1), -EINVAL);
    check_rc(coir_scope_close(&s, 0), 0);
    check_trace("cut cancelled woke");
    check_rc(seat.result, -ECANCELED);
    check_rc(seat.after, -ECANCELED);
    check_int(seat.cuts, 1);
    return 0;
}

TASK_TEST_SEEDS(core_park, a_value_handed_over_survives_a_cancel) {
    struct seat seat = {.linked = false};
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, sit, &seat), 0);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    check_rc(unpark_seat(&seat, 5), 0);
    coir_scope_cancel(&s);
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(seat.result, 5);
    check_rc(seat.after, -ECANCELED);
    check_int(seat.cuts, 0);
    return 0;
}

TASK_TEST_SEEDS(core_park, a_refused_cut_waits_on) {
    struct seat seat = {.stubborn = true};
    coir_task task;
    COIR_SCOPE(s);
    check_rc(coir_spawn_task(&s, sit, &seat, &task), 0);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    check(coir_task_cancel(task));
    check_int(seat.cuts, 1);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    check(!coir_task_done(task));
    check_rc(unpark_seat(&seat, 6), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(seat.result, 6);
    check_rc(seat.after, -ECANCELED);
    return 0;
}

TASK_TEST(core_park, a_park_checks_before_it_waits) {
    struct seat seat = {.linked = false};
    COIR_SCOPE(s);
    coir_scope_cancel(&s);
    check_rc(sit(&seat), 0);
    check_rc(seat.result, -ECANCELED);
    check_int(seat.cuts, 1);
    check(!seat.linked);
    check_rc(coir_unpark(&seat.wait, 1), -EINVAL);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

TASK_TEST(core_park, a_park_in_an_expired_scope_checks_too) {
    struct seat seat = {.linked = false};
    COIR_SCOPE(s, .deadline = coir_now() - 1);
    check_rc(sit(&seat), 0);
    check_rc(seat.result, -ECANCELED);
    check_int(seat.cuts, 1);
    check_rc(coir_scope_close(&s, 0), -ETIMEDOUT);
    return 0;
}

static int sit_where_nothing_cuts(void *arg) {
    struct seat *const seat = arg;
    seat->wait = (coir_waiter){.what = "seat"};
    seat->result = coir_park(&seat->wait);
    seat->after = coir_yield();
    return 0;
}

TASK_TEST_SEEDS(core_park, a_wait_without_cut_waits_on) {
    struct seat seat = {.linked = false};
    coir_task task;
    COIR_SCOPE(s);
    check_rc(coir_spawn_task(&s, sit_where_nothing_cuts, &seat, &task), 0);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    coir_scope_cancel(&s);
    COIR_SCOPE(shielded, .shield = true);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    check(!coir_task_done(task));
    check_rc(coir_unpark(&seat.wait, 7), 0);
    check_rc(coir_scope_close(&shielded, 0), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(seat.result, 7);
    check_rc(seat.after, -ECANCELED);
    return 0;
}

TASK_TEST(core_park, a_record_can_be_parked_again) {
    struct seat seat = {.linked = false};
    for (int i = 0; i < 3; i++) {
        COIR_SCOPE(s);
        check_rc(coir_spawn(&s, sit, &seat), 0);
        check_rc(coir_yield(), 0);
        check_rc(unpark_seat(&seat, i), 0);
        check_rc(coir_scope_close(&s, 0), 0);
        check_int(seat.result, i);
    }
    return 0;
}

/* ---- A semaphore made of it: no permit may be lost, whatever is cut ---- */

struct ticket {
    coir_waiter wait;
    struct ticket *next, **before;
};

static struct {
    int permits;
    struct ticket *first, **last;
} counter;

static void leave_queue(struct ticket *ticket) {
    *ticket->before = ticket->next;
    if (ticket->next != NULL)
        ticket->next->before = ticket->before;
    else
        counter.last = ticket->before;
}

static bool cut_ticket(coir_waiter *wait) {
    leave_queue((struct ticket *)(void *)((char *)wait - offsetof(struct ticket, wait)));
    return true;
}

static int acquire(void) {
    COIR_TRY(coir_check());
    if (counter.permits > 0) {
        counter.permits--;
        return 0;
    }
    struct ticket ticket = {.wait = {.cut = cut_ticket, .what = "permit"}};
    ticket.before = counter.last;
    *counter.last = &ticket;
    counter.last = &ticket.next;
    return coir_park(&ticket.wait);
}

static void release(void) {
    struct ticket *const head = counter.first;
    if (head == NULL) {
        counter.permits++;
        return;
    }
    leave_queue(head);
    check_rc(coir_unpark(&head->wait, 0), 0);
}

static int inside, inside_max, passes;

static int pass_the_gate(void *arg) {
    const int patience_ms = *(const int *)arg;
    for (int i = 0; i < 20; i++) {
        COIR_SCOPE(s, .deadline = coir_after(COIR_MS(patience_ms)), .move_on = true);
        const int rc = acquire();
        if (rc == 0) {
            inside++;
            inside_max = inside > inside_max ? inside : inside_max;
            passes++;
            (void)coir_sleep(COIR_MS(i % 3));
            inside--;
            release();
        }
        check_rc(coir_scope_close(&s, 0), 0);
        check_rc(coir_yield(), 0);
    }
    return 0;
}

TASK_TEST_SEEDS(core_park, no_permit_is_lost_to_a_cut) {
    enum { TASKS = 30, PERMITS = 3 };
    int patience_ms[TASKS];
    counter.permits = PERMITS;
    counter.first = NULL;
    counter.last = &counter.first;
    inside = inside_max = passes = 0;
    COIR_SCOPE(s);
    for (int i = 0; i < TASKS; i++) {
        patience_ms[i] = 1 + i % 4;
        check_rc(coir_spawn(&s, pass_the_gate, &patience_ms[i]), 0);
    }
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(counter.permits, PERMITS);
    check(counter.first == NULL);
    check_int(inside_max, PERMITS);
    check(passes > PERMITS);
    check(passes < TASKS * 20); /* some were cut, or this shows nothing */
    return 0;
}
