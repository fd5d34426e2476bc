/* A timeout for each task inside a bounded fan-out.
 *
 *     async with semaphore, asyncio.timeout(0.05): await fetch(...)
 *
 * coir_map keeps two at a time under way; coir_timeout gives each its own 50 ms, which count from
 * where it begins, not from where it was queued. A timeout here is an outcome to note, not a
 * failure to pass on: passing it on would cancel the others.
 *
 * Output:
 *     [  30 ms] one: came
 *     [  50 ms] two: ETIMEDOUT after 50 ms
 *     [  70 ms] three: came
 *     [ 100 ms] four: ETIMEDOUT after 50 ms
 *     [ 110 ms] five: came
 *     [ 110 ms] 3 of 5 came */
#include <coir.h>

#include "lib/timeline.h"

struct fetch {
    const char *name;
    int takes_ms, rc;
};

static int fetch(void *arg) {
    const struct fetch *const self = arg;
    return coir_sleep(COIR_MS(self->takes_ms));
}

static int fetch_in_time(size_t index, void *ctx) {
    struct fetch *const self = &((struct fetch *)ctx)[index];
    const coir_time began = coir_now();
    self->rc = coir_timeout(COIR_MS(50), fetch, self);
    const int took_ms = (int)((coir_now() - began) / COIR_MS(1));
    if (self->rc == 0)
        say("%s: came", self->name);
    else
        say("%s: %s after %d ms", self->name, error_name(self->rc), took_ms);
    return self->rc == -ETIMEDOUT ? 0 : self->rc;
}

static int app(void *arg) {
    (void)arg;
    struct fetch fetches[] = {
        {"one", 30, 0}, {"two", 500, 0}, {"three", 40, 0}, {"four", 500, 0}, {"five", 40, 0}};
    COIR_TRY(coir_map(5, 2, fetch_in_time, fetches));
    int came = 0;
    for (size_t i = 0; i < 5; i++)
        came += fetches[i].rc == 0;
    say("%d of 5 came", came);
    return 0;
}

int main(int argc, char **argv) {
    const coir_options options = timeline(argc, argv);
    return coir_run_with(app, NULL, &options) < 0;
}
