/* One direction of a byte stream: what was sent, what of it has arrived, what was read of that.
 *
 * Within a machine bytes arrive as they are sent. Through the network they take their time, in
 * order; a slow link brings them in pieces; while two machines are cut off from each other they
 * wait, and after a quarter of an hour the connection is given up. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "sim/sim.h"

#define PIPE_WHOLE 512 /* bytes that go as a whole: POSIX's least PIPE_BUF */
#define RETRY_FIRST COIR_MS(200)
#define GIVE_UP COIR_SEC(900)

static void destroy_flow(struct coir__sim_object *object) {
    struct coir__sim_flow *const flow = (struct coir__sim_flow *)object;
    free(flow->ring);
    free(flow);
}

struct coir__sim_flow *coir__sim_flow_create(size_t room, bool remote) {
    struct coir__sim_flow *const flow = coir__sim_allocate(sizeof *flow);
    flow->object = (struct coir__sim_object){.references = 1, .destroy = destroy_flow};
    flow->number = coir__sim->flows++;
    flow->room = room;
    flow->ring = coir__sim_allocate(room);
    flow->remote = remote;
    return flow;
}

size_t coir__sim_flow_readable(const struct coir__sim_flow *flow) {
    return (size_t)(flow->arrived - flow->taken);
}

static size_t space(const struct coir__sim_flow *flow) {
    return flow->room - (size_t)(flow->sent - flow->taken);
}

/* As the kernel tells it: not for every byte that becomes free. */
bool coir__sim_flow_writable(const struct coir__sim_flow *flow) {
    return flow->pipe ? space(flow) >= (flow->room < PIPE_WHOLE ? flow->room : PIPE_WHOLE)
                      : 3 * space(flow) >= flow->room;
}

/* ---- Arriving ---- */

static void tell_end(struct coir__sim_flow *flow) {
    if (!flow->ending || flow->ended || flow->arrived < flow->end)
        return;
    flow->ended = true;
    coir__sim_notify(flow->reader, EPOLLIN | EPOLLRDHUP | EPOLLHUP);
}

static void arrive(struct coir__sim_object *object, uint64_t position) {
    struct coir__sim_flow *const flow = (struct coir__sim_flow *)object;
    if (flow->lost == NULL && flow->remote) /* given up meanwhile */
        return;
    const coir_time delay = flow->remote ? coir__sim_latency(&flow->from, &flow->to) : 0;
    if (delay == COIR_NEVER) {
        flow->stuck_since = flow->stuck_since != 0 ? flow->stuck_since : coir__sim->now;
        if (coir__sim->now - flow->stuck_since > GIVE_UP)
            flow->lost(flow);
        else
            coir__sim_at(coir__sim->now + RETRY_FIRST, arrive, flow, position);
        return;
    }
    flow->stuck_since = 0;
    if (position > flow->arrived) {
        flow->arrived = position;
        coir__sim_notify(flow->reader, EPOLLIN);
    }
    tell_end(flow);
}

/* Sends the bytes up to `position` on their way, behind those that are on it. */
static void send_on(struct coir__sim_flow *flow, uint64_t position) {
    if (!flow->remote) {
        arrive(&flow->object, position);
        return;
    }
    coir_time delay = coir__sim_latency(&flow->from, &flow->to);
    if (delay == COIR_NEVER)
        delay = RETRY_FIRST;
    const coir_time time = coir__sim->now + delay;
    flow->busy_until = time > flow->busy_until ? time : flow->busy_until;
    coir__sim_at(flow->busy_until, arrive, flow, position);
}

static void send_in_pieces(struct coir__sim_flow *flow, uint64_t from) {
    const uint64_t size = flow->sent - from;
    const unsigned pieces = 1 + coir__sim_draw(8);
    for (unsigned i = 1; i <= pieces; i++) {
        flow->busy_until = (flow->busy_until > coir__sim->now ? flow->busy_until : coir__sim->now) +
                           coir__sim_draw_time(COIR_MS(200));
        send_on(flow, from + size * i / pieces);
    }
}

/* ---- Reading and writing ---- */

static void copy(struct coir__sim_flow *flow, uint64_t position, const struct iovec *parts,
                 size_t size, bool reading) {
    for (size_t done = 0; done < size;) {
        const size_t at = (size_t)((position + done) % flow->room);
        const size_t straight = flow->room - at;
        const size_t count = size - done < straight ? size - done : straight;
        coir__sim_copy_parts(parts, done, flow->ring + at, count, reading);
        done += count;
    }
}

/* The writer hears of room if it has asked for some. */
static void tell_room(struct coir__sim_flow *flow) {
    if (!flow->starved || !coir__sim_flow_writable(flow))
        return;
    flow->starved = false;
    coir__sim_notify(flow->writer, EPOLLOUT);
}

static void acknowledge(struct coir__sim_object *object, uint64_t unused) {
    struct coir__sim_flow *const flow = (struct coir__sim_flow *)object;
    (void)unused;
    flow->acknowledged--;
    tell_room(flow);
}

ssize_t coir__sim_flow_read(struct coir__sim_flow *flow, const struct iovec *parts, int count,
                            size_t most) {
    const size_t there = coir__sim_flow_readable(flow);
    const size_t asked = coir__sim_parts_size(parts, count);
    size_t size = most < asked ? most : asked;
    if (there == 0 && asked > 0)
        return flow->ended ? 0 : -EAGAIN;
    size = size < there ? size : there;
    copy(flow, flow->taken, parts, size, true);
    flow->taken += size;
    if (flow->remote) {
        flow->acknowledged++;
        coir__sim_at(coir__sim->now + coir__sim_draw_time(COIR_MS(1)), acknowledge, flow, 0);
    } else {
        tell_room(flow);
    }
    return (ssize_t)size;
}

ssize_t coir__sim_flow_write(struct coir__sim_flow *flow, const struct iovec *parts, int count,
                             size_t most) {
    const size_t asked = coir__sim_parts_size(parts, count);
    const bool whole = flow->pipe && asked <= PIPE_WHOLE && asked <= flow->room;
    size_t size = most < asked && !whole ? most : asked;
    if (size == 0)
        return 0;
    if (space(flow) == 0 || (whole && space(flow) < size)) {
        flow->starved = true;
        return -EAGAIN;
    }
    size = size < space(flow) ? size : space(flow);
    copy(flow, flow->sent, parts, size, false);
    const uint64_t before = flow->sent;
    flow->sent += size;
    if (flow->remote && coir__sim_fault(COIR_SIM_SLOW_LINK))
        send_in_pieces(flow, before);
    else
        send_on(flow, flow->sent);
    return (ssize_t)size;
}

void coir__sim_flow_finish(struct coir__sim_flow *flow) {
    if (flow->ending)
        return;
    flow->ending = true;
    flow->end = flow->sent;
    send_on(flow, flow->sent);
}
