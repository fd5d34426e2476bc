/* The order in which ready tasks run, and how often the loop looks around in between. */
#include <signal.h>

#include "io/fd.h"
#include "sim/sim.h"

#define SPELL_MAX 64 /* picks in one order, where they are mixed */

static unsigned choose(void *context, unsigned count) {
    struct coir__sim *const sim = context;
    if (sim->spell > 0)
        sim->spell--;
    else if (sim->options.order == COIR_SIM_MIXED) {
        sim->spell = 1 + coir__sim_draw(SPELL_MAX);
        sim->order = (coir_sim_order)coir__sim_draw(3);
    }
    switch (sim->order) {
    case COIR_SIM_FIFO:
        return 0;
    case COIR_SIM_LIFO:
        return count - 1;
    default:
        return coir__sim_draw(count);
    }
}

/* As the loop would between turns. */
static void look_around(struct coir__runtime *rt) {
    if (rt->io_waiting > 0)
        (void)coir__poll_wait(&rt->poller, 0, coir__fd_event, rt);
    coir__offload_reap(rt);
    if (rt->wheel.armed > 0)
        coir__wheel_advance(&rt->wheel, coir__clock(rt));
}

static void before_pick(void *context) {
    struct coir__sim *const sim = context;
    struct coir__runtime *const rt = coir__rt;
    sim->looking = true;
    if (rt->holds_signals && coir__sim_fault(COIR_SIM_SIGNAL)) {
        coir__sim_trace("SIGINT");
        coir_sim_set_rate(COIR_SIM_SIGNAL, 0); /* a second one would end the program */
        (void)raise(SIGINT);
    }
    if (sim->options.look_rate > 0 && coir__sim_draw(65536) < sim->options.look_rate)
        look_around(rt);
    sim->looking = false;
}

/* For the order of arrival alone there is none: tasks then switch to one another as they do
 * outside, on the shortest paths. */
struct coir__chooser coir__sim_chooser(struct coir__sim *sim) {
    const coir_sim_options *const options = &sim->options;
    sim->order = options->order;
    if (sim->order == COIR_SIM_FIFO && options->look_rate == 0 &&
        options->rates[COIR_SIM_SIGNAL] == 0)
        return (struct coir__chooser){.choose = NULL};
    return (struct coir__chooser){.choose = choose, .before = before_pick, .context = sim};
}
