/* A blocking call, on a thread, so that the loop does not block with it.
 *
 *     answer = await asyncio.to_thread(library.ask, "name")
 *
 * For what knows nothing of Coir. coir_offload parks the task until the call has returned on a
 * thread of the pool; the other tasks run on. The job may use its argument and nothing of Coir.
 *
 * The virtual clock waits for jobs and does not count their time: for real the last line comes at
 * 50 ms, since the three calls wait side by side.
 *
 * Output:
 *     [   0 ms] asking for delhi
 *     [   0 ms] asking for lima
 *     [   0 ms] asking for turin
 *     [   0 ms] the loop runs on
 *     [   0 ms] answers: 5, 4, 5 */
#include <coir.h>
#include <string.h>
#include <time.h>

#include "lib/timeline.h"

/* Somebody else's library: blocks the thread that calls it. */
static int library_ask(const char *name) {
    nanosleep(&(struct timespec){.tv_nsec = COIR_MS(50)}, NULL);
    return (int)strlen(name);
}

static int ask_job(void *name) {
    return library_ask(name);
}

static int ask(void *name) {
    say("asking for %s", (const char *)name);
    return coir_offload(ask_job, name);
}

static int other(void *arg) {
    (void)arg;
    say("the loop runs on");
    return 0;
}

static int app(void *arg) {
    (void)arg;
    char delhi[] = "delhi", lima[] = "lima", turin[] = "turin";
    coir_call calls[] = {COIR_CALL(ask, delhi), COIR_CALL(ask, lima), COIR_CALL(ask, turin),
                         COIR_CALL(other, NULL)};
    COIR_TRY(coir_gather(calls, 4, COIR_FAIL_FAST));
    say("answers: %d, %d, %d", calls[0].rc, calls[1].rc, calls[2].rc);
    return 0;
}

int main(int argc, char **argv) {
    const coir_options options = timeline(argc, argv);
    return coir_run_with(app, NULL, &options) < 0;
}
