/* Ten URLs and a limit to the time of them all: which came, which failed, which did not come.
 *
 *     done, pending = await asyncio.wait(tasks, timeout=0.1)
 *
 * A bad page does not stop the others, and the deadline is that of a scope around them all: a fetch
 * that it cuts returns -ECANCELED, as its result says afterwards. The fetches are simulated;
 * examples/scrape.c does it over HTTP, a few at a time and each with a limit of its own.
 *
 * Output:
 *     [   0 ms] ten pages, 100 ms for all
 *     [ 100 ms] time is up
 *     [ 100 ms] /index   came, after 35 ms
 *     [ 100 ms] /news    came, after 70 ms
 *     [ 100 ms] /prices  did not come
 *     [ 100 ms] /about   came, after 20 ms
 *     [ 100 ms] /jobs    came, after 90 ms
 *     [ 100 ms] /press   did not come
 *     [ 100 ms] /terms   came, after 40 ms
 *     [ 100 ms] /staff   failed, after 55 ms: ECONNRESET
 *     [ 100 ms] /map     did not come
 *     [ 100 ms] /contact failed, after 75 ms: ECONNRESET
 *     [ 100 ms] 5 of 10 came */
#include <coir.h>

#include "lib/timeline.h"

enum { PAGES = 10 };

struct page {
    const char *path;
    int takes_ms, rc;
};

static int fetch(void *arg) {
    const struct page *const page = arg;
    COIR_TRY(coir_sleep(COIR_MS(page->takes_ms)));
    return page->rc;
}

static void report(const struct page *page, int rc) {
    if (rc == 0)
        say("%-8s came, after %d ms", page->path, page->takes_ms);
    else if (rc == -ECANCELED)
        say("%-8s did not come", page->path);
    else
        say("%-8s failed, after %d ms: %s", page->path, page->takes_ms, error_name(rc));
}

static int app(void *arg) {
    (void)arg;
    struct page pages[PAGES] = {{"/index", 35, 0},   {"/news", 70, 0},
                                {"/prices", 105, 0}, {"/about", 20, 0},
                                {"/jobs", 90, 0},    {"/press", 125, 0},
                                {"/terms", 40, 0},   {"/staff", 55, -ECONNRESET},
                                {"/map", 2000, 0},   {"/contact", 75, -ECONNRESET}};
    coir_call calls[PAGES];
    for (size_t i = 0; i < PAGES; i++)
        calls[i] = (coir_call)COIR_CALL(fetch, &pages[i]);

    say("ten pages, 100 ms for all");
    COIR_SCOPE(limit, .deadline = coir_after(COIR_MS(100)));
    (void)coir_scope_close(&limit, coir_gather(calls, PAGES, COIR_SUPERVISE));
    say(coir_scope_expired(&limit) ? "time is up" : "all in time");

    int came = 0;
    for (size_t i = 0; i < PAGES; i++) {
        report(&pages[i], calls[i].rc);
        came += calls[i].rc == 0;
    }
    say("%d of %d came", came, PAGES);
    return 0;
}

int main(int argc, char **argv) {
    const coir_options options = timeline(argc, argv);
    return coir_run_with(app, NULL, &options) < 0;
}
