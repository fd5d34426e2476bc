/* The contract of src/poll/poll.h, which every backend has to pass: `make POLLER=... check` runs
 * this for the one that it compiles in. Without a runtime: the test is the callee, and does what
 * src/io/fd.c does. A direction that was reported and found not to be ready is armed again; a short
 * read is trusted unless COIR_POLL_SPECIAL was reported. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include "table.h"

SUITE(poll_conformance);

#define READ COIR_POLL_READ
#define WRITE COIR_POLL_WRITE
#define SPECIAL COIR_POLL_SPECIAL

/* How long an event that must come may take, on the slowest machine. */
#define PATIENCE COIR_SEC(60)
/* So many looks may find something before what does not change must have fallen silent. */
#define LOOKS_MAX 200

static struct coir__poller poller;

static void begin(void) {
    check_rc(coir__poll_init(&poller), 0);
}

static void end(void) {
    coir__poll_fini(&poller);
}

#define POLL_TEST(name) Test(poll_conformance, name, .init = begin, .fini = end)

/* ---- What was reported ---- */

#define TOKENS_MAX 20000 /* those below are kept apart */

static struct {
    size_t count, of[TOKENS_MAX];
    unsigned char events[TOKENS_MAX];
    uint64_t last;
} seen;

static void note(UNUSED void *context, uint64_t token, unsigned events) {
    check((events & (READ | WRITE)) != 0);
    check((events & ~(unsigned)(READ | WRITE | SPECIAL)) == 0);
    seen.count++;
    seen.last = token;
    if (token < TOKENS_MAX) {
        seen.of[token]++;
        seen.events[token] |= (unsigned char)events;
    }
}

static void forget(void) {
    memset(&seen, 0, sizeof seen);
}

/* Only looks. Returns how many events there were. */
static size_t look(void) {
    const size_t before = seen.count;
    check_rc(coir__poll_wait(&poller, 0, note, NULL), 0);
    return seen.count - before;
}

/* Waits until these directions of the token have been reported. */
static void await(uint64_t token, unsigned directions, const char *label) {
    const coir_time late = real_now() + PATIENCE;
    while ((seen.events[token] & directions) != directions) {
        check_rc(coir__poll_wait(&poller, COIR_MS(20), note, NULL), 0);
        cr_assert(real_now() < late, "%s: %x was not reported, but %x", label, directions,
                  seen.events[token]);
    }
}

/* Nothing changes any more: the poller must have no more to tell, after what is still on its way
 * through the network. */
static void await_silence(const char *label) {
    int quiet = 0;
    for (int looks = 0; quiet < 3; looks++) {
        quiet = look() == 0 ? quiet + 1 : 0;
        cr_assert(looks < LOOKS_MAX, "%s: is reported over and over", label);
        if (looks > 3)
            usleep(500);
    }
}

static void add(int fd, uint64_t token) {
    check_rc(coir__poll_add(&poller, fd, token), 0);
}

/* As a call does it that got EAGAIN. */
static void not_ready(int fd, uint64_t token, unsigned directions) {
    seen.events[token] &= (unsigned char)~directions;
    coir__poll_arm(&poller, fd, directions);
}

static void finish_with(int fd) {
    coir__poll_closing(&poller, fd);
    close(fd);
}

/* ---- The table ---- */

/* Registered when it has happened already. */
static void check_after(const struct happening *row, enum kind kind) {
    int ends[2];
    table_open(kind, ends);
    if (row->before != NULL)
        row->before(ends);
    if (row->happens != NULL)
        row->happens(ends);
    forget();
    add(ends[row->watched], 7);
    await(7, row->reported, table_label(row, kind));
    await_silence(table_label(row, kind));
    check_int(seen.events[7] & row->silent, 0);
    check_rc(coir__poll_remove(&poller, ends[row->watched]), 0);
    table_close(ends);
}

POLL_TEST(what_was_so_before_it_was_registered_is_reported) {
    table_each(check_after);
}

/* Registered before it happens; the token of a first registration is replaced by another. */
static void check_before(const struct happening *row, enum kind kind) {
    int ends[2];
    table_open(kind, ends);
    if (row->before != NULL)
        row->before(ends);
    const int fd = ends[row->watched];
    forget();
    add(fd, 6);
    await_silence(table_label(row, kind));
    add(fd, 7);
    await_silence(table_label(row, kind));
    const unsigned silent = row->happens != NULL ? row->reported | row->silent : row->silent;
    cr_assert((seen.events[7] & silent) == 0, "%s: %x was reported", table_label(row, kind),
              seen.events[7]);
    if (row->happens != NULL) {
        not_ready(fd, 7, row->reported);
        await_silence(table_label(row, kind));
        cr_assert((seen.events[7] & silent) == 0, "%s: %x was reported", table_label(row, kind),
                  seen.events[7]);
        seen.of[6] = 0;
        row->happens(ends);
    }
    await(7, row->reported, table_label(row, kind));
    await_silence(table_label(row, kind));
    check_int(seen.events[7] & row->silent, 0);
    check(row->happens == NULL || seen.of[6] == 0);
    check_rc(coir__poll_remove(&poller, fd), 0);
    table_close(ends);
}

POLL_TEST(what_happens_later_is_reported_with_the_newest_token) {
    table_each(check_before);
}

/* What was removed tells nothing, and may be registered again. */
static void check_removed(const struct happening *row, enum kind kind) {
    int ends[2];
    table_open(kind, ends);
    const int fd = ends[row->watched];
    check_rc(coir__poll_remove(&poller, fd), -ENOENT);
    add(fd, 6);
    if (row->before != NULL)
        row->before(ends);
    check_rc(coir__poll_remove(&poller, fd), 0);
    check_rc(coir__poll_remove(&poller, fd), -ENOENT);
    forget();
    coir__poll_arm(&poller, fd, READ | WRITE);
    if (row->happens != NULL)
        row->happens(ends);
    check_int(look(), 0);
    if (ends[row->watched] >= 0) {
        add(fd, 7);
        await(7, row->reported, table_label(row, kind));
        check_rc(coir__poll_remove(&poller, fd), 0);
    }
    await_silence(table_label(row, kind));
    check_int(seen.of[6], 0);
    table_close(ends);
}

POLL_TEST(what_was_removed_is_silent) {
    table_each(check_removed);
}

/* ---- Tokens ---- */

POLL_TEST(a_new_one_has_nothing_to_tell) {
    check_int(look(), 0);
}

POLL_TEST(tokens_come_back_as_they_were_given) {
    const uint64_t tokens[] = {0, 1, UINT64_C(1) << 32, UINT64_C(1) << 63, UINT64_MAX - 1};
    for (size_t i = 0; i < COUNT_OF(tokens); i++) {
        int ends[2];
        table_open(KIND_UNIX, ends);
        forget();
        add(ends[0], tokens[i]);
        while (seen.count == 0)
            look();
        check(seen.last == tokens[i]);
        check_rc(coir__poll_remove(&poller, ends[0]), 0);
        table_close(ends);
    }
}

POLL_TEST(what_can_not_be_waited_for_is_refused) {
    FILE *const file = tmpfile();
    check(file != NULL);
    check_rc(coir__poll_add(&poller, fileno(file), 1), -EPERM);
    const int closed = dup(fileno(file)), folder = open("/", O_RDONLY);
    check_rc(coir__poll_add(&poller, folder, 1), -EPERM);
    close(folder);
    close(closed);
    check_rc(coir__poll_add(&poller, closed, 1), -EBADF);
    check_rc(coir__poll_add(&poller, -1, 1), -EBADF);
    check(coir__poll_remove(&poller, -1) < 0);
    check(coir__poll_remove(&poller, closed) < 0);
    fclose(file);
    check_int(look(), 0);
}

/* ---- Edges ---- */

/* A reader that meets EAGAIN each time loses nothing; what it does not read is not told of twice.
 */
static void check_rounds(enum kind kind) {
    const char *const label = ends_name((enum ends_kind)kind);
    int ends[2];
    table_open(kind, ends);
    forget();
    add(ends[0], 7);
    await_silence(label);
    for (int i = 0; i < 100; i++) {
        not_ready(ends[0], 7, READ);
        if (i % 2 == 0)
            check_int(look(), 0);
        raw_write(ends[1], "some");
        await(7, READ, label);
        await_silence(label);
        check_int(raw_drain(ends[0]), 4);
        await_silence(label);
    }
    check_rc(coir__poll_remove(&poller, ends[0]), 0);
    table_close(ends);
}

POLL_TEST(each_time_that_data_come_after_there_were_none_is_an_edge) {
    for (enum kind kind = KIND_PIPE; kind <= KIND_TCP; kind++)
        check_rounds(kind);
}

/* Both directions of one registration, each in its own rhythm. */
POLL_TEST(the_directions_do_not_disturb_each_other) {
    int ends[2];
    table_open(KIND_UNIX, ends);
    forget();
    add(ends[0], 7);
    await(7, WRITE, "there is room");
    raw_fill(ends[0]);
    not_ready(ends[0], 7, READ | WRITE);
    check_int(look(), 0);
    for (int i = 0; i < 20; i++) {
        raw_write(ends[1], "x");
        await(7, READ, "data");
        check_int(seen.events[7] & WRITE, 0);
        check_int(raw_drain(ends[0]), 1);
        not_ready(ends[0], 7, READ);
        check_int(look(), 0);
        raw_drain(ends[1]);
        await(7, WRITE, "room");
        check(!(seen.events[7] & READ) || raw_drain(ends[0]) == 0); /* a hint that was wrong */
        raw_fill(ends[0]);
        not_ready(ends[0], 7, READ | WRITE);
        check_int(look(), 0);
    }
    check_rc(coir__poll_remove(&poller, ends[0]), 0);
    table_close(ends);
}

/* Reads like src/io/fd.c from a TCP stream, which trusts short reads, until so much is there or it
 * meets the end; which it returns. */
static bool read_stream(int fd, char *text, size_t *length, size_t wanted) {
    while (*length < wanted) {
        char block[16];
        await(7, READ, "the stream");
        const ssize_t n = read(fd, block, sizeof block);
        if (n == 0)
            return true;
        const bool drained = n > 0 && n < (ssize_t)sizeof block && !(seen.events[7] & SPECIAL);
        if (drained || (n < 0 && errno == EAGAIN))
            not_ready(fd, 7, READ);
        for (ssize_t i = 0; i < n && *length < wanted; i++)
            text[(*length)++] = block[i];
    }
    return false;
}

enum { URGENT = 1, BEFORE = 2, AT_ONCE = 4, CLOSED = 8, WAYS = 16 };

static void send_stream(int fd, int way) {
    raw_write(fd, "ab");
    if (way & URGENT) {
        check_int(send(fd, "!", 1, MSG_OOB), 1);
        raw_write(fd, "cd");
    }
}

static void end_stream(int fd, int way) {
    if (way & CLOSED)
        close(fd);
    else
        check_int(shutdown(fd, SHUT_WR), 0);
}

/* It is sent before it is registered or after, with its end or with that only when all the rest has
 * been read. */
static void check_stream(int way) {
    const char *const expected = way & URGENT ? "abcd" : "ab";
    char text[16] = "";
    size_t length = 0;
    int ends[2];
    table_open(KIND_TCP, ends);
    forget();
    if (!(way & BEFORE)) {
        add(ends[0], 7);
        await_silence("nothing yet");
        not_ready(ends[0], 7, READ);
    }
    send_stream(ends[1], way);
    if (way & AT_ONCE)
        end_stream(ends[1], way);
    if (way & BEFORE)
        add(ends[0], 7);
    if (!(way & AT_ONCE)) {
        check(!read_stream(ends[0], text, &length, strlen(expected)));
        end_stream(ends[1], way);
    }
    check(read_stream(ends[0], text, &length, sizeof text));
    check(length == strlen(expected) && memcmp(text, expected, length) == 0);
    await_silence("at its end");
    finish_with(ends[0]);
    if (!(way & CLOSED))
        close(ends[1]);
}

POLL_TEST(a_short_read_hides_neither_the_end_nor_what_is_behind_an_urgent_mark) {
    for (int way = 0; way < WAYS; way++)
        check_stream(way);
}

/* ---- Closing ---- */

POLL_TEST(closing_the_last_duplicate_removes) {
    for (enum kind kind = 0; kind < KINDS; kind++) {
        int ends[2];
        table_open(kind, ends);
        add(ends[0], 1);
        await_silence("idle");
        coir__poll_closing(&poller, ends[0]);
        table_close(ends);
        forget();
        check_int(look(), 0);
    }
}

/* The number goes to another descriptor: what was registered under it before is heard of no more.
 */
static void check_reuse(bool told, bool looked) {
    int old[2], new[2];
    table_open(KIND_UNIX, old);
    const int number = old[0];
    forget();
    add(number, 1);
    look();
    if (told)
        coir__poll_closing(&poller, number);
    table_close(old);
    forget();
    if (looked)
        check_int(look(), 0);
    table_open(KIND_UNIX, new);
    check_int(new[0], number);
    if (told)
        check_int(look(), 0); /* nobody registered that */
    add(number, 2);
    await(2, WRITE, "new");
    not_ready(number, 2, READ);
    raw_write(new[1], "x");
    await(2, READ, "new");
    check_int(seen.of[1], 0);
    finish_with(number);
    close(new[1]);
}

POLL_TEST(a_number_that_was_given_out_again_begins_anew) {
    check_reuse(true, false);
    check_reuse(true, true);
}

/* As by a program that calls close(2) for what it gave to Coir. */
POLL_TEST(and_if_the_poller_was_not_told_of_the_close) {
    skip_over_libkqueue(LIBKQUEUE_KEEPS_CLOSED);
    check_reuse(false, false);
    check_reuse(false, true);
}

/* The old file is open still, by its duplicate. Its token may be heard of, but not the new one for
 * what happens to it, and not over and over. */
POLL_TEST(a_duplicate_that_lives_on_does_not_speak_for_the_new_one) {
    int old[2], new[2];
    table_open(KIND_UNIX, old);
    const int number = old[0], twin = dup(old[0]);
    forget();
    add(number, 1);
    look();
    coir__poll_closing(&poller, number);
    close(number);
    table_open(KIND_UNIX, new);
    check_int(new[0], number);
    add(number, 2);
    await(2, WRITE, "new");
    not_ready(number, 2, READ);
    raw_write(old[1], "stale");
    await_silence("the old one");
    check_int(seen.events[2] & READ, 0);
    raw_write(new[1], "fresh");
    await(2, READ, "new");
    check_int(raw_drain(twin), 5);
    close(twin);
    close(old[1]);
    finish_with(number);
    close(new[1]);
    await_silence("closed");
}

/* Each twin is registered by itself. */
POLL_TEST(duplicates_may_both_be_registered) {
    int ends[2];
    table_open(KIND_UNIX, ends);
    const int twin = dup(ends[0]);
    forget();
    add(ends[0], 1);
    add(twin, 2);
    await(1, WRITE, "one");
    await(2, WRITE, "two");
    not_ready(ends[0], 1, READ);
    not_ready(twin, 2, READ);
    raw_write(ends[1], "x");
    await(1, READ, "one");
    await(2, READ, "two");
    finish_with(ends[0]);
    not_ready(twin, 2, READ);
    raw_write(ends[1], "x");
    await(2, READ, "the one that is left");
    finish_with(twin);
    close(ends[1]);
}

static int closed_meanwhile = -1;

static void *close_late(UNUSED void *arg) {
    usleep(5000);
    close(closed_meanwhile);
    coir__poll_wake(&poller);
    return NULL;
}

/* The close alone need not end the wait; it must do it no harm. */
POLL_TEST(a_descriptor_may_be_closed_while_the_poller_waits) {
    int ends[2], new[2];
    table_open(KIND_UNIX, ends);
    closed_meanwhile = ends[0];
    add(ends[0], 1);
    await_silence("idle");
    not_ready(ends[0], 1, READ);
    forget();
    pthread_t thread;
    check_int(pthread_create(&thread, NULL, close_late, NULL), 0);
    check_rc(coir__poll_wait(&poller, COIR_NEVER, note, NULL), 0);
    check_int(pthread_join(thread, NULL), 0);
    await_silence("closed");
    skip_over_libkqueue(LIBKQUEUE_KEEPS_CLOSED); /* and what follows would not come about */
    table_open(KIND_UNIX, new);
    check_int(new[0], closed_meanwhile);
    add(new[0], 2);
    await(2, WRITE, "new");
    close(ends[1]);
    await_silence("closed");
    check_int(seen.events[1] & READ, 0);
    finish_with(new[0]);
    close(new[1]);
}

/* ---- Many ---- */

#define MANY 10000

static int many[MANY / 2][2];

/* Allows the process so many descriptors, or says that it is not to be. */
static void want_descriptors(size_t count) {
    struct rlimit limit;
    check_int(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_cur >= (rlim_t)count)
        return;
    char reason[128];
    snprintf(reason, sizeof reason, "it needs %zu descriptors; the hard limit (ulimit -Hn) is %llu",
             count, (unsigned long long)limit.rlim_max);
    if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < (rlim_t)count)
        skip_test(reason);
    limit.rlim_cur = (rlim_t)count;
    check_int(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* Waits until each of the tokens has been reported `directions`. Returns how many waits it took. */
static size_t await_each(size_t tokens, unsigned directions) {
    const coir_time late = real_now() + PATIENCE;
    size_t waits = 0;
    for (size_t token = 0; token < tokens; token++) {
        while (!(seen.events[token] & directions)) {
            check_rc(coir__poll_wait(&poller, COIR_MS(20), note, NULL), 0);
            waits++;
            cr_assert(real_now() < late, "token %zu of %zu was not reported", token, tokens);
        }
    }
    return waits;
}

/* Half of them become readable, so many at a time. */
static void check_many(size_t count, size_t at_once) {
    const size_t pairs = count / 2;
    forget();
    for (size_t i = 0; i < count; i++) {
        if (i % 2 == 0)
            table_open(KIND_UNIX, many[i / 2]);
        add(many[i / 2][i % 2], i);
    }
    await_each(count, WRITE);
    check_int(seen.count, count); /* each edge came once */
    check_int(look(), 0);
    for (size_t i = 0; i < count; i++)
        not_ready(many[i / 2][i % 2], i, READ);
    check_int(look(), 0);
    forget();
    for (size_t i = 0; i < pairs; i++) {
        raw_write(many[i][1], "x");
        for (size_t j = i + 1 - at_once; (i + 1) % at_once == 0 && j <= i; j++)
            await(2 * j, READ, "one of many");
    }
    for (size_t i = 0; i < count; i++)
        check_int((seen.events[i] & READ) != 0, i % 2 == 0);
    check_int(look(), 0);
    for (size_t i = 0; i < pairs; i++) {
        finish_with(many[i][0]);
        finish_with(many[i][1]);
    }
    check_int(look(), 0);
}

POLL_TEST(ten_thousand_descriptors_are_told_apart) {
    const size_t count = scaled(MANY);
    want_descriptors(count + 64);
    check_many(count, over_libkqueue() ? 100 : count / 2);
}

POLL_TEST(more_events_than_fit_into_one_wait_all_come) {
    skip_over_libkqueue(LIBKQUEUE_LOSES_EVENTS);
    check_many(1000, 500);
}

/* One descriptor has something at every look; the others, ready all at once, get their turn. */
POLL_TEST(one_that_is_always_ready_starves_nobody) {
    enum { OTHERS_MAX = 700, ALWAYS = OTHERS_MAX };
    const size_t others = over_libkqueue() ? 100 : OTHERS_MAX;
    int always[2];
    table_open(KIND_UNIX, always);
    forget();
    add(always[0], ALWAYS);
    for (size_t i = 0; i < others; i++) {
        table_open(KIND_PIPE, many[i]);
        add(many[i][0], i);
        not_ready(many[i][0], i, READ);
        raw_write(many[i][1], "x");
    }
    size_t reported = 0, looks = 0;
    while (reported < others) {
        not_ready(always[0], ALWAYS, READ);
        raw_write(always[1], "x");
        look();
        raw_drain(always[0]);
        for (reported = 0; reported < others && (seen.events[reported] & READ);)
            reported++;
        cr_assert(++looks < 100, "%zu of %zu had their turn in %zu looks", reported, others, looks);
    }
    for (int i = 0; i < 10; i++) { /* nor is it starved */
        forget();
        not_ready(always[0], ALWAYS, READ);
        raw_write(always[1], "x");
        await(ALWAYS, READ, "always ready");
        raw_drain(always[0]);
    }
}

/* ---- Time ---- */

POLL_TEST(a_wait_never_ends_too_early) {
    const coir_time durations[] = {1, COIR_US(1), COIR_US(300), COIR_MS(1), COIR_US(5300)};
    const bool native = poller.coarse;
    for (int coarse = native; coarse < 2; coarse++) {
        poller.coarse = coarse; /* as on a system with milliseconds only */
        for (size_t i = 0; i < COUNT_OF(durations); i++) {
            const coir_time began = real_now();
            check_rc(coir__poll_wait(&poller, durations[i], note, NULL), 0);
            check(real_now() - began >= durations[i]);
        }
    }
    check_int(seen.count, 0);
}

static void *wake_late(UNUSED void *arg) {
    usleep(5000);
    coir__poll_wake(&poller);
    return NULL;
}

/* Neither for ever nor for ages is an error, or over at once. */
POLL_TEST(another_thread_ends_the_present_wait_however_long) {
    const coir_time durations[] = {COIR_NEVER, COIR_NEVER - 1, COIR_SEC(INT64_C(1) << 32),
                                   COIR_SEC(3600)};
    for (size_t i = 0; i < 2 * COUNT_OF(durations); i++) {
        pthread_t thread;
        poller.coarse |= i >= COUNT_OF(durations); /* as on a system with milliseconds only */
        const coir_time began = real_now();
        check_int(pthread_create(&thread, NULL, wake_late, NULL), 0);
        check_rc(coir__poll_wait(&poller, durations[i % COUNT_OF(durations)], note, NULL), 0);
        check(real_now() - began >= COIR_MS(5));
        check_int(pthread_join(thread, NULL), 0);
    }
    check_int(seen.count, 0);
}

/* ---- Waking ---- */

POLL_TEST(a_wake_ends_the_next_wait_and_no_other) {
    for (int i = 0; i < 3; i++) {
        coir__poll_wake(&poller);
        check_rc(coir__poll_wait(&poller, COIR_NEVER, note, NULL), 0);
        check_int(seen.count, 0); /* it is no event */
        const coir_time began = real_now();
        check_rc(coir__poll_wait(&poller, COIR_MS(2), note, NULL), 0);
        check(real_now() - began >= COIR_MS(2));
    }
}

/* More than any pipe takes. */
POLL_TEST(any_number_of_wakes_is_one) {
    const size_t count = scaled(200000);
    for (int round = 0; round < 3; round++) {
        errno = 12345;
        for (size_t i = 0; i < count; i++)
            coir__poll_wake(&poller);
        check_int(errno, 12345);
        check_rc(coir__poll_wait(&poller, COIR_NEVER, note, NULL), 0);
        for (int looks = 0; looks < 3; looks++)
            check_int(look(), 0);
        const coir_time began = real_now();
        check_rc(coir__poll_wait(&poller, COIR_MS(2), note, NULL), 0);
        check(real_now() - began >= COIR_MS(2));
    }
}

static atomic_uint asked, answered;

static void *wake_each_time(void *arg) {
    const unsigned rounds = *(const unsigned *)arg;
    for (unsigned i = 1; i <= rounds; i++) {
        atomic_store(&answered, i);
        coir__poll_wake(&poller);
        while (atomic_load(&asked) < i)
            sched_yield();
    }
    return NULL;
}

/* Whenever it comes, before the wait, while it begins or later: no wake is lost. */
POLL_TEST(no_wake_from_another_thread_is_lost) {
    unsigned rounds = (unsigned)scaled(5000);
    pthread_t thread;
    check_int(pthread_create(&thread, NULL, wake_each_time, &rounds), 0);
    for (unsigned i = 1; i <= rounds; i++) {
        while (atomic_load(&answered) < i)
            check_rc(coir__poll_wait(&poller, COIR_NEVER, note, NULL), 0);
        atomic_store(&asked, i);
    }
    check_int(pthread_join(thread, NULL), 0);
    check_int(seen.count, 0);
}

/* A wake does not push aside what descriptors have to tell. */
POLL_TEST(wakes_and_events_come_together) {
    int ends[2];
    table_open(KIND_UNIX, ends);
    add(ends[0], 1);
    for (int i = 0; i < 50; i++) {
        forget();
        not_ready(ends[0], 1, READ);
        raw_write(ends[1], "x");
        coir__poll_wake(&poller);
        await(1, READ, "data and a wake");
        check_int(raw_drain(ends[0]), 1);
    }
    finish_with(ends[0]);
    close(ends[1]);
}

static volatile sig_atomic_t handled;

static void wake_from_handler(UNUSED int signal_number) {
    const int saved = errno;
    errno = 12345;
    coir__poll_wake(&poller);
    handled = errno == 12345; /* it leaves errno as it was */
    errno = saved;
}

static void on_alarm_wake(void) {
    const struct sigaction action = {.sa_handler = wake_from_handler, .sa_flags = SA_RESTART};
    check_int(sigaction(SIGALRM, &action, NULL), 0);
}

/* The handler restarts what it interrupts, so it is the wake that ends the wait. */
POLL_TEST(a_signal_handler_ends_the_present_wait) {
    on_alarm_wake();
    check_int(setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 5000}}, NULL), 0);
    while (!handled)
        check_rc(coir__poll_wait(&poller, COIR_NEVER, note, NULL), 0);
    check_int(seen.count, 0);
}

/* Wherever it strikes: in the middle of registering and of waiting too. */
POLL_TEST(a_signal_handler_may_wake_at_any_moment) {
    on_alarm_wake();
    check_int(setitimer(ITIMER_REAL, &(struct itimerval){{0, 100}, {0, 100}}, NULL), 0);
    const coir_time until = real_now() + COIR_MS(200);
    int ends[2];
    table_open(KIND_UNIX, ends);
    while (real_now() < until) {
        for (int i = 0; i < 20; i++) {
            add(ends[0], 1);
            check_rc(coir__poll_wait(&poller, COIR_US(10), note, NULL), 0);
            check_rc(coir__poll_remove(&poller, ends[0]), 0);
        }
    }
    check_int(setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 0}}, NULL), 0);
    check(handled);
    table_close(ends);
}

/* ---- Without resources ---- */

Test(poll_conformance, without_descriptors_there_is_no_poller) {
    struct rlimit before;
    begin(); /* what a library below keeps for the whole process is there from now on */
    end();
    check_int(getrlimit(RLIMIT_NOFILE, &before), 0);
    const int lowest = dup(STDERR_FILENO);
    check(lowest >= 0);
    close(lowest);
    int spare = 0, rc;
    do { /* however many it needs: those that were to be had are given back */
        const struct rlimit tight = {(rlim_t)(lowest + spare), before.rlim_max};
        check_int(setrlimit(RLIMIT_NOFILE, &tight), 0);
        struct coir__poller none;
        rc = coir__poll_init(&none);
        if (rc == 0)
            coir__poll_fini(&none);
        check_int(setrlimit(RLIMIT_NOFILE, &before), 0);
        check(rc == 0 || rc == -EMFILE);
        check_int(fcntl(lowest, F_GETFD), -1);
    } while (rc < 0 && ++spare < 16);
    check_rc(rc, 0);
    check(spare > 0);
}
