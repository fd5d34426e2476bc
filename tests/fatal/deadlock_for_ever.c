/* Must die: the tasks that are left wait, nothing can wake them, and their waits cannot be cut, so
 * that not even the report of the deadlock can end the run. One has no cut function, the other's
 * refuses; the main task, which only waits for them, is not to blame. */
#include <coir.h>

static bool refuse(coir_waiter *wait) {
    (void)wait;
    return false;
}

static int park(void *wait) {
    return coir_park(wait);
}

static int app(void *arg) {
    coir_waiter waits[] = {{.cut = NULL, .what = "doomsday"},
                           {.cut = refuse, .what = "godot", .number = 7, .numbered = true}};
    (void)arg;
    COIR_SCOPE(s);
    COIR_TRY(coir_spawn_with(&s, park, &waits[0], &(const coir_spawn_options){.name = "prophet"}));
    COIR_TRY(coir_spawn_with(&s, park, &waits[1], &(const coir_spawn_options){.name = "tramp"}));
    return coir_scope_close(&s, 0);
}

int main(void) {
    return coir_run(app, NULL) < 0;
}
