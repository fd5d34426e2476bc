/* Keep going when some fail: errors are values, one for each call.
 *
 *     results = await asyncio.gather(*calls, return_exceptions=True)
 *
 * With COIR_SUPERVISE a failure cancels nothing. coir_gather returns the earliest of them, for
 * those who only want to know whether all went well; what became of each call stands in its rc.
 *
 * Output:
 *     [  50 ms] earliest failure: ECONNREFUSED
 *     [  50 ms] alpha: saved 10 rows
 *     [  50 ms] beta: ETIMEDOUT
 *     [  50 ms] gamma: saved 30 rows
 *     [  50 ms] delta: ECONNREFUSED
 *     [  50 ms] epsilon: saved 50 rows
 *     [  50 ms] 3 of 5 saved */
#include <coir.h>

#include "lib/timeline.h"

struct backup {
    const char *host;
    int takes_ms, rc;
};

static int save(void *arg) {
    const struct backup *const backup = arg;
    COIR_TRY(coir_sleep(COIR_MS(backup->takes_ms)));
    return backup->rc;
}

static int app(void *arg) {
    (void)arg;
    struct backup backups[] = {
        {"alpha", 10, 10},   {"beta", 40, -ETIMEDOUT},
        {"gamma", 30, 30},   {"delta", 20, -ECONNREFUSED},
        {"epsilon", 50, 50},
    };
    enum { N = sizeof backups / sizeof backups[0] };
    coir_call calls[N];
    for (size_t i = 0; i < N; i++)
        calls[i] = (coir_call)COIR_CALL(save, &backups[i]);
    say("earliest failure: %s", error_name(coir_gather(calls, N, COIR_SUPERVISE)));
    int saved = 0;
    for (size_t i = 0; i < N; i++) {
        if (calls[i].rc < 0) {
            say("%s: %s", backups[i].host, error_name(calls[i].rc));
        } else {
            say("%s: saved %d rows", backups[i].host, calls[i].rc);
            saved++;
        }
    }
    say("%d of %d saved", saved, N);
    return 0;
}

int main(int argc, char **argv) {
    const coir_options options = timeline(argc, argv);
    return coir_run_with(app, NULL, &options) < 0;
}
