/* One timeout over many: what has come by then is kept, the rest is cut.
 *
 *     async with asyncio.timeout(0.1): await asyncio.gather(...)
 *
 * A timeout is a scope with a deadline. All that wait inside it, however deep, are cut when it
 * passes, and its close alone returns -ETIMEDOUT. With .move_on it would return 0 instead.
 *
 * Output:
 *     [   0 ms] 100 ms for all four
 *     [  30 ms] london: 14 degrees
 *     [  60 ms] paris: 17 degrees
 *     [ 100 ms] time is up: ETIMEDOUT
 *     [ 100 ms] london came
 *     [ 100 ms] oslo did not
 *     [ 100 ms] paris came
 *     [ 100 ms] rome did not */
#include <coir.h>

#include "lib/timeline.h"

struct city {
    const char *name;
    int takes_ms, degrees;
    bool came;
};

static int ask(void *arg) {
    struct city *const city = arg;
    COIR_TRY(coir_sleep(COIR_MS(city->takes_ms)));
    city->came = true;
    say("%s: %d degrees", city->name, city->degrees);
    return 0;
}

static int ask_all(struct city *cities, size_t n) {
    COIR_SCOPE(limit, .deadline = coir_after(COIR_MS(100)));
    for (size_t i = 0; i < n; i++)
        COIR_TRY(coir_spawn(&limit, ask, &cities[i]));
    return coir_scope_close(&limit, 0);
}

static int app(void *arg) {
    (void)arg;
    struct city cities[] = {{"london", 30, 14, false},
                            {"oslo", 150, 3, false},
                            {"paris", 60, 17, false},
                            {"rome", 120, 21, false}};
    say("100 ms for all four");
    const int rc = ask_all(cities, 4);
    if (rc < 0 && rc != -ETIMEDOUT)
        return rc;
    say("time is up: %s", error_name(rc));
    for (size_t i = 0; i < 4; i++)
        say("%s %s", cities[i].name, cities[i].came ? "came" : "did not");
    return 0;
}

int main(int argc, char **argv) {
    const coir_options options = timeline(argc, argv);
    return coir_run_with(app, NULL, &options) < 0;
}
