/* A run on a simulated system, from its beginning to the account of what it left behind. */
#include <stdlib.h>
#include <string.h>

#include "sim/sim.h"

static struct coir__sim *create(const coir_sim_options *options) {
    struct coir__sim *const sim = calloc(1, sizeof *sim);
    if (sim == NULL)
        return NULL;
    if (options != NULL)
        sim->options = *options;
    sim->random = sim->options.seed;
    sim->now = COIR_SIM_START;
    list_init(&sim->sockets);
    list_init(&sim->disk);
    list_init(&sim->names);
    list_init(&sim->machines);
    list_init(&sim->cuts);
    list_init(&sim->threads);
    sim->hooks = coir__sim_next_hooks;
    coir__sim_next_hooks = (struct coir__sim_hooks){.context = NULL};
    return sim;
}

/* Closes what the program has left open, so that it can be freed. */
static void close_all(struct coir__sim *sim) {
    for (int fd = 0; fd < COIR_SIM_DESCRIPTORS; fd++) {
        struct coir__sim_file *const file = sim->files[fd];
        if (file == NULL)
            continue;
        sim->files[fd] = NULL;
        coir__sim_unwatch(file);
        if (file->kind->closed != NULL)
            file->kind->closed(file);
        coir__sim_drop(file);
    }
}

static void destroy(struct coir__sim *sim) {
    close_all(sim);
    for (size_t i = 0; i < sim->event_count; i++)
        coir__sim_drop(sim->events[i].object);
    free(sim->events);
    coir__sim_cuts_fini();
    coir__sim_names_fini();
    coir__sim_machines_fini();
    coir__sim_disk_fini();
    if (sim->messages != NULL)
        (void)fclose(sim->messages);
    coir__sim = NULL;
    free(sim);
}

#define TIME_MAX COIR_SEC(24 * 3600) /* of a call or a packet: sums of them fit a coir_time */

/* Whether each option is in its range: what is ignored in silence is looked for long. */
static bool are_valid(const coir_sim_options *options) {
    return (unsigned)options->order <= COIR_SIM_MIXED && options->look_rate <= 65536 &&
           options->call_time >= 0 && options->call_time <= TIME_MAX && options->latency >= 0 &&
           options->latency <= TIME_MAX && options->descriptors_max <= COIR_SIM_DESCRIPTORS &&
           options->runtime.seed == 0 && !options->runtime.virtual_clock;
}

int coir_sim_run(coir_fn fn, void *arg, const coir_sim_options *options, coir_sim_report *report) {
    if (coir__sim != NULL || coir__rt != NULL)
        return -EPERM;
    if (options != NULL && !are_valid(options))
        return -EINVAL;
    struct coir__sim *const sim = create(options);
    if (sim == NULL)
        return -ENOMEM;
    coir__sim = sim;
    coir__next_chooser = coir__sim_chooser(sim);
    const int rc = coir_run_with(fn, arg, &sim->options.runtime);
    coir__next_chooser = (struct coir__chooser){.choose = NULL};
    (void)coir__sim_threads_fini();
    sim->report.ended = sim->now;
    coir__sim_note(sim->random);
    if (report != NULL)
        *report = sim->report;
    destroy(sim);
    return rc;
}

bool coir_sim_active(void) {
    return coir__sim != NULL;
}

uint32_t coir_sim_draw(uint32_t count) {
    return coir__sim != NULL && count > 0 ? coir__sim_draw(count) : 0;
}

void coir_sim_set_rate(coir_sim_fault fault, uint16_t rate) {
    if (coir__sim != NULL && (unsigned)fault < COIR_SIM_FAULTS)
        coir__sim->options.rates[fault] = rate;
}

int coir_sim_pair(int fds[2]) {
    if (coir__sim == NULL || fds == NULL)
        return coir__sim == NULL ? -EPERM : -EINVAL;
    coir__sim_enter();
    return coir__sim_pair_create(fds);
}

int coir_sim_pipe(int fds[2]) {
    if (coir__sim == NULL || fds == NULL)
        return coir__sim == NULL ? -EPERM : -EINVAL;
    coir__sim_enter();
    return coir__sim_pipe_create(fds);
}
