/* The laws of tasks and of waiting under every schedule: a wait is ended once, by a wake that hands
 * over or by a cut that has no effect; joining, sleeping, cancelling. */
#include "laws/laws.h"

LAWS(laws_task);

/* ---- Joining ---- */

struct joining {
    coir_task task;
    int joined, rc;
};

static int join_it(void *arg) {
    struct joining *const joining = arg;
    joining->joined = coir_join(joining->task, &joining->rc);
    if (joining->joined == 0)
        check(coir_task_done(joining->task));
    return end(joining->joined);
}

LAW(laws_task, completion_meets_cancels_of_joiner_and_joined) {
    struct stepper work = STEPPER(2, 7);
    coir_task joiner;
    ends_clear();
    COIR_SCOPE(s);
    struct joining a = {.rc = -1}, b = {.rc = -1};
    check_rc(coir_spawn_task(&s, step, &work, &a.task), 0);
    b.task = a.task;
    check_rc(coir_spawn_task(&s, join_it, &a, &joiner), 0);
    check_rc(coir_spawn(&s, join_it, &b), 0);
    struct canceller of_joiner = {.task = joiner, .steps = 1},
                     of_work = {.task = a.task, .steps = 1};
    check_rc(coir_spawn(&s, cancel_later, &of_joiner), 0);
    check_rc(coir_spawn(&s, cancel_later, &of_work), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(ends.count, 3);
    check_rc(b.joined, 0);
    check(b.rc == 7 || b.rc == -ECANCELED);
    if (a.joined == 0)
        check_rc(a.rc, b.rc);
    else
        check_rc(a.joined, -ECANCELED);
}

/* Law 11, and: the joined task's own deadline is its own affair. */
LAW(laws_task, a_joiners_deadline_leaves_the_joined_alone) {
    struct sleeper work = {COIR_MS(2), 7};
    struct joining joining = {.rc = -1};
    struct stepper others[] = {STEPPER(3, 0), STEPPER(2, 0)};
    ends_clear();
    COIR_SCOPE(s);
    check_rc(coir_spawn_task(&s, sleep_then, &work, &joining.task), 0);
    check_rc(coir_spawn(&s, step, &others[0]), 0);
    check_rc(coir_spawn(&s, step, &others[1]), 0);
    COIR_SCOPE(limit, .deadline = coir_after(choose(2) != 0 ? COIR_MS(1) : COIR_MS(2)));
    const int rc = join_it(&joining);
    check_rc(coir_scope_close(&limit, rc), rc < 0 ? -ETIMEDOUT : 0);
    check_rc(coir_join(joining.task, &joining.rc), 0);
    check_rc(joining.rc, 7);
    check_rc(coir_scope_close(&s, 0), 0);
}

/* ---- Sleeping ---- */

LAW(laws_task, sleeps_cancels_and_deadlines_meet) {
    struct sleeper sleepers[] = {{COIR_MS(1), 0}, {COIR_MS(2), 0}};
    struct stepper other = STEPPER(3, 0);
    coir_task task;
    ends_clear();
    COIR_SCOPE(around);
    COIR_SCOPE(s, .deadline = coir_after(COIR_MS(2)));
    check_rc(coir_spawn_task(&s, sleep_then, &sleepers[0], &task), 0);
    check_rc(coir_spawn(&s, sleep_then, &sleepers[1]), 0);
    struct canceller canceller = {.task = task, .steps = 2};
    check_rc(coir_spawn(&around, cancel_later, &canceller), 0);
    check_rc(coir_spawn(&s, step, &other), 0);
    const int rc = coir_scope_close(&s, 0);
    check_int(ends.count, 3);
    check(rc == 0 || rc == -ETIMEDOUT);
    check(rc == 0 || ends.cut);
    check_rc(coir_scope_close(&around, 0), 0);
}

/* ---- Park and unpark: tokens handed from task to task, as every primitive hands things ---- */

struct seat {
    coir_waiter wait;
    struct seat *next;
    int *tokens;
};

static struct seat *first_seat;

static bool leave_queue(coir_waiter *wait) {
    struct seat **place = &first_seat;
    while (*place != (struct seat *)(void *)wait)
        place = &(*place)->next;
    *place = (*place)->next;
    return true;
}

/* Takes a token: one that lies there, or the next that is put. */
static int take_token(void *arg) {
    int *const tokens = arg;
    begin();
    if (*tokens > 0) {
        --*tokens;
        return end(0);
    }
    struct seat seat = {.wait = {.cut = leave_queue, .what = "token"}, .tokens = tokens};
    struct seat **place = &first_seat;
    while (*place != NULL)
        place = &(*place)->next;
    *place = &seat;
    const int rc = coir_park(&seat.wait); /* cancelled already: unlinks too */
    check(rc == 1 || rc == -ECANCELED);
    return end(rc < 0 ? rc : 0);
}

static void put_token(int *tokens) {
    struct seat *const seat = first_seat;
    if (seat == NULL) {
        ++*tokens;
        return;
    }
    first_seat = seat->next;
    check_rc(coir_unpark(&seat->wait, 1), 0);
    check_rc(coir_unpark(&seat->wait, 2), -EINVAL); /* ended once */
}

static int put_two_tokens(void *arg) {
    put_token(arg);
    check_rc(coir_yield(), 0);
    put_token(arg);
    return 0;
}

LAW(laws_task, what_a_wake_hands_over_is_never_lost) {
    int tokens = 0;
    coir_task takers[3];
    ends_clear();
    first_seat = NULL;
    COIR_SCOPE(s);
    for (size_t i = 0; i < COUNT_OF(takers); i++)
        check_rc(coir_spawn_task(&s, take_token, &tokens, &takers[i]), 0);
    check_rc(coir_spawn(&s, put_two_tokens, &tokens), 0);
    check_rc(coir_yield(), 0);
    check(coir_task_cancel(takers[0]) || coir_task_done(takers[0]));
    check_rc(coir_yield(), 0);
    (void)coir_task_cancel(takers[1]);
    (void)coir_task_cancel(takers[2]);
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(ends.count, 3);
    int taken = 0;
    for (size_t i = 0; i < ends.count; i++)
        taken += ends.rc[i] == 0;
    check_int(taken + tokens, 2);
    check(first_seat == NULL);
}

/* ---- Calls at the end of a task ---- */

struct note {
    coir_done done;
    int *calls;
    size_t ends_before;
};

static void take_note(coir_task task, int rc, void *arg) {
    struct note *const note = arg;
    ++*note->calls;
    note->ends_before = ends.count;
    check(coir_task_done(task));
    check(rc == 7 || rc == -ECANCELED);
}

struct noting {
    coir_task task;
    struct note note;
    bool removes, removed;
};

static int note_the_end(void *arg) {
    struct noting *const noting = arg;
    check_rc(coir_task_on_done(noting->task, &noting->note.done), 0);
    check_rc(coir_yield(), 0);
    if (noting->removes)
        noting->removed = coir_done_remove(&noting->note.done);
    return 0;
}

LAW(laws_task, each_call_at_an_end_is_made_once_or_taken_back) {
    struct stepper work = STEPPER(2, 7);
    int calls[2] = {0};
    struct noting noting[2];
    coir_task task;
    ends_clear();
    COIR_SCOPE(s);
    check_rc(coir_spawn_task(&s, step, &work, &task), 0);
    for (size_t i = 0; i < 2; i++) {
        noting[i] = (struct noting){.task = task, .removes = i == 0};
        noting[i].note = (struct note){.done = {.fn = take_note}, .calls = &calls[i]};
        noting[i].note.done.arg = &noting[i].note;
        check_rc(coir_spawn(&s, note_the_end, &noting[i]), 0);
    }
    struct canceller canceller = {.task = task, .steps = 1};
    check_rc(coir_spawn(&s, cancel_later, &canceller), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(calls[0], !noting[0].removed);
    check_int(calls[1], 1);
}
