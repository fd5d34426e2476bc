/* Checks that must fail, each in another way: coir-selfcheck --fail runs them too, so that it can
 * be seen that it sees. */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "selfcheck.h"

static int sees_another_number(UNUSED void *arg) {
    EXPECT(coir_yield(), -ECANCELED);
    return 0;
}

static int returns_an_error(UNUSED void *arg) {
    return -ENOENT;
}

/* The failure of a task goes no further than its scope. */
static int is_not_listened_to(UNUSED void *arg) {
    COIR_SCOPE(scope, .policy = COIR_SUPERVISE);
    EXPECT(coir_spawn(&scope, sees_another_number, NULL), 0);
    (void)coir_scope_close(&scope, 0);
    return 0;
}

static int ends_early(UNUSED void *arg) {
    exit(0);
}

static int dies(UNUSED void *arg) {
    return raise(SIGKILL);
}

static int hangs(UNUSED void *arg) {
    while (pause() != 0)
        continue;
    return 0;
}

const struct check failing_checks[] = {
    {.name = "failing: sees another number", .run = sees_another_number},
    {.name = "failing: returns an error", .run = returns_an_error},
    {.name = "failing: in a task that nobody listens to", .run = is_not_listened_to},
    {.name = "failing: ends the process early", .run = ends_early},
    {.name = "failing: dies", .run = dies},
    {.name = "failing: hangs", .run = hangs, .bare = true, .limit_s = 1},
    {.name = NULL},
};
