/* Producer and consumers over a bounded queue.
 *
 *     queue = asyncio.Queue(maxsize=2)
 *
 * A channel with a buffer of two: a producer that gets too far ahead waits. Closing it is the end
 * of the work: the consumers get what is left, then -EPIPE. No sentinel, and nobody to cancel.
 *
 * Output:
 *     [   0 ms] job 1 queued
 *     [   0 ms] job 2 queued
 *     [   0 ms] ann does job 1
 *     [   0 ms] bob does job 2
 *     [   0 ms] job 3 queued
 *     [   0 ms] job 4 queued
 *     [  30 ms] ann does job 3
 *     [  30 ms] job 5 queued, and no more
 *     [  50 ms] bob does job 4
 *     [  60 ms] ann does job 5
 *     [  90 ms] ann: no more jobs
 *     [ 100 ms] bob: no more jobs */
#include <coir.h>

#include "lib/timeline.h"

COIR_CHANNEL_OF(jobs, int);

static jobs queue;

struct worker {
    const char *name;
    int takes_ms;
};

static int produce(void *arg) {
    (void)arg;
    for (int job = 1; job <= 5; job++) {
        COIR_TRY(jobs_send(queue, job));
        say("job %d queued%s", job, job == 5 ? ", and no more" : "");
    }
    return coir_channel_close(queue.channel);
}

static int consume(void *arg) {
    const struct worker *const worker = arg;
    int job, rc;
    while ((rc = jobs_recv(queue, &job)) == 0) {
        say("%s does job %d", worker->name, job);
        COIR_TRY(coir_sleep(COIR_MS(worker->takes_ms)));
    }
    if (rc == -EPIPE) {
        say("%s: no more jobs", worker->name);
        return 0;
    }
    return rc;
}

static int app(void *arg) {
    (void)arg;
    struct worker ann = {"ann", 30}, bob = {"bob", 50};
    coir_call calls[] = {COIR_CALL(produce, NULL), COIR_CALL(consume, &ann),
                         COIR_CALL(consume, &bob)};
    COIR_TRY(jobs_create(&queue, 2, NULL));
    const int rc = coir_gather(calls, 3, COIR_FAIL_FAST);
    coir_channel_destroy(queue.channel);
    return rc;
}

int main(int argc, char **argv) {
    const coir_options options = timeline(argc, argv);
    return coir_run_with(app, NULL, &options) < 0;
}
