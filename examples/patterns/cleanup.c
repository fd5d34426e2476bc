/* Cancellation with a cleanup that itself has to wait.
 *
 *     except CancelledError: await asyncio.wait_for(asyncio.shield(logout()), 0.1); raise
 *
 * In a cancelled scope every wait is cut, also those of a cleanup. A shielded scope keeps the
 * cancellation out; a deadline keeps the cleanup from taking for ever. The second server here never
 * answers: it is given up after 50 ms, and the program ends all the same.
 *
 * Output:
 *     [   0 ms] prompt server: logged in
 *     [   0 ms] dead server: logged in
 *     [ 100 ms] enough: cancelling
 *     [ 100 ms] prompt server: cut, logging out
 *     [ 100 ms] dead server: cut, logging out
 *     [ 120 ms] prompt server: logged out
 *     [ 150 ms] dead server: no answer, ETIMEDOUT
 *     [ 150 ms] all are gone */
#include <coir.h>

#include "lib/timeline.h"

struct server {
    const char *name;
    coir_time answers_after;
};

static int log_out(const struct server *server) {
    COIR_SCOPE(cleanup, .shield = true, .deadline = coir_after(COIR_MS(50)));
    return coir_scope_close(&cleanup, coir_sleep(server->answers_after));
}

static int session(void *arg) {
    const struct server *const server = arg;
    say("%s: logged in", server->name);
    const int rc = coir_sleep(COIR_NEVER); /* the work: it ends when it is cut */
    say("%s: cut, logging out", server->name);
    const int out = log_out(server);
    if (out < 0)
        say("%s: no answer, %s", server->name, error_name(out));
    else
        say("%s: logged out", server->name);
    return rc;
}

static int app(void *arg) {
    (void)arg;
    struct server prompt = {"prompt server", COIR_MS(20)}, dead = {"dead server", COIR_NEVER};
    COIR_SCOPE(s);
    COIR_TRY(coir_spawn(&s, session, &prompt));
    COIR_TRY(coir_spawn(&s, session, &dead));
    COIR_TRY(coir_sleep(COIR_MS(100)));
    say("enough: cancelling");
    coir_scope_cancel(&s);
    COIR_TRY(coir_scope_close(&s, 0)); /* waits for both, and their cleanup */
    say("all are gone");
    return 0;
}

int main(int argc, char **argv) {
    const coir_options options = timeline(argc, argv);
    return coir_run_with(app, NULL, &options) < 0;
}
