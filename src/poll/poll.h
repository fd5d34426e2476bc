/* The contract between the runtime and what the system offers to wait for descriptors.
 *
 * One backend is compiled in. A descriptor is registered once, for both directions, edge triggered:
 * after an event, no other comes until something changed. Events carry the token that was given
 * at registration; what they mean is up to the callee (src/io/fd.c). */
#ifndef COIR_POLL_POLL_H
#define COIR_POLL_POLL_H

#include <stdint.h>

#include "coir/base.h"

struct coir__poller {
    int fd;      /* of the kernel's queue */
    int wake;    /* readable: somebody called coir__poll_wake */
    bool coarse; /* waits are rounded up to milliseconds */
};

#define COIR_POLL_READ 1    /* may be read without blocking, or has failed or ended */
#define COIR_POLL_WRITE 2   /* may be written without blocking, or has failed */
#define COIR_POLL_SPECIAL 4 /* the other end has finished, or there is urgent data */

/* What the poller found; called from coir__poll_wait only. Must not call the poller. */
typedef void coir__poll_event(void *context, uint64_t token, unsigned events);

/* All return 0 or -errno. */
int coir__poll_init(struct coir__poller *poller);
void coir__poll_fini(struct coir__poller *poller);
/* Registers; again on a registered one it replaces the token. -EPERM: cannot be waited for (a
 * regular file). Closing the last duplicate of the descriptor removes it. */
int coir__poll_add(struct coir__poller *poller, int fd, uint64_t token);
int coir__poll_remove(struct coir__poller *poller, int fd);
/* Waits at most `timeout` nanoseconds (0: looks only; COIR_NEVER) and reports what came. Returns
 * early when woken or interrupted by a signal. */
int coir__poll_wait(struct coir__poller *poller, coir_time timeout, coir__poll_event *report,
                    void *context);
/* Ends the present or the next wait. From any thread, and from signal handlers. */
void coir__poll_wake(struct coir__poller *poller);

#endif
