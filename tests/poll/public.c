/* The table once more, through the public API: a task waits in coir_poll while it happens, over
 * whatever backend is compiled in. */
#include <unistd.h>

#include "table.h"

SUITE(poll_public);

_Static_assert(COIR_POLL_READ == COIR_READABLE && COIR_POLL_WRITE == COIR_WRITABLE,
               "directions of the table are events of coir_poll");

struct watcher {
    int fd;
    unsigned events;
    int found; /* what coir_poll returned; 0 until then */
};

static int watch(void *arg) {
    struct watcher *const watcher = arg;
    watcher->found = coir_poll(watcher->fd, (int)watcher->events);
    return 0;
}

static bool is_over(const struct watcher *watcher) {
    return watcher->found != 0;
}

static void check_state(int fd, const struct happening *row, const char *label) {
    if (row->reported != 0)
        cr_assert(coir_poll(fd, (int)row->reported) == (int)row->reported, "%s", label);
    if (row->silent != 0) {
        struct watcher watcher = {.fd = fd, .events = row->silent};
        COIR_SCOPE(s);
        start(&s, watch, &watcher);
        settle();
        cr_assert(!is_over(&watcher), "%s: %s", label, rc_text(watcher.found));
        coir_scope_cancel(&s);
        check_rc(coir_scope_close(&s, 0), 0);
        check_rc(watcher.found, -ECANCELED);
    }
}

/* A task for each of the directions waits, is cut, waits again and sees it happen. */
static void check_waiting(int ends[2], const struct happening *row, const char *label) {
    const int fd = ends[row->watched];
    for (int round = 0; round < 2; round++) {
        struct watcher watchers[] = {{.fd = fd, .events = row->reported & COIR_POLL_READ},
                                     {.fd = fd, .events = row->reported & COIR_POLL_WRITE}};
        COIR_SCOPE(s);
        for (size_t i = 0; i < COUNT_OF(watchers); i++) {
            if (watchers[i].events != 0)
                start(&s, watch, &watchers[i]);
        }
        settle();
        for (size_t i = 0; i < COUNT_OF(watchers); i++)
            cr_assert(!is_over(&watchers[i]), "%s: too early", label);
        if (round == 0)
            coir_scope_cancel(&s);
        else
            row->happens(ends);
        check_rc(coir_scope_close(&s, 0), 0);
        for (size_t i = 0; i < COUNT_OF(watchers); i++) {
            const int expected = round == 0 ? -ECANCELED : (int)watchers[i].events;
            if (watchers[i].events != 0)
                cr_assert(watchers[i].found == expected, "%s: %s, not %s", label,
                          rc_text(watchers[i].found), rc_text(expected));
        }
    }
}

static void check_row(const struct happening *row, enum kind kind) {
    int ends[2];
    table_open(kind, ends);
    if (row->before != NULL)
        row->before(ends);
    const int fd = ends[row->watched];
    check_rc(coir_adopt(fd), 0);
    if (row->happens == NULL)
        check_state(fd, row, table_label(row, kind));
    else
        check_waiting(ends, row, table_label(row, kind));
    check_rc(coir_close(fd), 0);
    ends[row->watched] = -1;
    table_close(ends);
}

TASK_TEST_REAL(poll_public, a_task_that_waits_sees_it_happen) {
    table_each(check_row);
    return 0;
}

TASK_TEST(poll_public, and_with_the_virtual_clock) {
    table_each(check_row);
    return 0;
}
