/* The kqueue backend: macOS and the BSDs, and Linux by way of libkqueue, for tests.
 *
 * Each direction is a filter of its own, and EV_CLEAR makes edges of it. Closing a descriptor takes
 * its filters away, except in libkqueue, which is told (COIR_POLL_TOLD). Where a third filter tells
 * of urgent data it is registered too; elsewhere no short read is to be trusted. */
#include <sys/types.h>

#include <sys/event.h>

#include "base/sys.h"
#include "poll/poll.h"
#include "poll/wake.h"

#define EVENTS_AT_ONCE 256
#define WAIT_MAX COIR_SEC(86400) /* some systems refuse a wait of years */

/* Events that the program triggers. OpenBSD has had them since 7.8; libkqueue takes locks for them,
 * which a signal handler must not. */
#if defined(EVFILT_USER) && !defined(__linux__)
#define HAS_TRIGGERS 1
#define WAKE 0 /* the one of coir__poll_wake; those of descriptors have their number and one */
#else
#define HAS_TRIGGERS 0
#endif

#ifdef EVFILT_EXCEPT
#define FILTERS 3
#define SHORT_READ_UNSURE 0
#else
#define FILTERS 2
#define SHORT_READ_UNSURE COIR_POLL_SPECIAL
#endif

typedef __typeof__(((struct kevent *)NULL)->udata) token_type; /* a pointer, or a number */
typedef __typeof__(((struct kevent *)NULL)->filter) filter_type;

static int change(const struct coir__poller *poller, uintptr_t ident, filter_type filter,
                  unsigned short flags, unsigned fflags, uint64_t token) {
    struct kevent event;
    EV_SET(&event, ident, filter, flags, fflags, 0, (token_type)(uintptr_t)token);
    return (int)sys_result(kevent(poller->fd, &event, 1, NULL, 0, NULL));
}

/* ---- Waking ---- */

static int begin_waking(struct coir__poller *poller) {
#if HAS_TRIGGERS
    return change(poller, WAKE, EVFILT_USER, EV_ADD | EV_CLEAR, 0, 0);
#else
    COIR_TRY(wake_open(poller));
    const int rc = change(poller, (uintptr_t)poller->woken, EVFILT_READ, EV_ADD, 0, 0);
    if (rc < 0)
        wake_close(poller);
    return rc;
#endif
}

static bool is_wake(struct coir__poller *poller, const struct kevent *event) {
#if HAS_TRIGGERS
    (void)poller;
    return event->filter == EVFILT_USER && event->ident == WAKE;
#else
    if (event->ident != (uintptr_t)poller->woken)
        return false;
    wake_drain(poller);
    return true;
#endif
}

void coir__poll_wake(struct coir__poller *poller) {
#if HAS_TRIGGERS
    const int saved = errno;
    (void)change(poller, WAKE, EVFILT_USER, 0, NOTE_TRIGGER, 0);
    errno = saved;
#else
    wake_write(poller);
#endif
}

/* ---- Beginning and end ---- */

/* libkqueue notices the close in a thread of its own, and only then gives the rest back. */
static void close_queue(int fd) {
    (void)sys_close(fd);
#ifdef __linux__
    extern void libkqueue_drain_pending_close(void);
    libkqueue_drain_pending_close();
#endif
}

int coir__poll_init(struct coir__poller *poller) {
    *poller = (struct coir__poller){.fd = (int)sys_result(kqueue()), .wake = -1, .woken = -1};
    if (poller->fd < 0)
        return poller->fd;
    (void)fcntl(poller->fd, F_SETFD, FD_CLOEXEC);
    const int rc = begin_waking(poller);
    if (rc < 0)
        close_queue(poller->fd);
    return rc;
}

void coir__poll_fini(struct coir__poller *poller) {
    close_queue(poller->fd);
    if (!HAS_TRIGGERS)
        wake_close(poller);
}

/* ---- Registering ---- */

/* Makes one change to all filters of a descriptor. One direction will do: FreeBSD and NetBSD refuse
 * the filter for writing of a pipe whose other end is gone. A call that waits for what was refused
 * is woken once, to find that out. */
static int change_all(const struct coir__poller *poller, int fd, unsigned short flags,
                      uint64_t token) {
    struct kevent filters[FILTERS];
    const token_type data = (token_type)(uintptr_t)token;
    EV_SET(&filters[0], (uintptr_t)fd, EVFILT_WRITE, flags | EV_RECEIPT, 0, 0, data);
    EV_SET(&filters[1], (uintptr_t)fd, EVFILT_READ, flags | EV_RECEIPT, 0, 0, data);
#ifdef EVFILT_EXCEPT
    EV_SET(&filters[2], (uintptr_t)fd, EVFILT_EXCEPT, flags | EV_RECEIPT, NOTE_OOB, 0, data);
#endif
    if (kevent(poller->fd, filters, FILTERS, filters, FILTERS, NULL) < 0)
        return -errno;
    const int writing = (int)filters[0].data, reading = (int)filters[1].data;
    if (writing == ENOMEM || reading == ENOMEM)
        return -ENOMEM;
#if HAS_TRIGGERS
    if ((flags & EV_ADD) && (writing == 0) != (reading == 0)) {
        const uintptr_t ident = (uintptr_t)fd + 1;
        (void)change(poller, ident, EVFILT_USER, EV_ADD | EV_ONESHOT, 0, token);
        (void)change(poller, ident, EVFILT_USER, 0, NOTE_TRIGGER, token);
    }
#endif
    return writing == 0 || reading == 0 ? 0 : -reading;
}

int coir__poll_add(struct coir__poller *poller, int fd, uint64_t token) {
    struct stat info;
    COIR_TRY(sys_stat(fd, &info));
    if (S_ISREG(info.st_mode) || S_ISDIR(info.st_mode) || S_ISBLK(info.st_mode))
        return -EPERM;
#ifdef __linux__ /* libkqueue keeps filters of what was closed, and does not report anew */
    (void)change_all(poller, fd, EV_DELETE, 0);
#endif
    const int rc = change_all(poller, fd, EV_ADD | EV_CLEAR, token);
    if (rc == -ENOMEM)
        (void)change_all(poller, fd, EV_DELETE, 0);
    return rc;
}

int coir__poll_remove(struct coir__poller *poller, int fd) {
#if HAS_TRIGGERS
    (void)change(poller, (uintptr_t)fd + 1, EVFILT_USER, EV_DELETE, 0, 0);
#endif
    return change_all(poller, fd, EV_DELETE, 0);
}

#if COIR_POLL_TOLD
void coir__poll_arm(struct coir__poller *poller, int fd, unsigned directions) {
    (void)poller, (void)fd, (void)directions; /* it sees that */
}
#endif

/* ---- Waiting ---- */

static unsigned meaning(const struct kevent *event) {
    switch (event->filter) {
    case EVFILT_WRITE:
        return COIR_POLL_WRITE;
    case EVFILT_READ:
        return COIR_POLL_READ | SHORT_READ_UNSURE | (event->flags & EV_EOF ? COIR_POLL_SPECIAL : 0);
#ifdef EVFILT_EXCEPT
    case EVFILT_EXCEPT:
        return COIR_POLL_READ | COIR_POLL_SPECIAL;
#endif
    default: /* of our own: nobody knows */
        return COIR_POLL_READ | COIR_POLL_WRITE | COIR_POLL_SPECIAL;
    }
}

int coir__poll_wait(struct coir__poller *poller, coir_time timeout, coir__poll_event *report,
                    void *context) {
    struct kevent events[EVENTS_AT_ONCE];
    const coir_time most = timeout < WAIT_MAX ? timeout : WAIT_MAX;
    const struct timespec limit = {.tv_sec = (time_t)(most / COIR_SEC(1)),
                                   .tv_nsec = (long)(most % COIR_SEC(1))};
    const int count =
        kevent(poller->fd, NULL, 0, events, EVENTS_AT_ONCE, timeout == COIR_NEVER ? NULL : &limit);
    if (count < 0)
        return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < count; i++) {
        if (!is_wake(poller, &events[i]))
            report(context, (uint64_t)(uintptr_t)events[i].udata, meaning(&events[i]));
    }
    return 0;
}
