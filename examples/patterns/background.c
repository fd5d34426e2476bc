/* A background task, kept, and joined when its result is needed.
 *
 *     task = asyncio.create_task(load()); ...; cache = await task
 *
 * The handle is a value. coir_join takes the result whether the task has ended by then or not. A
 * second task, which would go on for ever, is cancelled through its handle; that is no failure.
 *
 * Output:
 *     [   0 ms] reading the settings
 *     [   0 ms] beat
 *     [  40 ms] beat
 *     [  50 ms] settings read; now the cache is needed
 *     [  80 ms] beat
 *     [ 100 ms] the cache has 7 entries
 *     [ 100 ms] the heart stopped: ECANCELED */
#include <coir.h>

#include "lib/timeline.h"

static int load_cache(void *arg) {
    (void)arg;
    COIR_TRY(coir_sleep(COIR_MS(100)));
    return 7;
}

static int heart(void *arg) {
    (void)arg;
    for (;;) {
        say("beat");
        COIR_TRY(coir_sleep(COIR_MS(40)));
    }
}

static int app(void *arg) {
    (void)arg;
    coir_task cache, beating;
    COIR_SCOPE(s);
    COIR_TRY(coir_spawn_task(&s, load_cache, NULL, &cache));
    COIR_TRY(coir_spawn_task(&s, heart, NULL, &beating));

    say("reading the settings");
    COIR_TRY(coir_sleep(COIR_MS(50)));
    say("settings read; now the cache is needed");
    int entries, rc;
    COIR_TRY(coir_join(cache, &entries));
    say("the cache has %d entries", entries);

    coir_task_cancel(beating);
    COIR_TRY(coir_join(beating, &rc));
    say("the heart stopped: %s", error_name(rc));
    return coir_scope_close(&s, 0);
}

int main(int argc, char **argv) {
    const coir_options options = timeline(argc, argv);
    return coir_run_with(app, NULL, &options) < 0;
}
