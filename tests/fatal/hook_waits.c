/* Must die: the hook that the argument names waits or yields. */
#include <coir.h>
#include <string.h>

static void tell_park(void *context, coir_task task, const coir_waiter *wait) {
    (void)context, (void)task, (void)wait;
    (void)coir_sleep(COIR_MS(1));
}

static void tell_exit(void *context, coir_task task, int rc) {
    (void)context, (void)task, (void)rc;
    (void)coir_yield();
}

static void tell_ready(void *context, coir_task task, coir_task by) {
    (void)context, (void)task, (void)by;
    (void)coir_sleep(COIR_MS(1));
}

static void tell_run(void *context, coir_task task) {
    (void)context, (void)task;
    (void)coir_yield();
}

static int nap(void *arg) {
    (void)arg;
    return coir_sleep(COIR_MS(1));
}

static int app(void *arg) {
    COIR_SCOPE(s);
    COIR_TRY(coir_spawn_with(&s, nap, arg, &(const coir_spawn_options){.name = "told of"}));
    return coir_scope_close(&s, 0);
}

int main(int argc, char **argv) {
    const char *const hook = argc > 1 ? argv[1] : "";
    const coir_hooks hooks = {.park = strcmp(hook, "park") == 0 ? tell_park : NULL,
                              .exit = strcmp(hook, "exit") == 0 ? tell_exit : NULL,
                              .ready = strcmp(hook, "ready") == 0 ? tell_ready : NULL,
                              .run = strcmp(hook, "run") == 0 ? tell_run : NULL};
    return coir_run_with(app, NULL, &(const coir_options){.hooks = &hooks}) < 0;
}
