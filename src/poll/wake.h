/* Waking by a pipe, for backends without anything better: one byte in it ends a wait.
 *
 * Both ends are non-blocking. A full pipe is as good as one more byte: it is emptied, whole, by the
 * wait that finds it readable. */
#ifndef COIR_POLL_WAKE_H
#define COIR_POLL_WAKE_H

#include "base/sys.h"
#include "poll/poll.h"

static inline int wake_open(struct coir__poller *poller) {
    int ends[2];
    if (pipe(ends) < 0)
        return -errno;
    for (int i = 0; i < 2; i++) {
        (void)sys_set_nonblocking(ends[i]);
        (void)fcntl(ends[i], F_SETFD, FD_CLOEXEC);
    }
    poller->woken = ends[0];
    poller->wake = ends[1];
    return 0;
}

static inline void wake_close(struct coir__poller *poller) {
    (void)sys_close(poller->wake);
    (void)sys_close(poller->woken);
}

static inline void wake_write(struct coir__poller *poller) {
    const int saved = errno;
    (void)!write(poller->wake, "", 1);
    errno = saved;
}

static inline void wake_drain(struct coir__poller *poller) {
    char bytes[512];
    while (read(poller->woken, bytes, sizeof bytes) == (ssize_t)sizeof bytes)
        continue;
}

#endif
