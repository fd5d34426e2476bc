/* CASES.md, section J: queues and channels. Each test bears the number of its case. */
#include "sync/channels.h"

SUITE(cases_j);

static int by_value(const void *a, const void *b) {
    const int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

static int get(coir_channel *channel) {
    int item = -1;
    check_rc(coir_channel_recv(channel, &item), 0);
    return item;
}

TASK_TEST_SEEDS(cases_j, J01_empty_full_order_and_a_putter_that_goes_on_after_a_get) {
    coir_channel *const queue = ints_channel(2);
    struct transfer putting = SENDING(queue, 3);
    check_int(coir_channel_items(queue), 0);
    put(queue, 1);
    put(queue, 2);
    check_int(coir_channel_items(queue), channel_stats(queue).capacity);
    COIR_SCOPE(s);
    start(&s, send_one, &putting);
    settle();
    check_int(putting.rc, PENDING);
    check_int(get(queue), 1);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(putting.rc, 0);
    check_int(get(queue), 2);
    check_int(get(queue), 3);
    check_int(coir_channel_items(queue), 0);
    end_channel(queue);
    return 0;
}

TASK_TEST(cases_j, J02_tries_on_an_empty_and_on_a_full_queue) {
    coir_channel *const queue = ints_channel(1);
    int item = 1;
    check_rc(coir_channel_try_recv(queue, &item), -EAGAIN);
    put(queue, item);
    check_rc(coir_channel_try_send(queue, &item), -EAGAIN);
    check_int(take(queue), 1);
    end_channel(queue);
    return 0;
}

TASK_TEST_SEEDS(cases_j, J03_the_first_getter_is_cancelled_and_the_second_gets_the_item) {
    coir_channel *const queue = ints_channel(1);
    struct transfer getting[] = {RECEIVING(queue), RECEIVING(queue)};
    coir_task first;
    COIR_SCOPE(s);
    check_rc(coir_spawn_task(&s, recv_one, &getting[0], &first), 0);
    settle();
    start(&s, recv_one, &getting[1]);
    settle();
    check(coir_task_cancel(first));
    put(queue, 1);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(getting[0].rc, -ECANCELED);
    check_rc(getting[1].rc, 0);
    check_int(getting[1].item, 1);
    end_channel(queue);
    return 0;
}

TASK_TEST_SEEDS(cases_j, J06_a_cancelled_putter_puts_nothing_and_the_next_one_goes_on) {
    coir_channel *const queue = ints_channel(1);
    struct transfer putting[] = {SENDING(queue, 1), SENDING(queue, 2)};
    coir_task first;
    put(queue, 0);
    COIR_SCOPE(s);
    check_rc(coir_spawn_task(&s, send_one, &putting[0], &first), 0);
    settle();
    start(&s, send_one, &putting[1]);
    settle();
    check(coir_task_cancel(first));
    check_int(get(queue), 0);
    check_int(get(queue), 2);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(putting[0].rc, -ECANCELED);
    check_rc(putting[1].rc, 0);
    check_int(coir_channel_items(queue), 0);
    end_channel(queue);
    return 0;
}

TASK_TEST_SEEDS(cases_j, J07_cancelled_getters_and_putters_leave_no_entries) {
    coir_channel *const queue = ints_channel(0);
    for (int n = 0; n < 100; n++) {
        struct transfer waiting = SENDING(queue, n);
        COIR_SCOPE(s);
        start(&s, n % 2 == 0 ? send_one : recv_one, &waiting);
        settle();
        check_waiting(queue, n % 2 == 0, n % 2 == 1);
        coir_scope_cancel(&s);
        check_waiting(queue, 0, 0);
        check_rc(coir_scope_close(&s, 0), 0);
        check_rc(waiting.rc, -ECANCELED);
    }
    end_channel(queue);
    return 0;
}

#define MESSAGES 200

static int put_many(void *queue) {
    for (int i = 0; i < MESSAGES; i++)
        COIR_TRY(coir_channel_send(queue, &i));
    return 0;
}

TASK_TEST_SEEDS(cases_j, J08_many_putters_and_getters_over_one_place_never_deadlock) {
    coir_channel *const queue = ints_channel(1);
    int sum = 0;
    COIR_SCOPE(s);
    for (int i = 0; i < 5; i++)
        start(&s, put_many, queue);
    for (int i = 0; i < 5 * MESSAGES; i++)
        sum += get(queue);
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(sum, 5 * (MESSAGES - 1) * MESSAGES / 2);
    end_channel(queue);
    return 0;
}

static int by_tens(const void *a, const void *b) {
    return *(const int *)a / 10 - *(const int *)b / 10;
}

static void check_order(const coir_channel_options *options, const char *order) {
    coir_channel *const queue = make_channel(sizeof(int), 8, options);
    const int items[] = {31, 12, 39, 11, 30, 20};
    trace_clear();
    for (size_t i = 0; i < COUNT_OF(items); i++)
        put(queue, items[i]);
    for (size_t i = 0; i < COUNT_OF(items); i++)
        trace("%d", get(queue));
    check_trace(order);
    end_channel(queue);
}

TASK_TEST(cases_j, J09_last_in_first_out_and_by_priority_stable_for_ties) {
    check_order(&(coir_channel_options){.order = COIR_LIFO}, "20 30 11 39 12 31");
    check_order(&(coir_channel_options){.order = COIR_PRIORITY, .compare = by_value},
                "11 12 20 30 31 39");
    check_order(&(coir_channel_options){.order = COIR_PRIORITY, .compare = by_tens},
                "12 11 20 31 39 30");
    return 0;
}

static int join_queue(void *queue) {
    COIR_TRY(coir_channel_join(queue));
    trace("joined");
    return 0;
}

TASK_TEST_SEEDS(cases_j, J10_join_waits_for_all_to_be_done_and_no_more) {
    coir_channel *const queue = ints_channel(2);
    check_rc(coir_channel_join(queue), 0); /* empty */
    check_rc(coir_channel_task_done(queue), -EINVAL);
    put(queue, 1);
    put(queue, 2);
    COIR_SCOPE(s);
    start(&s, join_queue, queue);
    settle();
    (void)get(queue);
    (void)get(queue);
    settle();
    check_rc(coir_channel_task_done(queue), 0);
    settle();
    trace("done");
    check_rc(coir_channel_task_done(queue), 0);
    check_rc(coir_channel_task_done(queue), -EINVAL);
    check_rc(coir_scope_close(&s, 0), 0);
    check_trace("done joined");
    end_channel(queue);
    return 0;
}

TASK_TEST_SEEDS(cases_j, J11_shutting_down_an_empty_queue_wakes_its_getters) {
    coir_channel *const queue = ints_channel(2);
    struct transfer getting[] = {RECEIVING(queue), RECEIVING(queue)};
    int item = 0;
    COIR_SCOPE(s);
    start(&s, recv_one, &getting[0]);
    start(&s, recv_one, &getting[1]);
    settle();
    check_rc(coir_channel_close(queue), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(getting[0].rc, -EPIPE);
    check_rc(getting[1].rc, -EPIPE);
    check_rc(coir_channel_send(queue, &item), -EPIPE);
    check_rc(coir_channel_recv(queue, &item), -EPIPE);
    end_channel(queue);
    return 0;
}

TASK_TEST_SEEDS(cases_j, J12_shutting_down_a_full_queue_fails_putters_and_lets_items_drain) {
    coir_channel *const queue = ints_channel(2);
    struct transfer putting = SENDING(queue, 3);
    int item;
    put(queue, 1);
    put(queue, 2);
    COIR_SCOPE(s);
    start(&s, send_one, &putting);
    start(&s, join_queue, queue);
    settle();
    check_rc(coir_channel_close(queue), 0);
    settle();
    check_rc(putting.rc, -EPIPE);
    check_int(get(queue), 1);
    check_int(get(queue), 2);
    check_rc(coir_channel_recv(queue, &item), -EPIPE);
    settle();
    check_trace("");
    check_rc(coir_channel_task_done(queue), 0);
    check_rc(coir_channel_task_done(queue), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_trace("joined");
    end_channel(queue);
    return 0;
}

TASK_TEST(cases_j, J14_send_after_close_receive_after_drain_close_twice) {
    coir_channel *const channel = ints_channel(2);
    int item = 3;
    put(channel, 1);
    check_rc(coir_channel_close(channel), 0);
    check_rc(coir_channel_send(channel, &item), -EPIPE);
    check_rc(coir_channel_try_send(channel, &item), -EPIPE);
    check_int(get(channel), 1);
    check_rc(coir_channel_recv(channel, &item), -EPIPE);
    check_rc(coir_channel_try_recv(channel, &item), -EPIPE);
    check_rc(coir_channel_close(channel), 0);
    check_int(item, 3);
    end_channel(channel);
    return 0;
}

TASK_TEST(cases_j, J15_a_receive_that_timed_out_leaves_the_channel_usable) {
    coir_channel *const channel = ints_channel(1);
    int item = -1;
    {
        COIR_SCOPE(s, .deadline = coir_after(COIR_MS(10)));
        check_rc(coir_channel_recv(channel, &item), -ECANCELED);
        check_rc(coir_scope_close(&s, 0), -ETIMEDOUT);
    }
    check_rc(coir_channel_send(channel, &(int){5}), 0);
    check_int(get(channel), 5);
    end_channel(channel);
    return 0;
}

#define PRODUCERS 10

struct producer {
    coir_channel *channel;
    int number;
};

static int produce_and_release(void *arg) {
    const struct producer *const producer = arg;
    for (int i = 0; i < 3; i++) {
        const int item = producer->number * 10 + i;
        COIR_TRY(coir_channel_send(producer->channel, &item));
        COIR_TRY(coir_sleep(COIR_MS(producer->number)));
    }
    return coir_channel_release(producer->channel);
}

/* Where trio clones the sending end, the channel is held once for each sender. */
TASK_TEST_SEEDS(cases_j, J16_the_receiver_sees_the_end_when_the_last_producer_has_let_go) {
    coir_channel *const channel = ints_channel(2);
    struct producer producers[PRODUCERS];
    int item, count = 0;
    const coir_time began = coir_now();
    COIR_SCOPE(s);
    for (int i = 0; i < PRODUCERS; i++) {
        producers[i] = (struct producer){.channel = channel, .number = i};
        check_rc(coir_channel_hold(channel), 0);
        start(&s, produce_and_release, &producers[i]);
    }
    int rc;
    while ((rc = coir_channel_recv(channel, &item)) == 0)
        count++;
    check_rc(rc, -EPIPE);
    check_int(count, 3 * PRODUCERS);
    check_int(coir_now() - began, COIR_MS(3 * (PRODUCERS - 1)));
    check_int(channel_stats(channel).holds, 0);
    check_rc(coir_channel_hold(channel), -EPIPE);
    check_rc(coir_scope_close(&s, 0), 0);
    end_channel(channel);
    return 0;
}

/* There is one kind of end here: whoever closes, senders that wait keep their items and get -EPIPE,
 * and receivers get it when nothing is left. close_now is what the receiving side does. */
TASK_TEST_SEEDS(cases_j, J18_a_close_from_either_side_wakes_all_who_wait) {
    coir_channel *const channel = ints_channel(0), *const buffered = ints_channel(1);
    struct transfer sending[] = {SENDING(channel, 1), SENDING(channel, 2), SENDING(buffered, 3)};
    struct transfer receiving[] = {RECEIVING(buffered), RECEIVING(buffered)};
    {
        COIR_SCOPE(s); /* the sender closes */
        start(&s, send_one, &sending[0]);
        start(&s, send_one, &sending[1]);
        start(&s, recv_one, &receiving[0]);
        start(&s, recv_one, &receiving[1]);
        settle();
        check_rc(coir_channel_close(channel), 0);
        put(buffered, 9);
        check_rc(coir_channel_close(buffered), 0);
        check_rc(coir_scope_close(&s, 0), 0);
        check_rc(sending[0].rc, -EPIPE);
        check_rc(sending[1].rc, -EPIPE);
        check_int((receiving[0].rc == 0) + (receiving[1].rc == 0), 1);
        check_int((receiving[0].rc == -EPIPE) + (receiving[1].rc == -EPIPE), 1);
        end_channel(channel);
        end_channel(buffered);
    }
    {
        coir_channel *const full = sending[2].channel = ints_channel(1);
        put(full, 0);
        COIR_SCOPE(s); /* the receiver closes */
        start(&s, send_one, &sending[2]);
        settle();
        check_rc(coir_channel_close_now(full), 1);
        check_rc(coir_scope_close(&s, 0), 0);
        check_rc(sending[2].rc, -EPIPE);
        check_int(sending[2].item, 3);
        end_channel(full);
    }
    return 0;
}

static int send_and_tell(void *channel) {
    int item = 1;
    trace("sends");
    COIR_TRY(coir_channel_send(channel, &item));
    trace("sent");
    return 0;
}

TASK_TEST_SEEDS(cases_j, J21_unbuffered_a_send_returns_only_after_the_hand_over) {
    coir_channel *const channel = ints_channel(0);
    COIR_SCOPE(s);
    start(&s, send_and_tell, channel);
    settle();
    check_rc(coir_sleep(COIR_SEC(1)), 0);
    trace("receives");
    check_int(get(channel), 1);
    trace("received");
    check_rc(coir_scope_close(&s, 0), 0);
    check_trace("sends receives received sent");
    end_channel(channel);
    return 0;
}

TASK_TEST_SEEDS(cases_j, J22_counts_of_waiting_tasks_return_to_zero_after_a_cancel) {
    coir_channel *const empty = ints_channel(0), *const full = ints_channel(1);
    struct transfer sending[] = {SENDING(full, 1), SENDING(full, 2)};
    struct transfer receiving = RECEIVING(empty);
    put(full, 0);
    COIR_SCOPE(s);
    start(&s, send_one, &sending[0]);
    start(&s, send_one, &sending[1]);
    start(&s, recv_one, &receiving);
    start(&s, join_queue, full);
    settle();
    check_waiting(full, 2, 0);
    check_waiting(empty, 0, 1);
    check_int(channel_stats(full).joiners_waiting, 1);
    coir_scope_cancel(&s);
    check_waiting(full, 0, 0);
    check_waiting(empty, 0, 0);
    check_int(channel_stats(full).joiners_waiting, 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(channel_stats(full).items, 1);
    check_int(channel_stats(full).sent, 1);
    check_int(take(full), 0);
    end_channel(empty);
    end_channel(full);
    return 0;
}
