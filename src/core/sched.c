/* The scheduler: whose turn it is.
 *
 * Tasks switch to one another directly. The loop, on the thread's own stack, runs when nothing is
 * ready; it also runs when a turn is over, after turn_budget switches, so that timers and
 * descriptors are looked at however busy the tasks are. How long a turn may be is measured, not
 * guessed: see end_turn. */
#include "core/runtime.h"

#define TURN_MAX 256          /* switches in one turn */
#define TURN_TIME COIR_US(50) /* what a turn should last */
#define PICK_AMONG 32         /* ready tasks that a seeded pick chooses from */

coir_time coir__clock(const struct coir__runtime *rt) {
    return rt->virtual_now != 0 ? rt->virtual_now : sys_clock();
}

static bool nothing_ready(const struct coir__runtime *rt) {
    return coir__ready_count(&rt->ready) == 0;
}

/* ---- The pick, where it is not simply the head of the FIFO ---- */

void coir__careful(struct coir__runtime *rt, int change) {
    const bool before = rt->careful != 0;
    rt->careful += (unsigned)change;
    const bool after = rt->careful != 0;
    if (after && !before) {
        rt->careful_left = rt->turn_end - rt->ready.head;
        rt->turn_end = rt->ready.head;
    } else if (before && !after) {
        rt->turn_end = rt->ready.head + rt->careful_left;
    }
}

/* splitmix64 */
static uint64_t next_random(uint64_t *state) {
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static struct coir__task *pick(struct coir__runtime *rt) {
    if (nothing_ready(rt))
        return &rt->loop;
    if (rt->random == 0 && rt->chooser.choose == NULL)
        return coir__pop_some(&rt->ready);
    if (rt->chooser.before != NULL)
        rt->chooser.before(rt->chooser.context);
    const size_t ready = coir__ready_count(&rt->ready);
    const unsigned count = ready < PICK_AMONG ? (unsigned)ready : PICK_AMONG;
    if (rt->chooser.choose == NULL)
        return coir__ready_take(&rt->ready, next_random(&rt->random) % count);
    return coir__ready_take(&rt->ready,
                            count > 1 ? rt->chooser.choose(rt->chooser.context, count) : 0);
}

unsigned coir__draw(struct coir__runtime *rt, unsigned count) {
    if (rt->chooser.choose != NULL)
        return rt->chooser.choose(rt->chooser.context, count);
    return (unsigned)((next_random(&rt->draws) >> 32) * count >> 32);
}

/* The floating-point control words of the one who stops and the one who goes on. */
static void switch_fp(struct coir__runtime *rt, struct coir__task *self, struct coir__task *next) {
    const struct coir_fp now = coir__fp_get();
    if (self->own_fp) {
        self->fp = now;
    } else if (COIR_DEBUG && self != &rt->loop && !coir__fp_equal(now, rt->fp)) {
        char label[128];
        coir__warn(
            "%s waits with the floating-point environment changed; it belongs to the thread. "
            "Spawn it with own_fp_environment, or restore it first",
            coir__task_label(self, label, sizeof label));
    }
    coir__fp_set(next->own_fp ? next->fp : rt->fp);
}

coir__noinline struct coir__task *coir__next_slow(struct coir__runtime *rt,
                                                  struct coir__task *self) {
    if (rt->careful == 0)
        return &rt->loop;
    coir__stack_check(self);
    if (rt->observer.reasons != 0)
        coir__observe_stop(rt, self);
    struct coir__task *next = &rt->loop;
    if (rt->careful_left > 0) {
        rt->careful_left--;
        next = pick(rt);
        rt->turn_end = rt->ready.head;
    }
    if (rt->observer.reasons != 0)
        coir__observe_run(rt, self, next);
    switch_fp(rt, self, next);
    return next;
}

void coir__yield_turn(struct coir__runtime *rt, struct coir__task *self) {
    self->value = 0;
    coir__make_ready(rt, self);
    rt->turn_end = rt->ready.head;
    rt->careful_left = 0;
    (void)coir__suspend(rt, self);
}

/* ---- The loop ---- */

static void begin_turn(struct coir__runtime *rt) {
    const size_t careful = rt->careful != 0 ? rt->turn_budget : 0;
    rt->careful_left = careful;
    rt->turn_end = rt->ready.head + rt->turn_budget - careful;
}

/* Chooses how many switches a turn may have: as many as fit into TURN_TIME, going by the last one,
 * so that cheap switches are not slowed by clock and poller, and dear ones do not keep those
 * waiting. `*last` is when the last turn ended, 0 if the loop was idle since: then the clock is not
 * read. */
static void end_turn(struct coir__runtime *rt, coir_time *last) {
    if (nothing_ready(rt)) {
        *last = 0;
        return;
    }
    const coir_time now = coir__clock(rt);
    if (*last != 0 && now - *last > TURN_TIME)
        rt->turn_budget = (rt->turn_budget + 1) / 2;
    else if (rt->turn_budget < TURN_MAX)
        rt->turn_budget *= 2;
    *last = now;
}

static void take_signals(struct coir__runtime *rt) {
    if (likely(atomic_load_explicit(&rt->signalled, memory_order_relaxed) == 0))
        return;
    const int asked = atomic_exchange(&rt->signalled, 0);
    if ((asked & COIR_ASKED_DUMP) != 0) {
        coir__warn("SIGQUIT: the tasks of this runtime are");
        (void)coir__dump(rt, stderr);
    }
    if ((asked & COIR_ASKED_CANCEL) != 0)
        coir_scope_cancel(&rt->root);
}

void coir__break_deadlock(struct coir__runtime *rt) {
    if (rt->doomed)
        coir__deadlock_fatal(rt);
    coir__deadlock_report(rt);
    rt->doomed = true;
    if (rt->root.coir__cancelled)
        coir__refresh(&rt->root);
    else
        coir__cancel(&rt->root);
}

/* How long the poller may sleep when no task is ready. */
static coir_time patience(struct coir__runtime *rt) {
    if (rt->wheel.armed == 0)
        return COIR_NEVER;
    if (rt->virtual_now != 0)
        return rt->offload_jobs > 0 ? COIR_NEVER : 0;
    const coir_time now = sys_clock();
    const coir_time wake = coir__wheel_wake(&rt->wheel, now);
    return wake > now ? wake - now : 0;
}

static void poll_for(struct coir__runtime *rt, coir_time timeout) {
    rt->polls++;
    const int rc = coir__poll_wait(&rt->poller, timeout, coir__fd_event, rt);
    if (rc < 0)
        coir__fatal("the poller failed: %s", coir_strerror(rc));
}

/* Virtual time: nothing is ready, and no descriptor nor job had anything either; so time may jump
 * from deadline to deadline until one makes a task ready. */
static void jump(struct coir__runtime *rt) {
    while (nothing_ready(rt) && rt->wheel.armed > 0) {
        const coir_time next = coir__wheel_next(&rt->wheel);
        rt->virtual_now = next > rt->virtual_now ? next : rt->virtual_now;
        coir__wheel_advance(&rt->wheel, rt->virtual_now);
    }
}

/* Stacks beyond the cache are given back once they were not needed for so long. */
#define UNUSED_TIME COIR_SEC(1)
/* A batch of them takes some 150 us: only where the loop would sleep as long anyway, else so often.
 */
#define LONG_SLEEP COIR_US(200)
#define TRIM_EVERY COIR_MS(4)

/* Gives a batch of stacks back if now is the time. Virtual time is not waited for: then the time is
 * whenever nothing is ready. Returns how long the poller may sleep, at most `timeout`: as long as
 * there are stacks to be watched it has to come back. */
static coir_time trim(struct coir__runtime *rt, bool idle, coir_time timeout) {
    const bool virtual = rt->virtual_now != 0;
    if (virtual && !idle)
        return timeout;
    const coir_time now = rt->turn_began;
    const coir_time until = coir__stacks_survey(&rt->stacks, now, virtual ? 0 : UNUSED_TIME);
    const bool at_rest = idle && (virtual || timeout >= LONG_SLEEP);
    if (rt->stacks.spare > 0 && (at_rest || now - rt->trimmed >= TRIM_EVERY)) {
        rt->trimmed = now;
        if (coir__stacks_trim(&rt->stacks))
            return 0; /* and the next batch, if nothing comes up meanwhile */
    }
    if (virtual || until == COIR_NEVER)
        return timeout;
    const coir_time rest = until - now > TRIM_EVERY ? until - now : TRIM_EVERY;
    return timeout < rest ? timeout : rest;
}

/* Between turns: signals, descriptors and finished jobs, then timers. Sleeps when no task is ready.
 */
static void look_around(struct coir__runtime *rt) {
    take_signals(rt);
    const bool idle = nothing_ready(rt);
    coir_time timeout = 0;
    if (idle) {
        timeout = patience(rt);
        if (timeout == COIR_NEVER && rt->io_waiting == 0 && rt->offload_jobs == 0 &&
            !rt->holds_signals) {
            coir__break_deadlock(rt);
            return;
        }
    }
    if (unlikely(rt->stacks.mapped > rt->stacks.cached_max)) /* as it then stays */
        timeout = trim(rt, idle, timeout);
    if (timeout > 0 || rt->io_waiting > 0 || rt->offload_jobs > 0)
        poll_for(rt, timeout);
    coir__offload_reap(rt);
    take_signals(rt);
    if (rt->wheel.armed == 0)
        return;
    coir__wheel_advance(&rt->wheel, coir__clock(rt));
    if (rt->virtual_now != 0 && rt->offload_jobs == 0)
        jump(rt);
}

void coir__loop(struct coir__runtime *rt) {
    coir_time last_turn = 0;
    while (rt->root.coir__live > 0) {
        look_around(rt);
        if (unlikely((coir__probes_wanted != 0) !=
                     ((rt->observer.reasons & COIR_OBSERVE_PROBES) != 0)))
            coir__observe_probes(rt);
        rt->turn_began = rt->virtual_now != 0 ? rt->virtual_now : sys_clock_coarse();
        coir__wheel_keep_up(&rt->wheel, rt->turn_began);
        begin_turn(rt);
        struct coir__task *const next = coir__next(rt, &rt->loop);
        if (next != &rt->loop)
            (void)coir__switch_inside_to(rt, &rt->loop, next);
        rt->turns++;
        end_turn(rt, &last_turn);
    }
}
