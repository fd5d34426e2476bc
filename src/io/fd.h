/* What the runtime knows of a descriptor, and how a call waits for one.
 *
 * Invariants: `ready` says which directions may succeed without waiting, as far as is known; a bit
 * is cleared only by an attempt that came to nothing (or took all there was), and set by the
 * poller. `reader` and `writer` are the calls in progress, parked or just woken; a call that was
 * cut is in neither. When a number comes to stand for another descriptor, or is adopted again,
 * `generation` changes, so that neither an old event nor a call woken too late reaches the new
 * one. */
#ifndef COIR_IO_FD_H
#define COIR_IO_FD_H

#include "core/runtime.h"

enum coir__fd_kind {
    COIR_FD_UNKNOWN, /* nobody told the runtime of it */
    COIR_FD_STREAM, /* TCP: a short read has drained it (on a Unix socket, where a passed descriptor
                       ends a read early, it need not have) */
    COIR_FD_SOCKET, /* another socket */
    COIR_FD_PLAIN,  /* a pipe, terminal, device: read and write only */
    COIR_FD_FILE,   /* a regular file, which is never waited for */
    COIR_FD_CLOSING, /* a file closed while a thread works on it */
};

struct coir__fd {
    uint32_t generation; /* part of the poller's token */
    uint32_t identity;   /* changes when the number comes to stand for another descriptor */
    uint8_t kind;
    uint8_t ready; /* COIR_POLL_READ, COIR_POLL_WRITE */
    bool strict;   /* the other end has finished, or sent urgent data: a short read says nothing */
    bool registered;
    uint32_t jobs; /* threads at work on a file */
    struct coir__fd_wait *reader, *writer;
};

#define COIR_FD_CHUNK 256 /* entries allocated together; they never move */

struct coir__fds {
    size_t chunks;
    struct coir__fd *chunk[];
};

/* The place of a number in the table, known or not; NULL if nothing near it ever was. */
coir__inline struct coir__fd *coir__fd_at(const struct coir__runtime *rt, int fd) {
    const struct coir__fds *const fds = rt->fds;
    const size_t index = (size_t)(unsigned)fd / COIR_FD_CHUNK;
    if (unlikely(fds == NULL || index >= fds->chunks || fds->chunk[index] == NULL))
        return NULL;
    return &fds->chunk[index][(unsigned)fd % COIR_FD_CHUNK];
}

/* The entry of a known descriptor, or NULL. */
coir__inline struct coir__fd *coir__fd_find(const struct coir__runtime *rt, int fd) {
    struct coir__fd *const entry = coir__fd_at(rt, fd);
    if (unlikely(entry == NULL || entry->kind == COIR_FD_UNKNOWN || entry->kind == COIR_FD_CLOSING))
        return NULL;
    return entry;
}

/* Makes a non-blocking descriptor known. 0 or -ENOMEM. */
int coir__fd_know(struct coir__runtime *rt, int fd, enum coir__fd_kind kind);
/* Closes it, waking those who wait. */
int coir__fd_close(struct coir__runtime *rt, int fd);
/* Parks until one of the directions is ready, or somebody calls coir__fd_wake. 0; -ECANCELED;
 * -EBADF closed meanwhile; or an error of the poller. Checks first, each time. The record goes into
 * the entry and stays there after a wake, until coir__fd_done. */
int coir__fd_wait_for(struct coir__runtime *rt, int fd, struct coir__fd *entry,
                      struct coir__fd_wait *wait);
void coir__fd_done(struct coir__fd_wait *wait);
/* The two ends of that: puts the record into the entry, ready to be woken, or fails with an error
 * of the poller; and takes it out, woken or not. For a task that parks on something else (select).
 */
int coir__fd_link(struct coir__runtime *rt, int fd, struct coir__fd *entry,
                  struct coir__fd_wait *wait);
void coir__fd_unlink(struct coir__fd_wait *wait);
/* Asks the system which of `events` (COIR_READABLE, COIR_WRITABLE) hold now. */
int coir__fd_ready(int fd, int events);
/* Wakes it if it is parked; harmless otherwise, and for NULL. */
void coir__fd_wake(struct coir__runtime *rt, struct coir__fd_wait *wait, int value);
/* The `cut` of a wait that has none of its own. */
bool coir__fd_cut(coir_waiter *wait);

/* Regular files (file.c). */
ssize_t coir__file_transfer(struct coir__runtime *rt, int fd, struct coir__fd *entry, bool writing,
                            const struct iovec *parts, int count, off_t offset);

/* A descriptor was closed: accepts that wait for one try again (net.c). */
void coir__accept_retry(struct coir__runtime *rt);

/* Whether a call in one of the directions is in progress. */
coir__inline bool coir__fd_taken(const struct coir__fd *entry, unsigned directions) {
    return (directions & COIR_POLL_READ && entry->reader != NULL) ||
           (directions & COIR_POLL_WRITE && entry->writer != NULL);
}

/* One attempt at a system call on a descriptor: its result, or -EAGAIN if it would block. */
typedef ssize_t coir__attempt(int fd, const struct coir__fd *entry, void *context);

/* Makes the running task give way if it has long been served without waiting. */
coir__inline void coir__spend(struct coir__runtime *rt, struct coir__task *self) {
    if (unlikely(--self->budget <= 0)) {
        self->budget = COIR_IO_BUDGET;
        coir__yield_turn(rt, self);
    }
}

/* The part of coir__io that waits. */
ssize_t coir__io_wait(struct coir__runtime *rt, int fd, struct coir__fd *entry, unsigned direction,
                      coir__attempt *attempt, void *context);

/* Every call on a descriptor begins with this: whether it may go on, and with which entry. */
coir__inline int coir__io_begin(int fd, struct coir__fd **entry) {
    struct coir__runtime *const rt = coir__rt;
    *entry = NULL;
    if (unlikely(rt == NULL))
        return coir__outside();
    if (unlikely(rt->current->due != COIR_NEVER) && coir__check_slow(rt, rt->current) < 0)
        return -ECANCELED;
    *entry = coir__fd_find(rt, fd);
    return likely(*entry != NULL) ? 0 : -EBADF;
}

/* The rest of it: tries, and waits only if that would block. `wanted`: the bytes asked for of a
 * stream's input, of which fewer mean that it is drained; otherwise 0. */
coir__inline ssize_t coir__io(int fd, struct coir__fd *entry, unsigned direction,
                              coir__attempt *attempt, void *context, ssize_t wanted) {
    struct coir__runtime *const rt = coir__rt;
    if (unlikely((direction == COIR_POLL_READ ? entry->reader : entry->writer) != NULL))
        return -EBUSY;
    ssize_t result = -EAGAIN;
    if (likely(entry->ready & direction))
        result = attempt(fd, entry, context);
    if (result == -EAGAIN)
        result = coir__io_wait(rt, fd, entry, direction, attempt, context);
    if (result > 0 && result < wanted && entry->kind == COIR_FD_STREAM && !entry->strict)
        entry->ready &= (uint8_t)~direction;
    coir__spend(rt, rt->current);
    return result;
}

#endif
