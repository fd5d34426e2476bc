/* Operations on descriptors: streams and pipes, whose every byte is known by its place.
 *
 * The simulated system counts what went through a flow, the program what its calls have said: the
 * two have to agree whenever no call is in progress, so that a call that failed has had no effect.
 */
#include <string.h>
#include <sys/epoll.h>

#include "io/fd.h"
#include "sim/calls.h"
#include "sim/descriptors.h"
#include "sim/interpret.h"
#include "sim/sim.h"

struct descriptors descriptors;

/* ---- Slots ---- */

static bool knows(int fd) {
    return coir__fd_find(coir__rt, fd) != NULL;
}

struct slot *nth_slot(enum slot_kind kind, long n) {
    long count = 0;
    for (unsigned i = 0; i < SLOTS; i++)
        count += descriptors.slots[i].open && descriptors.slots[i].kind == kind;
    if (count == 0)
        return NULL;
    n %= count;
    for (unsigned i = 0;; i++)
        if (descriptors.slots[i].open && descriptors.slots[i].kind == kind && n-- == 0)
            return &descriptors.slots[i];
}

/* A stream, or the end of a pipe for this direction. */
static struct slot *nth_flow_slot(bool writing, long n) {
    const enum slot_kind pipe = writing ? SLOT_PIPE_OUT : SLOT_PIPE_IN;
    struct slot *const first = nth_slot(n % 3 == 0 ? pipe : SLOT_STREAM, n / 3);
    return first != NULL ? first : nth_slot(n % 3 == 0 ? SLOT_STREAM : pipe, n / 3);
}

struct slot *slot_new(enum slot_kind kind, int fd) {
    must(coir__sim_file_of(fd) != NULL, "descriptor: not open", "%d was returned, and is not open",
         fd);
    struct slot *found = NULL;
    for (unsigned i = 0; i < SLOTS; i++) {
        struct slot *const slot = &descriptors.slots[i];
        must(!slot->open || slot->fd != fd, "descriptor: twice", "%d was returned, and was open",
             fd);
        if (!slot->open && found == NULL)
            found = slot;
    }
    if (found == NULL) {
        (void)(knows(fd) ? coir_close(fd) : coir__sim_close(fd));
        return NULL;
    }
    *found = (struct slot){.open = true, .kind = kind, .fd = fd, .serial = ++descriptors.serials};
    return found;
}

void slot_gone(struct slot *slot) {
    slot->open = false;
    descriptors.closes = ++world.clock;
}

static void adopt(enum slot_kind kind, int fd) {
    if (coir_adopt(fd) == 0)
        (void)slot_new(kind, fd);
    else
        (void)coir__sim_close(fd);
}

static void make_pair(void) {
    int fds[2];
    if (coir_sim_pair(fds) < 0)
        return;
    adopt(SLOT_STREAM, fds[0]);
    adopt(SLOT_STREAM, fds[1]);
}

static void make_pipe(void) {
    int fds[2];
    if (coir_sim_pipe(fds) < 0)
        return;
    adopt(SLOT_PIPE_IN, fds[0]);
    adopt(SLOT_PIPE_OUT, fds[1]);
}

static void listen_at(const char *address) {
    const int fd = coir_listen(address);
    struct slot *const slot = fd >= 0 ? slot_new(SLOT_LISTENER, fd) : NULL;
    if (slot != NULL)
        (void)snprintf(slot->address, sizeof slot->address, "%s", address);
}

static void bind_at(const char *address) {
    const int fd = coir__sim_draw(2) == 0 ? coir_bind_datagram(address) : -1;
    struct slot *const slot = fd >= 0 ? slot_new(SLOT_DATAGRAM, fd) : NULL;
    if (slot != NULL)
        (void)snprintf(slot->address, sizeof slot->address, "%s", address);
}

static int accept_one(void *listener) {
    return coir_accept(((const struct slot *)listener)->fd);
}

/* The client's end of a connection, which may be on another machine. */
static int connect_one(void *other_machine) {
    if (other_machine != NULL && coir_sim_host("10.0.0.2") < 0)
        return 0;
    const int fd = coir_connect(other_machine != NULL ? "10.0.0.1:1000" : "127.0.0.1:1000");
    if (fd >= 0)
        (void)slot_new(SLOT_STREAM, fd);
    return 0;
}

/* Two ends of a TCP connection. */
static void connect_pair(bool across) {
    struct slot *const listener = nth_slot(SLOT_LISTENER, 0);
    coir_call client = COIR_CALL(connect_one, across ? listener : NULL);
    if (listener == NULL || coir_gather(&client, 1, COIR_FAIL_FAST) < 0)
        return;
    const int server = coir_timeout(COIR_SEC(1), accept_one, listener);
    if (server >= 0)
        (void)slot_new(SLOT_STREAM, server);
}

void descriptors_begin(const struct program *program) {
    memset(&descriptors, 0, sizeof descriptors);
    (void)coir_sim_name("one.test", "127.0.0.1");
    (void)coir_sim_name("many.test", "10.0.0.1");
    (void)coir_sim_name("many.test", "10.0.0.2");
    (void)coir_sim_name("many.test", "127.0.0.1");
    if (!program->descriptors)
        return;
    const bool across = coir__sim_draw(3) == 0 && coir_sim_host("10.0.0.1") == 0;
    listen_at(across ? "10.0.0.1:1000" : "127.0.0.1:1000");
    listen_at("unix:/socket");
    for (unsigned i = 0; i < 2; i++) {
        if (coir__sim_draw(2) == 0)
            make_pair();
        else
            connect_pair(across);
    }
    make_pipe();
    bind_at("unix:@datagrams");
    bind_at("127.0.0.1:5000");
    for (unsigned i = 0; i < 2; i++) {
        const int fd = coir_sim_file("/file");
        if (fd >= 0)
            adopt(SLOT_FILE, fd);
    }
}

void descriptors_end(void) {
    for (unsigned i = 0; i < SLOTS; i++) {
        struct slot *const slot = &descriptors.slots[i];
        if (!slot->open)
            continue;
        const int rc = coir_close(slot->fd);
        must(rc == 0 || faults_so_far() > 0, "close: result", "a close at the end came to %d", rc);
        slot->open = false;
    }
    for (unsigned i = 0; i < descriptors.job_count; i++) {
        const struct job_shadow *const job = &descriptors.jobs[i];
        must(!job->begun || job->ended, "offload: left running", "job %u has not ended", i);
    }
}

bool network_explains(const struct task *task, int rc) {
    switch (rc) {
    case -ECONNRESET:
    case -EPIPE:
    case -ETIMEDOUT:
    case -ENOTCONN:
    case -ECONNREFUSED:
    case -ENETUNREACH:
        return true;
    default:
        return fault_explains(task, rc);
    }
}

/* ---- Flows ---- */

/* The byte at a place of a flow. */
static unsigned char byte_at(uint64_t flow, uint64_t place) {
    return (unsigned char)((place * 0x9e3779b1u + flow * 0x85ebca6bu) >> 13);
}

/* A transfer in progress. */
struct transfer {
    struct slot *slot;
    unsigned serial;
    struct coir__sim_flow *flow;
    struct flow_shadow *shadow;
    bool writing, taken; /* taken: another is at it already */
    uint64_t place;
    unsigned char bytes[TRANSFER_MAX];
};

static bool transfer_begin(struct task *task, struct transfer *it, struct call *call, enum op op,
                           struct slot *slot, bool writing) {
    struct coir__sim_file *const file = coir__sim_file_of(slot->fd);
    struct coir__sim_flow *const flow = file->kind->flow(file, writing);
    if (flow == NULL || flow->number >= FLOWS_MAX)
        return false;
    it->slot = slot;
    it->serial = slot->serial;
    it->writing = writing;
    it->flow = coir__sim_hold(flow);
    it->shadow = &descriptors.flows[flow->number];
    /* Not as the program knows it: a call that is done may have let others on before it returns. */
    it->place = writing ? flow->sent : flow->taken;
    for (size_t i = 0; writing && i < TRANSFER_MAX; i++)
        it->bytes[i] = byte_at(flow->number, it->place + i);
    call_begin(task, call, op, flow, LINE_NONE);
    const struct coir__fd *const entry = coir__fd_find(coir__rt, slot->fd);
    it->taken = entry != NULL && (writing ? entry->writer : entry->reader) != NULL;
    (*(writing ? &it->shadow->writing : &it->shadow->reading))++;
    return true;
}

static void check_bytes(const struct transfer *it, size_t count) {
    for (size_t i = 0; i < count; i++)
        must(it->bytes[i] == byte_at(it->flow->number, it->place + i), "stream: bytes",
             "byte %zu of %zu that were read is not the one that was written there", i, count);
}

/* `moved`: how many bytes the call has said that it moved. */
static int transfer_end(struct task *task, struct transfer *it, ssize_t rc, size_t moved) {
    struct flow_shadow *const shadow = it->shadow;
    const bool closed = !it->slot->open || it->slot->serial != it->serial;
    const unsigned others = --*(it->writing ? &shadow->writing : &shadow->reading);
    must(moved <= TRANSFER_MAX, "stream: count", "%zu bytes were said to be moved", moved);
    if (it->writing) {
        shadow->sent += moved;
        must(others > 0 || it->flow->sent == shadow->sent, "law 3: bytes written",
             "%llu bytes were taken, and %llu said to be (%d)", (unsigned long long)it->flow->sent,
             (unsigned long long)shadow->sent, (int)rc);
    } else {
        check_bytes(it, moved);
        shadow->received += moved;
        must(others > 0 || it->flow->taken == shadow->received, "law 3: bytes read",
             "%llu bytes were taken, and %llu said to be (%d)", (unsigned long long)it->flow->taken,
             (unsigned long long)shadow->received, (int)rc);
    }
    must(rc != -EBUSY || it->taken, "law 14: busy", "a descriptor was busy, with nobody at it");
    must(rc != -EBADF || closed, "law 14: closed", "a call was told -EBADF of an open descriptor");
    must(rc >= 0 || rc == -ECANCELED || rc == -EBUSY || rc == -EBADF ||
             network_explains(task, (int)rc),
         "stream: result", "%s came to %d", op_name(task->call->op), (int)rc);
    coir__sim_drop(it->flow);
    return call_end(task, (int)rc);
}

static void check_end_of_stream(const struct transfer *it, ssize_t rc, size_t asked) {
    if (rc != 0 || asked == 0)
        return;
    must(it->flow->ended || it->flow->lost == NULL, "stream: end",
         "a read has met the end of a stream that has not ended");
}

static size_t size_of(const struct node *node) {
    static const size_t sizes[] = {1, 7, 100, TRANSFER_MAX};
    return sizes[node->b % 4];
}

int do_READ(struct task *task, const struct node *node) {
    struct slot *const slot = nth_flow_slot(false, node->a);
    struct transfer it;
    struct call call;
    if (slot == NULL || !transfer_begin(task, &it, &call, OP_READ, slot, false))
        return 0;
    const ssize_t rc = coir_read(slot->fd, it.bytes, size_of(node));
    must(rc <= (ssize_t)size_of(node), "stream: count", "%zd bytes were read, of %zu", rc,
         size_of(node));
    check_end_of_stream(&it, rc, size_of(node));
    return transfer_end(task, &it, rc, rc > 0 ? (size_t)rc : 0);
}

/* Two parts, the first of them of an odd size. */
static void make_parts(struct transfer *it, const struct node *node, struct iovec parts[2]) {
    const size_t size = size_of(node), first = size / 3;
    parts[0] = (struct iovec){.iov_base = it->bytes, .iov_len = first};
    parts[1] = (struct iovec){.iov_base = it->bytes + first, .iov_len = size - first};
}

int do_READV(struct task *task, const struct node *node) {
    struct slot *const slot = nth_flow_slot(false, node->a);
    struct transfer it;
    struct iovec parts[2];
    struct call call;
    if (slot == NULL || !transfer_begin(task, &it, &call, OP_READV, slot, false))
        return 0;
    make_parts(&it, node, parts);
    const ssize_t rc = coir_readv(slot->fd, parts, 2);
    check_end_of_stream(&it, rc, size_of(node));
    return transfer_end(task, &it, rc, rc > 0 ? (size_t)rc : 0);
}

int do_READ_EXACT(struct task *task, const struct node *node) {
    struct slot *const slot = nth_flow_slot(false, node->a);
    struct transfer it;
    struct call call;
    size_t done = SIZE_MAX;
    if (slot == NULL || !transfer_begin(task, &it, &call, OP_READ_EXACT, slot, false))
        return 0;
    const int rc = coir_read_exact(slot->fd, it.bytes, size_of(node), &done);
    must(rc < 0 || done == size_of(node), "stream: exact", "%zu bytes were read, not %zu", done,
         size_of(node));
    return transfer_end(task, &it, rc, done);
}

int do_WRITE(struct task *task, const struct node *node) {
    struct slot *const slot = nth_flow_slot(true, node->a);
    struct transfer it;
    struct call call;
    if (slot == NULL || !transfer_begin(task, &it, &call, OP_WRITE, slot, true))
        return 0;
    const ssize_t rc = coir_write(slot->fd, it.bytes, size_of(node));
    must(rc != 0, "stream: nothing written", "a write has written nothing");
    return transfer_end(task, &it, rc, rc > 0 ? (size_t)rc : 0);
}

int do_WRITEV(struct task *task, const struct node *node) {
    struct slot *const slot = nth_flow_slot(true, node->a);
    struct transfer it;
    struct iovec parts[2];
    struct call call;
    if (slot == NULL || !transfer_begin(task, &it, &call, OP_WRITEV, slot, true))
        return 0;
    make_parts(&it, node, parts);
    const ssize_t rc = coir_writev(slot->fd, parts, 2);
    return transfer_end(task, &it, rc, rc > 0 ? (size_t)rc : 0);
}

int do_WRITE_ALL(struct task *task, const struct node *node) {
    struct slot *const slot = nth_flow_slot(true, node->a);
    struct transfer it;
    struct call call;
    size_t done = SIZE_MAX;
    if (slot == NULL || !transfer_begin(task, &it, &call, OP_WRITE_ALL, slot, true))
        return 0;
    const int rc = coir_write_all(slot->fd, it.bytes, size_of(node), &done);
    must(rc < 0 || done == size_of(node), "stream: all", "%zu bytes were written, not %zu", done,
         size_of(node));
    return transfer_end(task, &it, rc, done);
}

/* ---- Poll, close, release, shutdown ---- */

static struct slot *nth_any_slot(long n) {
    for (unsigned i = 0; i < SLOTS; i++) {
        struct slot *const slot = &descriptors.slots[(size_t)(n + i) % SLOTS];
        if (slot->open)
            return slot;
    }
    return NULL;
}

int do_POLL(struct task *task, const struct node *node) {
    struct slot *const slot = nth_any_slot(node->a);
    const int events = 1 + (int)(node->b % 3);
    struct call call;
    if (slot == NULL)
        return 0;
    const unsigned serial = slot->serial;
    call_begin(task, &call, OP_POLL, slot, LINE_NONE);
    const int rc = coir_poll(slot->fd, events);
    const bool closed = !slot->open || slot->serial != serial;
    must(rc <= events && (rc < 0 || (rc & ~events) == 0), "poll: result", "poll for %d came to %d",
         events, rc);
    must(rc != 0 && (rc > 0 || rc == -ECANCELED || rc == -EBUSY || (rc == -EBADF && closed) ||
                     fault_explains(task, rc)),
         "poll: result", "poll for %d came to %d", events, rc);
    return call_end(task, rc);
}

int do_CLOSE(struct task *task, const struct node *node) {
    struct slot *const slot = nth_any_slot(node->a);
    struct call call;
    if (slot == NULL)
        return 0;
    call_begin(task, &call, OP_CLOSE, NULL, LINE_NONE);
    slot_gone(slot);
    const int rc = coir_close(slot->fd);
    must(rc == 0 || fault_explains(task, rc), "close: result", "a close came to %d", rc);
    must(!knows(slot->fd), "close: known", "a descriptor that was closed is still known");
    return call_end(task, rc);
}

int do_RELEASE_FD(struct task *task, const struct node *node) {
    struct slot *const slot = nth_any_slot(node->a);
    struct call call;
    if (slot == NULL)
        return 0;
    call_begin(task, &call, OP_RELEASE_FD, NULL, LINE_NONE);
    const struct coir__fd *const entry = coir__fd_find(coir__rt, slot->fd);
    must(entry != NULL, "release: unknown", "an open descriptor is not known");
    const bool busy = entry->reader != NULL || entry->writer != NULL || entry->jobs > 0;
    int rc = coir_release(slot->fd);
    must(rc == (busy ? -EBUSY : 0), "release: result", "a release came to %d", rc);
    if (rc == 0) {
        slot->serial = ++descriptors.serials; /* what began before was about another one */
        rc = coir_adopt(slot->fd);
        must(rc == 0 || fault_explains(task, rc), "adopt: result", "it came to %d", rc);
        if (rc < 0) {
            slot_gone(slot);
            (void)coir__sim_close(slot->fd);
        }
    }
    return call_end(task, rc);
}

int do_SHUTDOWN(struct task *task, const struct node *node) {
    struct slot *const slot = nth_slot(SLOT_STREAM, node->a);
    (void)task;
    if (slot == NULL)
        return 0;
    const int rc = coir_shutdown_write(slot->fd);
    must(rc == 0 || rc == -ENOTCONN, "shutdown: result", "it came to %d", rc);
    return 0;
}

int do_PAIR(struct task *task, const struct node *node) {
    struct call call;
    (void)node;
    call_begin(task, &call, OP_PAIR, NULL, LINE_NONE);
    make_pair();
    return call_end(task, 0);
}

int do_PIPE(struct task *task, const struct node *node) {
    struct call call;
    (void)node;
    call_begin(task, &call, OP_PIPE, NULL, LINE_NONE);
    make_pipe();
    return call_end(task, 0);
}

/* ---- Nothing is ready ---- */

/* Whether the descriptor has what the wait is for, and no event says so or will. */
bool descriptor_is_forgotten(int fd, unsigned directions) {
    struct coir__sim_file *const file = coir__sim_file_of(fd);
    if (file == NULL || coir__sim_notified(file))
        return false;
    const unsigned ready = file->kind->ready(file);
    return ((directions & COIR_POLL_READ) && (ready & (EPOLLIN | EPOLLHUP | EPOLLERR))) ||
           ((directions & COIR_POLL_WRITE) && (ready & (EPOLLOUT | EPOLLHUP | EPOLLERR)));
}

static struct coir__sim_flow *flow_of(struct coir__sim_file *file, bool writing) {
    return file->kind->flow != NULL ? file->kind->flow(file, writing) : NULL;
}

uint64_t descriptor_moved(int fd) {
    struct coir__sim_file *const file = coir__sim_file_of(fd);
    const struct coir__sim_flow *const in = file != NULL ? flow_of(file, false) : NULL;
    const struct coir__sim_flow *const out = file != NULL ? flow_of(file, true) : NULL;
    return (in != NULL ? in->taken : 0) + (out != NULL ? out->sent : 0);
}

bool descriptor_is_ready(int fd, int events) {
    struct coir__sim_file *const file = coir__sim_file_of(fd);
    if (file == NULL || flow_of(file, false) == NULL ||
        coir__sim->report.occurred[COIR_SIM_SPURIOUS_EVENT] > 0)
        return true;
    const unsigned ready = file->kind->ready(file);
    return (!(events & COIR_READABLE) || (ready & (EPOLLIN | EPOLLHUP | EPOLLERR))) &&
           (!(events & COIR_WRITABLE) || (ready & (EPOLLOUT | EPOLLHUP | EPOLLERR)));
}

/* A thread is at work for it, be the descriptor closed or not. */
static bool op_waits_for_file(enum op op) {
    return op == OP_FILE_READ || op == OP_FILE_WRITE;
}

/* The directions in which a task waits for a descriptor; none: it waits for something else. */
static unsigned directions_of(const struct coir__fd *entry, const coir_waiter *wait) {
    return (entry->reader != NULL && &entry->reader->wait == wait ? COIR_POLL_READ : 0U) |
           (entry->writer != NULL && &entry->writer->wait == wait ? COIR_POLL_WRITE : 0U);
}

void check_idle_descriptor(const struct task *task, const struct call *call) {
    const coir_waiter *const wait = task->machine->wait;
    if (!wait->numbered || coir__rt->fds == NULL || op_waits_for_file(call->op))
        return;
    const struct coir__fd *const entry = coir__fd_at(coir__rt, (int)wait->number);
    if (entry == NULL || wait->object != entry)
        return;
    const unsigned directions = directions_of(entry, wait);
    must(directions != 0, "law 14: close", "task %u still waits (%s of %ld), which is closed",
         task->number, wait->what, wait->number);
    if (strncmp(wait->what, "a ", 2) == 0) /* "a descriptor, ...", "a connection to end" */
        return;
    must(!descriptor_is_forgotten((int)wait->number, directions), "readiness lost",
         "task %u still waits (%s of %ld), and it is ready", task->number, wait->what,
         wait->number);
}
