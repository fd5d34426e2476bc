/* The contract between the runtime and what the system offers to wait for descriptors.
 *
 * One backend is compiled in. A descriptor is registered once, for both directions, and reports
 * edges: each direction at once if it is ready, and from then on each time it becomes ready after
 * the callee has found it not to be (EAGAIN) and waits for it (coir__poll_arm). It may be reported
 * more often, when still more arrives, but never over and over for what stays as it was. Events
 * carry the token that was given at registration; what they mean is up to the callee
 * (src/io/fd.c). */
#ifndef COIR_POLL_POLL_H
#define COIR_POLL_POLL_H

#include <stdbool.h>
#include <stdint.h>

#include "coir/base.h"

/* Whether the backend sees neither what the callee finds out about a descriptor nor its close by
 * itself: poll(2), and libkqueue, the emulation of kqueue on Linux. Set by the Makefile. */
#ifndef COIR_POLL_TOLD
#define COIR_POLL_TOLD 0
#endif

struct coir__poller {
    int fd;      /* of the kernel's queue, if it has one */
    int wake;    /* coir__poll_wake writes to it, unless the queue itself can be triggered */
    int woken;   /* where that can be read, if that is another descriptor */
    bool coarse; /* waits are rounded up to milliseconds */
    struct coir__poll_set *set; /* what is registered, if the kernel does not keep it */
};

#define COIR_POLL_READ 1  /* may be read without blocking, or has failed or ended */
#define COIR_POLL_WRITE 2 /* may be written without blocking, or has failed */
/* From now on a short read does not tell that all was read, because the end of the stream or an
 * urgent mark cut it short and no further edge may come: the other end has finished, there is
 * urgent data, or the backend cannot tell. One that reports levels leaves it out. */
#define COIR_POLL_SPECIAL 4

/* What the poller found; called from coir__poll_wait only. Must not call the poller. */
typedef void coir__poll_event(void *context, uint64_t token, unsigned events);

/* All return 0 or -errno. */
int coir__poll_init(struct coir__poller *poller);
void coir__poll_fini(struct coir__poller *poller);
/* Registers; again on a registered one it replaces the token and reports anew. -EPERM: cannot be
 * waited for (a regular file). Closing the last duplicate of the descriptor removes it, closing
 * the descriptor itself may. */
int coir__poll_add(struct coir__poller *poller, int fd, uint64_t token);
int coir__poll_remove(struct coir__poller *poller, int fd);
/* Waits at most `timeout` nanoseconds (0: looks only; COIR_NEVER) and reports what came. Returns
 * early when woken or interrupted by a signal. */
int coir__poll_wait(struct coir__poller *poller, coir_time timeout, coir__poll_event *report,
                    void *context);
/* Ends the present or the next wait. From any thread, and from signal handlers. */
void coir__poll_wake(struct coir__poller *poller);

#if COIR_POLL_TOLD
/* The callee found these directions not ready and is about to wait for them. */
void coir__poll_arm(struct coir__poller *poller, int fd, unsigned directions);
/* A registered descriptor is about to be closed. */
static inline void coir__poll_closing(struct coir__poller *poller, int fd) {
    (void)coir__poll_remove(poller, fd);
}
#else
static inline void coir__poll_arm(struct coir__poller *poller, int fd, unsigned directions) {
    (void)poller, (void)fd, (void)directions;
}
static inline void coir__poll_closing(struct coir__poller *poller, int fd) {
    (void)poller, (void)fd;
}
#endif

#endif
