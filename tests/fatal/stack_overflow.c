/* Must die: a task needs more stack than it has. The argument says which, or how: "named",
 * "unnamed", "main" or "large" (one with a stack of its own size) call themselves without end;
 * "mutual": three functions call one another; "callback": by way of a function of the C library,
 * which has no frame pointers; "array" is too large; "left" leaves the signals alone. */
#include <coir.h>
#include <stdlib.h>
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

static int first(volatile char *above);

__attribute__((noinline)) static int third(volatile char *above) {
    volatile char room[96];
    room[0] = above[0];
    return enough ? 0 : first(room) + room[0];
}

__attribute__((noinline)) static int second(volatile char *above) {
    volatile char room[80];
    room[0] = above[0];
    return enough ? 0 : third(room) + room[0];
}

__attribute__((noinline)) static int first(volatile char *above) {
    volatile char room[64];
    room[0] = above[0];
    return enough ? 0 : second(room) + room[0];
}

static int call_one_another(void *arg) {
    volatile char room[1] = {0};
    (void)arg;
    return first(room);
}

/* Through a pointer, so that it is not inlined. */
static void *(*volatile find)(const void *, const void *, size_t, size_t,
                              int (*)(const void *, const void *)) = bsearch;

static int search_again(const void *key, const void *element) {
    return find(key, element, 1, 1, search_again) == NULL ? 1 : -1;
}

static int search(void *arg) {
    const char element = 0;
    return find(arg, &element, 1, 1, search_again) != NULL;
}

static int use_large_array(void *arg) {
    volatile char room[200 * 1024];
    (void)arg;
    for (size_t i = 0; i < sizeof room; i++)
        room[i] = 1;
    return room[100];
}

static int app(void *arg) {
    const char *const which = arg;
    coir_spawn_options options = {.name = "deep"};
    coir_fn fn = overflow;
    if (strcmp(which, "main") == 0)
        return overflow(NULL);
    if (strcmp(which, "unnamed") == 0)
        options.name = NULL;
    else if (strcmp(which, "large") == 0)
        options = (coir_spawn_options){.name = "large", .stack_size_bytes = 4 << 20};
    else if (strcmp(which, "mutual") == 0)
        fn = call_one_another;
    else if (strcmp(which, "callback") == 0)
        fn = search;
    else if (strcmp(which, "array") == 0)
        fn = use_large_array;
    COIR_SCOPE(s, .name = "pit");
    COIR_TRY(coir_spawn_with(&s, fn, NULL, &options));
    return coir_scope_close(&s, 0);
}

int main(int argc, char **argv) {
    const coir_options options = {.leave_signals = argc > 1 && strcmp(argv[1], "left") == 0};
    return argc < 2 || coir_run_with(app, argv[1], &options) < 0;
}
