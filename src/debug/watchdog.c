/* Slow tasks: noticed while they hold the thread, and told with the place where they are.
 *
 * Four times in the limit a thread looks whether the watched one has switched since; it costs that
 * one nothing. If it has not, the place is found out in one of two ways. A thread asleep in a
 * system call keeps still by itself, and the system knows its stack pointer: so the call is not
 * disturbed. One that computes is held for a moment (debug/hold.c). A runtime in its loop is never
 * slow. */
#include "debug/watchdog.h"

#include <string.h>

#include "debug/frame_text.h"
#include "debug/identity.h"

#define SIGHTINGS 4 /* of the same stretch, however long the watchdog itself is kept waiting */
#define INTERVAL_MIN COIR_US(250)
#define FRAMES_MAX 64
#define TRIES 4
#define QUIET COIR_SEC(1) /* between two reports */
#define LIMIT_DEFAULT COIR_MS(100)
#define STATE_SIZE 256

/* ---- Looking ---- */

/* Without a lock and without atomic operations, which would cost the runtime something. The words
 * may be of different moments; what was read is used only if it is the same several times over. */
COIR_RAW_MEMORY static struct coir__glimpse glimpse(const struct coir__runtime *rt) {
    const volatile struct coir__runtime *const now = rt;
    return (struct coir__glimpse){.current = now->current,
                                  .head = now->ready.head,
                                  .turn_end = now->turn_end,
                                  .careful_left = now->careful_left,
                                  .turns = now->turns};
}

static bool is_same(const struct coir__glimpse *a, const struct coir__glimpse *b) {
    return a->current == b->current && a->head == b->head && a->turn_end == b->turn_end &&
           a->careful_left == b->careful_left && a->turns == b->turns;
}

static bool still_there(const struct coir__watchdog *watchdog) {
    const struct coir__glimpse now = glimpse(watchdog->rt);
    return is_same(&now, &watchdog->last);
}

/* ---- Where it is ---- */

struct place {
    struct coir__identity identity;
    bool asleep;
    void *pcs[FRAMES_MAX];
    size_t count;
};

/* What the system says of a thread: "running", or, of one asleep in a system call, numbers of which
 * the last two are its stack pointer and program counter. Empty if it does not tell. */
static void read_state(long thread, char out[STATE_SIZE]) {
    char path[64];
    out[0] = '\0';
    (void)snprintf(path, sizeof path, "/proc/self/task/%ld/syscall", thread);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    const ssize_t length = sys_read(fd, out, STATE_SIZE - 1);
    out[length > 0 ? length : 0] = '\0';
    (void)sys_close(fd);
}

static bool parse_asleep(const char *state, struct coir__registers *out) {
    const char *const last = strrchr(state, ' ');
    const char *before = last;
    while (before != NULL && before > state && before[-1] != ' ')
        before--;
    if (last == NULL || before == state)
        return false;
    memset(out, 0, sizeof *out);
    out->sp = (uintptr_t)strtoull(before, NULL, 16);
    out->pc = (uintptr_t)strtoull(last, NULL, 16);
    return out->sp != 0 && out->pc != 0;
}

/* False if the thread is not on the stack of its task: under an emulator the system tells of the
 * emulator, which has stacks of its own. */
static bool follow(const struct coir__watchdog *watchdog, const struct coir__registers *registers,
                   bool asleep, struct coir__cfi *cfi, struct place *out) {
    struct coir__trail trail;
    out->count = 0;
    if (!coir__trail_begin_at(&trail, watchdog->rt, watchdog->last.current, registers))
        return false;
    trail.fp_unknown = asleep && trail.at.fp == 0;
    out->asleep = asleep;
    while (out->count < FRAMES_MAX &&
           (out->pcs[out->count] = coir__trail_next(&trail, cfi)) != NULL)
        out->count++;
    return true;
}

enum outcome { FOUND, MOVED, HIDDEN };

/* Finds the frames while the thread keeps still. MOVED: it did not. */
static enum outcome find_frames(struct coir__watchdog *watchdog, struct coir__cfi *cfi,
                                struct place *out) {
    char before[STATE_SIZE], after[STATE_SIZE];
    struct coir__registers registers;
    read_state(watchdog->rt->thread, before);
    if (parse_asleep(before, &registers)) {
        if (!follow(watchdog, &registers, true, cfi, out))
            return HIDDEN;
        read_state(watchdog->rt->thread, after);
        return strcmp(before, after) == 0 ? FOUND : MOVED;
    }
    if (strncmp(before, "running", strlen("running")) != 0 || watchdog->rt->leaves_signals ||
        !coir__hold_begin(watchdog))
        return HIDDEN;
    const bool found = follow(watchdog, &watchdog->registers, false, cfi, out);
    coir__hold_end(watchdog);
    return found ? FOUND : HIDDEN;
}

/* False if the task has given up the thread meanwhile. Without frames where they cannot be had. */
static bool find_place(struct coir__watchdog *watchdog, struct coir__cfi *cfi, struct place *out) {
    enum outcome outcome = MOVED;
    out->asleep = false;
    for (int i = 0; i < TRIES && outcome == MOVED && still_there(watchdog); i++)
        outcome = find_frames(watchdog, cfi, out);
    if (outcome != FOUND)
        out->count = 0;
    coir__identify(&out->identity, watchdog->last.current);
    return still_there(watchdog);
}

/* ---- Telling ---- */

static void add_ms(struct coir__text *line, coir_time duration) {
    coir__text_number(line, (uint64_t)(duration / COIR_MS(1)));
    coir__text_add(line, " ms");
}

static void tell_origin(struct coir__text *line, struct coir__symbols *symbols,
                        const struct coir__identity *identity) {
    coir__text_add(line, "  ");
    coir__text_origin(line, symbols, identity);
    coir__text_end(line);
}

static void tell_frames(struct place *place, struct coir__cfi *cfi) {
    struct coir__names names;
    coir__names_open(&names);
    (void)coir__frames_tell(
        (struct coir__frames_source){.pcs = place->pcs, .count = place->count, .names = &names},
        cfi);
    coir__names_close(&names);
}

static void tell_advice(struct coir__text *line, bool asleep) {
    coir__text_add(line, asleep
                             ? "  a call that blocks belongs on a thread (coir_offload), if Coir "
                               "has none of its own for it"
                             : "  let it yield now and then (coir_yield), or do the work on a "
                               "thread (coir_offload)");
    coir__text_end(line);
}

static void tell(struct coir__watchdog *watchdog, struct coir__cfi *cfi, struct place *place) {
    struct coir__text line = {.length = 0};
    const coir_time held = sys_clock() - watchdog->since;
    const coir_time computed = sys_thread_time(watchdog->watched) - watchdog->cpu_since;
    coir__text_add(&line, "coir: ");
    coir__text_task(&line, cfi->symbols, &place->identity.task);
    coir__text_add(&line, " has held the thread for ");
    add_ms(&line, held);
    coir__text_add(&line, ", computing for ");
    add_ms(&line, computed);
    coir__text_add(&line, " of them; no other task can run meanwhile:");
    coir__text_end(&line);
    tell_origin(&line, cfi->symbols, &place->identity);
    if (place->count > 0) {
        tell_frames(place, cfi);
    } else {
        coir__text_add(&line, "    (where it is could not be found out)");
        coir__text_end(&line);
    }
    tell_advice(&line, place->asleep);
    if (watchdog->untold > 0) {
        coir__text_add(&line, "  (since the last such report, not told: ");
        coir__text_number(&line, watchdog->untold);
        coir__text_add(&line, " more)");
        coir__text_end(&line);
    }
    watchdog->untold = 0;
}

static void report(struct coir__watchdog *watchdog) {
    struct coir__symbols symbols;
    struct coir__cfi cfi = {.symbols = &symbols};
    struct place place;
    coir__symbols_open(&symbols);
    if (find_place(watchdog, &cfi, &place))
        tell(watchdog, &cfi, &place);
    coir__symbols_close(&symbols);
}

/* ---- The thread ---- */

static void begin_stretch(struct coir__watchdog *watchdog, const struct coir__glimpse *now) {
    watchdog->last = *now;
    watchdog->since = sys_clock();
    watchdog->cpu_since = sys_thread_time(watchdog->watched);
    watchdog->sightings = 0;
    watchdog->told = false;
}

static void look(struct coir__watchdog *watchdog) {
    const struct coir__glimpse now = glimpse(watchdog->rt);
    if (now.current == &watchdog->rt->loop || !is_same(&now, &watchdog->last)) {
        begin_stretch(watchdog, &now);
        return;
    }
    const coir_time time = sys_clock();
    if (++watchdog->sightings < SIGHTINGS || time - watchdog->since < watchdog->limit ||
        watchdog->told)
        return;
    watchdog->told = true;
    if (time < watchdog->quiet_until) {
        watchdog->untold++;
    } else {
        report(watchdog);
        watchdog->quiet_until = sys_clock() + QUIET;
    }
    atomic_fetch_add(&watchdog->stretches, 1);
}

static void *watch(void *arg) {
    struct coir__watchdog *const watchdog = arg;
    const coir_time part = watchdog->limit / SIGHTINGS;
    const coir_time interval = part > INTERVAL_MIN ? part : INTERVAL_MIN;
    (void)pthread_mutex_lock(&watchdog->lock);
    while (!watchdog->ending) {
        sys_cond_wait(&watchdog->end, &watchdog->lock, interval);
        (void)pthread_mutex_unlock(&watchdog->lock);
        look(watchdog);
        (void)pthread_mutex_lock(&watchdog->lock);
    }
    (void)pthread_mutex_unlock(&watchdog->lock);
    return NULL;
}

/* The program's signals are for the program's threads. */
static int start_thread(struct coir__watchdog *watchdog) {
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    const int error = pthread_create(&watchdog->thread, NULL, watch, watchdog);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
#ifdef __linux__
    if (error == 0)
        (void)pthread_setname_np(watchdog->thread, "coir-watchdog");
#endif
    return error;
}

/* Nothing may be said of a program that is only slow because a tool makes it so. */
static coir_time limit_default(void) {
    const bool wanted = COIR_DEBUG && !COIR_ASAN && !COIR_TSAN && !sanitizer_on_valgrind();
    return wanted ? LIMIT_DEFAULT : COIR_NEVER;
}

void coir__watchdog_start(struct coir__runtime *rt, coir_time limit) {
    limit = limit == 0 ? limit_default() : limit;
    struct coir__watchdog *const watchdog =
        limit != COIR_NEVER ? sys_allocate(sizeof *watchdog) : NULL;
    if (watchdog == NULL)
        return;
    watchdog->rt = rt;
    watchdog->limit = limit;
    watchdog->watched = pthread_self();
    watchdog->last.current = &rt->loop;
    (void)pthread_mutex_init(&watchdog->lock, NULL);
    sys_cond_init(&watchdog->end);
    if (!rt->leaves_signals)
        coir__hold_install();
    rt->watchdog = watchdog;
    const int error = start_thread(watchdog);
    if (error == 0)
        return;
    coir__warn("slow tasks will not be named, there is no thread to be had for that: %s",
               coir_strerror(error));
    rt->watchdog = NULL;
    if (!rt->leaves_signals)
        coir__hold_restore();
    sys_free(watchdog);
}

void coir__watchdog_stop(struct coir__runtime *rt) {
    struct coir__watchdog *const watchdog = rt->watchdog;
    if (watchdog == NULL)
        return;
    (void)pthread_mutex_lock(&watchdog->lock);
    watchdog->ending = true;
    (void)pthread_cond_signal(&watchdog->end);
    (void)pthread_mutex_unlock(&watchdog->lock);
    (void)pthread_join(watchdog->thread, NULL);
    if (!rt->leaves_signals)
        coir__hold_restore();
    (void)pthread_mutex_destroy(&watchdog->lock);
    (void)pthread_cond_destroy(&watchdog->end);
    rt->watchdog = NULL;
    sys_free(watchdog);
}

uint64_t coir__watchdog_stretches(const struct coir__runtime *rt) {
    return rt->watchdog != NULL ? atomic_load(&rt->watchdog->stretches) : 0;
}
