/* A task group whose errors are taken apart by kind.
 *
 *     except* TimeoutError as group: retry(group)
 *     except* ConnectionRefusedError as group: report(group)
 *
 * A supervising scope collects the failures of its children, earliest first, each with the name and
 * the function of the task that failed. Whoever handles some kinds passes on the first that is
 * left.
 *
 * Output:
 *     [  60 ms] 5 of 6 failed, first with ECONNREFUSED
 *     [  60 ms] to be tried again: search, maps
 *     [  60 ms] reported as down: mail, chat
 *     [  60 ms] left over: EACCES, of admin */
#include <coir.h>
#include <stdio.h>

#include "lib/timeline.h"

#define CHECKS 6

struct check {
    const char *name;
    int takes_ms, rc;
};

static int check(void *arg) {
    const struct check *const self = arg;
    COIR_TRY(coir_sleep(COIR_MS(self->takes_ms)));
    return self->rc;
}

/* Takes the errors of one kind out of the group and says so. */
static void take(coir_error *errors, size_t n, int kind, const char *what) {
    char names[CHECKS * (COIR_NAME_SIZE + 2)] = "";
    size_t length = 0;
    for (size_t i = 0; i < n; i++) {
        if (errors[i].rc != kind)
            continue;
        length += (size_t)snprintf(names + length, sizeof names - length, "%s%s",
                                   length > 0 ? ", " : "", errors[i].name);
        errors[i].rc = 0;
    }
    say("%s: %s", what, names);
}

static int app(void *arg) {
    (void)arg;
    struct check checks[CHECKS] = {
        {"mail", 10, -ECONNREFUSED}, {"search", 20, -ETIMEDOUT}, {"wiki", 30, 0},
        {"admin", 40, -EACCES},      {"maps", 50, -ETIMEDOUT},   {"chat", 60, -ECONNREFUSED}};
    coir_error room[CHECKS], errors[CHECKS]; /* without room a scope keeps the first four */
    COIR_SCOPE(s, .policy = COIR_SUPERVISE, .errors = room, .error_capacity = CHECKS);
    for (size_t i = 0; i < CHECKS; i++)
        COIR_TRY(
            coir_spawn_with(&s, check, &checks[i], &(coir_spawn_options){.name = checks[i].name}));
    const int rc = coir_scope_close(&s, 0);
    const size_t n = coir_scope_errors(&s, errors, CHECKS);
    say("%zu of %d failed, first with %s", n, CHECKS, error_name(rc));
    take(errors, n, -ETIMEDOUT, "to be tried again");
    take(errors, n, -ECONNREFUSED, "reported as down");
    for (size_t i = 0; i < n; i++) {
        if (errors[i].rc < 0)
            say("left over: %s, of %s", error_name(errors[i].rc), errors[i].name);
    }
    return 0;
}

int main(int argc, char **argv) {
    const coir_options options = timeline(argc, argv);
    return coir_run_with(app, NULL, &options) < 0;
}
