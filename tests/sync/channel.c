/* Channels: what goes in comes out once and in order, whoever waits, is cut, closes or leaves. */
#include <pthread.h>

#include "channels.h"

SUITE(sync_channel);

/* By the last digit, so that numbers that differ can be equal. */
static int by_last_digit(const void *a, const void *b) {
    const int x = *(const int *)a % 10, y = *(const int *)b % 10;
    return (x > y) - (x < y);
}

static const coir_channel_options by_age = {.order = COIR_LIFO};
static const coir_channel_options by_priority = {.order = COIR_PRIORITY, .compare = by_last_digit};

/* ---- Creating, and calls that can not be ---- */

TASK_TEST(sync_channel, impossible_channels_are_refused) {
    static int unset;
    coir_channel *const something = (coir_channel *)(void *)&unset;
    const struct {
        size_t size, capacity;
        coir_channel_options options;
    } bad[] = {
        {.size = 0, .capacity = 1},
        {.size = COIR_ITEM_SIZE_MAX + 1, .capacity = 1},
        {.size = SIZE_MAX, .capacity = 1},
        {.size = 2, .capacity = SIZE_MAX},
        {.size = 2, .capacity = SIZE_MAX / 2},
        {.size = 1, .capacity = SIZE_MAX / 8, .options = by_priority},
        {.size = 4, .capacity = 0, .options = by_age},
        {.size = 4, .capacity = 0, .options = by_priority},
        {.size = 4, .capacity = 1, .options = {.order = COIR_PRIORITY}},
        {.size = 4, .capacity = 1, .options = {.compare = by_last_digit}},
        {.size = 4, .capacity = 1, .options = {.order = (coir_order)3}},
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        coir_channel *channel = something;
        check_rc(coir_channel_create(&channel, bad[i].size, bad[i].capacity, &bad[i].options),
                 -EINVAL);
        check(channel == NULL);
    }
    check_rc(coir_channel_create(NULL, 1, 1, NULL), -EINVAL);
    return 0;
}

static int make_too_large(UNUSED void *arg) {
    coir_channel *channel;
    check_rc(coir_channel_create(&channel, COIR_ITEM_SIZE_MAX, SIZE_MAX >> 18, NULL), -ENOMEM);
    check(channel == NULL);
    return 0;
}

Test(sync_channel, a_channel_too_large_for_memory_is_refused) {
    if (with_sanitizer())
        skip_test("a sanitizer's allocator ends the program instead of refusing");
    check_rc(run_task(make_too_large, NULL), 0);
}

TASK_TEST(sync_channel, missing_arguments_are_refused) {
    int item = 0;
    coir_channel_stats stats;
    coir_channel *const channel = ints_channel(1);
    check_rc(coir_channel_send(NULL, &item), -EINVAL);
    check_rc(coir_channel_recv(NULL, &item), -EINVAL);
    check_rc(coir_channel_try_send(NULL, &item), -EINVAL);
    check_rc(coir_channel_try_recv(NULL, &item), -EINVAL);
    check_rc(coir_channel_send(channel, NULL), -EINVAL);
    check_rc(coir_channel_recv(channel, NULL), -EINVAL);
    check_rc(coir_channel_try_send(channel, NULL), -EINVAL);
    check_rc(coir_channel_try_recv(channel, NULL), -EINVAL);
    check_rc(coir_channel_close(NULL), -EINVAL);
    check_rc(coir_channel_close_now(NULL), -EINVAL);
    check_rc(coir_channel_hold(NULL), -EINVAL);
    check_rc(coir_channel_release(NULL), -EINVAL);
    check_rc(coir_channel_task_done(NULL), -EINVAL);
    check_rc(coir_channel_join(NULL), -EINVAL);
    check_rc(coir_channel_stats_get(NULL, &stats), -EINVAL);
    check_rc(coir_channel_stats_get(channel, NULL), -EINVAL);
    check_int(coir_channel_items(NULL), 0);
    check_rc(coir_channel_destroy(NULL), 0);
    check_int(coir_channel_items(channel), 0);
    end_channel(channel);
    return 0;
}

static void check_refused(coir_channel *channel, int why) {
    int item = 0;
    coir_channel_stats stats;
    check_rc(coir_channel_send(channel, &item), why);
    check_rc(coir_channel_recv(channel, &item), why);
    check_rc(coir_channel_try_send(channel, &item), why);
    check_rc(coir_channel_try_recv(channel, &item), why);
    check_rc(coir_channel_close(channel), why);
    check_rc(coir_channel_close_now(channel), why);
    check_rc(coir_channel_hold(channel), why);
    check_rc(coir_channel_release(channel), why);
    check_rc(coir_channel_task_done(channel), why);
    check_rc(coir_channel_join(channel), why);
    check_rc(coir_channel_stats_get(channel, &stats), why);
    check_int(coir_channel_items(channel), 0);
}

static int make_one(void *arg) {
    *(coir_channel **)arg = ints_channel(1);
    return 0;
}

Test(sync_channel, outside_the_runtime_it_can_only_be_destroyed) {
    coir_channel *channel = NULL;
    check_rc(coir_channel_create(&channel, 1, 1, NULL), -EPERM);
    check_rc(run_task(make_one, &channel), 0);
    check_refused(channel, -EPERM);
    check_rc(coir_channel_destroy(channel), 0);
}

struct foreign {
    coir_channel *channel;
    int rc[3];
};

static int use_foreign(void *arg) {
    struct foreign *const foreign = arg;
    int item = 0;
    foreign->rc[0] = coir_channel_send(foreign->channel, &item);
    foreign->rc[1] = coir_channel_try_recv(foreign->channel, &item);
    foreign->rc[2] = coir_channel_close(foreign->channel);
    return 0;
}

static void *run_foreign(void *arg) {
    return coir_run(use_foreign, arg) == 0 ? arg : NULL;
}

TASK_TEST(sync_channel, a_channel_of_another_runtime_is_refused) {
    pthread_t thread;
    void *result;
    struct foreign foreign = {.channel = ints_channel(1)};
    put(foreign.channel, 7);
    check_int(pthread_create(&thread, NULL, run_foreign, &foreign), 0);
    check_int(pthread_join(thread, &result), 0);
    check(result == &foreign);
    for (size_t i = 0; i < COUNT_OF(foreign.rc); i++)
        check_rc(foreign.rc[i], -EINVAL);
    check_int(take(foreign.channel), 7);
    check(!channel_stats(foreign.channel).closed);
    end_channel(foreign.channel);
    return 0;
}

/* ---- What goes in comes out ---- */

#define LARGE_COUNT 20

struct large {
    coir_channel *channel;
    size_t size;
};

static void paint(unsigned char *item, size_t size, size_t number) {
    for (size_t i = 0; i < size; i++)
        item[i] = (unsigned char)(number * 31 + i);
}

static int send_large(void *arg) {
    const struct large *const large = arg;
    unsigned char *const item = malloc(large->size);
    check(item != NULL);
    for (size_t i = 0; i < LARGE_COUNT; i++) {
        paint(item, large->size, i);
        check_rc(coir_channel_send(large->channel, item), 0);
        memset(item, 0xee, large->size); /* the channel has a copy */
    }
    free(item);
    return coir_channel_close(large->channel);
}

TASK_TEST_SEEDS(sync_channel, items_of_any_size_come_out_as_they_went_in) {
    const size_t sizes[] = {1, 2, 3, 4, 7, 8, 9, 16, 100, 4096, COIR_ITEM_SIZE_MAX};
    unsigned char *const item = malloc(COIR_ITEM_SIZE_MAX + 1),
                         *wanted = malloc(COIR_ITEM_SIZE_MAX);
    check(item != NULL && wanted != NULL);
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        for (size_t capacity = 0; capacity < 4; capacity++) {
            struct large large = {.channel = make_channel(sizes[i], capacity, NULL),
                                  .size = sizes[i]};
            item[sizes[i]] = 0xaa;
            COIR_SCOPE(s);
            start(&s, send_large, &large);
            for (size_t n = 0; n < LARGE_COUNT; n++) {
                check_rc(coir_channel_recv(large.channel, item), 0);
                paint(wanted, sizes[i], n);
                check(memcmp(item, wanted, sizes[i]) == 0);
                check_int(item[sizes[i]], 0xaa);
            }
            check_rc(coir_channel_recv(large.channel, item), -EPIPE);
            check_rc(coir_scope_close(&s, 0), 0);
            end_channel(large.channel);
        }
    }
    free(item);
    free(wanted);
    return 0;
}

/* ---- The order within the buffer, against a list that is searched ---- */

#define MODEL_MAX 16

struct model {
    coir_order order;
    size_t count;
    int items[MODEL_MAX]; /* in order of arrival */
};

static int model_take(struct model *model) {
    size_t best = model->order == COIR_LIFO ? model->count - 1 : 0;
    if (model->order == COIR_PRIORITY)
        for (size_t i = 1; i < model->count; i++)
            if (by_last_digit(&model->items[i], &model->items[best]) < 0)
                best = i;
    const int item = model->items[best];
    model->count--;
    memmove(&model->items[best], &model->items[best + 1],
            (model->count - best) * sizeof model->items[0]);
    return item;
}

static void compare_with_model(const coir_channel_options *options, size_t capacity,
                               uint64_t *random) {
    struct model model = {.order = options->order};
    coir_channel *const channel = make_channel(sizeof(int), capacity, options);
    for (int number = 0; number < 2000; number++) {
        int item = number * 10 + (int)noise(random, 4);
        if (noise(random, 2) == 0) {
            const int rc = coir_channel_try_send(channel, &item);
            check_rc(rc, model.count < capacity ? 0 : -EAGAIN);
            if (rc == 0)
                model.items[model.count++] = item;
        } else {
            const int rc = coir_channel_try_recv(channel, &item);
            check_rc(rc, model.count > 0 ? 0 : -EAGAIN);
            if (rc == 0)
                check_int(item, model_take(&model));
        }
        check_int(coir_channel_items(channel), model.count);
    }
    while (model.count > 0)
        check_int(take(channel), model_take(&model));
    end_channel(channel);
}

TASK_TEST(sync_channel, each_order_is_the_one_it_says) {
    uint64_t random = 1;
    for (size_t capacity = 1; capacity <= MODEL_MAX; capacity++) {
        compare_with_model(&(coir_channel_options){.order = COIR_FIFO}, capacity, &random);
        compare_with_model(&by_age, capacity, &random);
        compare_with_model(&by_priority, capacity, &random);
    }
    return 0;
}

/* The quick way is for items of one word; here are the others, around the ring. */
TASK_TEST(sync_channel, a_ring_of_items_of_any_size_wraps_around) {
    unsigned char in[9], out[9];
    for (size_t size = 1; size <= sizeof in; size++) {
        coir_channel *const channel = make_channel(size, 3, NULL);
        for (size_t n = 0; n < 20; n++) {
            paint(in, size, n);
            check_rc(coir_channel_try_send(channel, in), 0);
            if (n < 2)
                continue;
            check_rc(coir_channel_try_recv(channel, out), 0);
            paint(in, size, n - 2);
            check(memcmp(in, out, size) == 0);
        }
        end_channel(channel);
    }
    return 0;
}

TASK_TEST(sync_channel, items_of_senders_that_waited_enter_in_the_order_they_came) {
    const coir_channel_options fifo = {.order = COIR_FIFO};
    const struct {
        const coir_channel_options *options;
        const char *order;
    } orders[] = {{&fifo, "9 7 5 3"}, {&by_age, "9 7 5 3"}, {&by_priority, "9 7 5 3"}};
    for (size_t i = 0; i < COUNT_OF(orders); i++) {
        coir_channel *const channel = make_channel(sizeof(int), 1, orders[i].options);
        struct transfer waiting[] = {SENDING(channel, 7), SENDING(channel, 5), SENDING(channel, 3)};
        trace_clear();
        put(channel, 9);
        COIR_SCOPE(s);
        for (size_t n = 0; n < COUNT_OF(waiting); n++) {
            start(&s, send_one, &waiting[n]);
            settle();
        }
        check_waiting(channel, 3, 0);
        for (size_t n = 0; n <= COUNT_OF(waiting); n++)
            trace("%d", take(channel));
        check_rc(coir_scope_close(&s, 0), 0);
        check_trace(orders[i].order);
        for (size_t n = 0; n < COUNT_OF(waiting); n++)
            check_rc(waiting[n].rc, 0);
        end_channel(channel);
    }
    return 0;
}

/* ---- First come, first served ---- */

TASK_TEST_SEEDS(sync_channel, receivers_are_served_in_the_order_they_came) {
    coir_channel *const channel = ints_channel(2);
    struct transfer waiting[] = {RECEIVING(channel), RECEIVING(channel), RECEIVING(channel)};
    int item;
    COIR_SCOPE(s);
    for (size_t i = 0; i < COUNT_OF(waiting); i++) {
        start(&s, recv_one, &waiting[i]);
        settle();
    }
    check_waiting(channel, 0, 3);
    for (int i = 0; i < 3; i++) {
        put(channel, 100 + i);
        check_waiting(channel, 0, (size_t)(2 - i)); /* unlinked there and then */
        check_int(waiting[i].item, 100 + i);        /* and the item handed over */
        check_rc(coir_channel_try_recv(channel, &item), -EAGAIN);
    }
    check_rc(coir_scope_close(&s, 0), 0);
    for (size_t i = 0; i < COUNT_OF(waiting); i++)
        check_rc(waiting[i].rc, 0);
    end_channel(channel);
    return 0;
}

TASK_TEST_SEEDS(sync_channel, a_newcomer_does_not_get_in_before_those_who_wait) {
    for (size_t capacity = 0; capacity < 3; capacity++) {
        coir_channel *const channel = ints_channel(capacity);
        for (size_t i = 0; i < capacity; i++)
            put(channel, 0);
        struct transfer waiting = SENDING(channel, 1), late = SENDING(channel, 2);
        int item = 3;
        COIR_SCOPE(s);
        start(&s, send_one, &waiting);
        settle();
        for (size_t i = 0; i < capacity; i++) {
            check_int(take(channel), 0);
            if (i == 0) /* the place has gone to the one who waited */
                check_rc(coir_channel_try_send(channel, &item), -EAGAIN);
        }
        start(&s, send_one, &late);
        settle();
        check_int(take(channel), 1);
        check_int(take(channel), 2);
        check_rc(coir_channel_try_recv(channel, &item), -EAGAIN);
        check_rc(coir_scope_close(&s, 0), 0);
        check_rc(waiting.rc, 0);
        check_rc(late.rc, 0);
        end_channel(channel);
    }
    return 0;
}

/* ---- Being cut ---- */

#define WAITERS 4

/* Four wait; the one with this number, or none (-1), is cut; the others are served in their order.
 */
static void cut_one_of(coir_channel *channel, coir_fn call, size_t who) {
    struct transfer waiting[WAITERS];
    coir_task tasks[WAITERS];
    COIR_SCOPE(s);
    for (size_t i = 0; i < WAITERS; i++) {
        waiting[i] = (struct transfer)SENDING(channel, (int)i);
        check_rc(coir_spawn_task(&s, call, &waiting[i], &tasks[i]), 0);
        settle();
    }
    check(coir_task_cancel(tasks[who]));
    const coir_channel_stats stats = channel_stats(channel);
    check_int(stats.senders_waiting + stats.receivers_waiting, WAITERS - 1);
    for (size_t i = 0; i < WAITERS; i++) {
        if (i == who)
            continue;
        if (call == send_one)
            check_int(take(channel), i);
        else
            put(channel, 100 + (int)i);
    }
    check_rc(coir_scope_close(&s, 0), 0);
    for (size_t i = 0; i < WAITERS; i++) {
        check_rc(waiting[i].rc, i == who ? -ECANCELED : 0);
        check_int(waiting[i].item, (int)i + (call == recv_one && i != who ? 100 : 0));
    }
}

TASK_TEST_SEEDS(sync_channel, one_that_is_cut_leaves_no_trace_and_the_next_is_served) {
    coir_channel *const channel = ints_channel(0);
    for (size_t who = 0; who < WAITERS; who++) {
        cut_one_of(channel, send_one, who);
        cut_one_of(channel, recv_one, who);
    }
    end_channel(channel);
    return 0;
}

TASK_TEST_SEEDS(sync_channel, what_was_handed_over_survives_a_cancel) {
    for (size_t capacity = 0; capacity < 2; capacity++) {
        coir_channel *const channel = ints_channel(capacity);
        struct transfer receiving = RECEIVING(channel), sending = SENDING(channel, 8);
        {
            COIR_SCOPE(s);
            start(&s, recv_one, &receiving);
            settle();
            put(channel, 7);
            coir_scope_cancel(&s);
            check_rc(coir_scope_close(&s, 0), 0);
        }
        check_rc(receiving.rc, 0);
        check_int(receiving.item, 7);
        check_rc(receiving.next, -ECANCELED);
        if (capacity > 0)
            put(channel, 0);
        {
            COIR_SCOPE(s);
            start(&s, send_one, &sending);
            settle();
            (void)take(channel);
            coir_scope_cancel(&s);
            check_rc(coir_scope_close(&s, 0), 0);
        }
        check_rc(sending.rc, 0);
        check_rc(sending.next, -ECANCELED);
        check_int(coir_channel_items(channel), capacity);
        end_channel(channel);
    }
    return 0;
}

TASK_TEST(sync_channel, a_cancelled_call_has_no_effect_even_if_it_need_not_wait) {
    coir_channel *const channel = ints_channel(2);
    int item = 5;
    put(channel, 1);
    COIR_SCOPE(s);
    coir_scope_cancel(&s);
    check_rc(coir_channel_send(channel, &item), -ECANCELED);
    check_rc(coir_channel_recv(channel, &item), -ECANCELED);
    check_rc(coir_channel_join(channel), -ECANCELED);
    check_int(item, 5);
    check_int(coir_channel_items(channel), 1);
    put(channel, 2); /* the others do not mind */
    check_int(take(channel), 1);
    check_rc(coir_channel_task_done(channel), 0);
    check_rc(coir_channel_close(channel), 0);
    check_rc(coir_channel_close_now(channel), 1);
    check_rc(coir_scope_close(&s, 0), 0);
    end_channel(channel);
    return 0;
}

TASK_TEST(sync_channel, a_deadline_that_passed_counts_too) {
    coir_channel *const channel = ints_channel(1);
    int item = 5;
    COIR_SCOPE(s, .deadline = coir_now() - 1);
    check_rc(coir_channel_send(channel, &item), -ECANCELED);
    check_rc(coir_scope_close(&s, 0), -ETIMEDOUT);
    check_int(coir_channel_items(channel), 0);
    end_channel(channel);
    return 0;
}

TASK_TEST(sync_channel, a_deadline_leaves_the_item_where_it_is) {
    coir_channel *const channel = ints_channel(1);
    int item = 5;
    put(channel, 1);
    {
        COIR_SCOPE(s, .deadline = coir_after(COIR_MS(10)));
        check_rc(coir_channel_send(channel, &item), -ECANCELED);
        check_rc(coir_scope_close(&s, 0), -ETIMEDOUT);
    }
    check_int(take(channel), 1);
    {
        COIR_SCOPE(s, .deadline = coir_after(COIR_MS(10)));
        check_rc(coir_channel_recv(channel, &item), -ECANCELED);
        check_rc(coir_scope_close(&s, 0), -ETIMEDOUT);
    }
    put(channel, 2);
    check_int(take(channel), 2);
    end_channel(channel);
    return 0;
}

/* ---- The end ---- */

TASK_TEST_SEEDS(sync_channel, close_lets_items_drain_and_blocked_senders_keep_theirs) {
    for (size_t capacity = 0; capacity < 3; capacity++) {
        coir_channel *const channel = ints_channel(capacity);
        struct transfer sending[] = {SENDING(channel, 8), SENDING(channel, 9)};
        int item = -1;
        for (size_t i = 0; i < capacity; i++)
            put(channel, (int)i);
        COIR_SCOPE(s);
        start(&s, send_one, &sending[0]);
        start(&s, send_one, &sending[1]);
        settle();
        check_rc(coir_channel_close(channel), 0);
        check_waiting(channel, 0, 0);
        check_rc(coir_scope_close(&s, 0), 0);
        check_rc(sending[0].rc, -EPIPE);
        check_rc(sending[1].rc, -EPIPE);
        for (size_t i = 0; i < capacity; i++) {
            check_rc(coir_channel_send(channel, &item), -EPIPE);
            check_rc(coir_channel_try_send(channel, &item), -EPIPE);
            check_rc(coir_channel_recv(channel, &item), 0);
            check_int(item, i);
        }
        check_rc(coir_channel_recv(channel, &item), -EPIPE);
        check_rc(coir_channel_try_recv(channel, &item), -EPIPE);
        check_rc(coir_channel_close(channel), 0);
        check_int(channel_stats(channel).sent, capacity);
        end_channel(channel);
    }
    return 0;
}

TASK_TEST_SEEDS(sync_channel, close_wakes_all_who_wait_to_receive) {
    for (size_t capacity = 0; capacity < 2; capacity++) {
        coir_channel *const channel = ints_channel(capacity);
        struct transfer receiving[] = {RECEIVING(channel), RECEIVING(channel)};
        COIR_SCOPE(s);
        start(&s, recv_one, &receiving[0]);
        start(&s, recv_one, &receiving[1]);
        settle();
        check_rc(coir_channel_close(channel), 0);
        check_rc(coir_scope_close(&s, 0), 0);
        for (size_t i = 0; i < COUNT_OF(receiving); i++) {
            check_rc(receiving[i].rc, -EPIPE);
            check_int(receiving[i].item, -1);
        }
        end_channel(channel);
    }
    return 0;
}

TASK_TEST(sync_channel, being_cut_comes_before_being_closed) {
    coir_channel *const channel = ints_channel(1);
    int item = 0;
    check_rc(coir_channel_close(channel), 0);
    COIR_SCOPE(s);
    coir_scope_cancel(&s);
    check_rc(coir_channel_recv(channel, &item), -ECANCELED);
    check_rc(coir_channel_send(channel, &item), -ECANCELED);
    check_rc(coir_scope_close(&s, 0), 0);
    end_channel(channel);
    return 0;
}

static void trace_item(void *item) {
    trace("%d", *(int *)item);
}

TASK_TEST(sync_channel, close_now_drops_what_is_buffered_and_says_how_much) {
    const coir_order orders[] = {COIR_FIFO, COIR_LIFO, COIR_PRIORITY};
    const char *const order_of_drops[] = {"13 2 11 4", "4 11 2 13", "11 2 13 4"};
    for (size_t i = 0; i < COUNT_OF(orders); i++) {
        const coir_channel_options options = {.order = orders[i],
                                              .compare =
                                                  orders[i] == COIR_PRIORITY ? by_last_digit : NULL,
                                              .drop = trace_item};
        coir_channel *const channel = make_channel(sizeof(int), 4, &options);
        int item = -1;
        trace_clear();
        put(channel, 13);
        put(channel, 2);
        put(channel, 11);
        put(channel, 4);
        check_rc(coir_channel_close(channel), 0);
        check_rc(coir_channel_close_now(channel), 4); /* a second thought is possible */
        check_trace(order_of_drops[i]);
        check_rc(coir_channel_close_now(channel), 0);
        check_rc(coir_channel_recv(channel, &item), -EPIPE);
        check_int(channel_stats(channel).dropped, 4);
        check_int(channel_stats(channel).received, 0);
        end_channel(channel);
        check_trace(order_of_drops[i]);
    }
    return 0;
}

TASK_TEST_SEEDS(sync_channel, close_now_leaves_blocked_senders_their_items) {
    const coir_channel_options options = {.drop = trace_item};
    coir_channel *const channel = make_channel(sizeof(int), 1, &options);
    struct transfer sending = SENDING(channel, 2);
    put(channel, 1);
    COIR_SCOPE(s);
    start(&s, send_one, &sending);
    settle();
    check_rc(coir_channel_close_now(channel), 1);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(sending.rc, -EPIPE);
    check_trace("1");
    end_channel(channel);
    return 0;
}

TASK_TEST_SEEDS(sync_channel, destroy_with_waiters_changes_nothing) {
    const coir_channel_options options = {.drop = trace_item};
    coir_channel *const channel = make_channel(sizeof(int), 1, &options);
    struct transfer sending = SENDING(channel, 2), receiving = RECEIVING(channel);
    COIR_SCOPE(s);
    start(&s, recv_one, &receiving);
    settle();
    check_rc(coir_channel_destroy(channel), -EBUSY);
    put(channel, 0);
    put(channel, 1);
    start(&s, send_one, &sending);
    settle();
    check_rc(coir_channel_destroy(channel), -EBUSY);
    check_trace("");
    check_int(take(channel), 1);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(receiving.rc, 0);
    check_rc(sending.rc, 0);
    check_rc(coir_channel_destroy(channel), 0);
    check_trace("2");
    return 0;
}

static int join_channel(void *channel) {
    return coir_channel_join(channel);
}

TASK_TEST(sync_channel, destroy_with_a_joiner_changes_nothing) {
    coir_channel *const channel = ints_channel(1);
    put(channel, 1);
    COIR_SCOPE(s);
    start(&s, join_channel, channel);
    settle();
    check_rc(coir_channel_destroy(channel), -EBUSY);
    check_int(take(channel), 1);
    check_rc(coir_channel_task_done(channel), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    end_channel(channel);
    return 0;
}

/* The woken need the channel no more, even those that have not run yet. */
TASK_TEST_SEEDS(sync_channel, it_can_be_destroyed_as_soon_as_all_are_woken) {
    coir_channel *const channel = ints_channel(0);
    struct transfer receiving = RECEIVING(channel), closed = RECEIVING(channel);
    COIR_SCOPE(s);
    start(&s, recv_one, &receiving);
    settle();
    start(&s, recv_one, &closed);
    settle();
    put(channel, 3);
    check_rc(coir_channel_close(channel), 0);
    check_rc(coir_channel_destroy(channel), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(receiving.rc, 0);
    check_int(receiving.item, 3);
    check_rc(closed.rc, -EPIPE);
    return 0;
}

TASK_TEST(sync_channel, the_last_release_closes) {
    coir_channel *const channel = ints_channel(1);
    check_rc(coir_channel_release(channel), -EINVAL);
    check_rc(coir_channel_hold(channel), 0);
    check_rc(coir_channel_hold(channel), 0);
    check_int(channel_stats(channel).holds, 2);
    check_rc(coir_channel_release(channel), 0);
    put(channel, 1);
    check_rc(coir_channel_release(channel), 0);
    check(channel_stats(channel).closed);
    check_rc(coir_channel_release(channel), -EINVAL);
    check_rc(coir_channel_hold(channel), -EPIPE);
    check_int(take(channel), 1);
    end_channel(channel);
    return 0;
}

TASK_TEST(sync_channel, a_close_does_not_wait_for_releases) {
    coir_channel *const channel = ints_channel(1);
    check_rc(coir_channel_hold(channel), 0);
    check_rc(coir_channel_close(channel), 0);
    check_rc(coir_channel_release(channel), 0);
    check_rc(coir_channel_release(channel), -EINVAL);
    end_channel(channel);
    return 0;
}

/* ---- Work ---- */

TASK_TEST_SEEDS(sync_channel, a_joiner_that_is_cut_ends_nothing) {
    coir_channel *const channel = ints_channel(1);
    coir_task tasks[2];
    put(channel, 1);
    COIR_SCOPE(s);
    for (size_t i = 0; i < COUNT_OF(tasks); i++)
        check_rc(coir_spawn_task(&s, join_channel, channel, &tasks[i]), 0);
    settle();
    check_int(channel_stats(channel).joiners_waiting, 2);
    check(coir_task_cancel(tasks[0]));
    check_int(channel_stats(channel).joiners_waiting, 1);
    check_int(take(channel), 1);
    check_int(channel_stats(channel).unfinished, 1);
    check_rc(coir_channel_task_done(channel), 0);
    check_int(channel_stats(channel).joiners_waiting, 0);
    check(coir_task_cancel(tasks[1])); /* too late */
    settle();
    check_rc(coir_task_result(tasks[0]), -ECANCELED);
    check_rc(coir_task_result(tasks[1]), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    end_channel(channel);
    return 0;
}

TASK_TEST(sync_channel, dropped_items_are_done) {
    coir_channel *const channel = ints_channel(3);
    for (int i = 0; i < 3; i++)
        put(channel, i);
    COIR_SCOPE(s);
    start(&s, join_channel, channel);
    settle();
    (void)take(channel);
    check_rc(coir_channel_close_now(channel), 2);
    check_int(channel_stats(channel).unfinished, 1);
    check_int(channel_stats(channel).joiners_waiting, 1);
    check_rc(coir_channel_task_done(channel), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(coir_channel_task_done(channel), -EINVAL);
    end_channel(channel);
    return 0;
}

TASK_TEST(sync_channel, items_said_to_be_done_too_early_do_not_count_twice) {
    coir_channel *const channel = ints_channel(3);
    for (int i = 0; i < 3; i++)
        put(channel, i);
    check_rc(coir_channel_task_done(channel), 0);
    check_rc(coir_channel_task_done(channel), 0);
    check_rc(coir_channel_close_now(channel), 3);
    check_int(channel_stats(channel).unfinished, 0);
    check_rc(coir_channel_join(channel), 0);
    end_channel(channel);
    return 0;
}

/* ---- Others are let on, and can see ---- */

static int note_running(void *arg) {
    *(bool *)arg = true;
    return 0;
}

TASK_TEST_SEEDS(sync_channel, a_task_that_never_has_to_wait_lets_others_on) {
    enum { MANY = 1000 };
    const size_t sizes[] = {sizeof(int), sizeof(uint64_t)};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        coir_channel *const channel = make_channel(sizes[i], MANY, NULL);
        uint64_t item = 0;
        for (int receives = 0; receives < 2; receives++) {
            bool ran = false;
            COIR_SCOPE(s);
            start(&s, note_running, &ran);
            for (int n = 0; n < MANY; n++)
                check_rc(receives ? coir_channel_recv(channel, &item)
                                  : coir_channel_send(channel, &item),
                         0);
            check(ran);
            check_rc(coir_scope_close(&s, 0), 0);
        }
        end_channel(channel);
    }
    return 0;
}

struct table {
    coir_channel *there, *back;
};

static int return_words(void *arg) {
    const struct table *const table = arg;
    uint64_t word;
    while (coir_channel_recv(table->there, &word) == 0)
        check_rc(coir_channel_send(table->back, &word), 0);
    return 0;
}

static int end_sleep(void *over) {
    COIR_TRY(coir_sleep(COIR_MS(2)));
    *(bool *)over = true;
    return 0;
}

TASK_TEST_REAL(sync_channel, a_conversation_without_a_pause_lets_timers_fire) {
    bool over = false;
    const struct table table = {.there = make_channel(sizeof(uint64_t), 0, NULL),
                                .back = make_channel(sizeof(uint64_t), 0, NULL)};
    COIR_SCOPE(s);
    start(&s, return_words, (void *)(uintptr_t)&table);
    start(&s, end_sleep, &over);
    uint64_t word = 0, answer;
    while (!over) {
        word++;
        check_rc(coir_channel_send(table.there, &word), 0);
        check_rc(coir_channel_recv(table.back, &answer), 0);
        check_int(answer, word);
    }
    check_rc(coir_channel_close(table.there), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    end_channel(table.there);
    end_channel(table.back);
    return 0;
}

TASK_TEST(sync_channel, a_listing_says_who_waits_for_what) {
    static char text[4096];
    coir_channel *const channel = ints_channel(0);
    struct transfer receiving = RECEIVING(channel), sending = SENDING(channel, 0);
    FILE *const out = fmemopen(text, sizeof text, "w");
    check(out != NULL);
    COIR_SCOPE(s);
    start(&s, recv_one, &receiving);
    settle();
    check_int(coir_dump(out), 2);
    put(channel, 0);
    settle();
    start(&s, send_one, &sending);
    settle();
    check_int(coir_dump(out), 2);
    (void)take(channel);
    check_rc(coir_scope_close(&s, 0), 0);
    fclose(out);
    check_contains(text, "waits for receive from channel");
    check_contains(text, "waits for send to channel");
    end_channel(channel);
    return 0;
}

/* ---- A channel of one type ---- */

struct point {
    double x, y;
    const char *label;
};

COIR_CHANNEL_OF(points, struct point);

static int send_points(void *arg) {
    const points to = *(points *)arg;
    COIR_TRY(points_send(to, (struct point){.x = 1, .label = "first"}));
    COIR_TRY(points_send(to, (struct point){.y = 2, .label = "second"}));
    return coir_channel_close(to.channel);
}

TASK_TEST_SEEDS(sync_channel, a_typed_channel_needs_no_casts) {
    points channel;
    struct point point = {.x = -1};
    check_rc(points_create(&channel, 1, NULL), 0);
    check_rc(points_try_recv(channel, &point), -EAGAIN);
    check_rc(points_try_send(channel, point), 0);
    check_rc(points_try_send(channel, point), -EAGAIN);
    COIR_SCOPE(s);
    start(&s, send_points, &channel);
    while (points_recv(channel, &point) == 0)
        trace("%d,%d,%s", (int)point.x, (int)point.y, point.label != NULL ? point.label : "-");
    check_trace("-1,0,- 1,0,first 0,2,second");
    check_rc(coir_scope_close(&s, 0), 0);
    end_channel(channel.channel);
    return 0;
}

/* ---- Nothing is lost or doubled, whatever happens ---- */

#define CROWD 6
#define ITEMS_EACH 60

enum fate { FATE_UNSENT, FATE_SENT, FATE_RECEIVED };

static struct crowd {
    coir_channel *channel;
    uint64_t random;
    int fate[CROWD * ITEMS_EACH];
    int cuts; /* of sends and receives */
    int sent, received;
} crowd;

/* One call, perhaps with little patience, perhaps with none. */
static int transfer(bool send, uint64_t *item) {
    const unsigned how = noise(&crowd.random, 4);
    if (how == 0)
        return send ? coir_channel_try_send(crowd.channel, item)
                    : coir_channel_try_recv(crowd.channel, item);
    COIR_SCOPE(s, .deadline = how == 1 ? coir_after(COIR_MS(noise(&crowd.random, 3))) : 0,
               .move_on = true);
    const int rc =
        send ? coir_channel_send(crowd.channel, item) : coir_channel_recv(crowd.channel, item);
    crowd.cuts += rc == -ECANCELED;
    (void)coir_scope_close(&s, 0); /* cut from outside: the caller's next wait says so again */
    return rc;
}

static int produce(void *arg) {
    const size_t first = (size_t)arg * ITEMS_EACH;
    for (size_t i = 0; i < ITEMS_EACH; i++) {
        uint64_t item = first + i;
        const int rc = transfer(true, &item);
        check(rc == 0 || rc == -EAGAIN || rc == -ECANCELED || rc == -EPIPE);
        if (rc == 0) {
            crowd.sent++;
            check(crowd.fate[item] != FATE_SENT);
            if (crowd.fate[item] == FATE_UNSENT)
                crowd.fate[item] = FATE_SENT;
        } else {
            check_int(crowd.fate[item], FATE_UNSENT);
        }
        COIR_TRY(coir_sleep(COIR_MS(noise(&crowd.random, 2))));
    }
    return 0;
}

/* An item may be received before its sender has run to say that it sent it. */
static void note_received(uint64_t item) {
    check(item < COUNT_OF(crowd.fate));
    check(crowd.fate[item] != FATE_RECEIVED);
    crowd.fate[item] = FATE_RECEIVED;
    crowd.received++;
}

static int consume(UNUSED void *arg) {
    for (;;) {
        uint64_t item = UINT64_MAX;
        const int rc = transfer(false, &item);
        if (rc == -EPIPE)
            return 0;
        if (rc == 0)
            note_received(item);
        else
            check(item == UINT64_MAX);
        COIR_TRY(coir_sleep(COIR_MS(noise(&crowd.random, 2))));
    }
}

/* Lets the crowd meet until `ms` have passed; then, by `how`, closes, cancels, or leaves. */
static void meet(size_t capacity, const coir_channel_options *options, int ms, unsigned how) {
    const uint64_t random = crowd.random;
    memset(&crowd, 0, sizeof crowd);
    crowd.random = random;
    crowd.channel = make_channel(sizeof(uint64_t), capacity, options);
    {
        COIR_SCOPE(s, .policy = COIR_SUPERVISE);
        for (size_t i = 0; i < CROWD; i++) {
            check_rc(coir_spawn(&s, produce, (void *)i), 0);
            check_rc(coir_spawn(&s, consume, NULL), 0);
        }
        check_rc(coir_sleep(COIR_MS(ms)), 0);
        if (how == 0)
            check_rc(coir_channel_close(crowd.channel), 0);
        if (how == 1)
            coir_scope_cancel(&s);
        if (how != 2)
            check_rc(coir_scope_close(&s, 0), 0);
    } /* how == 2: the guard cancels and joins */
    uint64_t item;
    check_waiting(crowd.channel, 0, 0);
    while (coir_channel_try_recv(crowd.channel, &item) == 0)
        note_received(item);
    check_int(crowd.received, crowd.sent);
    check_int(channel_stats(crowd.channel).sent, crowd.sent);
    check_int(channel_stats(crowd.channel).received, crowd.sent);
    for (size_t i = 0; i < COUNT_OF(crowd.fate); i++)
        check(crowd.fate[i] != FATE_SENT);
    end_channel(crowd.channel);
}

static int by_value(const void *a, const void *b) {
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

TASK_TEST_SEEDS(sync_channel, no_item_is_lost_or_doubled) {
    const coir_channel_options orders[] = {
        {.order = COIR_FIFO}, by_age, {.order = COIR_PRIORITY, .compare = by_value}};
    int cuts = 0;
    crowd.random = 1;
    for (size_t capacity = 0; capacity < 4; capacity++)
        for (size_t i = 0; i < (capacity == 0 ? 1 : COUNT_OF(orders)); i++)
            for (int ms = 0; ms < 9; ms++) {
                meet(capacity, &orders[i], ms, (unsigned)ms % 3);
                cuts += crowd.cuts;
                check(ms < 3 || crowd.received > CROWD);
            }
    check(cuts > 100); /* or this shows nothing */
    return 0;
}
