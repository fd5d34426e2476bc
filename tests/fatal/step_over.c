/* Must die: the frame of a task is larger than what it has left and the guard below together, and
 * the program is compiled without -fstack-clash-protection (Makefile), so that it steps over the
 * guard. Its first access hits the guard of the task below; "unmapped": what is below all of them.
 */
#include <coir.h>
#include <string.h>

/* All of the array is needed, as far as the compiler knows. */
#define USE(array) __asm__ volatile("" : : "r"(array) : "memory")

/* Nearly two slots: of 128 KiB, or, where guards are of 64 KiB, 256. */
#ifdef __aarch64__
#define NEARLY_TWO (480 * 1024)
#else
#define NEARLY_TWO (244 * 1024)
#endif

__attribute__((noinline)) static int step_over_one_slot(volatile char *first) {
    volatile char room[NEARLY_TWO];
    room[0] = first[0];
    USE(room);
    return room[0];
}

__attribute__((noinline)) static int step_over_all(volatile char *first) {
    volatile char room[48 << 20];
    room[0] = first[0];
    USE(room);
    return room[0];
}

static int take_one_slot(void *arg) {
    return step_over_one_slot(arg) > 0; /* no tail call */
}

static int take_all(void *arg) {
    return step_over_all(arg) > 0;
}

static int app(void *arg) {
    char first = 0;
    const coir_fn fn = strcmp(arg, "unmapped") == 0 ? take_all : take_one_slot;
    COIR_SCOPE(s);
    COIR_TRY(coir_spawn_with(&s, fn, &first, &(const coir_spawn_options){.name = "big"}));
    return coir_scope_close(&s, 0);
}

int main(int argc, char **argv) {
    return argc < 2 || coir_run(app, argv[1]) < 0;
}
