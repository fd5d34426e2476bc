/* Gather from a list: as many calls as there are inputs, known only when the program runs.
 *
 *     pages = await asyncio.gather(*[fetch(name) for name in names])
 *
 * The list of calls is an array like any other. What is more than a number comes back through the
 * argument: a call can not outlive coir_gather, so its memory may be the caller's.
 *
 * Output:
 *     [   0 ms] fetching 4 pages
 *     [  60 ms] all have come
 *     [  60 ms] home: 400 bytes
 *     [  60 ms] news: 400 bytes
 *     [  60 ms] prices: 600 bytes
 *     [  60 ms] contact: 700 bytes */
#include <coir.h>
#include <stdlib.h>
#include <string.h>

#include "lib/timeline.h"

struct page {
    const char *name;
    int bytes;
};

static int fetch(void *arg) {
    struct page *const page = arg;
    COIR_TRY(coir_sleep(COIR_MS(60)));
    page->bytes = 100 * (int)strlen(page->name);
    return 0;
}

static int fetch_all(struct page *pages, size_t n) {
    coir_call *const calls = calloc(n, sizeof *calls);
    if (calls == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        calls[i] = (coir_call)COIR_CALL(fetch, &pages[i]);
    const int rc = coir_gather(calls, n, COIR_FAIL_FAST);
    free(calls); /* no task is left that could use it */
    return rc;
}

static int app(void *arg) {
    (void)arg;
    struct page pages[] = {
        {.name = "home"}, {.name = "news"}, {.name = "prices"}, {.name = "contact"}};
    const size_t n = sizeof pages / sizeof pages[0];
    say("fetching %zu pages", n);
    COIR_TRY(fetch_all(pages, n));
    say("all have come");
    for (size_t i = 0; i < n; i++)
        say("%s: %d bytes", pages[i].name, pages[i].bytes);
    return 0;
}

int main(int argc, char **argv) {
    const coir_options options = timeline(argc, argv);
    return coir_run_with(app, NULL, &options) < 0;
}
