/* Chaining: the user first; then, with what that gave, orders and profile together.
 *
 *     user = await get_user(7)
 *     orders, profile = await asyncio.gather(get_orders(user), get_profile(user))
 *
 * What depends on a result comes after it, as in any C; what does not runs beside it.
 *
 * Output:
 *     [  50 ms] user 7 is ada
 *     [  90 ms] profile: 3 badges
 *     [ 130 ms] orders: 12
 *     [ 130 ms] ada has 12 orders and 3 badges */
#include <coir.h>
#include <stdio.h>

#include "lib/timeline.h"

struct user {
    int id;
    char name[16];
};

static int get_user(int id, struct user *out) {
    COIR_TRY(coir_sleep(COIR_MS(50)));
    out->id = id;
    snprintf(out->name, sizeof out->name, "%s", id == 7 ? "ada" : "somebody");
    say("user %d is %s", id, out->name);
    return 0;
}

static int get_orders(void *arg) {
    const struct user *const user = arg;
    COIR_TRY(coir_sleep(COIR_MS(80)));
    const int orders = user->id + 5;
    say("orders: %d", orders);
    return orders;
}

static int get_profile(void *arg) {
    const struct user *const user = arg;
    COIR_TRY(coir_sleep(COIR_MS(40)));
    const int badges = user->id - 4;
    say("profile: %d badges", badges);
    return badges;
}

static int app(void *arg) {
    (void)arg;
    struct user user;
    COIR_TRY(get_user(7, &user));
    coir_call calls[] = {COIR_CALL(get_orders, &user), COIR_CALL(get_profile, &user)};
    COIR_TRY(coir_gather(calls, 2, COIR_FAIL_FAST));
    say("%s has %d orders and %d badges", user.name, calls[0].rc, calls[1].rc);
    return 0;
}

int main(int argc, char **argv) {
    const coir_options options = timeline(argc, argv);
    return coir_run_with(app, NULL, &options) < 0;
}
