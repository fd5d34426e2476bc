/* The switch as tasks go through it: every way into it keeps what the ABI has a callee keep, and
 * every task is entered as the ABI wants it. The calls are made from assembly, straight at the
 * library's functions, because some of them end in a jump into the switch and keep nothing
 * themselves. */
#include "arch/abi.h"

#include <unistd.h>

SUITE(arch_task);

/* ---- Others, who use the same registers meanwhile ---- */

static bool over;

static int use_the_registers(UNUSED void *arg) {
    while (!over)
        check_kept(coir_yield, 0, 0, 0);
    return 0;
}

static int use_them_once(UNUSED void *arg) {
    check_kept(coir_yield, 0, 0, 0);
    return 7;
}

static int unpark(void *wait) {
    check_kept(coir_yield, 0, 0, 0);
    check_kept(coir_unpark, wait, 0, 0);
    return 0;
}

struct lock {
    coir_mutex mutex;
    bool taken;
};

static int lock_for_a_while(void *arg) {
    struct lock *const lock = arg;
    check_rc(coir_mutex_lock(&lock->mutex), 0);
    lock->taken = true;
    check_kept(coir_yield, 0, 0, 0);
    check_kept(coir_mutex_unlock, &lock->mutex, 0, 0);
    return 0;
}

static int send_two(void *channel) {
    for (int i = 1; i <= 2; i++)
        check_kept(coir_channel_send, channel, &i, 0);
    return 0;
}

static int write_a_byte(void *fd) {
    check_kept(coir_yield, 0, 0, 0);
    check_int(write(*(int *)fd, "x", 1), 1);
    return 0;
}

/* ---- The ways into the switch ---- */

static void park(coir_scope *s) {
    coir_waiter wait = {.what = "a test"};
    check_rc(coir_spawn(s, unpark, &wait), 0);
    check_kept(coir_park, &wait, 0, 0);
}

static void join(coir_scope *s) {
    coir_task task;
    int rc = 0;
    check_rc(coir_spawn_task(s, use_them_once, NULL, &task), 0);
    check_kept(coir_join, task.coir__record, task.coir__generation, &rc);
    check_int(rc, 7);
}

static void lock(coir_scope *s) {
    struct lock lock = {.taken = false};
    coir_task task;
    check_rc(coir_spawn_task(s, lock_for_a_while, &lock, &task), 0);
    while (!lock.taken)
        check_rc(coir_yield(), 0);
    check_kept(coir_mutex_lock, &lock.mutex, 0, 0);
    check_rc(coir_mutex_unlock(&lock.mutex), 0);
    check_rc(coir_join(task, NULL), 0);
}

static void receive(coir_scope *s) {
    coir_channel *channel;
    coir_task task;
    int sum = 0;
    check_rc(coir_channel_create(&channel, sizeof(int), 0, NULL), 0);
    check_rc(coir_spawn_task(s, send_two, channel, &task), 0);
    for (int i = 0, got = 0; i < 2; i++, sum += got)
        check_kept(coir_channel_recv, channel, &got, 0);
    check_int(sum, 3);
    check_rc(coir_join(task, NULL), 0);
    check_rc(coir_channel_destroy(channel), 0);
}

static void close_scope(UNUSED coir_scope *s) {
    coir_scope inner = {0};
    coir_scope_open(&inner);
    check_rc(coir_spawn(&inner, use_them_once, NULL), 0);
    check_kept(coir_scope_close, &inner, 0, 0);
}

static void read_a_byte(coir_scope *s) {
    int ends[2];
    char byte = 0;
    coir_task task;
    check_int(pipe(ends), 0);
    check_rc(coir_adopt(ends[0]), 0);
    check_rc(coir_spawn_task(s, write_a_byte, &ends[1], &task), 0);
    check_kept(coir_read, ends[0], &byte, 1);
    check_int(byte, 'x');
    check_rc(coir_join(task, NULL), 0);
    check_rc(coir_close(ends[0]), 0);
    close(ends[1]);
}

static int nothing(UNUSED void *arg) {
    return 0;
}

enum { MORE_THAN_A_TURN = 600 };

static int go_every_way(UNUSED void *arg) {
    over = false;
    COIR_SCOPE(s);
    for (int i = 0; i < 2; i++)
        check_rc(coir_spawn(&s, use_the_registers, NULL), 0);
    for (int i = 0; i < MORE_THAN_A_TURN; i++)
        check_kept(coir_yield, 0, 0, 0);
    park(&s);
    join(&s);
    lock(&s);
    receive(&s);
    close_scope(&s);
    read_a_byte(&s);
    check_kept(coir_offload, nothing, 0, 0);
    over = true;
    check_kept(coir_sleep, COIR_MS(1), 0, 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_kept(coir_yield, 0, 0, 0); /* there is nobody else */
    return 0;
}

TASK_TEST_SEEDS(arch_task, every_way_into_the_switch_keeps_the_registers) {
    return go_every_way(NULL);
}

/* With such a task about, every switch takes the long way, by coir__next_slow. */
TASK_TEST(arch_task, so_does_the_long_way) {
    const coir_spawn_options own = {.own_fp_environment = true};
    COIR_SCOPE(s);
    check_rc(coir_spawn_with(&s, go_every_way, NULL, &own), 0);
    return coir_scope_close(&s, 0);
}

/* ---- How a task is entered ---- */

static void check_entered(const struct arrival *arrival) {
    check_int(arrival->sp % COIR_STACK_ALIGNMENT, 0);
    check(arrival->fp == 0 || arrival->fp >= arrival->sp); /* of the function that called it */
    check_int(arrival->backwards, 0);
}

static int enter(void *arg) {
    coir_scope *const s = arg;
    for (size_t size = 0; size < 100; size++) {
        struct arrival arrivals[3] = {{.sp = 1}, {.sp = 1}, {.sp = 1}};
        const coir_spawn_options small = {.stack_size_bytes = COIR_STACK_SIZE_MIN};
        check_rc(coir_spawn(s, arrive_as_task, &arrivals[0]), 0);
        check_rc(coir_spawn_with(s, arrive_as_task, &arrivals[1], &small), 0);
        check_rc(coir_spawn(s, arrive_as_task, &arrivals[2]), 0);
        check_rc(coir_sleep(1), 0);
        for (size_t i = 0; i < COUNT_OF(arrivals); i++)
            check_entered(&arrivals[i]);
    }
    return 0;
}

TASK_TEST_SEEDS(arch_task, a_task_is_entered_as_the_abi_wants) {
    COIR_SCOPE(s);
    check_rc(enter(&s), 0);
    return coir_scope_close(&s, 0);
}

/* The copy lies above the first frame, whatever its size. */
static int note_copy(void *arg) {
    struct arrival *const *const where = arg;
    return arrive_as_task(*where);
}

TASK_TEST(arch_task, so_is_one_that_gets_a_copy_of_its_argument) {
    char argument[100];
    struct arrival arrival;
    struct arrival *const where = &arrival;
    memcpy(argument, &where, sizeof where);
    for (size_t size = sizeof where; size < sizeof argument; size++) {
        const coir_spawn_options options = {.arg_size_bytes = size};
        arrival = (struct arrival){.sp = 1, .backwards = 1};
        COIR_SCOPE(s);
        check_rc(coir_spawn_with(&s, note_copy, argument, &options), 0);
        check_rc(coir_scope_close(&s, 0), 0);
        check_entered(&arrival);
    }
    return 0;
}

Test(arch_task, so_is_the_main_task) {
    struct arrival arrival = {.sp = 1, .backwards = 1};
    check_rc(coir_run(arrive_as_task, &arrival), 0);
    check_entered(&arrival);
}
