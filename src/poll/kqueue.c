/* The kqueue backend: macOS and the BSDs, and Linux by way of libkqueue.
 *
 * Each direction is a filter of its own, and EV_CLEAR makes edges of it. Closing a descriptor takes
 * its filters away, except in libkqueue, which is told (COIR_POLL_TOLD). Where a third filter tells
 * of urgent data it is registered too; elsewhere no short read is to be trusted. */
#include <sys/types.h>

#include <sys/event.h>

#include "base/sys.h"
#include "poll/poll.h"

#define EVENTS_AT_ONCE 256
#define WAIT_MAX COIR_SEC(86400) /* some systems refuse a wait of years */

/* libkqueue takes locks in kevent, so that a signal handler must not call it; OpenBSD has had such
 * events since 7.8. */
#if defined(EVFILT_USER) && !defined(__linux__)
#define WAKE_BY_EVENT 1
#else
#define WAKE_BY_EVENT 0
#include "poll/wake.h"
#endif

#ifdef EVFILT_EXCEPT
#define FILTERS 3
#define SHORT_READ_UNSURE 0
#else
#define FILTERS 2
#define SHORT_READ_UNSURE COIR_POLL_SPECIAL
#endif

/* ---- Waking ---- */

#if WAKE_BY_EVENT

static int change_wake(const struct coir__poller *poller, unsigned short flags, unsigned fflags) {
    struct kevent event;
    EV_SET(&event, 0, EVFILT_USER, flags, fflags, 0, 0);
    return (int)sys_result(kevent(poller->fd, &event, 1, NULL, 0, NULL));
}

static int begin_waking(struct coir__poller *poller) {
    return change_wake(poller, EV_ADD | EV_CLEAR, 0);
}

static void end_waking(struct coir__poller *poller) {
    (void)poller;
}

static bool is_wake(struct coir__poller *poller, const struct kevent *event) {
    (void)poller;
    return event->filter == EVFILT_USER;
}

void coir__poll_wake(struct coir__poller *poller) {
    const int saved = errno;
    (void)change_wake(poller, 0, NOTE_TRIGGER);
    errno = saved;
}

#else

static int begin_waking(struct coir__poller *poller) {
    COIR_TRY(wake_open(poller));
    struct kevent event;
    EV_SET(&event, (uintptr_t)poller->woken, EVFILT_READ, EV_ADD, 0, 0, 0);
    const int rc = (int)sys_result(kevent(poller->fd, &event, 1, NULL, 0, NULL));
    if (rc < 0)
        wake_close(poller);
    return rc;
}

static void end_waking(struct coir__poller *poller) {
    wake_close(poller);
}

static bool is_wake(struct coir__poller *poller, const struct kevent *event) {
    if (event->ident != (uintptr_t)poller->woken)
        return false;
    wake_drain(poller);
    return true;
}

void coir__poll_wake(struct coir__poller *poller) {
    wake_write(poller);
}

#endif

/* ---- Beginning and end ---- */

#ifdef __linux__
void libkqueue_drain_pending_close(void); /* which no header of libkqueue declares */
#endif

/* libkqueue notices the close in a thread of its own, and only then gives the rest back. */
static void close_queue(int fd) {
    (void)sys_close(fd);
#ifdef __linux__
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
    end_waking(poller);
}

/* ---- Registering ---- */

/* Makes one change to all filters of a descriptor. One direction will do: there are pipes and
 * devices that have no other. */
static int change(const struct coir__poller *poller, int fd, unsigned short flags, uint64_t token) {
    struct kevent filters[FILTERS];
    __typeof__(filters[0].udata) const data = (__typeof__(data))(uintptr_t)token; /* or a number */
    EV_SET(&filters[0], (uintptr_t)fd, EVFILT_WRITE, flags, 0, 0, data);
    EV_SET(&filters[1], (uintptr_t)fd, EVFILT_READ, flags, 0, 0, data);
#ifdef EVFILT_EXCEPT
    EV_SET(&filters[2], (uintptr_t)fd, EVFILT_EXCEPT, flags, NOTE_OOB, 0, data);
#endif
    for (int i = 0; i < FILTERS; i++)
        filters[i].flags |= EV_RECEIPT; /* tells how each fared, and nothing else */
    if (kevent(poller->fd, filters, FILTERS, filters, FILTERS, NULL) < 0)
        return -errno;
    const int writing = (int)filters[0].data, reading = (int)filters[1].data;
    if (writing == ENOMEM || reading == ENOMEM)
        return -ENOMEM;
    return writing == 0 || reading == 0 ? 0 : -reading;
}

int coir__poll_add(struct coir__poller *poller, int fd, uint64_t token) {
    struct stat info;
    COIR_TRY(sys_stat(fd, &info));
    if (S_ISREG(info.st_mode) || S_ISDIR(info.st_mode) || S_ISBLK(info.st_mode))
        return -EPERM;
#ifdef __linux__ /* libkqueue keeps those of a descriptor that was closed, and does not report     \
                    anew */
    (void)change(poller, fd, EV_DELETE, 0);
#endif
    const int rc = change(poller, fd, EV_ADD | EV_CLEAR, token);
    if (rc == -ENOMEM)
        (void)change(poller, fd, EV_DELETE, 0);
    return rc;
}

int coir__poll_remove(struct coir__poller *poller, int fd) {
    return change(poller, fd, EV_DELETE, 0);
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
    default:
        return COIR_POLL_READ | COIR_POLL_SPECIAL;
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
