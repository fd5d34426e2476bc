/* Must die: the only task waits, nothing can wake it, and its wait cannot be cut, so that not even
 * the report of the deadlock can end the run. */
#include <coir.h>

static int app(void *arg) {
    (void)arg;
    coir_waiter wait = {.cut = NULL, .what = "doomsday"};
    COIR_TRY(coir_task_set_name(coir_self(), "waiter"));
    return coir_park(&wait);
}

int main(void) {
    return coir_run(app, NULL) < 0;
}
