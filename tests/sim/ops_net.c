/* Operations on sockets, names, files and jobs. */
#include <string.h>

#include "io/fd.h"
#include "sim/calls.h"
#include "sim/descriptors.h"
#include "sim/interpret.h"
#include "sim/sim.h"

static const char *const addresses[] = {"127.0.0.1:1000", "unix:/socket",  ":2000",
                                        "unix:@abstract", "[::1]:3000",    "10.0.0.1:4000",
                                        "one.test:1000",  "many.test:4000"};
enum { ADDRESSES = sizeof addresses / sizeof addresses[0], NUMERIC = 6 };

/* Errors of names and addresses, and of the system where it has not enough of something. */
static bool address_explains(const struct task *task, int rc) {
    return rc == -ECANCELED || rc == -EADDRINUSE || rc == -ENOENT || rc == -EADDRNOTAVAIL ||
           fault_explains(task, rc);
}

int do_HOST(struct task *task, const struct node *node) {
    static const char *const hosts[] = {"10.0.0.1", "10.0.0.2", "10.0.0.3"};
    struct call call;
    call_begin(task, &call, OP_HOST, NULL, LINE_NONE);
    const int rc = coir_sim_host(hosts[node->a % 3]);
    must(rc == 0 || fault_explains(task, rc), "host: result", "it came to %d", rc);
    return call_end(task, rc);
}

/* ---- Connections ---- */

int do_LISTEN(struct task *task, const struct node *node) {
    const char *const address = addresses[node->a % NUMERIC];
    struct call call;
    call_begin(task, &call, OP_LISTEN, NULL, LINE_NONE);
    const int fd = coir_listen(address);
    if (fd >= 0) {
        struct slot *const slot = slot_new(SLOT_LISTENER, fd);
        if (slot != NULL)
            (void)snprintf(slot->address, sizeof slot->address, "%s", address);
    } else {
        must(address_explains(task, fd), "listen: result", "it came to %d", fd);
    }
    return call_end(task, fd < 0 ? fd : 0);
}

int do_ACCEPT(struct task *task, const struct node *node) {
    struct slot *const slot = nth_slot(SLOT_LISTENER, node->a);
    struct call call;
    if (slot == NULL)
        return 0;
    const unsigned serial = slot->serial;
    call_begin(task, &call, OP_ACCEPT, slot, LINE_NONE);
    const int fd = coir_accept(slot->fd);
    const bool closed = !slot->open || slot->serial != serial;
    if (fd >= 0)
        (void)slot_new(SLOT_STREAM, fd);
    else
        must(fd == -ECANCELED || fd == -EBUSY || (fd == -EBADF && closed) ||
                 (fd == -ENOMEM && fault_explains(task, fd)),
             "accept: result", "it came to %d", fd);
    return call_end(task, fd < 0 ? fd : 0);
}

int do_CONNECT(struct task *task, const struct node *node) {
    const char *const address = addresses[node->a % ADDRESSES];
    struct call call;
    call_begin(task, &call, OP_CONNECT, NULL, LINE_NONE);
    const int fd = coir_connect(address);
    if (fd >= 0)
        (void)slot_new(SLOT_STREAM, fd);
    else
        must(address_explains(task, fd) || network_explains(task, fd), "connect: result",
             "it came to %d", fd);
    return call_end(task, fd < 0 ? fd : 0);
}

/* ---- Serving ---- */

struct service {
    struct task *task;
    struct scope *scope;
    const struct node *node;
};

static int handle(int fd, void *arg) {
    struct service *const service = arg;
    struct task *const task = task_new(service->node, service->task, service->scope);
    struct slot *const slot = slot_new(SLOT_STREAM, fd);
    const unsigned serial = slot != NULL ? slot->serial : 0;
    if (task != NULL) {
        task->local = (long)(intptr_t)coir_local_get(&task_local);
        task->body = service->node->body;
        (void)run_task(task);
    }
    if (slot != NULL && slot->open && slot->serial == serial)
        slot_gone(slot); /* coir_serve closes it now */
    return 0;
}

int do_SERVE(struct task *task, const struct node *node) {
    struct slot *const slot = nth_slot(SLOT_LISTENER, node->a);
    struct scope *const scope = slot != NULL ? scope_new(task, COIR_SUPERVISE) : NULL;
    struct service service = {.task = task, .scope = scope, .node = node};
    struct call call;
    if (scope == NULL || task->depth > 8)
        return 0;
    const unsigned serial = slot->serial;
    call_begin(task, &call, OP_SERVE, slot, LINE_NONE);
    call.uncuttable = true; /* it waits for the handlers that are left */
    call.number = node->b;
    call.when = (long)serial;
    scope_entered(scope);
    scope->shield = scope->may_cancel = scope->unknown_deadline = true;
    const coir_serve_options options = {.connections_max = (size_t)node->b, .grace = node->c};
    const int rc = coir_serve(slot->fd, handle, &service, &options);
    scope->seen = NULL;
    scope_abandoned(scope, "serve");
    const bool closed = !slot->open || slot->serial != serial;
    must(rc == -ECANCELED || rc == -EBUSY || (rc == -EBADF && closed) ||
             (rc == -ENOMEM && fault_explains(task, rc)),
         "serve: result", "it came to %d", rc);
    return call_end_otherwise(task, rc);
}

/* ---- Datagrams ---- */

static const char *const places[] = {"127.0.0.1:5000", "unix:@datagrams", "10.0.0.2:5000",
                                     "127.0.0.1:0"};

int do_BIND(struct task *task, const struct node *node) {
    const char *const address = places[node->a % 4];
    struct call call;
    call_begin(task, &call, OP_BIND, NULL, LINE_NONE);
    const int fd = coir_bind_datagram(address);
    if (fd >= 0) {
        struct slot *const slot = slot_new(SLOT_DATAGRAM, fd);
        if (slot != NULL)
            (void)snprintf(slot->address, sizeof slot->address, "%s", address);
    } else {
        must(address_explains(task, fd), "bind: result", "it came to %d", fd);
    }
    return call_end(task, fd < 0 ? fd : 0);
}

struct packet {
    uint32_t number, size;
    unsigned char fill[64];
};

/* Errors of an address that nobody is at, or that this socket cannot reach. */
static bool is_sent_nowhere(int rc) {
    return rc == -ECONNREFUSED || rc == -ENOENT || rc == -EINVAL || rc == -EAFNOSUPPORT ||
           rc == -ENETUNREACH;
}

int do_SEND_TO(struct task *task, const struct node *node) {
    struct slot *const slot = nth_slot(SLOT_DATAGRAM, node->a);
    const char *const to = places[node->b % 3];
    struct call call;
    if (slot == NULL || descriptors.datagram_count == DATAGRAMS_MAX)
        return 0;
    const unsigned serial = slot->serial;
    const uint32_t number = descriptors.datagram_count++;
    struct datagram_shadow *const shadow = &descriptors.datagrams[number];
    struct packet packet = {.number = number, .size = 8 + number % 60};
    memset(packet.fill, (int)number, sizeof packet.fill);
    call_begin(task, &call, OP_SEND_TO, slot, LINE_NONE);
    shadow->sent = true;
    shadow->reliable = strncmp(to, "unix:", 5) == 0;
    const ssize_t rc = coir_send_to(slot->fd, &packet, packet.size, to);
    const bool closed = !slot->open || slot->serial != serial;
    if (rc < 0) {
        must(shadow->received == 0, "law 3: datagram", "a send failed (%zd), and it was received",
             rc);
        shadow->sent = false;
        must(rc == -ECANCELED || rc == -EBUSY || (rc == -EBADF && closed) ||
                 is_sent_nowhere((int)rc) || fault_explains(task, (int)rc),
             "send to: result", "it came to %zd", rc);
    } else {
        must((size_t)rc == packet.size, "send to: size", "%zd bytes were sent, of %u", rc,
             packet.size);
    }
    return call_end(task, rc < 0 ? (int)rc : 0);
}

static void check_packet(const struct packet *packet, ssize_t size) {
    must(size >= 8 && packet->number < descriptors.datagram_count && (ssize_t)packet->size == size,
         "datagram: torn", "a datagram of %zd bytes was received that was never sent", size);
    struct datagram_shadow *const shadow = &descriptors.datagrams[packet->number];
    must(shadow->sent, "datagram: unsent", "a datagram was received whose send has failed");
    shadow->received++;
    must(shadow->received == 1 || (!shadow->reliable && shadow->received == 2 &&
                                   world.program->sim.rates[COIR_SIM_DUPLICATE] > 0),
         "datagram: again", "a datagram was received %u times", shadow->received);
    for (ssize_t i = 8; i < size; i++)
        must(packet->fill[i - 8] == (unsigned char)packet->number, "datagram: torn",
             "byte %zd of a datagram is another's", i);
}

int do_RECEIVE_FROM(struct task *task, const struct node *node) {
    struct slot *const slot = nth_slot(SLOT_DATAGRAM, node->a);
    char from[COIR_ADDRESS_SIZE];
    struct packet packet;
    struct call call;
    if (slot == NULL)
        return 0;
    const unsigned serial = slot->serial;
    call_begin(task, &call, OP_RECEIVE_FROM, slot, LINE_NONE);
    const ssize_t rc = coir_receive_from(slot->fd, &packet, sizeof packet, &from);
    const bool closed = !slot->open || slot->serial != serial;
    if (rc >= 0)
        check_packet(&packet, rc);
    else
        must(rc == -ECANCELED || rc == -EBUSY || (rc == -EBADF && closed) ||
                 fault_explains(task, (int)rc),
             "receive from: result", "it came to %zd", rc);
    return call_end(task, rc < 0 ? (int)rc : 0);
}

/* ---- Names ---- */

int do_RESOLVE(struct task *task, const struct node *node) {
    static const char *const names[] = {"one.test:80", "many.test:80", "none.test:80",
                                        "localhost:80", "10.0.0.9:80"};
    static const int counts[] = {1, 3, -ENOENT, 2, 1};
    const size_t which = (size_t)node->a % 5;
    char out[4][COIR_ADDRESS_SIZE];
    struct call call;
    call_begin(task, &call, OP_RESOLVE, NULL, LINE_NONE);
    const int rc = coir_resolve(names[which], out, 4);
    must(rc == counts[which] || rc == -ECANCELED || fault_explains(task, rc), "resolve: result",
         "%s came to %d", names[which], rc);
    return call_end(task, rc);
}

/* ---- Files: the byte at each place is known, or was not written yet ---- */

static unsigned char file_byte(size_t place) {
    return (unsigned char)(1 + place * 31 % 255);
}

static size_t file_size(const struct node *node) {
    static const size_t sizes[] = {1, 64, 700, TRANSFER_MAX};
    return sizes[node->b % 4];
}

int do_FILE_WRITE(struct task *task, const struct node *node) {
    struct slot *const slot = nth_slot(SLOT_FILE, node->a);
    const size_t size = file_size(node), place = (size_t)node->a * 400 % (FILE_MAX - size);
    unsigned char bytes[TRANSFER_MAX];
    struct call call;
    if (slot == NULL)
        return 0;
    for (size_t i = 0; i < size; i++)
        bytes[i] = file_byte(place + i);
    call_begin(task, &call, OP_FILE_WRITE, slot, LINE_NONE);
    call.uncuttable = true; /* once a thread is at work on it */
    const ssize_t rc = coir_pwrite(slot->fd, bytes, size, (off_t)place);
    must(rc > 0 || rc == -ECANCELED || fault_explains(task, (int)rc), "file: result",
         "a write came to %zd", rc);
    for (ssize_t i = 0; i < rc; i++)
        descriptors.written[place + (size_t)i] = 1;
    return call_end(task, rc < 0 ? (int)rc : 0);
}

int do_FILE_READ(struct task *task, const struct node *node) {
    struct slot *const slot = nth_slot(SLOT_FILE, node->a);
    const size_t size = file_size(node), place = (size_t)node->a * 400 % (FILE_MAX - size);
    unsigned char bytes[TRANSFER_MAX], written[TRANSFER_MAX];
    struct call call;
    if (slot == NULL)
        return 0;
    memcpy(written, descriptors.written + place, size);
    call_begin(task, &call, OP_FILE_READ, slot, LINE_NONE);
    call.uncuttable = true;
    const ssize_t rc = coir_pread(slot->fd, bytes, size, (off_t)place);
    must(rc >= 0 || rc == -ECANCELED || fault_explains(task, (int)rc), "file: result",
         "a read came to %zd", rc);
    for (ssize_t i = 0; i < rc; i++)
        must(bytes[i] == file_byte(place + (size_t)i) || (bytes[i] == 0 && !written[i]),
             "file: bytes", "the byte at %zu is %u, not %u", place + (size_t)i, bytes[i],
             file_byte(place + (size_t)i));
    return call_end(task, rc < 0 ? (int)rc : 0);
}

/* ---- Jobs ---- */

static int run_job(void *arg) {
    struct job_shadow *const job = arg;
    must(!job->begun, "offload: again", "a job was run twice");
    must(!job->left, "offload: not run", "a job runs whose call has returned");
    must(coir_yield() == -EPERM, "law 17: outside", "a job is within the runtime");
    job->begun = true;
    const bool cancelled = coir_offload_cancelled();
    coir__sim_pause(job->duration);
    must(!cancelled || coir_offload_cancelled(), "law 1: cancel lost",
         "a job was cancelled, and then it was not");
    job->ended = true;
    return job->rc;
}

int do_OFFLOAD(struct task *task, const struct node *node) {
    struct call call;
    if (descriptors.job_count == JOBS_MAX)
        return 0;
    struct job_shadow *const job = &descriptors.jobs[descriptors.job_count++];
    *job = (struct job_shadow){.task = task, .duration = node->a, .rc = (int)node->b};
    call_begin(task, &call, OP_OFFLOAD, job, LINE_NONE);
    call.uncuttable = true; /* once it has begun */
    const int rc = coir_offload(run_job, job);
    job->left = true;
    if (job->begun)
        must(job->ended && rc == job->rc, "offload: result", "a job came to %d, not %d%s", rc,
             job->rc, job->ended ? "" : ", and has not ended");
    else
        must(rc == -ECANCELED || fault_explains(task, rc), "offload: not run",
             "a job that was not run came to %d", rc);
    return call_end(task, rc);
}
