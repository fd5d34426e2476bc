/* Gather: several calls at once, their results in the order of the calls.
 *
 *     users, orders, visits = await asyncio.gather(count(...), count(...), count(...))
 *
 * Each call runs in a task of its own; together they take as long as the longest. A result that is
 * a number >= 0 is simply returned. If one failed, the others would be cancelled: with
 * COIR_SUPERVISE instead of COIR_FAIL_FAST all would run to their end (see keep_going.c).
 *
 * Output:
 *     [   0 ms] counting
 *     [  40 ms] orders are counted
 *     [  80 ms] visits are counted
 *     [ 120 ms] users are counted
 *     [ 120 ms] 12 users, 340 orders, 5600 visits */
#include <coir.h>

#include "lib/timeline.h"

struct table {
    const char *name;
    int takes_ms, rows;
};

static int count(void *arg) {
    const struct table *const table = arg;
    COIR_TRY(coir_sleep(COIR_MS(table->takes_ms)));
    say("%s are counted", table->name);
    return table->rows;
}

static int app(void *arg) {
    (void)arg;
    struct table users = {"users", 120, 12}, orders = {"orders", 40, 340},
                 visits = {"visits", 80, 5600};
    coir_call calls[] = {COIR_CALL(count, &users), COIR_CALL(count, &orders),
                         COIR_CALL(count, &visits)};
    say("counting");
    COIR_TRY(coir_gather(calls, 3, COIR_FAIL_FAST));
    say("%d users, %d orders, %d visits", calls[0].rc, calls[1].rc, calls[2].rc);
    return 0;
}

int main(int argc, char **argv) {
    const coir_options options = timeline(argc, argv);
    return coir_run_with(app, NULL, &options) < 0;
}
