/* The epoll backend (Linux). */
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "base/sanitizer.h"
#include "base/sys.h"
#include "poll/poll.h"

/* Few enough that what their tasks need, which finding out whom to wake has brought into the cache,
 * is still there when the last of them runs; many enough that the call costs each of them nothing.
 */
#define EVENTS_AT_ONCE 64
#define WAKE_TOKEN UINT64_MAX

int coir__poll_init(struct coir__poller *poller) {
    poller->coarse = sanitizer_on_valgrind(); /* which warns of epoll_pwait2 at every call */
    poller->fd = (int)sys_result(epoll_create1(EPOLL_CLOEXEC));
    if (poller->fd < 0)
        return poller->fd;
    poller->wake = (int)sys_result(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    int rc = poller->wake;
    if (rc >= 0) {
        struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = WAKE_TOKEN};
        rc = (int)sys_result(epoll_ctl(poller->fd, EPOLL_CTL_ADD, poller->wake, &event));
        if (rc < 0)
            (void)sys_close(poller->wake);
    }
    if (rc < 0)
        (void)sys_close(poller->fd);
    return rc < 0 ? rc : 0;
}

void coir__poll_fini(struct coir__poller *poller) {
    (void)sys_close(poller->wake);
    (void)sys_close(poller->fd);
}

int coir__poll_add(struct coir__poller *poller, int fd, uint64_t token) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                .data.u64 = token};
    int rc = (int)sys_result(epoll_ctl(poller->fd, EPOLL_CTL_ADD, fd, &event));
    if (rc == -EEXIST)
        rc = (int)sys_result(epoll_ctl(poller->fd, EPOLL_CTL_MOD, fd, &event));
    return rc;
}

int coir__poll_remove(struct coir__poller *poller, int fd) {
    return (int)sys_result(epoll_ctl(poller->fd, EPOLL_CTL_DEL, fd, NULL));
}

/* epoll_wait with a timeout in nanoseconds, as far as the kernel has it. Never returns too early.
 */
static int wait_for(struct coir__poller *poller, struct epoll_event *events, coir_time timeout) {
    if (timeout == 0 || timeout == COIR_NEVER)
        return epoll_wait(poller->fd, events, EVENTS_AT_ONCE, timeout == 0 ? 0 : -1);
#ifdef SYS_epoll_pwait2
    if (!poller->coarse) {
        const struct timespec spec = {.tv_sec = (time_t)(timeout / COIR_SEC(1)),
                                      .tv_nsec = (long)(timeout % COIR_SEC(1))};
        const long count =
            syscall(SYS_epoll_pwait2, poller->fd, events, EVENTS_AT_ONCE, &spec, NULL, (size_t)0);
        if (count >= 0 || errno != ENOSYS)
            return (int)count;
        poller->coarse = true;
    }
#endif
    const coir_time ms = timeout / COIR_MS(1) + 1;
    return epoll_wait(poller->fd, events, EVENTS_AT_ONCE, ms > INT32_MAX ? INT32_MAX : (int)ms);
}

static unsigned meaning(uint32_t events) {
    unsigned result = 0;
    if (events & (EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        result |= COIR_POLL_READ;
    if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
        result |= COIR_POLL_WRITE;
    if (events & (EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        result |= COIR_POLL_SPECIAL;
    return result;
}

int coir__poll_wait(struct coir__poller *poller, coir_time timeout, coir__poll_event *report,
                    void *context) {
    struct epoll_event events[EVENTS_AT_ONCE];
    const int count = wait_for(poller, events, timeout);
    if (count < 0)
        return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < count; i++) {
        if (events[i].data.u64 != WAKE_TOKEN)
            report(context, events[i].data.u64, meaning(events[i].events));
    }
    return 0;
}

/* The event counter is edge triggered and never read: each write is a new edge. It would take 2^64
 * of them to fill it. */
void coir__poll_wake(struct coir__poller *poller) {
    const uint64_t one = 1;
    const int saved = errno;
    (void)!write(poller->wake, &one, sizeof one);
    errno = saved;
}
