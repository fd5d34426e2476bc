/* Stacks: many at once, of many sizes, deep, apart from each other, kept for reuse, given back;
 * and what coir_task_stack tells about them. */
#include "support.h"

#include "core/runtime.h"

#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

SUITE(core_stack);

static int return_zero(UNUSED void *arg) {
    return 0;
}

/* ---- Many ---- */

static int count_cuts(void *arg) {
    const int rc = coir_sleep(COIR_NEVER);
    if (rc == -ECANCELED)
        ++*(size_t *)arg;
    return rc;
}

TASK_TEST(core_stack, a_hundred_thousand_tasks_at_once) {
    const size_t count = scaled(100000);
    size_t cuts = 0;
    coir_stats stats;
    COIR_SCOPE(s);
    for (size_t i = 0; i < count; i++)
        check_rc(coir_spawn(&s, count_cuts, &cuts), 0);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    check_rc(coir_stats_get(&stats), 0);
    check_int(stats.tasks_alive, count + 1);
    check(stats.stacks_mapped >= count);
    coir_scope_cancel(&s);
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(cuts, count);
    return 0;
}

/* ---- Sizes ---- */

struct size_case {
    size_t asked, had;
};

static int store_size(void *arg) {
    coir_stack_use use;
    check_rc(coir_task_stack(coir_self(), &use), 0);
    ((struct size_case *)arg)->had = use.size;
    return 0;
}

TASK_TEST(core_stack, each_task_may_have_its_own_size) {
    struct size_case cases[] = {{16 << 10, 0}, {20000, 0},   {64 << 10, 0}, {112 << 10, 0},
                                {1 << 20, 0},  {3000000, 0}, {64 << 20, 0}, {256 << 20, 0}};
    COIR_SCOPE(s);
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        check_rc(coir_spawn_with(&s, store_size, &cases[i],
                                 &(const coir_spawn_options){.stack_size_bytes = cases[i].asked}),
                 0);
    check_rc(coir_scope_close(&s, 0), 0);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        check(cases[i].had >= cases[i].asked);
        check(cases[i].had <= 2 * (cases[i].asked + 65536));
    }
    return 0;
}

/* ---- Depth ---- */

/* Uses about a kilobyte a level, all of it. */
static unsigned descend(unsigned levels) {
    unsigned char room[1024];
    memset(room, (int)levels, sizeof room);
    __asm__ volatile("" : : "r"(room) : "memory"); /* or the compiler leaves it out */
    const unsigned below = levels == 0 ? 0 : descend(levels - 1);
    __asm__ volatile("" : : "r"(room) : "memory");
    for (size_t i = 0; i < sizeof room; i++)
        if (room[i] != (unsigned char)levels)
            return 1000000;
    return below + 1;
}

static int descend_and_yield(void *arg) {
    const unsigned levels = *(const unsigned *)arg;
    check_int(descend(levels), levels + 1);
    check_rc(coir_yield(), 0);
    check_int(descend(levels), levels + 1);
    return 0;
}

TASK_TEST(core_stack, recursion_is_as_deep_as_the_stack) {
    unsigned shallow = 30, deep = 30000;
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, descend_and_yield, &shallow), 0);
    check_rc(coir_spawn_with(&s, descend_and_yield, &deep,
                             &(const coir_spawn_options){.stack_size_bytes = 64 << 20}),
             0);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

/* ---- Apart ---- */

static int fill_and_compare(void *arg) {
    unsigned char page[8192];
    const int number = *(const int *)arg;
    memset(page, number, sizeof page);
    for (int i = 0; i < 3; i++) {
        check_rc(coir_yield(), 0);
        for (size_t k = 0; k < sizeof page; k++)
            if (page[k] != (unsigned char)number)
                return -EIO;
    }
    return 0;
}

TASK_TEST_SEEDS(core_stack, no_stack_reaches_into_another) {
    enum { TASKS = 100 };
    int numbers[TASKS];
    COIR_SCOPE(s);
    for (int i = 0; i < TASKS; i++) {
        numbers[i] = i + 1;
        check_rc(coir_spawn(&s, fill_and_compare, &numbers[i]), 0);
    }
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

/* ---- What coir_task_stack tells ---- */

static int use_50_kib(UNUSED void *arg) {
    coir_stack_use before, after;
    check_rc(coir_task_stack(coir_self(), &before), 0);
    check(before.now > 0);
    check(before.now < 16 * 1024);
    check(before.high_water >= before.now);
    check(before.size >= before.high_water);
    (void)descend(50);
    check_rc(coir_task_stack(coir_self(), &after), 0);
    check(after.high_water >= 50 * 1024);
    check(after.now < 16 * 1024);
    return coir_sleep(COIR_NEVER);
}

TASK_TEST(core_stack, the_use_of_a_stack_can_be_read) {
    coir_stack_use use;
    coir_task task;
    coir_stats stats;
    COIR_SCOPE(s);
    check_rc(coir_spawn_task(&s, use_50_kib, NULL, &task), 0);
    check_rc(coir_yield(), 0);
    check_rc(coir_task_stack(task, &use), 0);
    check(use.now > 0);
    check(use.now < 16 * 1024);
    check(use.high_water >= 50 * 1024);
    check(use.high_water <= use.size);
    check_rc(coir_stats_get(&stats), 0);
    check_int(use.guarded, stats.stacks_unguarded == 0);
    check_rc(coir_task_stack(task, NULL), -EINVAL);
    coir_scope_cancel(&s);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(coir_task_stack(task, &use), -ESRCH);
    return 0;
}

/* ---- Without guards ---- */

static uint64_t unguarded(void) {
    coir_stats stats;
    check_rc(coir_stats_get(&stats), 0);
    return stats.stacks_unguarded;
}

/* As on a system where guards are dear: three more may be made. New arenas then have none. */
static void ration_guards(void) {
    coir__rt->stacks.guard_kind = 0;
    coir__rt->stacks.guard_budget = 3;
}

static int use_much_of_the_stack(void *arg) {
    coir_stack_use use;
    check_int(descend(900), 901);
    check_rc(coir_yield(), 0);
    check_rc(coir_task_stack(coir_self(), &use), 0);
    *(int *)arg += use.guarded;
    return 0;
}

TASK_TEST_SEEDS(core_stack, stacks_beyond_the_guard_budget_work_and_are_counted) {
    int guarded = 0;
    ration_guards();
    for (int round = 1; round <= 2; round++) {
        COIR_SCOPE(s);
        for (int i = 0; i < 10; i++)
            check_rc(coir_spawn_with(&s, use_much_of_the_stack, &guarded,
                                     &(const coir_spawn_options){.stack_size_bytes = 2 << 20}),
                     0);
        check_int(unguarded(), 7);
        check_rc(coir_scope_close(&s, 0), 0);
        check_int(unguarded(), 0);
        check_int(guarded, 3 * round);
    }
    return 0;
}

/* Nor is there any in the heap for a record. */
static int spawn_with_handle(void *arg) {
    struct block {
        struct block *next;
    } *blocks = NULL, *block;
    coir_task task;
    for (size_t size = 32768; size >= 1024; size /= 2) { /* some allocators have room by sizes */
        while ((block = malloc(size)) != NULL) {
            block->next = blocks;
            blocks = block;
        }
    }
    const int rc = coir_spawn_task(arg, return_zero, NULL, &task);
    while ((block = blocks) != NULL) {
        blocks = block->next;
        free(block);
    }
    return rc;
}

static int fail(UNUSED void *arg) {
    return -EIO;
}

/* The stack that it had got by then is in the cache, and was never a task's. */
TASK_TEST_BARE(core_stack, one_without_a_guard_is_known_as_such_after_a_spawn_without_memory) {
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    ration_guards();
    for (int i = 0; i < 100; i++) /* more than the first arena has */
        check_rc(coir_spawn(&s, sleep_for_ever, NULL), 0);
    const uint64_t before = unguarded();
    check(before > 0);
    check_rc(without_memory(spawn_with_handle, &s), -ENOMEM);
    check_int(unguarded(), before);
    check_rc(coir_spawn(&s, fail, NULL), 0);
    check_int(unguarded(), before + 1);
    check_rc(coir_yield(), 0);
    check_int(unguarded(), before);
    coir_scope_cancel(&s);
    check_rc(coir_scope_close(&s, 0), -EIO);
    check_int(unguarded(), 0);
    return 0;
}

/* ---- Reuse and giving back ---- */

static int spawn_and_cut(size_t count) {
    COIR_SCOPE(s);
    for (size_t i = 0; i < count; i++)
        COIR_TRY(coir_spawn(&s, sleep_for_ever, NULL));
    COIR_TRY(coir_sleep(COIR_MS(1)));
    coir_scope_cancel(&s);
    return coir_scope_close(&s, 0);
}

TASK_TEST(core_stack, stacks_are_used_again) {
    coir_stats first, later;
    check_rc(spawn_and_cut(500), 0);
    check_rc(coir_stats_get(&first), 0);
    check(first.stacks_cached >= 499);
    for (int i = 0; i < 20; i++)
        check_rc(spawn_and_cut(500), 0);
    check_rc(coir_stats_get(&later), 0);
    check_int(later.stacks_mapped, first.stacks_mapped);
    return 0;
}

/* Also for a sanitizer as many: what it notes of each end must not pile up on the stack. */
TASK_TEST(core_stack, one_stack_serves_many_tasks_in_turn) {
    const int count = on_valgrind() ? 4000 : 200000;
    coir_stats stats;
    for (int i = 0; i < count; i++) {
        COIR_SCOPE(s);
        check_rc(coir_spawn(&s, return_zero, NULL), 0);
        check_rc(coir_scope_close(&s, 0), 0);
    }
    check_rc(coir_stats_get(&stats), 0);
    check_int(stats.stacks_mapped, 2);
    return 0;
}

/* Stacks that a test takes and gives back itself, at times of its own. */
static struct {
    struct coir__stacks stacks;
    struct coir__task *taken[600];
    size_t count;
} t;

static void begin_stacks(size_t cache_max) {
    memset(&t, 0, sizeof t);
    check_rc(coir__stacks_init(&t.stacks, cache_max), 0);
}

static void take(size_t count, size_t size_bytes) {
    for (; count > 0; count--) {
        struct coir__task *const task =
            coir__stack_take(&t.stacks, coir__stack_pool(&t.stacks, size_bytes));
        check(task != NULL);
        check(t.count < COUNT_OF(t.taken));
        t.taken[t.count++] = task;
    }
}

static void give(size_t count) {
    for (; count > 0; count--)
        coir__stack_give(t.taken[--t.count]);
}

static coir_time survey(int64_t ms) {
    return coir__stacks_survey(&t.stacks, COIR_MS(ms), COIR_SEC(1));
}

/* Gives all back that is spare, as many at a time as one call does. Returns how many. */
static size_t trim(void) {
    const size_t before = coir__stacks_cached(&t.stacks);
    while (coir__stacks_trim(&t.stacks))
        continue;
    check_int(t.stacks.spare, 0);
    return before - coir__stacks_cached(&t.stacks);
}

Test(core_stack, what_no_task_needed_for_a_second_is_spare) {
    begin_stacks(10);
    take(500, 64 << 10);
    check_int(survey(100), COIR_NEVER); /* all are in use */
    give(300);
    check_int(survey(200), COIR_MS(1200)); /* the first look since begins the second */
    check_int(survey(1199), COIR_MS(1200));
    check_int(trim(), 0);
    check_int(survey(1200), COIR_MS(2200));
    check_int(trim(), 290);
    check_int(survey(1300), COIR_NEVER);
    check_int(t.stacks.mapped, 210);
    give(200);
    coir__stacks_fini(&t.stacks);
}

Test(core_stack, what_a_burst_comes_back_for_is_kept) {
    begin_stacks(10);
    take(500, 64 << 10);
    give(500);
    for (int64_t ms = 100; ms < 10000; ms += 100) {
        (void)survey(ms);
        check_int(trim(), 0);
        if (ms % 900 == 0) { /* two in a row take different parts of a second */
            take(500, 64 << 10);
            (void)survey(ms);
            give(500);
        }
    }
    coir__stacks_fini(&t.stacks);
}

Test(core_stack, of_a_burst_that_shrinks_the_rest_is_spare) {
    begin_stacks(10);
    take(500, 64 << 10);
    give(500);
    for (int64_t ms = 100; ms < 2100; ms += 100) {
        (void)survey(ms);
        take(200, 64 << 10);
        (void)survey(ms);
        give(200);
    }
    check_int(trim(), 290);
    coir__stacks_fini(&t.stacks);
}

/* Between two periods without a need there may be one in which all were needed. */
Test(core_stack, spare_stacks_that_are_needed_after_all_are_not_missed) {
    begin_stacks(10);
    take(500, 64 << 10);
    give(500);
    (void)survey(100);
    (void)survey(1100);
    check_int(t.stacks.spare, 490);
    take(495, 64 << 10);
    check_int(trim(), 0);
    give(495);
    check_int(trim(), 0);
    check_int(coir__stacks_cached(&t.stacks), 500);
    coir__stacks_fini(&t.stacks);
}

Test(core_stack, within_the_bound_of_the_cache_nothing_is_spare) {
    begin_stacks(500);
    take(500, 64 << 10);
    give(500);
    check_int(survey(100), COIR_NEVER);
    check_int(survey(5000), COIR_NEVER);
    check_int(trim(), 0);
    coir__stacks_fini(&t.stacks);
}

Test(core_stack, large_stacks_are_given_back_first) {
    begin_stacks(100);
    take(200, 64 << 10);
    take(50, 1 << 20);
    take(60, 16 << 20);
    give(310);
    (void)survey(100);
    (void)survey(1100);
    check_int(trim(), 210);
    check_int(coir__stack_pool(&t.stacks, 16 << 20)->mapped, 0);
    check_int(coir__stack_pool(&t.stacks, 1 << 20)->mapped, 0);
    check_int(coir__stack_pool(&t.stacks, 64 << 10)->mapped, 100);
    coir__stacks_fini(&t.stacks);
}

Test(core_stack, those_of_a_size_in_use_are_not_spare_because_of_another) {
    begin_stacks(10);
    take(300, 1 << 20);
    take(100, 64 << 10);
    give(100); /* the small ones, taken last */
    for (int64_t ms = 100; ms < 2100; ms += 100) {
        give(300);
        (void)survey(ms);
        take(300, 1 << 20);
        (void)survey(ms);
    }
    check_int(trim(), 90);
    check_int(coir__stack_pool(&t.stacks, 1 << 20)->mapped, 300);
    give(300);
    coir__stacks_fini(&t.stacks);
}

static coir_stats stats(void) {
    coir_stats now;
    check_rc(coir_stats_get(&now), 0);
    return now;
}

static int sleep_until_trimmed(UNUSED void *arg) {
    check_rc(spawn_and_cut(2000), 0);
    while (stats().stacks_cached > 10)
        check_rc(coir_sleep(COIR_MS(1)), 0); /* the runtime is idle in between */
    check_rc(spawn_and_cut(2000), 0);
    return 0;
}

/* Ends by the time that a test may take, if not. */
Test(core_stack, an_idle_runtime_keeps_no_more_than_the_cache) {
    const run_options options = {.real_clock = true, .runtime.stack_cache = 10};
    check_rc(run_task_with(sleep_until_trimmed, NULL, &options), 0);
}

static int yield_until_trimmed(UNUSED void *arg) {
    check_rc(spawn_and_cut(2000), 0);
    while (stats().stacks_cached > 10)
        check_rc(coir_yield(), 0);
    return 0;
}

Test(core_stack, a_runtime_that_is_never_idle_keeps_no_more_than_the_cache) {
    const run_options options = {.real_clock = true, .runtime.stack_cache = 10};
    check_rc(run_task_with(yield_until_trimmed, NULL, &options), 0);
}

static int trim_at_once(UNUSED void *arg) {
    const coir_time began = coir_now();
    check_rc(spawn_and_cut(2000), 0);
    check_int(coir_now() - began, COIR_MS(1));
    check_rc(coir_sleep(COIR_NS(1)), 0);
    for (int i = 0; i < 8; i++) /* a batch each, at least */
        check_rc(coir_sleep(COIR_NS(1)), 0);
    check_int(stats().stacks_cached, 10);
    return 0;
}

Test(core_stack, virtual_time_does_not_wait_for_stacks_to_be_given_back) {
    const run_options options = {.runtime.stack_cache = 10};
    check_rc(run_task_with(trim_at_once, NULL, &options), 0);
}

/* Watches a page from another thread, until it is in memory no more; then writes to the pipe. */
struct page_watch {
    void *page;
    int pipe[2];
};

static void *watch_page(void *arg) {
    const struct page_watch *const watch = arg;
    unsigned char resident = 1;
    while (sys_resident(watch->page, 1, &resident) && (resident & 1) != 0)
        usleep(10000);
    const ssize_t written = write(watch->pipe[1], "x", 1);
    return (void *)written;
}

static int store_page(void *arg) {
    ((struct page_watch *)arg)->page =
        (void *)((uintptr_t)coir__rt->current & ~(uintptr_t)(sys_page_size() - 1));
    return 0;
}

static int wait_without_a_timer(UNUSED void *arg) {
    struct page_watch watch;
    pthread_t thread;
    void *written;
    char byte;
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, store_page, &watch), 0);
    check_rc(coir_yield(), 0);
    for (int i = 0; i < 2000; i++) /* the first on the same stack, which so becomes the coldest */
        check_rc(coir_spawn(&s, return_zero, NULL), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check(pipe(watch.pipe) == 0);
    check_rc(coir_adopt(watch.pipe[0]), 0);
    check(pthread_create(&thread, NULL, watch_page, &watch) == 0);
    check_int(stats().timers_armed, 0);
    check_int(coir_read(watch.pipe[0], &byte, 1), 1);
    check(pthread_join(thread, &written) == 0);
    check_int((intptr_t)written, 1);
    check_rc(coir_close(watch.pipe[0]), 0);
    check(close(watch.pipe[1]) == 0);
    return 0;
}

Test(core_stack, a_runtime_that_sleeps_for_ever_gives_back_before) {
    const run_options options = {.real_clock = true, .runtime.stack_cache = 1};
    unsigned char resident;
    int here;
    if (!sys_resident((void *)((uintptr_t)&here & ~(uintptr_t)(sys_page_size() - 1)), 1, &resident))
        skip_test("the system does not tell which pages are in memory");
    check_rc(run_task_with(wait_without_a_timer, NULL, &options), 0);
}

static int spawn_and_cut_many(UNUSED void *arg) {
    return spawn_and_cut(scaled(10000));
}

/* Address space of this process, in bytes; 0 where the system does not tell. */
static size_t address_space(void) {
    size_t pages = 0;
    FILE *const file = fopen("/proc/self/statm", "r");
    if (file != NULL) {
        if (fscanf(file, "%zu", &pages) != 1)
            pages = 0;
        fclose(file);
    }
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

Test(core_stack, a_run_gives_all_its_stacks_back) {
    const size_t one_runs_stacks = scaled(10000) * (128 << 10);
    check_rc(run_task(spawn_and_cut_many, NULL), 0);
    const size_t before = address_space();
    for (int i = 0; i < 3; i++)
        check_rc(run_task(spawn_and_cut_many, NULL), 0);
    check(address_space() < before + one_runs_stacks);
}

/* ---- None left ---- */

/* Spawns until there is no room. The number of what went wrong, or 0. */
static int exhaust_the_address_space(UNUSED void *arg) {
    size_t cuts = 0, spawned = 0;
    int rc = 0;
    COIR_SCOPE(s);
    while (spawned < 1000000 && (rc = coir_spawn(&s, count_cuts, &cuts)) == 0)
        spawned++;
    if (rc != -ENOMEM)
        return 1;
    if (coir_sleep(COIR_MS(1)) != 0)
        return 2;
    coir_scope_cancel(&s);
    if (coir_scope_close(&s, 0) != 0)
        return 3;
    if (cuts != spawned || spawned == 0)
        return 4;
    COIR_SCOPE(again);
    if (coir_spawn(&again, return_zero, NULL) != 0)
        return 5;
    return coir_scope_close(&again, 0) != 0 ? 6 : 0;
}

static int run_in_little_space(UNUSED void *arg) {
    const size_t little = (size_t)256 << 20;
    const rlim_t space = (rlim_t)(address_space() + 2 * little);
    if (setrlimit(RLIMIT_AS, &(const struct rlimit){space, space}) != 0 ||
        !take_address_space(little))
        return 10;
    const int rc = coir_run(exhaust_the_address_space, NULL);
    return rc < 0 ? 11 : rc;
}

Test(core_stack, no_room_is_an_error_of_that_spawn_alone) {
    if (on_valgrind() || with_sanitizer())
        skip_test("the tool needs more address space than the test leaves");
    const int status = run_forked(run_in_little_space, NULL);
    check(WIFEXITED(status));
    check_int(WEXITSTATUS(status), 0);
}
