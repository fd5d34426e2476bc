/* Sequential stages within concurrent ones: each order is checked, paid and sent, one after the
 * other; all orders are on their way at once.
 *
 *     async def handle(order): await check(order); await pay(order); await send(order)
 *     await asyncio.gather(*map(handle, orders))
 *
 * What comes one after the other is written one after the other, as plain calls. Only what happens
 * together gets tasks.
 *
 * Output:
 *     [  20 ms] book: checked
 *     [  30 ms] lamp: checked
 *     [  50 ms] chair: checked
 *     [  60 ms] book: paid
 *     [  80 ms] book: sent
 *     [  90 ms] lamp: paid
 *     [ 120 ms] lamp: sent
 *     [ 150 ms] chair: paid
 *     [ 200 ms] chair: sent
 *     [ 200 ms] all are done; one by one they would have taken 400 ms */
#include <coir.h>

#include "lib/timeline.h"

struct order {
    const char *name;
    int weight;
};

static int stage(const struct order *order, const char *done, int ms) {
    COIR_TRY(coir_sleep(COIR_MS(ms * order->weight)));
    say("%s: %s", order->name, done);
    return 0;
}

static int handle(void *arg) {
    const struct order *const order = arg;
    COIR_TRY(stage(order, "checked", 10));
    COIR_TRY(stage(order, "paid", 20));
    return stage(order, "sent", 10);
}

static int app(void *arg) {
    (void)arg;
    struct order orders[] = {{"book", 2}, {"lamp", 3}, {"chair", 5}};
    COIR_SCOPE(s);
    for (size_t i = 0; i < 3; i++)
        COIR_TRY(coir_spawn(&s, handle, &orders[i]));
    COIR_TRY(coir_scope_close(&s, 0));
    say("all are done; one by one they would have taken 400 ms");
    return 0;
}

int main(int argc, char **argv) {
    const coir_options options = timeline(argc, argv);
    return coir_run_with(app, NULL, &options) < 0;
}
