/* Fan-out bounded by a semaphore: all tasks are there, but only so many work at a time.
 *
 *     async with semaphore: await fetch(...)
 *
 * For a bound on one part of the work, or one shared by different kinds of it; where the whole work
 * is bounded, coir_map (map.c) needs fewer tasks. A permit that is released goes to the task that
 * has waited longest. A task that is cut while it waits for a permit has taken none, so what is
 * released is what was acquired.
 *
 * Output:
 *     [   0 ms] 6 fetches, 2 at a time
 *     [  20 ms] a done, 1 other under way
 *     [  30 ms] b done, 1 other under way
 *     [  60 ms] c done, 1 other under way
 *     [  70 ms] d done, 1 other under way
 *     [  80 ms] e done, 1 other under way
 *     [  90 ms] f done, 0 others under way
 *     [  90 ms] all done */
#include <coir.h>

#include "lib/timeline.h"

static coir_semaphore permits;
static int under_way;

struct fetch {
    const char *name;
    int takes_ms;
};

static int fetch(void *arg) {
    const struct fetch *const self = arg;
    COIR_TRY(coir_semaphore_acquire(&permits));
    under_way++;
    const int rc = coir_sleep(COIR_MS(self->takes_ms));
    under_way--;
    if (rc == 0)
        say("%s done, %d other%s under way", self->name, under_way, under_way == 1 ? "" : "s");
    coir_semaphore_release(&permits); /* cut or not: it is ours to give back */
    return rc;
}

static int app(void *arg) {
    (void)arg;
    struct fetch fetches[] = {{"a", 20}, {"b", 30}, {"c", 40}, {"d", 40}, {"e", 20}, {"f", 20}};
    say("6 fetches, 2 at a time");
    COIR_TRY(coir_semaphore_init(&permits, 2, 2));
    COIR_SCOPE(s);
    for (size_t i = 0; i < 6; i++)
        COIR_TRY(coir_spawn(&s, fetch, &fetches[i]));
    COIR_TRY(coir_scope_close(&s, 0));
    say("all done");
    return coir_semaphore_destroy(&permits);
}

int main(int argc, char **argv) {
    const coir_options options = timeline(argc, argv);
    return coir_run_with(app, NULL, &options) < 0;
}
