/* First exception: wait until one has failed or all are done, look at what there is, then decide.
 *
 *     done, rest = await asyncio.wait(tasks, return_when=FIRST_EXCEPTION)
 *
 * Waiting changes nothing by itself: the tasks run on until the scope is cancelled. (When there is
 * nothing to look at, leave it out: a scope without COIR_SUPERVISE cancels the rest by itself at
 * the first failure, and says which it was when it is closed.)
 *
 * Output:
 *     [  40 ms] users: loaded
 *     [  80 ms] prices: EIO
 *     [  80 ms] 2 of 4 have ended; what is left is cancelled
 *     [  80 ms] orders: ECANCELED
 *     [  80 ms] stock: ECANCELED
 *     [  80 ms] the whole: EIO */
#include <coir.h>

#include "lib/timeline.h"

struct load {
    const char *name;
    int takes_ms, rc;
};

static int load(void *arg) {
    const struct load *const self = arg;
    const int cut = coir_sleep(COIR_MS(self->takes_ms));
    const int rc = cut < 0 ? cut : self->rc;
    say("%s: %s", self->name, rc < 0 ? error_name(rc) : "loaded");
    return rc;
}

static int app(void *arg) {
    (void)arg;
    struct load loads[] = {
        {"users", 40, 0}, {"orders", 120, 0}, {"prices", 80, -EIO}, {"stock", 160, 0}};
    coir_task tasks[4];
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    for (size_t i = 0; i < 4; i++)
        COIR_TRY(coir_spawn_task(&s, load, &loads[i], &tasks[i]));
    const int ended = coir_wait(tasks, 4, COIR_FIRST_EXCEPTION, COIR_NEVER);
    COIR_TRY(ended);
    say("%d of 4 have ended; what is left is cancelled", ended);
    coir_scope_cancel(&s);
    const int rc = coir_scope_close(&s, 0); /* waits for them all */
    say("the whole: %s", error_name(rc));
    return rc == -EIO ? 0 : rc;
}

int main(int argc, char **argv) {
    const coir_options options = timeline(argc, argv);
    return coir_run_with(app, NULL, &options) < 0;
}
