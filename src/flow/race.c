/* The first success of several calls. */
#include "coir/combine.h"
#include "core/runtime.h"
#include "flow/calls.h"

struct race {
    coir_call *winner;
};

struct entrant {
    struct race *race;
    coir_call *call;
};

static int run(void *arg) {
    const struct entrant *const self = arg;
    coir_call *const call = self->call;
    coir__stands_for(call->fn);
    call->rc = call->fn(call->arg);
    if (call->rc >= 0 && self->race->winner == NULL)
        self->race->winner = call;
    return call->rc;
}

int coir_race(coir_call *calls, size_t n, size_t *winner) {
    if (n == 0 || !calls_valid(calls, n))
        return -EINVAL;
    struct race race = {.winner = NULL};
    COIR_SCOPE(s, .policy = COIR_RACE, .name = "race");
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++) {
        struct entrant entrant = {.race = &race, .call = &calls[i]};
        rc = coir_spawn_with(&s, run, &entrant,
                             &(const coir_spawn_options){.arg_size_bytes = sizeof entrant});
    }
    rc = coir_scope_close(&s, rc);
    if (race.winner == NULL)
        return rc < 0 ? rc : -ECANCELED; /* 0: each was cancelled by its handle */
    if (winner != NULL)
        *winner = (size_t)(race.winner - calls);
    return race.winner->rc;
}
