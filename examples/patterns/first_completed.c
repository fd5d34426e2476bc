/* First completed: ask several, take the first answer, cancel the rest.
 *
 *     done, rest = await asyncio.wait(tasks, return_when=FIRST_COMPLETED)
 *     for task in rest: task.cancel()
 *
 * coir_race starts them, and cancels and waits for the losers. A failure is no answer: the race
 * goes on as long as somebody may still win. (To stop at the first end of whichever kind: coir_wait
 * with COIR_FIRST_COMPLETED, then coir_scope_cancel, as first_exception.c does.)
 *
 * Output:
 *     [   0 ms] asking three mirrors
 *     [  30 ms] north: ECONNREFUSED
 *     [  80 ms] east: here it is
 *     [  80 ms] west: told to stop
 *     [  80 ms] the answer is from east: 42 */
#include <coir.h>

#include "lib/timeline.h"

struct mirror {
    const char *name;
    int takes_ms, rc;
};

static int ask(void *arg) {
    const struct mirror *const mirror = arg;
    if (coir_sleep(COIR_MS(mirror->takes_ms)) < 0) {
        say("%s: told to stop", mirror->name);
        return -ECANCELED; /* pass it on: whoever cancelled knows what it means */
    }
    say("%s: %s", mirror->name, mirror->rc < 0 ? error_name(mirror->rc) : "here it is");
    return mirror->rc;
}

static int app(void *arg) {
    (void)arg;
    struct mirror mirrors[] = {{"north", 30, -ECONNREFUSED}, {"west", 200, 41}, {"east", 80, 42}};
    coir_call calls[3];
    for (size_t i = 0; i < 3; i++)
        calls[i] = (coir_call)COIR_CALL(ask, &mirrors[i]);
    say("asking three mirrors");
    size_t winner;
    const int answer = coir_race(calls, 3, &winner);
    COIR_TRY(answer);
    say("the answer is from %s: %d", mirrors[winner].name, answer);
    return 0;
}

int main(int argc, char **argv) {
    const coir_options options = timeline(argc, argv);
    return coir_run_with(app, NULL, &options) < 0;
}
