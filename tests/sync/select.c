/* Select: exactly one case happens, whoever makes it happen, and nothing is left of the others. */
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "channels.h"

SUITE(sync_select);

/* A select by a task of its own: fill in cases and count, and start select_one with its address. */
struct selecting {
    coir_case cases[4];
    size_t count;
    int index; /* what it returned; PENDING until then */
    int rc;    /* of that case */
    int next;  /* of a coir_check after it */
};

static int select_one(void *arg) {
    struct selecting *const it = arg;
    it->index = PENDING;
    it->index = coir_select(it->cases, it->count, 0);
    it->rc = it->index >= 0 ? it->cases[it->index].rc : 0;
    it->next = coir_check();
    return 0;
}

static int try_select(coir_case *cases, size_t count) {
    return coir_select(cases, count, COIR_SELECT_TRY);
}

/* ---- Calls that can not be ---- */

TASK_TEST(sync_select, nonsense_is_refused) {
    int item = 0;
    coir_channel *const channel = ints_channel(1);
    const coir_case bad[] = {
        {.kind = (coir_case_kind)5},
        {.kind = (coir_case_kind)-1},
        coir_case_send(NULL, &item),
        coir_case_recv(NULL, &item),
        coir_case_send(channel, NULL),
        coir_case_recv(channel, NULL),
        coir_case_fd(0, 0),
        coir_case_fd(0, 4),
        coir_case_fd(0, COIR_READABLE | 8),
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        coir_case cases[] = {coir_case_send(channel, &item), bad[i]};
        check_rc(coir_select(cases, 2, 0), -EINVAL);
        check_rc(try_select(cases, 2), -EINVAL);
        check_int(coir_channel_items(channel), 0);
    }
    static coir_case many[COIR_SELECT_MAX + 1]; /* all of them switched off */
    check_rc(coir_select(NULL, 1, 0), -EINVAL);
    check_rc(coir_select(many, 0, 0), -EINVAL);
    check_rc(coir_select(many, COIR_SELECT_MAX + 1, 0), -EINVAL);
    check_rc(try_select(many, COIR_SELECT_MAX + 1), -EINVAL);
    check_rc(coir_select(many, COIR_SELECT_MAX, 0), -EINVAL);
    check_rc(coir_select(many, COIR_SELECT_MAX, 2), -EINVAL);
    end_channel(channel);
    return 0;
}

Test(sync_select, outside_the_runtime_it_is_refused) {
    coir_case one = {.kind = COIR_CASE_NONE};
    check_rc(coir_select(&one, 1, 0), -EPERM);
}

struct foreign {
    coir_channel *channel;
    int rc;
};

static int select_foreign(void *arg) {
    struct foreign *const foreign = arg;
    int item = 0;
    coir_case one = coir_case_send(foreign->channel, &item);
    foreign->rc = coir_select(&one, 1, 0);
    return 0;
}

static void *run_foreign(void *arg) {
    return coir_run(select_foreign, arg) == 0 ? arg : NULL;
}

TASK_TEST(sync_select, a_channel_of_another_runtime_is_refused) {
    pthread_t thread;
    void *result;
    struct foreign foreign = {.channel = ints_channel(1)};
    check_int(pthread_create(&thread, NULL, run_foreign, &foreign), 0);
    check_int(pthread_join(thread, &result), 0);
    check(result == &foreign);
    check_rc(foreign.rc, -EINVAL);
    end_channel(foreign.channel);
    return 0;
}

/* ---- Several can happen: one does ---- */

TASK_TEST(sync_select, only_the_case_that_happens_has_an_effect) {
    coir_channel *const from = ints_channel(1), *const to = ints_channel(1);
    for (int n = 0; n < 50; n++) {
        int in = -1, out = 5;
        put(from, 4);
        coir_case cases[] = {coir_case_recv(from, &in), coir_case_send(to, &out)};
        const int which = coir_select(cases, 2, 0);
        check(which == 0 || which == 1);
        check_rc(cases[which].rc, 0);
        check_int(in, which == 0 ? 4 : -1);
        check_int(coir_channel_items(from), which == 0 ? 0 : 1);
        check_int(coir_channel_items(to), which == 0 ? 0 : 1);
        check_int(which == 0 ? 5 : take(to), 5);
        if (which == 1)
            check_int(take(from), 4);
    }
    end_channel(from);
    end_channel(to);
    return 0;
}

/* Four that always can, two of them side by side, and two that never can. */
TASK_TEST_SEEDS(sync_select, each_of_the_ready_has_the_same_chance) {
    enum { DRAWS = 4000, READY = 4 };
    coir_channel *const full = ints_channel(1), *const empty = ints_channel(1);
    int item, chosen[6] = {0};
    check_rc(coir_channel_close(empty), 0);
    put(full, 1);
    for (int n = 0; n < DRAWS; n++) {
        coir_case cases[] = {coir_case_recv(empty, &item), coir_case_send(full, &item),
                             coir_case_recv(empty, &item), coir_case_recv(empty, &item),
                             {.kind = COIR_CASE_NONE},     coir_case_send(empty, &item)};
        chosen[try_select(cases, COUNT_OF(cases))]++;
    }
    check_int(chosen[1] + chosen[4], 0);
    for (size_t i = 0; i < COUNT_OF(chosen); i++)
        if (i != 1 && i != 4)
            check(chosen[i] > DRAWS / READY * 8 / 10 && chosen[i] < DRAWS / READY * 12 / 10);
    (void)take(full);
    end_channel(full);
    end_channel(empty);
    return 0;
}

/* As a counter would do to them. */
TASK_TEST_SEEDS(sync_select, two_selects_in_turn_do_not_always_draw_the_same) {
    enum { DRAWS = 1000 };
    coir_channel *const closed = ints_channel(0);
    int item, chosen[2][2] = {{0}};
    check_rc(coir_channel_close(closed), 0);
    for (int n = 0; n < DRAWS; n++) {
        coir_case cases[] = {coir_case_recv(closed, &item), coir_case_recv(closed, &item)};
        chosen[n % 2][try_select(cases, 2)]++;
    }
    for (size_t i = 0; i < 2; i++)
        check(chosen[i][0] > DRAWS / 4 * 8 / 10 && chosen[i][1] > DRAWS / 4 * 8 / 10);
    end_channel(closed);
    return 0;
}

static int trace_draws(UNUSED void *arg) {
    coir_channel *const closed = ints_channel(0);
    int item;
    check_rc(coir_channel_close(closed), 0);
    for (int n = 0; n < 100; n++) {
        coir_case cases[] = {coir_case_recv(closed, &item), coir_case_recv(closed, &item),
                             coir_case_recv(closed, &item)};
        trace("%d", coir_select(cases, COUNT_OF(cases), 0));
    }
    end_channel(closed);
    return 0;
}

static const char *draws_with(uint64_t seed) {
    static char text[2][1024];
    static size_t turn;
    trace_clear();
    check_rc(run_task_with(trace_draws, NULL, &(const run_options){.runtime.seed = seed}), 0);
    return strcpy(text[turn++ % 2], traced());
}

Test(sync_select, the_same_seed_draws_the_same) {
    for (uint64_t seed = 0; seed < 5; seed++) {
        check_str(draws_with(seed), draws_with(seed));
        check(strcmp(draws_with(seed), draws_with(seed + 1)) != 0);
    }
}

/* ---- None can happen yet ---- */

TASK_TEST(sync_select, a_try_does_not_wait_and_leaves_nothing_behind) {
    coir_channel *const channel = ints_channel(0);
    int in, out = 1;
    coir_case cases[] = {
        coir_case_recv(channel, &in), coir_case_send(channel, &out), {.kind = COIR_CASE_NONE}};
    check_rc(try_select(cases, COUNT_OF(cases)), -EAGAIN);
    check_rc(try_select(&cases[2], 1), -EINVAL);
    check_waiting(channel, 0, 0);
    COIR_SCOPE(s);
    coir_scope_cancel(&s);
    check_rc(try_select(cases, COUNT_OF(cases)), -EAGAIN);
    check_rc(coir_select(cases, COUNT_OF(cases), 0), -ECANCELED);
    check_waiting(channel, 0, 0);
    check_rc(coir_scope_close(&s, 0), 0);
    end_channel(channel);
    return 0;
}

/* Each of two receives in turn is the one that an item comes for. */
TASK_TEST_SEEDS(sync_select, the_first_to_happen_unlinks_the_others_at_once) {
    for (size_t capacity = 0; capacity < 2; capacity++) {
        coir_channel *const channels[] = {ints_channel(capacity), ints_channel(capacity)};
        for (int first = 0; first < 2; first++) {
            int in[2] = {-1, -1}, item = 9;
            struct selecting it = {
                .cases = {coir_case_recv(channels[0], &in[0]), coir_case_recv(channels[1], &in[1])},
                .count = 2};
            COIR_SCOPE(s);
            start(&s, select_one, &it);
            settle();
            check_waiting(channels[0], 0, 1);
            check_waiting(channels[1], 0, 1);
            put(channels[first], 7);
            check_waiting(channels[0], 0, 0);
            check_waiting(channels[1], 0, 0);
            check_int(in[first], 7);
            if (capacity == 0) /* in the same turn: nobody is there for it */
                check_rc(coir_channel_try_send(channels[1 - first], &item), -EAGAIN);
            else
                put(channels[1 - first], item);
            coir_scope_cancel(&s); /* what has happened stays so */
            check_rc(coir_scope_close(&s, 0), 0);
            check_int(it.index, first);
            check_rc(it.rc, 0);
            check_rc(it.next, -ECANCELED);
            check_int(in[1 - first], -1);
            if (capacity > 0)
                check_int(take(channels[1 - first]), 9);
        }
        end_channel(channels[0]);
        end_channel(channels[1]);
    }
    return 0;
}

TASK_TEST_SEEDS(sync_select, a_send_that_waits_is_taken_once) {
    coir_channel *const channels[] = {ints_channel(0), ints_channel(1)};
    for (int first = 0; first < 2; first++) {
        const int out[2] = {5, 6};
        int item;
        struct selecting it = {
            .cases = {coir_case_send(channels[0], &out[0]), coir_case_send(channels[1], &out[1])},
            .count = 2};
        put(channels[1], 0);
        COIR_SCOPE(s);
        start(&s, select_one, &it);
        settle();
        check_waiting(channels[0], 1, 0);
        check_waiting(channels[1], 1, 0);
        check_int(take(channels[first]), first == 0 ? 5 : 0);
        check_waiting(channels[0], 0, 0);
        check_waiting(channels[1], 0, 0);
        check_rc(coir_channel_try_recv(channels[0], &item), -EAGAIN);
        check_int(take(channels[1]), first == 0 ? 0 : 6);
        check_rc(coir_scope_close(&s, 0), 0);
        check_int(it.index, first);
        check_rc(it.rc, 0);
    }
    end_channel(channels[0]);
    end_channel(channels[1]);
    return 0;
}

TASK_TEST_SEEDS(sync_select, it_waits_in_line_with_calls_of_its_own) {
    coir_channel *const channel = ints_channel(0);
    int in = -1;
    struct transfer before = RECEIVING(channel), after = RECEIVING(channel);
    struct selecting it = {.cases = {coir_case_recv(channel, &in)}, .count = 1};
    COIR_SCOPE(s);
    start(&s, recv_one, &before);
    settle();
    start(&s, select_one, &it);
    settle();
    start(&s, recv_one, &after);
    settle();
    check_waiting(channel, 0, 3);
    for (int i = 1; i <= 3; i++)
        put(channel, i);
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(before.item, 1);
    check_int(in, 2);
    check_int(after.item, 3);
    end_channel(channel);
    return 0;
}

TASK_TEST_SEEDS(sync_select, the_same_line_may_be_stood_in_more_than_once) {
    coir_channel *const channel = ints_channel(0);
    int in[2] = {-1, -1}, item = 8;
    struct selecting it = {
        .cases = {coir_case_recv(channel, &in[0]), coir_case_recv(channel, &in[1])}, .count = 2};
    COIR_SCOPE(s);
    start(&s, select_one, &it);
    settle();
    check_waiting(channel, 0, 2);
    put(channel, 7);
    check_rc(coir_channel_try_send(channel, &item), -EAGAIN);
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(it.index, 0);
    check_int(in[0], 7);
    check_int(in[1], -1);
    end_channel(channel);
    return 0;
}

TASK_TEST_SEEDS(sync_select, there_may_be_many_cases) {
    coir_channel *channels[COIR_SELECT_MAX];
    coir_case cases[COIR_SELECT_MAX];
    int in = -1;
    struct transfer sending;
    for (size_t i = 0; i < COIR_SELECT_MAX; i++) {
        channels[i] = ints_channel(i % 2);
        cases[i] = coir_case_recv(channels[i], &in);
    }
    for (size_t i = 0; i < COIR_SELECT_MAX; i++) {
        sending = (struct transfer)SENDING(channels[i], (int)i);
        COIR_SCOPE(s);
        start(&s, send_one, &sending);
        check_int(coir_select(cases, COIR_SELECT_MAX, 0), i);
        check_int(in, i);
        check_rc(coir_scope_close(&s, 0), 0);
        check_rc(sending.rc, 0);
    }
    for (size_t i = 0; i < COIR_SELECT_MAX; i++)
        end_channel(channels[i]);
    return 0;
}

/* ---- Both sides ---- */

TASK_TEST_SEEDS(sync_select, two_selects_on_opposite_sides_meet) {
    coir_channel *const channel = ints_channel(0), *const other = ints_channel(0);
    const int out = 6;
    int in = -1, never;
    struct selecting sender = {
        .cases = {coir_case_recv(other, &never), coir_case_send(channel, &out)}, .count = 2};
    struct selecting receiver = {
        .cases = {coir_case_recv(channel, &in), coir_case_recv(other, &never)}, .count = 2};
    COIR_SCOPE(s);
    start(&s, select_one, &sender);
    start(&s, select_one, &receiver);
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(sender.index, 1);
    check_int(receiver.index, 0);
    check_int(in, 6);
    end_channel(channel);
    end_channel(other);
    return 0;
}

static void set_both_ways(struct selecting *it, coir_channel *channel, const int *out, int *in) {
    it->cases[0] = coir_case_send(channel, out);
    it->cases[1] = coir_case_recv(channel, in);
    it->count = 2;
}

TASK_TEST_SEEDS(sync_select, a_select_does_not_talk_to_itself) {
    coir_channel *const channel = ints_channel(0);
    const int out[2] = {5, 6};
    int in[2] = {-1, -1};
    struct selecting it[2];
    for (size_t i = 0; i < 2; i++)
        set_both_ways(&it[i], channel, &out[i], &in[i]);
    COIR_SCOPE(s);
    start(&s, select_one, &it[0]);
    settle();
    check_int(it[0].index, PENDING);
    check_waiting(channel, 1, 1);
    start(&s, select_one, &it[1]); /* but to another one it does */
    check_rc(coir_scope_close(&s, 0), 0);
    const int sends = it[0].index == 0 ? 0 : 1; /* which of them sent */
    check_int(it[sends].index, 0);
    check_int(it[1 - sends].index, 1);
    check_int(in[sends], -1);
    check_int(in[1 - sends], out[sends]);
    end_channel(channel);
    return 0;
}

TASK_TEST_SEEDS(sync_select, both_ways_over_a_buffer_is_two_cases) {
    coir_channel *const channel = ints_channel(1);
    const int out = 5;
    int in = -1;
    struct selecting it;
    set_both_ways(&it, channel, &out, &in);
    check_int(coir_select(it.cases, 2, 0), 0);
    check_int(coir_select(it.cases, 2, 0), 1);
    check_int(in, 5);
    end_channel(channel);
    return 0;
}

/* ---- Being cut, and the end of a channel ---- */

TASK_TEST_SEEDS(sync_select, a_cut_unlinks_all_within_the_cancel) {
    int ends[2];
    ends_open(ENDS_PIPE, ends);
    coir_channel *const in_line = ints_channel(0), *const full = ints_channel(1);
    struct transfer next = RECEIVING(in_line);
    const int out = 1;
    int in = -1;
    coir_task sleeper;
    put(full, 0);
    COIR_SCOPE(around);
    check_rc(coir_spawn_task(&around, sleep_for_ever, NULL, &sleeper), 0);
    struct selecting it = {.cases = {coir_case_recv(in_line, &in), coir_case_send(full, &out),
                                     coir_case_fd(ends[0], COIR_READABLE), coir_case_task(sleeper)},
                           .count = 4};
    COIR_SCOPE(s);
    start(&s, select_one, &it);
    settle();
    start(&around, recv_one, &next);
    settle();
    check_waiting(in_line, 0, 2);
    check_waiting(full, 1, 0);
    check_int(stats().io_waiting, 1);
    coir_scope_cancel(&s);
    check_waiting(in_line, 0, 1);
    check_waiting(full, 0, 0);
    check_int(stats().io_waiting, 0);
    put(in_line, 7); /* the next in line is first now */
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(it.index, -ECANCELED);
    check_int(in, -1);
    check(coir_task_cancel(sleeper));
    check_rc(coir_scope_close(&around, 0), 0);
    check_int(next.item, 7);
    check_int(take(full), 0);
    end_channel(in_line);
    end_channel(full);
    ends_close(ends);
    return 0;
}

TASK_TEST(sync_select, a_timeout_is_a_scope) {
    coir_channel *const channel = ints_channel(0);
    int in;
    coir_case one = coir_case_recv(channel, &in);
    COIR_SCOPE(s, .deadline = coir_after(COIR_MS(5)));
    check_rc(coir_select(&one, 1, 0), -ECANCELED);
    check_rc(coir_scope_close(&s, 0), -ETIMEDOUT);
    end_channel(channel);
    return 0;
}

TASK_TEST_SEEDS(sync_select, a_channel_that_is_closed_is_a_case_that_happens) {
    for (size_t capacity = 0; capacity < 2; capacity++) {
        coir_channel *const closing = ints_channel(capacity), *const other = ints_channel(0);
        const int out = 4;
        int in = -1;
        struct selecting receiver = {
            .cases = {coir_case_recv(other, &in), coir_case_recv(closing, &in)}, .count = 2};
        struct selecting sender = {
            .cases = {coir_case_send(closing, &out), coir_case_recv(other, &in)}, .count = 2};
        COIR_SCOPE(s);
        if (capacity > 0)
            put(closing, 3);
        start(&s, select_one, capacity == 0 ? &receiver : &sender);
        settle();
        check_rc(coir_channel_close(closing), 0);
        check_waiting(other, 0, 0);
        check_waiting(closing, 0, 0);
        check_rc(coir_scope_close(&s, 0), 0);
        const struct selecting *const it = capacity == 0 ? &receiver : &sender;
        check_int(it->index, capacity == 0 ? 1 : 0);
        check_rc(it->rc, -EPIPE);
        if (capacity > 0) { /* what is left drains, then it is closed for receivers too */
            check_int(coir_select(receiver.cases, 2, 0), 1);
            check_rc(receiver.cases[1].rc, 0);
            check_int(in, 3);
        }
        check_int(coir_select(receiver.cases, 2, 0), 1);
        check_rc(receiver.cases[1].rc, -EPIPE);
        end_channel(closing);
        end_channel(other);
    }
    return 0;
}

TASK_TEST(sync_select, a_channel_that_is_selected_cannot_be_destroyed) {
    coir_channel *const channel = ints_channel(0);
    int in;
    struct selecting it = {.cases = {coir_case_recv(channel, &in)}, .count = 1};
    COIR_SCOPE(s);
    start(&s, select_one, &it);
    settle();
    check_rc(coir_channel_destroy(channel), -EBUSY);
    put(channel, 1);
    check_rc(coir_channel_destroy(channel), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(in, 1);
    return 0;
}

/* ---- Descriptors ---- */

TASK_TEST_SEEDS(sync_select, a_descriptor_that_becomes_ready_happens) {
    for (enum ends_kind kind = ENDS_PIPE; kind < ENDS_TCP; kind++) {
        int ends[2];
        char byte;
        ends_open(kind, ends);
        coir_channel *const channel = ints_channel(0);
        int in;
        struct selecting it = {
            .cases = {coir_case_recv(channel, &in), coir_case_fd(ends[0], COIR_READABLE)},
            .count = 2};
        for (int n = 0; n < 3; n++) {
            COIR_SCOPE(s);
            start(&s, select_one, &it);
            settle();
            check_int(it.index, PENDING);
            raw_write(ends[1], "x");
            check_rc(coir_scope_close(&s, 0), 0);
            check_int(it.index, 1);
            check_rc(it.rc, 0);
            check_int(it.cases[1].result, COIR_READABLE);
            check_waiting(channel, 0, 0);
            check_int(coir_select(it.cases, 2, 0), 1); /* it is as long as there is something */
            check_rc(coir_read(ends[0], &byte, 1), 1);
            check_rc(try_select(it.cases, 2), -EAGAIN);
        }
        end_channel(channel);
        ends_close(ends);
    }
    return 0;
}

TASK_TEST(sync_select, a_descriptor_tells_which_of_the_events_hold) {
    int ends[2];
    ends_open(ENDS_UNIX, ends);
    coir_case one = coir_case_fd(ends[0], COIR_READABLE | COIR_WRITABLE);
    check_int(coir_select(&one, 1, 0), 0);
    check_int(one.result, COIR_WRITABLE);
    raw_write(ends[1], "x");
    check_int(coir_select(&one, 1, 0), 0);
    check_int(one.result, COIR_READABLE | COIR_WRITABLE);
    raw_fill(ends[0]);
    check_int(coir_select(&one, 1, 0), 0);
    check_int(one.result, COIR_READABLE);
    ends_close(ends);
    return 0;
}

static int drain_soon(void *fd) {
    check_rc(coir_sleep(COIR_MS(1)), 0);
    raw_drain(*(int *)fd);
    return 0;
}

static int write_soon(void *fd) {
    check_rc(coir_sleep(COIR_MS(1)), 0);
    raw_write(*(int *)fd, "x");
    return 0;
}

TASK_TEST_SEEDS(sync_select, only_the_event_that_came_is_told) {
    int ends[2];
    ends_open(ENDS_UNIX, ends);
    raw_fill(ends[0]);
    coir_case one = coir_case_fd(ends[0], COIR_READABLE | COIR_WRITABLE);
    COIR_SCOPE(s);
    start(&s, write_soon, &ends[1]);
    check_int(coir_select(&one, 1, 0), 0);
    check_int(one.result, COIR_READABLE);
    check_rc(coir_scope_close(&s, 0), 0);
    ends_close(ends);
    return 0;
}

TASK_TEST_SEEDS(sync_select, room_in_a_descriptor_is_waited_for) {
    int ends[2];
    ends_open(ENDS_PIPE, ends);
    raw_fill(ends[1]);
    coir_case one = coir_case_fd(ends[1], COIR_WRITABLE);
    check_rc(try_select(&one, 1), -EAGAIN);
    COIR_SCOPE(s);
    start(&s, drain_soon, &ends[0]);
    check_int(coir_select(&one, 1, 0), 0);
    check_int(one.result, COIR_WRITABLE);
    check_rc(coir_write(ends[1], "x", 1), 1);
    check_rc(coir_scope_close(&s, 0), 0);
    ends_close(ends);
    return 0;
}

/* What select learned must not mislead the calls that read and write. */
TASK_TEST_SEEDS(sync_select, reading_and_writing_go_on_as_before) {
    int ends[2];
    ends_open(ENDS_UNIX, ends);
    struct reading reading = {.fd = ends[0], .rc = READING};
    coir_case one = coir_case_fd(ends[0], COIR_READABLE);
    check_rc(try_select(&one, 1), -EAGAIN);
    COIR_SCOPE(s);
    start(&s, read_some, &reading);
    settle();
    raw_write(ends[1], "hello");
    check_rc(coir_scope_close(&s, 0), 0);
    check_str(reading.text, "hello");
    raw_fill(ends[0]);
    one = coir_case_fd(ends[0], COIR_WRITABLE);
    check_rc(try_select(&one, 1), -EAGAIN);
    raw_drain(ends[1]);
    check_rc(coir_write(ends[0], "x", 1), 1);
    ends_close(ends);
    return 0;
}

TASK_TEST_SEEDS(sync_select, a_descriptor_has_one_reader) {
    int ends[2];
    ends_open(ENDS_PIPE, ends);
    struct reading reading = {.fd = ends[0], .rc = READING};
    coir_case twice[] = {coir_case_fd(ends[0], COIR_READABLE),
                         coir_case_fd(ends[0], COIR_READABLE)};
    struct selecting it = {.cases = {coir_case_fd(ends[0], COIR_READABLE)}, .count = 1};
    check_int(coir_select(twice, 2, 0), 1);
    check_rc(twice[1].rc, -EBUSY);
    check_int(stats().io_waiting, 0);
    COIR_SCOPE(s);
    start(&s, select_one, &it);
    settle();
    check_rc(coir_read(ends[0], reading.text, 1), -EBUSY);
    check_int(try_select(twice, 1), 0);
    check_rc(twice[0].rc, -EBUSY);
    raw_write(ends[1], "x");
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(it.rc, 0);
    raw_drain(ends[0]);
    {
        COIR_SCOPE(again);
        start(&again, read_some, &reading);
        settle();
        const int which = try_select(twice, 2);
        check(which >= 0);
        check_rc(twice[which].rc, -EBUSY);
        raw_write(ends[1], "y");
        check_rc(coir_scope_close(&again, 0), 0);
    }
    ends_close(ends);
    return 0;
}

TASK_TEST_SEEDS(sync_select, both_directions_may_be_two_cases) {
    int ends[2];
    ends_open(ENDS_UNIX, ends);
    raw_fill(ends[0]);
    struct selecting it = {
        .cases = {coir_case_fd(ends[0], COIR_READABLE), coir_case_fd(ends[0], COIR_WRITABLE)},
        .count = 2};
    COIR_SCOPE(s);
    start(&s, select_one, &it);
    settle();
    check_int(it.index, PENDING);
    check_int(stats().io_waiting, 2);
    raw_drain(ends[1]);
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(it.index, 1);
    check_int(stats().io_waiting, 0);
    ends_close(ends);
    return 0;
}

TASK_TEST_SEEDS(sync_select, a_descriptor_that_is_closed_happens_with_an_error) {
    int ends[2];
    ends_open(ENDS_UNIX, ends);
    raw_fill(ends[0]);
    struct selecting it = {
        .cases = {coir_case_fd(ends[0], COIR_READABLE), coir_case_fd(ends[0], COIR_WRITABLE)},
        .count = 2};
    COIR_SCOPE(s);
    start(&s, select_one, &it);
    settle();
    check_rc(coir_close(ends[0]), 0);
    check_int(stats().io_waiting, 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check(it.index >= 0);
    check_rc(it.rc, -EBADF);
    check_int(try_select(it.cases, 1), 0); /* and one that is not known */
    check_rc(it.cases[0].rc, -EBADF);
    it.cases[0] = coir_case_fd(-1, COIR_READABLE);
    check_int(coir_select(it.cases, 1, 0), 0);
    check_rc(it.cases[0].rc, -EBADF);
    check_rc(coir_close(ends[1]), 0);
    return 0;
}

TASK_TEST(sync_select, a_regular_file_is_always_ready) {
    FILE *const file = tmpfile();
    check(file != NULL);
    const int fd = fileno(file);
    check_rc(coir_adopt(fd), 0);
    coir_case one = coir_case_fd(fd, COIR_READABLE | COIR_WRITABLE);
    check_int(coir_select(&one, 1, 0), 0);
    check_rc(one.rc, 0);
    check_int(one.result, COIR_READABLE | COIR_WRITABLE);
    check_rc(coir_release(fd), 0);
    fclose(file);
    return 0;
}

/* An end of stream that comes while data is unread, and a hang-up, are readiness too. */
TASK_TEST_SEEDS(sync_select, the_end_of_a_stream_can_be_read) {
    int ends[2];
    char byte;
    ends_open(ENDS_PIPE, ends);
    coir_case one = coir_case_fd(ends[0], COIR_READABLE);
    check_rc(try_select(&one, 1), -EAGAIN);
    check_rc(coir_close(ends[1]), 0);
    check_int(coir_select(&one, 1, 0), 0);
    check_int(one.result, COIR_READABLE);
    check_rc(coir_read(ends[0], &byte, 1), 0);
    check_int(coir_select(&one, 1, 0), 0);
    check_rc(coir_close(ends[0]), 0);
    return 0;
}

/* ---- Tasks ---- */

static int end_after_ms(void *ms) {
    COIR_TRY(coir_sleep(COIR_MS(*(int *)ms)));
    return 100 + *(int *)ms;
}

TASK_TEST_SEEDS(sync_select, the_first_task_that_ends_happens) {
    int ms[3] = {30, 10, 20};
    coir_task tasks[3];
    coir_case cases[3];
    COIR_SCOPE(s);
    for (size_t i = 0; i < 3; i++) {
        check_rc(coir_spawn_task(&s, end_after_ms, &ms[i], &tasks[i]), 0);
        cases[i] = coir_case_task(tasks[i]);
    }
    for (int n = 1; n <= 3; n++) {
        const int which = coir_select(cases, 3, 0);
        check_int(ms[which], 10 * n);
        check_rc(cases[which].rc, 0);
        check_int(cases[which].result, 100 + 10 * n);
        check(coir_task_done(tasks[which]));
        check_int(try_select(&cases[which], 1), 0); /* it stays ended */
        check_int(cases[which].result, 100 + 10 * n);
        cases[which].kind = COIR_CASE_NONE;
    }
    check_rc(coir_select(cases, 3, 0), -EINVAL);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

TASK_TEST_SEEDS(sync_select, what_the_task_returned_is_known_though_its_scope_is_closed) {
    int ms = 0;
    coir_task task;
    coir_channel *const never = ints_channel(0);
    int in;
    struct selecting it = {.count = 2};
    COIR_SCOPE(around);
    {
        COIR_SCOPE(s);
        check_rc(coir_spawn_task(&s, end_after_ms, &ms, &task), 0);
        it.cases[0] = coir_case_recv(never, &in);
        it.cases[1] = coir_case_task(task);
        start(&around, select_one, &it);
        check_rc(coir_scope_close(&s, 0), 0);
    }
    check_rc(coir_scope_close(&around, 0), 0);
    check_int(it.index, 1);
    check(it.rc == 0 || it.rc == -ESRCH); /* by then, it may have been too late to ask */
    if (it.rc == 0)
        check_int(it.cases[1].result, 100);
    end_channel(never);
    return 0;
}

TASK_TEST(sync_select, no_such_task_and_oneself_are_errors) {
    coir_case one = coir_case_task((coir_task){.coir__record = NULL});
    check_int(coir_select(&one, 1, 0), 0);
    check_rc(one.rc, -ESRCH);
    one = coir_case_task(coir_self());
    check_int(coir_select(&one, 1, 0), 0);
    check_rc(one.rc, -EDEADLK);
    return 0;
}

TASK_TEST_SEEDS(sync_select, a_task_that_ends_later_reaches_nobody) {
    int ms = 5, in = -1;
    coir_task task;
    coir_channel *const channel = ints_channel(0);
    COIR_SCOPE(s);
    check_rc(coir_spawn_task(&s, end_after_ms, &ms, &task), 0);
    struct selecting it = {.cases = {coir_case_task(task), coir_case_recv(channel, &in)},
                           .count = 2};
    start(&s, select_one, &it);
    settle();
    put(channel, 3);
    check_rc(coir_sleep(COIR_MS(10)), 0);
    check_int(it.index, 1);
    check_int(in, 3);
    check_rc(coir_scope_close(&s, 0), 0);
    end_channel(channel);
    return 0;
}

/* ---- Everything at once ---- */

/* Something of each kind. */
static void fire(int what, coir_channel *channel, coir_channel *other, int fd) {
    int item = 5, rc = 0; /* the try-calls come to nothing where something else was first */
    if (what == 0)
        rc = coir_channel_try_send(channel, &item);
    else if (what == 1)
        rc = coir_channel_try_recv(other, &item);
    else if (what == 2)
        check_rc(coir_close(fd), 0);
    else
        check_rc(coir_channel_close(channel), 0);
    check(rc == 0 || rc == -EAGAIN || rc == -EPIPE);
}

TASK_TEST_SEEDS(sync_select, of_what_happens_in_one_turn_the_first_counts) {
    const int wanted[] = {0, 1, 2, 0};
    for (int first = 0; first < 4; first++)
        for (int second = 0; second < 4; second++) {
            int ends[2], in = -1;
            const int out = 6;
            ends_open(ENDS_PIPE, ends);
            coir_channel *const channel = ints_channel(0), *const other = ints_channel(0);
            struct selecting it = {.cases = {coir_case_recv(channel, &in),
                                             coir_case_send(other, &out),
                                             coir_case_fd(ends[0], COIR_READABLE)},
                                   .count = 3};
            COIR_SCOPE(s);
            start(&s, select_one, &it);
            settle();
            fire(first, channel, other, ends[0]);
            if (second != first)
                fire(second, channel, other, ends[0]);
            check_rc(coir_scope_close(&s, 0), 0);
            check_int(it.index, wanted[first]);
            check_rc(it.rc, first == 2 ? -EBADF : first == 3 ? -EPIPE : 0);
            check_int(in, first == 0 ? 5 : -1);
            check_int(channel_stats(channel).sent, first == 0);
            check_int(channel_stats(other).sent, first == 1);
            end_channel(channel);
            end_channel(other);
            if (first != 2 && second != 2)
                check_rc(coir_close(ends[0]), 0);
            check_rc(coir_close(ends[1]), 0);
        }
    return 0;
}

static int note_running(void *arg) {
    *(bool *)arg = true;
    return 0;
}

TASK_TEST_SEEDS(sync_select, one_that_never_has_to_wait_lets_others_on) {
    coir_channel *const closed = ints_channel(0);
    bool ran = false;
    int in;
    coir_case one = coir_case_recv(closed, &in);
    check_rc(coir_channel_close(closed), 0);
    COIR_SCOPE(s);
    start(&s, note_running, &ran);
    for (int n = 0; n < 1000 && !ran; n++)
        check_int(coir_select(&one, 1, 0), 0);
    check(ran);
    check_rc(coir_scope_close(&s, 0), 0);
    end_channel(closed);
    return 0;
}

TASK_TEST(sync_select, a_listing_says_so) {
    static char text[4096];
    coir_channel *const channel = ints_channel(0);
    FILE *const out = fmemopen(text, sizeof text, "w");
    check(out != NULL);
    int in;
    struct selecting it = {.cases = {coir_case_recv(channel, &in)}, .count = 1};
    COIR_SCOPE(s);
    start(&s, select_one, &it);
    settle();
    check_int(coir_dump(out), 2);
    put(channel, 0);
    check_rc(coir_scope_close(&s, 0), 0);
    fclose(out);
    check_contains(text, "waits for select over 1 case: receive from channel");
    end_channel(channel);
    return 0;
}

/* ---- Nothing is lost or doubled, whatever happens ---- */

#define CHANNELS 3
#define CROWD 8
#define ITEMS_MAX 20000

static struct crowd {
    coir_channel *channels[CHANNELS];
    uint64_t random;
    size_t next;           /* item, that a case may offer */
    char sent[ITEMS_MAX];  /* said its sender */
    char taken[ITEMS_MAX]; /* said its receiver */
    int cuts, sends, receipts;
    bool over;
} crowd;

/* A call that could as well be a select of one case. */
static int call(coir_case *it) {
    it->rc = it->kind == COIR_CASE_SEND ? coir_channel_send(it->channel, it->from)
                                        : coir_channel_recv(it->channel, it->into);
    return it->rc == -ECANCELED ? it->rc : 0;
}

/* One select of up to four sends and receives, any of them over any channel. */
static int select_some(void) {
    coir_case cases[4];
    uint64_t out[4], in = UINT64_MAX;
    const size_t count = 1 + noise(&crowd.random, 4);
    for (size_t i = 0; i < count; i++) {
        coir_channel *const channel = crowd.channels[noise(&crowd.random, CHANNELS)];
        out[i] = crowd.next++;
        check(crowd.next < ITEMS_MAX);
        cases[i] = noise(&crowd.random, 2) == 0 ? coir_case_send(channel, &out[i])
                                                : coir_case_recv(channel, &in);
    }
    const bool hurried = noise(&crowd.random, 3) == 0;
    COIR_SCOPE(s, .deadline = hurried ? coir_after(COIR_MS(noise(&crowd.random, 3))) : 0,
               .move_on = true);
    const unsigned flags = noise(&crowd.random, 8) == 0 ? COIR_SELECT_TRY : 0;
    const bool alone = count == 1 && flags == 0 && noise(&crowd.random, 2) == 0;
    const int which = alone ? call(&cases[0]) : coir_select(cases, count, flags);
    crowd.cuts += which == -ECANCELED;
    (void)coir_scope_close(&s, 0);
    if (which < 0)
        return which == -EAGAIN || which == -ECANCELED ? 0 : which;
    if (cases[which].rc < 0)
        return cases[which].rc;
    if (cases[which].kind == COIR_CASE_SEND) {
        crowd.sends++;
        crowd.sent[out[which]]++;
    } else {
        crowd.receipts++;
        check(in < crowd.next);
        crowd.taken[in]++;
    }
    return 0;
}

static int select_on_and_on(UNUSED void *arg) {
    int rc;
    while ((rc = select_some()) == 0 && !crowd.over)
        COIR_TRY(coir_sleep(COIR_MS(noise(&crowd.random, 2))));
    return rc == -EPIPE ? 0 : rc;
}

TASK_TEST_SEEDS(sync_select, no_item_is_lost_or_doubled) {
    const uint64_t random = crowd.random;
    memset(&crowd, 0, sizeof crowd);
    crowd.random = random + 1;
    for (size_t i = 0; i < CHANNELS; i++)
        crowd.channels[i] = make_channel(sizeof(uint64_t), i, NULL);
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    coir_task tasks[CROWD];
    for (size_t i = 0; i < CROWD; i++)
        check_rc(coir_spawn_task(&s, select_on_and_on, NULL, &tasks[i]), 0);
    check_rc(coir_sleep(COIR_MS(200)), 0);
    check(coir_task_cancel(tasks[0]));
    check_rc(coir_sleep(COIR_MS(20)), 0);
    crowd.over = true;
    for (size_t i = 0; i < CHANNELS; i++)
        check_rc(coir_channel_close(crowd.channels[i]), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    for (size_t i = 0; i < CHANNELS; i++) {
        uint64_t item;
        while (coir_channel_try_recv(crowd.channels[i], &item) == 0)
            crowd.taken[item]++;
        end_channel(crowd.channels[i]);
    }
    for (size_t i = 0; i < crowd.next; i++) {
        check_int(crowd.taken[i], crowd.sent[i]);
        check(crowd.sent[i] <= 1);
    }
    check(crowd.sends > 100 && crowd.cuts > 20); /* or this shows nothing */
    return 0;
}
