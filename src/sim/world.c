/* The world: choices, faults, events, time; what all other parts of the simulation rest on. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "sim/sim.h"

__thread struct coir__sim *coir__sim;
__thread struct coir__sim_hooks coir__sim_next_hooks;

/* ---- Choices ---- */

/* splitmix64 */
static uint64_t next_random(uint64_t *state) {
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint32_t coir__sim_draw(uint32_t count) {
    return (uint32_t)((next_random(&coir__sim->random) >> 32) * count >> 32);
}

coir_time coir__sim_draw_time(coir_time most) {
    if (most <= 0)
        return 0;
    const uint64_t random = next_random(&coir__sim->random);
    const unsigned shift = (unsigned)(random & 7); /* a half, a quarter, ... of it as the bound */
    return (coir_time)((random >> 3) % ((uint64_t)(most >> shift) + 1));
}

bool coir__sim_fault(coir_sim_fault fault) {
    struct coir__sim *const sim = coir__sim;
    if (sim->options.rates[fault] == 0 || coir__sim_draw(65536) >= sim->options.rates[fault])
        return false;
    sim->report.occurred[fault]++;
    return true;
}

/* Counts one more call that can fail. */
static bool has_its_turn(struct coir__sim *sim, coir_sim_fault fault) {
    const uint64_t call = ++sim->report.calls, nth = sim->options.fail_nth;
    if (nth == 0 || call < nth)
        return false;
    if (call == nth)
        sim->failing = fault;
    return call == nth ||
           (sim->options.fail_for_ever && (!sim->hooks.fail_alike || fault == sim->failing));
}

/* With for_ever those after the n-th call give the first of their errors, which lasts; but nothing
 * is interrupted for ever. */
int coir__sim_planned(coir_sim_fault fault, const int *errors) {
    struct coir__sim *const sim = coir__sim;
    unsigned kinds = 1; /* at least */
    if (!has_its_turn(sim, fault) || (sim->report.failed > 0 && errors[0] == EINTR))
        return 0;
    while (errors[kinds] != 0)
        kinds++;
    const int error = errors[sim->report.failed == 0 ? sim->hooks.fail_kind % kinds : 0];
    sim->report.failed++;
    coir__sim_trace("call %llu shall fail: %s", (unsigned long long)sim->report.calls,
                    coir_strerror(error));
    if (sim->hooks.on_failure != NULL)
        sim->hooks.on_failure(sim->hooks.context, error, kinds);
    return -error;
}

int coir__sim_failure(coir_sim_fault fault, const int *errors) {
    const int rc = coir__sim_planned(fault, errors);
    if (rc < 0 || !coir__sim_fault(fault))
        return rc;
    coir__sim_trace("fault: %s", coir_sim_fault_name(fault));
    return -errors[0];
}

/* FNV-1a, a word at a time. */
void coir__sim_note(uint64_t number) {
    uint64_t *const digest = &coir__sim->report.digest;
    *digest = (*digest ^ number) * UINT64_C(0x100000001b3);
    *digest ^= *digest >> 32;
}

const char *coir_sim_fault_name(coir_sim_fault fault) {
    static const char *const names[COIR_SIM_FAULTS] = {
        [COIR_SIM_EINTR] = "EINTR",
        [COIR_SIM_EAGAIN] = "EAGAIN",
        [COIR_SIM_SHORT_READ] = "short read",
        [COIR_SIM_SHORT_WRITE] = "short write",
        [COIR_SIM_EMFILE] = "EMFILE",
        [COIR_SIM_ENFILE] = "ENFILE",
        [COIR_SIM_ENOBUFS] = "ENOBUFS",
        [COIR_SIM_EIO] = "EIO",
        [COIR_SIM_SLOW_CALL] = "slow call",
        [COIR_SIM_UNCACHED] = "uncached file",
        [COIR_SIM_NO_MEMORY] = "no memory",
        [COIR_SIM_NO_MAPPING] = "no mapping",
        [COIR_SIM_NO_THREAD] = "no thread",
        [COIR_SIM_NO_ANSWER] = "no answer about a name",
        [COIR_SIM_RESET] = "connection reset",
        [COIR_SIM_ABORTED] = "connection aborted",
        [COIR_SIM_REFUSED] = "connection refused",
        [COIR_SIM_UNREACHABLE] = "unreachable",
        [COIR_SIM_SLOW_LINK] = "slow link",
        [COIR_SIM_LOSS] = "datagram lost",
        [COIR_SIM_DUPLICATE] = "datagram twice",
        [COIR_SIM_REORDER] = "datagram early",
        [COIR_SIM_PARTITION] = "partition",
        [COIR_SIM_LATE_EVENT] = "late event",
        [COIR_SIM_MERGED_EVENT] = "merged events",
        [COIR_SIM_SPURIOUS_EVENT] = "spurious event",
        [COIR_SIM_EARLY_WAKE] = "early wake",
        [COIR_SIM_CLOCK_JUMP] = "clock jump",
        [COIR_SIM_SIGNAL] = "signal",
    };
    return (unsigned)fault < COIR_SIM_FAULTS ? names[fault] : "unknown fault";
}

/* ---- Objects ---- */

void *coir__sim_allocate(size_t size_bytes) {
    void *const memory = calloc(1, size_bytes);
    if (memory == NULL)
        coir__sim_fatal("there is no memory for the simulation itself");
    return memory;
}

void *coir__sim_hold(void *object) {
    ((struct coir__sim_object *)object)->references++;
    return object;
}

void coir__sim_drop(void *object) {
    struct coir__sim_object *const it = object;
    if (it != NULL && --it->references == 0)
        it->destroy(it);
}

/* ---- Events: a binary heap ---- */

static bool before(const struct coir__sim_event *a, const struct coir__sim_event *b) {
    return a->time != b->time ? a->time < b->time : a->order < b->order;
}

void coir__sim_at(coir_time time, coir__sim_action *action, void *object, uint64_t number) {
    struct coir__sim *const sim = coir__sim;
    if (sim->event_count == sim->event_room) {
        sim->event_room = sim->event_room > 0 ? 2 * sim->event_room : 64;
        sim->events = realloc(sim->events, sim->event_room * sizeof *sim->events);
        if (sim->events == NULL)
            coir__sim_fatal("there is no memory for the simulation itself");
    }
    const struct coir__sim_event event = {.time = time > sim->now ? time : sim->now,
                                          .order = sim->event_order++,
                                          .action = action,
                                          .object = object != NULL ? coir__sim_hold(object) : NULL,
                                          .number = number};
    size_t at = sim->event_count++;
    for (; at > 0 && before(&event, &sim->events[(at - 1) / 2]); at = (at - 1) / 2)
        sim->events[at] = sim->events[(at - 1) / 2];
    sim->events[at] = event;
}

static struct coir__sim_event take_first(struct coir__sim *sim) {
    const struct coir__sim_event first = sim->events[0];
    const struct coir__sim_event last = sim->events[--sim->event_count];
    size_t at = 0, child;
    while ((child = 2 * at + 1) < sim->event_count) {
        if (child + 1 < sim->event_count && before(&sim->events[child + 1], &sim->events[child]))
            child++;
        if (!before(&sim->events[child], &last))
            break;
        sim->events[at] = sim->events[child];
        at = child;
    }
    sim->events[at] = last;
    return first;
}

bool coir__sim_step(coir_time limit) {
    struct coir__sim *const sim = coir__sim;
    if (sim->event_count == 0 || sim->events[0].time > limit)
        return false;
    const struct coir__sim_event event = take_first(sim);
    sim->now = event.time > sim->now ? event.time : sim->now;
    event.action(event.object, event.number);
    coir__sim_drop(event.object);
    return true;
}

void coir__sim_catch_up(void) {
    while (coir__sim_step(coir__sim->now))
        ;
}

/* ---- Messages ---- */

/* Who is at it: "10.0.0.7 customer: ". No number of memory here, which differs from run to run. */
static void write_who(FILE *out) {
    const struct coir__runtime *const rt = coir__rt;
    const struct coir__address host = coir__sim_own_host();
    char text[COIR_ADDRESS_SIZE];
    if (coir__sim->thread != NULL) {
        (void)fputs("thread: ", out);
        return;
    }
    if (rt == NULL || rt->current == &rt->loop || coir__sim->looking)
        return;
    if (host.size > 0 && coir__address_format(&host, text, sizeof text) == 0)
        (void)fprintf(out, "%.*s ", (int)(strrchr(text, ':') - text), text);
    (void)fprintf(out, "%s: ", rt->current->name[0] != '\0' ? rt->current->name : "task");
}

__attribute__((format(printf, 1, 0))) static void write_trace(const char *format,
                                                              va_list arguments) {
    const struct coir__sim *const sim = coir__sim;
    FILE *const out = sim->options.trace;
    (void)fprintf(out, "%lld.%09lld ", (long long)(sim->now / COIR_SEC(1)),
                  (long long)(sim->now % COIR_SEC(1)));
    write_who(out);
    (void)vfprintf(out, format, arguments);
    (void)fputc('\n', out);
    (void)fflush(out);
}

void coir__sim_trace(const char *format, ...) {
    if (coir__sim == NULL || coir__sim->options.trace == NULL)
        return;
    va_list arguments;
    va_start(arguments, format);
    write_trace(format, arguments);
    va_end(arguments);
}

void coir_sim_trace(const char *format, ...) {
    if (coir__sim == NULL || coir__sim->options.trace == NULL)
        return;
    va_list arguments;
    va_start(arguments, format);
    write_trace(format, arguments);
    va_end(arguments);
}

void coir__sim_fatal(const char *format, ...) {
    va_list arguments;
    (void)fputs("coir: simulation: ", stderr);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
    abort();
}
