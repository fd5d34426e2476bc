/* The ring of ready tasks of src/core/ready.h, against a naive model: an array that is moved. */
#include "support.h"

#include "core/runtime.h"

SUITE(core_ready);

enum { MOST = 1000 };

static struct coir__task tasks[MOST];

static struct {
    struct coir__task *members[MOST];
    size_t count;
} model;

static void add(struct coir__ready *ready, struct coir__task *task) {
    model.members[model.count++] = task;
    coir__ready_add(ready, task);
}

static void take(struct coir__ready *ready, size_t n) {
    check(coir__ready_take(ready, n) == model.members[n]);
    model.count--;
    memmove(model.members + n, model.members + n + 1, (model.count - n) * sizeof *model.members);
}

static void check_same(const struct coir__ready *ready) {
    check_int(coir__ready_count(ready), model.count);
    for (size_t i = 0; i < model.count; i++)
        check(ready->places[(ready->head + i) & ready->mask] == model.members[i]);
}

/* However its head stands when it grows. */
Test(core_ready, keeps_order_while_it_grows_and_members_leave_from_anywhere) {
    for (size_t start = 0; start < 130; start++) {
        struct coir__ready ready = {.head = start, .tail = start};
        model.count = 0;
        uint64_t draw = start;
        for (size_t i = 0; i < MOST; i++) {
            check(coir__ready_reserve(&ready, model.count + 1));
            add(&ready, &tasks[i]);
            draw = draw * UINT64_C(6364136223846793005) + 1442695040888963407;
            if (draw >> 62 == 0)
                take(&ready, (size_t)(draw >> 32) % model.count);
            if (i % 64 == start % 64)
                check_same(&ready);
        }
        check_same(&ready);
        while (model.count > 0)
            take(&ready, 0);
        check_same(&ready);
        coir__ready_fini(&ready);
    }
}

/* The counters run on, and may pass the largest number there is. */
Test(core_ready, the_counters_may_wrap) {
    struct coir__ready ready = {.head = SIZE_MAX - 40, .tail = SIZE_MAX - 40};
    model.count = 0;
    check(coir__ready_reserve(&ready, 63));
    for (size_t i = 0; i < 63; i++)
        add(&ready, &tasks[i]);
    check_same(&ready);
    check(coir__ready_reserve(&ready, 64));
    check_same(&ready);
    while (model.count > 0)
        take(&ready, model.count - 1);
    check_same(&ready);
    coir__ready_fini(&ready);
}

Test(core_ready, has_room_for_what_was_asked) {
    struct coir__ready ready = {.places = NULL};
    for (size_t count = 1; count <= 4096; count = count * 3 / 2 + 1) {
        check(coir__ready_reserve(&ready, count));
        check(ready.mask + 1 >= count);
        check_int(ready.mask & (ready.mask + 1), 0);
    }
    const struct coir__ready before = ready;
    check(coir__ready_reserve(&ready, 10)); /* it never becomes smaller */
    check(ready.places == before.places);
    check_int(ready.mask, before.mask);
    coir__ready_fini(&ready);
}
