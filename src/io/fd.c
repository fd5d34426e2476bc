/* Descriptors: the table of those that are known, readiness, waiting, and the calls of io.h. */
#include "io/fd.h"

#include <limits.h>
#include <string.h>

#include "coir/io.h"

/* ---- The table ---- */

static int grow_table(struct coir__runtime *rt, size_t chunks) {
    const size_t old = rt->fds != NULL ? rt->fds->chunks : 0;
    if (chunks <= old)
        return 0;
    chunks = chunks < 2 * old ? 2 * old : chunks;
    struct coir__fds *const fds = sys_allocate(sizeof *fds + chunks * sizeof(struct coir__fd *));
    if (fds == NULL)
        return -ENOMEM;
    fds->chunks = chunks;
    if (old > 0)
        memcpy(fds->chunk, rt->fds->chunk, old * sizeof(struct coir__fd *));
    sys_free(rt->fds);
    rt->fds = fds;
    return 0;
}

static int make_entry(struct coir__runtime *rt, int fd, struct coir__fd **out) {
    const size_t index = (size_t)fd / COIR_FD_CHUNK;
    COIR_TRY(grow_table(rt, index + 1));
    struct coir__fd **const chunk = &rt->fds->chunk[index];
    if (*chunk == NULL)
        *chunk = sys_allocate(COIR_FD_CHUNK * sizeof **chunk);
    if (*chunk == NULL)
        return -ENOMEM;
    *out = &(*chunk)[fd % COIR_FD_CHUNK];
    return 0;
}

void coir__fds_fini(struct coir__runtime *rt) {
    for (size_t i = 0; rt->fds != NULL && i < rt->fds->chunks; i++)
        sys_free(rt->fds->chunk[i]);
    sys_free(rt->fds);
    rt->fds = NULL;
}

/* ---- Readiness ----
 *
 * What events, reads and writes need is inlined there: after each system call the code is cold too,
 * and frames that are not there need not be fetched. */

coir__inline void wake(struct coir__runtime *rt, struct coir__fd_wait *wait, int value) {
    if (wait == NULL || !wait->parked)
        return;
    wait->parked = false;
    rt->io_waiting--;
    if (unlikely(wait->fired != NULL)) {
        wait->fired(wait, value);
        return;
    }
    coir__fetch_frames(wait->wait.coir__task);
    coir__wake(rt, &wait->wait, value);
}

void coir__fd_wake(struct coir__runtime *rt, struct coir__fd_wait *wait, int value) {
    wake(rt, wait, value);
}

void coir__fd_event(void *context, uint64_t token, unsigned events) {
    struct coir__runtime *const rt = context;
    struct coir__fd *const entry = coir__fd_at(rt, (int)(uint32_t)token);
    if (entry == NULL || entry->generation != (uint32_t)(token >> 32))
        return; /* of a descriptor that had this number before */
    entry->ready |= (uint8_t)(events & (COIR_POLL_READ | COIR_POLL_WRITE));
    entry->strict |= (events & COIR_POLL_SPECIAL) != 0;
    if (events & COIR_POLL_READ)
        wake(rt, entry->reader, 0);
    if (events & COIR_POLL_WRITE)
        wake(rt, entry->writer, 0);
}

void coir__fd_unlink(struct coir__fd_wait *wait) {
    if (wait->parked)
        coir__rt->io_waiting--;
    wait->parked = false;
    coir__fd_done(wait);
}

bool coir__fd_cut(coir_waiter *wait) {
    coir__fd_unlink((struct coir__fd_wait *)(void *)wait);
    return true;
}

void coir__fd_done(struct coir__fd_wait *wait) {
    if (wait->fd->reader == wait)
        wait->fd->reader = NULL;
    if (wait->fd->writer == wait)
        wait->fd->writer = NULL;
}

static coir__noinline int enroll(struct coir__runtime *rt, int fd, struct coir__fd *entry) {
    const uint64_t token = (uint64_t)entry->generation << 32 | (uint32_t)fd;
    COIR_TRY(coir__poll_add(&rt->poller, fd, token));
    entry->registered = true;
    return 0;
}

coir__inline int link_wait(struct coir__runtime *rt, int fd, struct coir__fd *entry,
                           struct coir__fd_wait *wait) {
    if (unlikely(!entry->registered))
        COIR_TRY(enroll(rt, fd, entry));
    coir__poll_arm(&rt->poller, fd, wait->directions & ~(unsigned)entry->ready);
    wait->fd = entry;
    wait->parked = true;
    if (wait->directions & COIR_POLL_READ)
        entry->reader = wait;
    if (wait->directions & COIR_POLL_WRITE)
        entry->writer = wait;
    rt->io_waiting++;
    return 0;
}

int coir__fd_link(struct coir__runtime *rt, int fd, struct coir__fd *entry,
                  struct coir__fd_wait *wait) {
    return link_wait(rt, fd, entry, wait);
}

coir__inline int wait_for(struct coir__runtime *rt, int fd, struct coir__fd *entry,
                          struct coir__fd_wait *wait) {
    struct coir__task *const self = rt->current;
    const uint32_t generation = entry->generation;
    if (unlikely(self->due != COIR_NEVER) && coir__is_cut(rt, self)) {
        coir__fd_done(wait);
        coir__told(rt, self);
        return -ECANCELED;
    }
    COIR_TRY(link_wait(rt, fd, entry, wait));
    if (wait->wait.cut == NULL)
        wait->wait.cut = coir__fd_cut;
    wait->wait.object = entry;
    wait->wait.number = fd;
    wait->wait.numbered = true;
    self->budget = COIR_IO_BUDGET;
    const int rc = coir__park(rt, self, &wait->wait);
    if (rc < 0)
        return rc;
    if (entry->generation != generation) /* closed after the wake, before this ran */
        return -EBADF;
    return 0;
}

int coir__fd_wait_for(struct coir__runtime *rt, int fd, struct coir__fd *entry,
                      struct coir__fd_wait *wait) {
    return wait_for(rt, fd, entry, wait);
}

coir__noinline ssize_t coir__io_wait(struct coir__runtime *rt, int fd, struct coir__fd *entry,
                                     unsigned direction, coir__attempt *attempt, void *context) {
    struct coir__fd_wait *const wait = &rt->current->seat.fd;
    coir__wait_for(&wait->wait, coir__fd_cut,
                   direction == COIR_POLL_READ ? "read on fd" : "write on fd", entry);
    wait->directions = direction;
    wait->fired = NULL;
    wait->fd = entry;
    ssize_t result;
    do {
        entry->ready &= (uint8_t)~direction;
        result = wait_for(rt, fd, entry, wait);
        if (result == 0)
            result = attempt(fd, entry, context);
    } while (result == -EAGAIN);
    coir__fd_done(wait);
    return result;
}

/* ---- Known and forgotten ---- */

/* Ends every call in progress: the number stands for this descriptor no longer. */
static void forget(struct coir__runtime *rt, struct coir__fd *entry) {
    struct coir__fd_wait *const reader = entry->reader, *const writer = entry->writer;
    entry->reader = entry->writer = NULL;
    coir__fd_wake(rt, reader, -EBADF);
    coir__fd_wake(rt, writer, -EBADF);
    entry->generation++;
    entry->identity++;
    entry->kind = COIR_FD_UNKNOWN;
    entry->registered = entry->strict = false;
    rt->descriptors--;
}

int coir__fd_know(struct coir__runtime *rt, int fd, enum coir__fd_kind kind) {
    struct coir__fd *entry;
    COIR_TRY(make_entry(rt, fd, &entry));
    if (entry->kind != COIR_FD_UNKNOWN)
        forget(rt, entry); /* closed behind our back, and the number given out again */
    entry->kind = (uint8_t)kind;
    entry->ready = COIR_POLL_READ | COIR_POLL_WRITE;
    rt->descriptors++;
    return 0;
}

static int kind_of(int fd, enum coir__fd_kind *kind) {
    struct stat info;
    COIR_TRY(sys_stat(fd, &info));
    int type, domain;
    if (S_ISREG(info.st_mode) || S_ISDIR(info.st_mode) || S_ISBLK(info.st_mode))
        *kind = COIR_FD_FILE;
    else if (!S_ISSOCK(info.st_mode))
        *kind = COIR_FD_PLAIN;
    else if (sys_get_option(fd, SOL_SOCKET, SO_TYPE, &type) == 0 && type == SOCK_STREAM &&
             sys_socket_domain(fd, &domain) == 0 && (domain == AF_INET || domain == AF_INET6))
        *kind = COIR_FD_STREAM;
    else
        *kind = COIR_FD_SOCKET;
    return 0;
}

static bool in_use(const struct coir__fd *entry) {
    return entry->reader != NULL || entry->writer != NULL || entry->jobs > 0;
}

int coir_adopt(int fd) {
    struct coir__runtime *const rt = coir__rt;
    if (rt == NULL)
        return coir__outside();
    if (fd < 0)
        return -EBADF;
    enum coir__fd_kind kind;
    COIR_TRY(kind_of(fd, &kind));
    struct coir__fd *const entry = coir__fd_at(rt, fd);
    if (entry != NULL && in_use(entry))
        return -EBUSY;
    if (kind != COIR_FD_FILE)
        COIR_TRY(sys_set_nonblocking(fd));
    if (coir__fd_find(rt, fd) == NULL)
        return coir__fd_know(rt, fd, kind);
    entry->generation++; /* known already; but it may have been closed behind our back since */
    entry->registered = entry->strict = false;
    entry->kind = (uint8_t)kind;
    entry->ready = COIR_POLL_READ | COIR_POLL_WRITE;
    return 0;
}

int coir_release(int fd) {
    struct coir__runtime *const rt = coir__rt;
    if (rt == NULL)
        return coir__outside();
    struct coir__fd *const entry = coir__fd_find(rt, fd);
    if (entry == NULL)
        return -EBADF;
    if (in_use(entry))
        return -EBUSY;
    if (entry->registered)
        (void)coir__poll_remove(&rt->poller, fd);
    forget(rt, entry);
    return 0;
}

int coir__fd_close(struct coir__runtime *rt, int fd) {
    struct coir__fd *const entry = coir__fd_find(rt, fd);
    if (entry == NULL)
        return -EBADF;
    const uint32_t jobs = entry->jobs;
    if (entry->registered)
        coir__poll_closing(&rt->poller, fd);
    forget(rt, entry);
    if (jobs > 0) { /* the number must not be given out again under a thread's hands */
        entry->kind = COIR_FD_CLOSING;
        rt->descriptors++;
        return 0;
    }
    return sys_close(fd);
}

int coir_close(int fd) {
    struct coir__runtime *const rt = coir__rt;
    if (rt == NULL)
        return coir__outside();
    const int rc = coir__fd_close(rt, fd);
    coir__accept_retry(rt);
    return rc;
}

/* ---- Reading and writing ---- */

struct buffer {
    char *data;
    size_t size_bytes;
};

static inline ssize_t try_read(int fd, const struct coir__fd *entry, void *context) {
    const struct buffer *const buffer = context;
    return entry->kind == COIR_FD_PLAIN ? sys_read(fd, buffer->data, buffer->size_bytes)
                                        : sys_receive(fd, buffer->data, buffer->size_bytes);
}

static inline ssize_t try_write(int fd, const struct coir__fd *entry, void *context) {
    const struct buffer *const buffer = context;
    return entry->kind == COIR_FD_PLAIN ? sys_write(fd, buffer->data, buffer->size_bytes)
                                        : sys_send(fd, buffer->data, buffer->size_bytes);
}

struct parts {
    const struct iovec *parts;
    int count;
};

static ssize_t try_readv(int fd, const struct coir__fd *entry, void *context) {
    const struct parts *const all = context;
    (void)entry;
    return sys_readv(fd, all->parts, all->count);
}

static ssize_t try_writev(int fd, const struct coir__fd *entry, void *context) {
    const struct parts *const all = context;
    return entry->kind == COIR_FD_PLAIN ? sys_writev(fd, all->parts, all->count)
                                        : sys_send_message(fd, all->parts, all->count);
}

static ssize_t transfer_file(int fd, struct coir__fd *entry, bool writing, const void *data,
                             size_t size_bytes, off_t offset) {
    const struct iovec part = {.iov_base = (void *)(uintptr_t)data, .iov_len = size_bytes};
    return coir__file_transfer(coir__rt, fd, entry, writing, &part, 1, offset);
}

ssize_t coir_read(int fd, void *buffer, size_t size_bytes) {
    struct coir__fd *entry;
    if (unlikely(buffer == NULL && size_bytes > 0))
        return -EINVAL;
    COIR_TRY(coir__io_begin(fd, &entry));
    if (unlikely(entry->kind == COIR_FD_FILE))
        return transfer_file(fd, entry, false, buffer, size_bytes, -1);
    struct buffer all = {.data = buffer, .size_bytes = size_bytes};
    return coir__io(fd, entry, COIR_POLL_READ, try_read, &all, (ssize_t)size_bytes);
}

ssize_t coir_write(int fd, const void *buffer, size_t size_bytes) {
    struct coir__fd *entry;
    if (unlikely(buffer == NULL && size_bytes > 0))
        return -EINVAL;
    COIR_TRY(coir__io_begin(fd, &entry));
    if (unlikely(entry->kind == COIR_FD_FILE))
        return transfer_file(fd, entry, true, buffer, size_bytes, -1);
    struct buffer all = {.data = (char *)(uintptr_t)buffer, .size_bytes = size_bytes};
    return coir__io(fd, entry, COIR_POLL_WRITE, try_write, &all, 0);
}

/* The number of bytes the parts ask for; -EINVAL if that is no sensible request. */
static ssize_t total_size(const struct iovec *parts, int count) {
    size_t total = 0;
    if (count < 0 || count > IOV_MAX || (parts == NULL && count > 0))
        return -EINVAL;
    for (int i = 0; i < count; i++)
        if (__builtin_add_overflow(total, parts[i].iov_len, &total) || total > SSIZE_MAX)
            return -EINVAL;
    return (ssize_t)total;
}

ssize_t coir_readv(int fd, const struct iovec *parts, int count) {
    struct coir__fd *entry;
    const ssize_t total = total_size(parts, count);
    if (total < 0)
        return total;
    COIR_TRY(coir__io_begin(fd, &entry));
    if (entry->kind == COIR_FD_FILE)
        return coir__file_transfer(coir__rt, fd, entry, false, parts, count, -1);
    struct parts all = {.parts = parts, .count = count};
    return coir__io(fd, entry, COIR_POLL_READ, try_readv, &all, total);
}

ssize_t coir_writev(int fd, const struct iovec *parts, int count) {
    struct coir__fd *entry;
    const ssize_t total = total_size(parts, count);
    if (total < 0)
        return total;
    COIR_TRY(coir__io_begin(fd, &entry));
    if (entry->kind == COIR_FD_FILE)
        return coir__file_transfer(coir__rt, fd, entry, true, parts, count, -1);
    struct parts all = {.parts = parts, .count = count};
    return coir__io(fd, entry, COIR_POLL_WRITE, try_writev, &all, 0);
}

int coir_read_exact(int fd, void *buffer, size_t size_bytes, size_t *done) {
    if (done != NULL)
        *done = 0;
    if (buffer == NULL && size_bytes > 0)
        return -EINVAL;
    size_t count = 0;
    ssize_t rc = 0;
    struct coir__fd *entry;
    if (size_bytes == 0)
        rc = coir__io_begin(fd, &entry);
    while (count < size_bytes) {
        rc = coir_read(fd, (char *)buffer + count, size_bytes - count);
        if (rc <= 0)
            break;
        count += (size_t)rc;
    }
    if (done != NULL)
        *done = count;
    if (count == size_bytes)
        return (int)rc < 0 ? (int)rc : 0;
    return rc < 0 ? (int)rc : -EPIPE;
}

int coir_write_all(int fd, const void *buffer, size_t size_bytes, size_t *done) {
    if (done != NULL)
        *done = 0;
    if (buffer == NULL && size_bytes > 0)
        return -EINVAL;
    size_t count = 0;
    ssize_t rc = 0;
    struct coir__fd *entry;
    if (size_bytes == 0)
        rc = coir__io_begin(fd, &entry);
    while (count < size_bytes) {
        rc = coir_write(fd, (const char *)buffer + count, size_bytes - count);
        if (rc <= 0)
            break;
        count += (size_t)rc;
    }
    if (done != NULL)
        *done = count;
    if (count == size_bytes)
        return (int)rc < 0 ? (int)rc : 0;
    return rc < 0 ? (int)rc : -EIO;
}

static ssize_t at_offset(int fd, bool writing, const void *buffer, size_t size_bytes,
                         off_t offset) {
    struct coir__fd *entry;
    if (offset < 0 || (buffer == NULL && size_bytes > 0))
        return -EINVAL;
    COIR_TRY(coir__io_begin(fd, &entry));
    if (entry->kind != COIR_FD_FILE)
        return -ESPIPE;
    return transfer_file(fd, entry, writing, buffer, size_bytes, offset);
}

ssize_t coir_pread(int fd, void *buffer, size_t size_bytes, off_t offset) {
    return at_offset(fd, false, buffer, size_bytes, offset);
}

ssize_t coir_pwrite(int fd, const void *buffer, size_t size_bytes, off_t offset) {
    return at_offset(fd, true, buffer, size_bytes, offset);
}

/* ---- Poll ---- */

int coir__fd_ready(int fd, int events) {
    const int found = sys_poll_now(fd, (short)((events & COIR_READABLE ? POLLIN : 0) |
                                               (events & COIR_WRITABLE ? POLLOUT : 0)));
    if (found < 0)
        return found;
    const bool failed = (found & (POLLERR | POLLHUP | POLLNVAL)) != 0;
    return (found & POLLIN || failed ? events & COIR_READABLE : 0) |
           (found & POLLOUT || failed ? events & COIR_WRITABLE : 0);
}

int coir_poll(int fd, int events) {
    struct coir__fd *entry;
    if (events == 0 || (events & ~(COIR_READABLE | COIR_WRITABLE)) != 0)
        return -EINVAL;
    COIR_TRY(coir__io_begin(fd, &entry));
    struct coir__runtime *const rt = coir__rt;
    if (entry->kind == COIR_FD_FILE)
        return events;
    struct coir__fd_wait wait = {.wait = {.what = "poll of fd"},
                                 .fd = entry,
                                 .directions = (events & COIR_READABLE ? COIR_POLL_READ : 0U) |
                                               (events & COIR_WRITABLE ? COIR_POLL_WRITE : 0U)};
    if (coir__fd_taken(entry, wait.directions))
        return -EBUSY;
    int found;
    while ((found = coir__fd_ready(fd, events)) == 0) {
        entry->ready &= (uint8_t)~wait.directions;
        found = coir__fd_wait_for(rt, fd, entry, &wait);
        if (found < 0)
            break;
    }
    coir__fd_done(&wait);
    coir__spend(rt, rt->current);
    return found;
}
