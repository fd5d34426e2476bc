/* The network between machines: how long a packet takes, who is cut off. And pipes, which have no
 * network. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "sim/calls.h"
#include "sim/socket.h"

#define WITHIN_A_MACHINE COIR_US(20)
#define CUTS_MAX 64

/* Two machines that do not reach each other; size 0: any. */
struct cut {
    struct coir__sim_object object; /* an event that mends it holds a reference, too */
    struct coir__link link;
    struct coir__address a, b;
    bool any_a, any_b;
};

/* ---- Cuts ---- */

static void destroy_cut(struct coir__sim_object *object) {
    free(object);
}

static bool matches(const struct coir__address *machine, const struct coir__address *one,
                    bool any) {
    return any || coir__sim_same_machine(machine, one);
}

static struct cut *find_cut(const struct coir__address *a, const struct coir__address *b) {
    struct coir__link *const all = &coir__sim->cuts;
    for (struct coir__link *link = all->next; link != all; link = link->next) {
        struct cut *const cut = list_entry(link, struct cut, link);
        if ((matches(a, &cut->a, cut->any_a) && matches(b, &cut->b, cut->any_b)) ||
            (matches(b, &cut->a, cut->any_a) && matches(a, &cut->b, cut->any_b)))
            return cut;
    }
    return NULL;
}

static void mend(struct cut *cut) {
    if (!list_linked(&cut->link))
        return;
    list_take(&cut->link);
    coir__sim_drop(cut);
}

static void mend_later(struct coir__sim_object *object, uint64_t unused) {
    (void)unused;
    mend((struct cut *)object);
}

static struct cut *make_cut(const struct coir__address *a, const struct coir__address *b) {
    struct cut *const cut = coir__sim_allocate(sizeof *cut);
    cut->object = (struct coir__sim_object){.references = 1, .destroy = destroy_cut};
    cut->a = *a;
    cut->b = *b;
    list_append(&coir__sim->cuts, &cut->link);
    return cut;
}

void coir__sim_cuts_fini(void) {
    while (!list_empty(&coir__sim->cuts))
        mend(list_entry(coir__sim->cuts.next, struct cut, link));
}

static bool is_between(const struct cut *cut, const struct cut *ends) {
    return cut->any_a == ends->any_a && cut->any_b == ends->any_b &&
           coir__sim_same_machine(&cut->a, &ends->a) && coir__sim_same_machine(&cut->b, &ends->b);
}

int coir_sim_partition(const char *a, const char *b, bool cut) {
    struct cut ends = {.any_a = false};
    if (coir__sim == NULL)
        return -EPERM;
    if (a == NULL || b == NULL)
        return -EINVAL;
    ends.any_a = strcmp(a, "*") == 0;
    ends.any_b = strcmp(b, "*") == 0;
    if ((!ends.any_a && coir__sim_parse_host(a, &ends.a) < 0) ||
        (!ends.any_b && coir__sim_parse_host(b, &ends.b) < 0))
        return -EINVAL;
    const struct cut turned = {.a = ends.b, .b = ends.a, .any_a = ends.any_b, .any_b = ends.any_a};
    coir__sim_trace("%s and %s are %s", a, b, cut ? "cut off from each other" : "joined again");
    struct coir__link *const all = &coir__sim->cuts;
    unsigned count = 0; /* of the others */
    for (struct coir__link *next, *link = all->next; link != all; link = next) {
        struct cut *const old = list_entry(link, struct cut, link);
        next = link->next;
        if (is_between(old, &ends) || is_between(old, &turned))
            mend(old);
        else
            count++;
    }
    if (!cut)
        return 0;
    if (count >= CUTS_MAX)
        return -ENOSPC;
    struct cut *const made = make_cut(&ends.a, &ends.b);
    made->any_a = ends.any_a;
    made->any_b = ends.any_b;
    return 0;
}

coir_time coir__sim_latency(const struct coir__address *from, const struct coir__address *to) {
    struct coir__sim *const sim = coir__sim;
    if (coir__sim_same_machine(from, to))
        return coir__sim_draw_time(WITHIN_A_MACHINE);
    if (find_cut(from, to) != NULL)
        return COIR_NEVER;
    if (coir__sim_fault(COIR_SIM_PARTITION)) {
        struct cut *const cut = make_cut(from, to);
        coir__sim_at(sim->now + coir__sim_draw_time(COIR_SEC(30)), mend_later, cut, 0);
        return COIR_NEVER;
    }
    const coir_time most = sim->options.latency != 0 ? sim->options.latency : COIR_MS(1);
    return most / 4 + coir__sim_draw_time(most - most / 4);
}

/* ---- Pipes ---- */

struct pipe_end {
    struct coir__sim_file file;
    struct coir__sim_flow *flow;
};

static void destroy_end(struct coir__sim_object *object) {
    struct pipe_end *const end = (struct pipe_end *)object;
    coir__sim_drop(end->flow);
    free(end);
}

static ssize_t pipe_input(struct coir__sim_file *file, const struct iovec *parts, int count,
                          size_t most, struct coir__sim_message *message) {
    (void)message;
    return coir__sim_flow_read(((struct pipe_end *)file)->flow, parts, count, most);
}

static ssize_t pipe_output(struct coir__sim_file *file, const struct iovec *parts, int count,
                           size_t most, const struct coir__sim_message *message) {
    struct coir__sim_flow *const flow = ((struct pipe_end *)file)->flow;
    (void)message;
    return flow->reader != NULL ? coir__sim_flow_write(flow, parts, count, most) : -EPIPE;
}

static unsigned reader_ready(struct coir__sim_file *file) {
    const struct coir__sim_flow *const flow = ((struct pipe_end *)file)->flow;
    return (coir__sim_flow_readable(flow) > 0 ? EPOLLIN : 0) | (flow->ended ? EPOLLHUP : 0);
}

static unsigned writer_ready(struct coir__sim_file *file) {
    struct coir__sim_flow *const flow = ((struct pipe_end *)file)->flow;
    if (flow->reader == NULL)
        return EPOLLOUT | EPOLLERR;
    if (coir__sim_flow_writable(flow))
        return EPOLLOUT;
    flow->starved = true;
    return 0;
}

static void reader_closed(struct coir__sim_file *file) {
    struct coir__sim_flow *const flow = ((struct pipe_end *)file)->flow;
    flow->reader = NULL;
    coir__sim_notify(flow->writer, EPOLLOUT | EPOLLERR);
}

static void writer_closed(struct coir__sim_file *file) {
    struct coir__sim_flow *const flow = ((struct pipe_end *)file)->flow;
    flow->writer = NULL;
    coir__sim_flow_finish(flow);
}

static struct coir__sim_flow *pipe_flow(struct coir__sim_file *file, bool writing) {
    (void)writing;
    return ((struct pipe_end *)file)->flow;
}

static const struct coir__sim_kind reader_kind = {.name = "pipe",
                                                  .mode = S_IFIFO,
                                                  .ready = reader_ready,
                                                  .input = pipe_input,
                                                  .closed = reader_closed,
                                                  .flow = pipe_flow};
static const struct coir__sim_kind writer_kind = {.name = "pipe",
                                                  .mode = S_IFIFO,
                                                  .ready = writer_ready,
                                                  .output = pipe_output,
                                                  .closed = writer_closed,
                                                  .flow = pipe_flow};

static struct pipe_end *make_end(const struct coir__sim_kind *kind, struct coir__sim_flow *flow) {
    struct pipe_end *const end = coir__sim_file_create(kind, sizeof *end, destroy_end);
    end->flow = coir__sim_hold(flow);
    return end;
}

int coir__sim_pipe_create(int fds[2]) {
    const size_t room = coir__sim->options.socket_room_bytes;
    struct coir__sim_flow *const flow = coir__sim_flow_create(room != 0 ? room : 65536, false);
    struct pipe_end *const reader = make_end(&reader_kind, flow);
    struct pipe_end *const writer = make_end(&writer_kind, flow);
    flow->pipe = true;
    flow->reader = &reader->file;
    flow->writer = &writer->file;
    coir__sim_drop(flow);
    fds[0] = coir__sim_install(&reader->file);
    fds[1] = coir__sim_install(&writer->file);
    if (fds[0] >= 0 && fds[1] >= 0)
        return 0;
    const int rc = fds[0] < 0 ? fds[0] : fds[1];
    if (fds[0] >= 0)
        (void)coir__sim_close(fds[0]);
    if (fds[1] >= 0)
        (void)coir__sim_close(fds[1]);
    return rc;
}
