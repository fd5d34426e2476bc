/* Fetches pages over HTTP, several at a time, each within its time and all within theirs.
 *
 *     scrape [-n AT_ONCE] [-t SECONDS_EACH] [-T SECONDS_ALL] [-s SEED] [URL...]
 *
 * Without URLs it starts a slow and unreliable server of its own, in the same process, and fetches
 * from that. Shows: a timeout is a scope with a deadline, and they nest; a bound on what runs at
 * once is so many tasks that take the next piece of work; nothing is left behind when time is up.
 * Read worker() first, then fetch() in lib/fetch.c. */
#include <coir.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/args.h"
#include "lib/fetch.h"
#include "lib/flaky.h"
#include "lib/url.h"

#define AT_ONCE_MAX 10000
#define DEMO_SEED 1624 /* with this one some complete, some fail and some time out */

enum outcome { NOT_COME, COMPLETED, FAILED, TIMED_OUT, OUTCOMES };

struct page {
    const char *text; /* the URL as it was given */
    struct url url;
    enum outcome outcome;
    int error; /* why it failed; 0 if by its status */
    struct fetched answer;
    coir_time took;
};

struct scrape {
    struct page *pages;
    size_t count;
    size_t next;             /* the first that nobody has taken yet */
    size_t done;             /* how many have come, failed or timed out */
    size_t at_once;          /* bound of those under way */
    coir_time each, all;     /* time limits */
    size_t totals[OUTCOMES]; /* for the summary */
    coir_time began;
    bool terminal; /* there is somebody to show the progress to */
};

/* ---- What is shown ---- */

static const char *reason_of(const struct page *page) {
    if (page->error == -EPIPE)
        return "the connection ended too early";
    if (page->error == -EPROTO)
        return "the answer is not proper HTTP";
    if (page->error == -ENOENT)
        return "no such host";
    return coir_strerror(page->error);
}

/* The line at the bottom that says how far we are; only ever on a terminal. What was printed before
 * goes out in any case, so that results arrive one by one through a pipe too. */
static void show_progress(const struct scrape *s) {
    if (s->terminal)
        printf("\r\033[K[%zu/%zu]", s->done, s->count);
    fflush(stdout);
}

static void clear_progress(const struct scrape *s) {
    if (s->terminal)
        fputs("\r\033[K", stdout);
}

static void show_page(const struct scrape *s, const struct page *page) {
    const double seconds = (double)page->took / 1e9;
    clear_progress(s);
    if (page->outcome == COMPLETED)
        printf("completed  %5.2f s  %s  %d, %llu bytes\n", seconds, page->text, page->answer.status,
               (unsigned long long)page->answer.bytes);
    else if (page->outcome == TIMED_OUT)
        printf("timed out  %5.2f s  %s\n", seconds, page->text);
    else if (page->error == 0)
        printf("failed     %5.2f s  %s  status %d\n", seconds, page->text, page->answer.status);
    else
        printf("failed     %5.2f s  %s  %s\n", seconds, page->text, reason_of(page));
    show_progress(s);
}

static void show_summary(const struct scrape *s, int rc) {
    clear_progress(s);
    if (rc < 0)
        printf("%s\n", rc == -ETIMEDOUT   ? "The time for all of them is up."
                       : rc == -ECANCELED ? "Interrupted."
                                          : coir_strerror(rc));
    for (size_t i = 0; i < s->count; i++) {
        if (s->pages[i].outcome == NOT_COME)
            printf("did not come        %s\n", s->pages[i].text);
    }
    printf("%zu completed, %zu failed, %zu timed out", s->totals[COMPLETED], s->totals[FAILED],
           s->totals[TIMED_OUT]);
    if (s->done < s->count)
        printf(", %zu did not come", s->count - s->done);
    printf("; %.2f s\n", (double)(coir_now() - s->began) / 1e9);
    fflush(stdout);
}

/* ---- All of them ---- */

/* Fetches a page within its time. The deadline of all the pages is that of a scope further out:
 * when it passes, this scope closes with -ECANCELED, and with -ETIMEDOUT only by its own. */
static int fetch_in_time(struct scrape *s, struct page *page) {
    const coir_time began = coir_now();
    COIR_SCOPE(limit, .deadline = coir_after(s->each), .name = "page");
    const int rc = coir_scope_close(&limit, fetch(&page->url, &page->answer));
    if (rc == -ECANCELED)
        return rc;
    page->took = coir_now() - began;
    page->error = rc;
    if (rc == -ETIMEDOUT)
        page->outcome = TIMED_OUT;
    else
        page->outcome = rc == 0 && page->answer.status < 400 ? COMPLETED : FAILED;
    s->totals[page->outcome]++;
    s->done++;
    show_page(s, page);
    return 0;
}

/* As many of these run as pages may be under way. No lock: a task is only ever interrupted where it
 * waits, and between taking a number and counting it up nothing waits. */
static int worker(void *arg) {
    struct scrape *const s = arg;
    while (s->next < s->count)
        COIR_TRY(fetch_in_time(s, &s->pages[s->next++]));
    return 0;
}

static int fetch_all(struct scrape *s) {
    COIR_SCOPE(all, .deadline = coir_after(s->all), .name = "all pages");
    const size_t workers = s->at_once < s->count ? s->at_once : s->count;
    for (size_t i = 0; i < workers; i++)
        COIR_TRY(coir_spawn(&all, worker, s));
    return coir_scope_close(&all, 0);
}

static int scrape(struct scrape *s) {
    s->began = coir_now();
    s->terminal = isatty(STDOUT_FILENO) == 1;
    show_progress(s);
    const int rc = fetch_all(s);
    show_summary(s, rc);
    if (rc == -ECANCELED)
        return rc;
    return s->totals[COMPLETED] == s->count ? 0 : 1;
}

/* ---- Without URLs: a server of our own ---- */

struct demo_server {
    int listener;
    struct flaky flaky;
};

static int serve_demo(void *arg) {
    struct demo_server *const server = arg;
    return coir_serve(server->listener, flaky_connection, &server->flaky, NULL);
}

/* An address where nobody listens any more. */
static int closed_address(char address[COIR_ADDRESS_SIZE]) {
    const int listener = coir_listen("127.0.0.1:0");
    COIR_TRY(listener);
    const int rc = coir_socket_address(listener, address, COIR_ADDRESS_SIZE);
    coir_close(listener);
    return rc;
}

static int scrape_demo_pages(struct scrape *s, const char *address) {
    static const char *const paths[] = {"/plain/1",  "/chunked/2", "/plain/3",   "/error/4",
                                        "/to-end/5", "/plain/6",   "/chunked/7", "/reset/8",
                                        "/plain/9",  "/refused/10"};
    enum { COUNT = sizeof(paths) / sizeof(paths[0]) };
    static struct page pages[COUNT];
    char urls[COUNT][COIR_ADDRESS_SIZE + 32];
    char closed[COIR_ADDRESS_SIZE];
    COIR_TRY(closed_address(closed));
    for (size_t i = 0; i < COUNT; i++) {
        const char *const host = strstr(paths[i], "refused") != NULL ? closed : address;
        snprintf(urls[i], sizeof(urls[i]), "http://%s%s", host, paths[i]);
        pages[i].text = urls[i];
        COIR_TRY(url_parse(urls[i], &pages[i].url));
    }
    s->pages = pages;
    s->count = COUNT;
    printf("%d pages from a slow server of our own: %zu at a time, %.1f s each, %.1f s for all.\n",
           COUNT, s->at_once, (double)s->each / 1e9, (double)s->all / 1e9);
    return scrape(s);
}

static int run_demo(struct scrape *s, uint64_t seed) {
    char address[COIR_ADDRESS_SIZE];
    struct demo_server server = {coir_listen("127.0.0.1:0"), {seed}};
    COIR_TRY(server.listener);
    COIR_SCOPE(life, .name = "demo server");
    int rc = coir_socket_address(server.listener, address, sizeof(address));
    if (rc == 0)
        rc = coir_spawn(&life, serve_demo, &server);
    if (rc == 0)
        rc = scrape_demo_pages(s, address);
    coir_scope_cancel(&life);
    rc = coir_scope_close(&life, rc);
    coir_close(server.listener);
    return rc < 0 ? rc : 0; /* that some pages fail is what the demonstration is for */
}

/* ---- The command line ---- */

struct settings {
    struct scrape scrape;
    char **urls; /* NULL at their end; none: the demonstration */
    size_t seed;
};

static int run(void *arg) {
    struct settings *const settings = arg;
    if (settings->urls[0] == NULL)
        return run_demo(&settings->scrape, settings->seed);
    return scrape(&settings->scrape);
}

static int usage(FILE *out, int status) {
    fputs("usage: scrape [-n AT_ONCE] [-t SECONDS_EACH] [-T SECONDS_ALL] [-s SEED] [URL...]\n"
          "Fetches the http URLs and says what became of each; without any, fetches from a slow\n"
          "and unreliable server of its own.\n"
          "  -n AT_ONCE       fetch at most so many at a time (default 5)\n"
          "  -t SECONDS_EACH  time for each (default 10; without URLs 1.5)\n"
          "  -T SECONDS_ALL   time for all of them (default 60; without URLs 3.5)\n"
          "  -s SEED          without URLs: draws other delays\n"
          "Exits with 0 if all pages came, 1 if some did not (without URLs 0 as well), 2 if the\n"
          "arguments are wrong.\n",
          out);
    return status;
}

/* Complains about an argument. */
static int bad(const char *argument, const char *why) {
    fprintf(stderr, "scrape: %s: %s\n", argument, why);
    return 2;
}

static bool is_time(const char *text, coir_time *out) {
    return args_seconds(text, out) && *out > 0;
}

/* Returns the status to exit with at once, or -1 to go on. */
static int parse_options(int argc, char **argv, struct settings *settings) {
    struct scrape *const s = &settings->scrape;
    int option;
    while ((option = getopt(argc, argv, "hn:t:T:s:")) != -1) {
        if (option == '?')
            return usage(stderr, 2);
        if (option == 'h')
            return usage(stdout, 0);
        if (option == 'n' && !args_count(optarg, 1, AT_ONCE_MAX, &s->at_once))
            return bad(optarg, "-n takes a number from 1 to 10000");
        if (option == 's' && !args_count(optarg, 0, SIZE_MAX, &settings->seed))
            return bad(optarg, "-s takes a number");
        if ((option == 't' && !is_time(optarg, &s->each)) ||
            (option == 'T' && !is_time(optarg, &s->all)))
            return bad(optarg, "-t and -T take seconds: more than 0, at most 1000000");
    }
    settings->urls = argv + optind;
    return -1;
}

static int parse_url(const char *text, struct page *page) {
    const int rc = url_parse(text, &page->url);
    page->text = text;
    if (rc == -EPROTONOSUPPORT)
        return bad(text, "only http is spoken here, neither https nor anything else");
    if (rc == -ENAMETOOLONG)
        return bad(text, "the URL is too long");
    return rc < 0 ? bad(text, "this is no URL such as http://host:port/path") : 0;
}

static int parse_urls(struct settings *settings) {
    struct scrape *const s = &settings->scrape;
    while (settings->urls[s->count] != NULL)
        s->count++;
    s->pages = calloc(s->count + 1, sizeof(*s->pages));
    if (s->pages == NULL)
        return bad(settings->urls[0], coir_strerror(-ENOMEM));
    int status = 0;
    for (size_t i = 0; i < s->count && status == 0; i++)
        status = parse_url(settings->urls[i], &s->pages[i]);
    return status;
}

static int run_settings(struct settings *settings) {
    const bool demo = settings->urls[0] == NULL;
    struct scrape *const s = &settings->scrape;
    if (s->each == 0)
        s->each = demo ? COIR_SEC(1.5) : COIR_SEC(10);
    if (s->all == 0)
        s->all = demo ? COIR_SEC(3.5) : COIR_SEC(60);
    const int rc = coir_run_with(run, settings, &(coir_options){.cancel_on_signals = true});
    if (rc < 0 && rc != -ECANCELED)
        fprintf(stderr, "scrape: %s\n", coir_strerror(rc));
    return rc == 0 ? 0 : 1;
}

int main(int argc, char **argv) {
    struct settings settings = {.scrape = {.at_once = 5}, .seed = DEMO_SEED};
    int status = parse_options(argc, argv, &settings);
    if (status >= 0)
        return status;
    status = settings.urls[0] != NULL ? parse_urls(&settings) : 0;
    struct page *const pages = settings.scrape.pages; /* NULL for the demonstration */
    if (status == 0)
        status = run_settings(&settings);
    free(pages);
    return status;
}
