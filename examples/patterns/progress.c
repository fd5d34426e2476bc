/* Results as they complete, with progress.
 *
 *     for next in asyncio.as_completed(tasks): name = await next
 *
 * coir_next gives the tasks of a scope in the order in which they end, each once, and what they
 * returned. It tells of tasks that were spawned with a handle; nobody has to keep the handles.
 *
 * Output:
 *     [  10 ms] [1/10] part 7
 *     [  20 ms] [2/10] part 4
 *     [  30 ms] [3/10] part 1
 *     [  40 ms] [4/10] part 8
 *     [  50 ms] [5/10] part 5
 *     [  60 ms] [6/10] part 2
 *     [  70 ms] [7/10] part 9
 *     [  80 ms] [8/10] part 6
 *     [  90 ms] [9/10] part 3
 *     [ 100 ms] [10/10] part 10
 *     [ 100 ms] all parts are there */
#include <coir.h>

#include "lib/timeline.h"

#define PARTS 10

static int download(void *arg) {
    const int part = *(const int *)arg;
    COIR_TRY(coir_sleep(COIR_MS(10 * ((part * 3 - 1) % PARTS + 1))));
    return part;
}

static int app(void *arg) {
    (void)arg;
    int parts[PARTS], part, rc;
    coir_task task;
    COIR_SCOPE(s);
    for (int i = 0; i < PARTS; i++) {
        parts[i] = i + 1;
        COIR_TRY(coir_spawn_task(&s, download, &parts[i], &task));
    }
    for (int done = 1; (rc = coir_next(&s, NULL, &part)) == 0; done++)
        say("[%d/%d] part %d", done, PARTS, part);
    if (rc != -ENOENT) /* which says that no more are left */
        return rc;
    COIR_TRY(coir_scope_close(&s, 0));
    say("all parts are there");
    return 0;
}

int main(int argc, char **argv) {
    const coir_options options = timeline(argc, argv);
    return coir_run_with(app, NULL, &options) < 0;
}
