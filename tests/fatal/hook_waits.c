/* Must die: the hook that the argument names waits or yields; "open-...": leaves a scope open. */
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

static coir_scope left_open;

static void open_ready(void *context, coir_task task, coir_task by) {
    (void)context, (void)task;
    if (by.coir__record == NULL) /* the loop */
        (void)coir_scope_open(&left_open, .name = "left");
}

/* Fine, but for the wait. */
static void scope_ready(void *context, coir_task task, coir_task by) {
    (void)context, (void)task;
    coir_scope own = {0};
    if (coir_scope_open(&own, .deadline = coir_after(1)) == 0 && coir_scope_close(&own, 0) == 0 &&
        by.coir__record == NULL)
        (void)coir_yield();
}

static void open_run(void *context, coir_task task) {
    (void)context;
    if (task.coir__record != NULL)
        (void)coir_scope_open(&left_open, .name = "left");
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
    coir_hooks hooks = {.park = strcmp(hook, "park") == 0 ? tell_park : NULL,
                        .exit = strcmp(hook, "exit") == 0 ? tell_exit : NULL,
                        .ready = strcmp(hook, "ready") == 0 ? tell_ready : NULL,
                        .run = strcmp(hook, "run") == 0 ? tell_run : NULL};
    if (strcmp(hook, "open-ready") == 0)
        hooks.ready = open_ready;
    else if (strcmp(hook, "scope-ready") == 0)
        hooks.ready = scope_ready;
    else if (strcmp(hook, "open-run") == 0)
        hooks.run = open_run;
    return coir_run_with(app, NULL, &(const coir_options){.hooks = &hooks}) < 0;
}
