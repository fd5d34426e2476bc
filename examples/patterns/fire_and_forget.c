/* Fire and forget, without losing anything: nobody waits for the task itself, but a scope does.
 *
 *     background.add(asyncio.create_task(...))        (else the garbage collector may take it)
 *
 * A task without a handle leaves nothing behind when it ends. Its scope says how long it may live:
 * that of a request, or coir_main_scope, which is there as long as the main task: what is still
 * under way when that ends is cancelled, so what must not be cut has to be waited for, or shielded.
 *
 * Output:
 *     [   0 ms] the request is answered
 *     [  20 ms] visit counted
 *     [  20 ms] the request is over; the mail is still on its way
 *     [  70 ms] mail sent
 *     [ 100 ms] the program ends
 *     [ 100 ms] report cut: ECANCELED */
#include <coir.h>

#include "lib/timeline.h"

static int count_visit(void *arg) {
    (void)arg;
    COIR_TRY(coir_sleep(COIR_MS(20)));
    say("visit counted");
    return 0;
}

static int send_mail(void *arg) {
    (void)arg;
    COIR_TRY(coir_sleep(COIR_MS(70)));
    say("mail sent");
    return 0;
}

static int write_report(void *arg) {
    (void)arg;
    const int rc = coir_sleep(COIR_SEC(3600));
    say("report cut: %s", error_name(rc));
    return rc;
}

static int handle_request(void) {
    COIR_SCOPE(request);
    COIR_TRY(coir_spawn(&request, count_visit, NULL));
    COIR_TRY(coir_spawn(coir_main_scope(), send_mail, NULL));
    COIR_TRY(coir_spawn(coir_main_scope(), write_report, NULL));
    say("the request is answered");
    return coir_scope_close(&request, 0);
}

static int app(void *arg) {
    (void)arg;
    COIR_TRY(handle_request());
    say("the request is over; the mail is still on its way");
    COIR_TRY(coir_sleep(COIR_MS(80)));
    say("the program ends");
    return 0;
}

int main(int argc, char **argv) {
    const coir_options options = timeline(argc, argv);
    return coir_run_with(app, NULL, &options) < 0;
}
