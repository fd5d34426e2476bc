/* The table for tools outside the process: found as such a tool finds it, by looking for its magic
 * in the file's writable pages, and true. The test reads its own memory through the kernel. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* pread */
#endif
#include "support.h"

#include "core/runtime.h"
#include "debug/layout.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

SUITE(debug_layout);

static bool try_read_memory(const void *address, void *out, size_t size_bytes) {
    const int memory = open("/proc/self/mem", O_RDONLY);
    const ssize_t size = pread(memory, out, size_bytes, (off_t)(uintptr_t)address);
    return close(memory) == 0 && size == (ssize_t)size_bytes;
}

static void read_memory(const void *address, void *out, size_t size_bytes) {
    check(try_read_memory(address, out, size_bytes));
}

/* The table's magic may go on in the next piece. */
static bool is_table(const char *at) {
    char magic[sizeof COIR_LAYOUT_MAGIC];
    return try_read_memory(at, magic, sizeof magic) &&
           memcmp(magic, COIR_LAYOUT_MAGIC, sizeof magic) == 0;
}

/* Of the range, or NULL. */
static const void *table_within(const char *low, const char *high) {
    char piece[4096];
    for (; low < high; low += sizeof piece) {
        read_memory(low, piece, sizeof piece);
        for (size_t i = 0; i < sizeof piece; i += 8)
            if (memcmp(piece + i, COIR_LAYOUT_MAGIC, 8) == 0 && is_table(low + i))
                return low + i;
    }
    return NULL;
}

static struct coir__layout table;

static void find_table(void) {
    FILE *const maps = fopen("/proc/self/maps", "r");
    if (maps == NULL)
        skip_test("there is no /proc: what a tool on this system would do is not known");
    char line[4096], path[4096];
    const void *found = NULL;
    while (found == NULL && fgets(line, sizeof line, maps) != NULL) {
        uintptr_t low, high;
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " rw-p %*s %*s %*s /%4095s", &low, &high, path) ==
            3)
            found = table_within((const char *)low, (const char *)high);
    }
    fclose(maps);
    check(found != NULL);
    read_memory(found, &table, sizeof table);
    check(table.address == found);
    check_int(table.version, COIR_LAYOUT_VERSION);
}

static size_t value_of(const char *name) {
    for (size_t i = 0; i < COUNT_OF(table.entries) && table.entries[i].name[0] != '\0'; i++)
        if (strcmp(table.entries[i].name, name) == 0)
            return table.entries[i].value;
    cr_assert(false, "no %s in the table", name);
    return 0;
}

/* The word at the offset that the table gives. */
static uintptr_t word(uintptr_t object, const char *name) {
    uintptr_t value;
    read_memory((const char *)object + value_of(name), &value, sizeof value);
    return value;
}

static void check_text(uintptr_t address, const char *expected) {
    char text[COIR_NAME_SIZE];
    read_memory((const void *)address, text, sizeof text);
    check_str(text, expected);
}

static uintptr_t only_runtime(void) {
    find_table();
    const uintptr_t first = (uintptr_t)table.runtimes.next;
    check(first != (uintptr_t)table.address + offsetof(struct coir__layout, runtimes));
    const uintptr_t rt = first - value_of("runtime.listed");
    check(rt == (uintptr_t)coir__rt);
    check(table.runtimes.prev == table.runtimes.next);
    return rt;
}

TASK_TEST(debug_layout, leads_to_the_running_task) {
    const uintptr_t rt = only_runtime(), self = word(rt, "runtime.current");
    check_text(self + value_of("task.name"), "main");
    check_int(word(rt, "runtime.thread"), getpid());
    check_int(word(self, "task.home"), rt + value_of("runtime.root"));
    check_int(word(self, "task.wait"), 0);
    check_int(word(self, "task.outermost"), 0);
    check_int(word(word(self, "task.record"), "record.generation") &
                  ((UINT64_C(1) << value_of("record.number_bits")) - 1),
              1);
    return 0;
}

TASK_TEST(debug_layout, leads_to_a_parked_task_by_its_scope) {
    COIR_SCOPE(s, .name = "shop", .deadline = coir_after(COIR_SEC(9)), .shield = true);
    const coir_spawn_options options = {.name = "sleeper"};
    check_rc(coir_spawn_with(&s, sleep_for_ever, NULL, &options), 0);
    check_rc(coir_yield(), 0);

    const uintptr_t self = word(only_runtime(), "runtime.current");
    const uintptr_t scope = word(self, "task.outermost");
    check_int(scope, (uintptr_t)&s);
    check_text(word(scope, "scope.name"), "shop");
    check_int(word(scope, "scope.live"), 1);
    check_int(word(scope, "scope.owner"), self);
    check_int(word(scope, "scope.inner"), 0);
    check_int((uint32_t)word(scope, "scope.state"), value_of("scope.state_open"));
    check_int((uint8_t)word(scope, "scope.shield"), true);
    check_int((uint8_t)word(scope, "scope.cancelled"), false);
    check_int(word(scope, "scope.deadline"), coir_scope_deadline(&s));

    const uintptr_t child = word(scope, "scope.children") - value_of("task.sibling");
    check_text(child + value_of("task.name"), "sleeper");
    check_int(word(child, "task.fn"), (uintptr_t)sleep_for_ever);
    check_text(word(word(child, "task.wait"), "waiter.what"), "sleep");
    const uintptr_t sp = word(child, "task.sp"), low = word(child, "task.stack");
    check(sp > low);
    check(sp + value_of("frame.size") <= low + word(child, "task.stack_size"));
    coir_scope_cancel(&s);
    return coir_scope_close(&s, 0);
}

TASK_TEST(debug_layout, tells_a_task_that_never_ran) {
    int zero = 0;
    find_table();
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, return_int, &zero), 0);
    const uintptr_t child = word((uintptr_t)&s, "scope.children") - value_of("task.sibling");
    const char *const pc = sizeof(struct coir_frame) == 56 ? "frame.rip" : "frame.x30";
    check_int(word(word(child, "task.sp"), pc), (uintptr_t)table.fresh);
    return coir_scope_close(&s, 0);
}

static int look_from_a_second_thread(UNUSED void *unused) {
    find_table();
    check(table.runtimes.next != table.runtimes.prev);
    return 0;
}

static void *run_second(UNUSED void *unused) {
    return (void *)(intptr_t)coir_run(look_from_a_second_thread, NULL);
}

TASK_TEST(debug_layout, lists_a_runtime_for_each_thread) {
    pthread_t thread;
    void *result;
    check_int(pthread_create(&thread, NULL, run_second, NULL), 0);
    check_int(pthread_join(thread, &result), 0);
    check_rc((intptr_t)result, 0);
    (void)only_runtime();
    return 0;
}

/* 0 if so. Runs in a forked child too. */
static int look_for_none(UNUSED void *unused) {
    struct coir__layout now;
    return !try_read_memory(table.address, &now, sizeof now) ||
           (uintptr_t)now.runtimes.next !=
               (uintptr_t)table.address + offsetof(struct coir__layout, runtimes);
}

TASK_TEST(debug_layout, lists_nothing_in_a_forked_child) {
    find_table();
    check_int(run_forked(look_for_none, NULL), 0);
    (void)only_runtime();
    return 0;
}

Test(debug_layout, lists_nothing_outside_a_run) {
    find_table();
    check_int(look_for_none(NULL), 0);
    check_rc(run_task(return_int, &(int){7}), 7);
    check_int(look_for_none(NULL), 0);
}
