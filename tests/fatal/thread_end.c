/* Must die: the thread of a runtime ends while that runs. "task": by pthread_exit in a task;
 * "nested": the same within two functions, in a thread that is not the first; "cancel": another
 * thread cancels it while it waits in the loop. "after" exits with 0: its runtime has ended before.
 */
#include <coir.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

static pthread_t runner;

static int leave(void *arg) {
    (void)arg;
    pthread_exit(NULL);
}

static int nothing(void *arg) {
    (void)arg;
    return 0;
}

static int cancel_thread(void *arg) {
    (void)arg;
    return pthread_cancel(runner) == 0 ? 0 : -ESRCH;
}

static int app(void *arg) {
    static const coir_spawn_options culprit = {.name = "culprit"};
    COIR_SCOPE(s);
    if (strcmp(arg, "after") == 0)
        return 0;
    if (strcmp(arg, "cancel") != 0) {
        COIR_TRY(coir_spawn_with(&s, leave, NULL, &culprit));
    } else {
        COIR_TRY(coir_offload(cancel_thread, NULL));
        COIR_TRY(coir_sleep(COIR_SEC(60)));
    }
    return coir_scope_close(&s, 0);
}

static void *run(void *arg) {
    static char value;
    return coir_run(app, arg) == 0 && coir_run(nothing, NULL) == 0 ? &value : NULL;
}

int main(int argc, char **argv) {
    void *result = NULL;
    if (argc < 2)
        return 1;
    runner = pthread_self();
    if (strcmp(argv[1], "task") == 0 || strcmp(argv[1], "cancel") == 0)
        return coir_run(app, argv[1]) < 0;
    if (pthread_create(&runner, NULL, run, argv[1]) != 0 || pthread_join(runner, &result) != 0)
        return 1;
    return result == NULL;
}
