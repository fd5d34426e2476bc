/* Regular files: what the page cache has is read at once, the rest on the offload pool.
 *
 * A file closed while a thread works on it keeps its number until the thread is done. */
#include "io/fd.h"
#include "io/offload.h"

struct transfer {
    int fd, count;
    bool writing;
    off_t offset; /* -1: at the file's own position */
    const struct iovec *parts;
    ssize_t result;
};

static int run_transfer(void *arg) {
    struct transfer *const it = arg;
    if (it->offset < 0)
        it->result = it->writing ? sys_writev(it->fd, it->parts, it->count)
                                 : sys_readv(it->fd, it->parts, it->count);
    else
        it->result = it->writing ? sys_pwritev(it->fd, it->parts, it->count, it->offset)
                                 : sys_preadv(it->fd, it->parts, it->count, it->offset);
    return 0;
}

/* The thread is done with the entry: closes the descriptor if somebody asked for that meanwhile. */
static void end_job(struct coir__runtime *rt, int fd, struct coir__fd *entry) {
    if (--entry->jobs > 0 || entry->kind != COIR_FD_CLOSING)
        return;
    entry->kind = COIR_FD_UNKNOWN;
    rt->descriptors--;
    (void)sys_close(fd);
}

ssize_t coir__file_transfer(struct coir__runtime *rt, int fd, struct coir__fd *entry, bool writing,
                            const struct iovec *parts, int count, off_t offset) {
    if (!writing) {
        const ssize_t cached = sys_read_cached(fd, parts, count, offset);
        if (cached != -EAGAIN) {
            coir__spend(rt, rt->current);
            return cached;
        }
    }
    struct transfer transfer = {
        .fd = fd, .count = count, .writing = writing, .offset = offset, .parts = parts};
    struct coir__job job = {.wait = {.what = writing ? "write of file, fd" : "read of file, fd",
                                     .object = entry,
                                     .number = fd,
                                     .numbered = true},
                            .fn = run_transfer,
                            .arg = &transfer};
    entry->jobs++;
    const int rc = coir__offload_run(rt, &job);
    end_job(rt, fd, entry);
    return rc < 0 ? rc : transfer.result;
}
