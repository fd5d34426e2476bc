/* Must die: a task recurses without end. The argument says which: "named", "unnamed", "main" or
 * "large" (one with a stack of its own size); "wild" is a fault that is no overflow. */
#include <coir.h>
#include <string.h>

static volatile bool enough; /* never, but the compiler must not know */

__attribute__((noinline)) static int recurse(volatile char *above) {
    volatile char room[512];
    room[0] = above[0];
    return enough ? 0 : recurse(room) + room[0];
}

static int overflow(void *arg) {
    (void)arg;
    volatile char first[1] = {0};
    return recurse(first);
}

static int touch_nothing(void *arg) {
    (void)arg;
    return *(volatile int *)(uintptr_t)4096;
}

static int app(void *arg) {
    const char *const which = arg;
    coir_spawn_options options = {.name = NULL};
    if (strcmp(which, "main") == 0)
        return overflow(NULL);
    if (strcmp(which, "named") == 0)
        options.name = "deep";
    if (strcmp(which, "large") == 0)
        options = (coir_spawn_options){.name = "large", .stack_size_bytes = 4 << 20};
    COIR_SCOPE(s);
    COIR_TRY(
        coir_spawn_with(&s, strcmp(which, "wild") == 0 ? touch_nothing : overflow, NULL, &options));
    return coir_scope_close(&s, 0);
}

int main(int argc, char **argv) {
    return argc < 2 || coir_run(app, argv[1]) < 0;
}
