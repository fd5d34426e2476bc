/* Setting a runtime up, running it, and taking it down; its options, clock and counters.
 *
 * Everything a runtime owns is made in create() and unmade, in reverse, in destroy(). The thread's
 * pointer to it is set only while it runs. */
#include <pthread.h>
#include <string.h>

#include "core/runtime.h"

#define VIRTUAL_START COIR_SEC(1) /* not 0, which means "no deadline" */
#define OFFLOAD_THREADS_DEFAULT 8
#define OFFLOAD_THREADS_MAX 1024
#define TURN_FIRST 16

__thread struct coir__runtime *coir__rt;
__thread struct coir__chooser coir__next_chooser;
static __thread bool in_forked_child;

int coir__outside(void) {
    return in_forked_child ? -ECHILD : -EPERM;
}

/* In the child of a fork the runtime's descriptors are the parent's too: it must not go on. */
static void after_fork(void) {
    in_forked_child |= coir__rt != NULL;
    coir__rt = NULL;
    coir__signals_forked();
    coir__quit_forked();
    coir__fault_forked();
    coir__hold_forked();
    coir__layout_forked();
}

static void watch_forks(void) {
    (void)pthread_atfork(NULL, NULL, after_fork);
}

static uint64_t next_serial(void) {
    static _Atomic uint64_t serial;
    const uint64_t mask = (UINT64_C(1) << (64 - COIR_GENERATION_BITS)) - 1;
    uint64_t mine;
    do
        mine = (atomic_fetch_add(&serial, 1) + 1) & mask;
    while (mine == 0);
    return mine;
}

/* ---- Options ---- */

static int check_options(const coir_options *options) {
    if (options->stack_size_bytes != 0 && (options->stack_size_bytes < COIR_STACK_SIZE_MIN ||
                                           options->stack_size_bytes > COIR_STACK_SIZE_MAX))
        return -EINVAL;
    if (options->slow_task < 0)
        return -EINVAL;
    return options->offload_threads > OFFLOAD_THREADS_MAX ? -EINVAL : 0;
}

static void apply_options(struct coir__runtime *rt, const coir_options *options) {
    rt->default_stack_size =
        options->stack_size_bytes != 0 ? options->stack_size_bytes : COIR_STACK_SIZE_DEFAULT;
    rt->default_pool = coir__stack_pool(&rt->stacks, rt->default_stack_size);
    rt->offload_threads =
        options->offload_threads != 0 ? options->offload_threads : OFFLOAD_THREADS_DEFAULT;
    rt->virtual_now = options->virtual_clock ? VIRTUAL_START : 0;
    rt->random = rt->draws = options->seed;
    rt->chooser = coir__next_chooser;
    coir__next_chooser = (struct coir__chooser){.choose = NULL};
    rt->leaves_signals = options->leave_signals;
    rt->careful = options->seed != 0 || rt->chooser.choose != NULL || COIR_DEBUG;
}

/* ---- Making and unmaking ---- */

/* Describes the thread's own stack to the tools that ask. */
static void describe_thread(struct coir__task *loop) {
    sanitizer_thread(&loop->shadow);
#if COIR_ASAN && defined(__linux__)
    pthread_attr_t attributes;
    void *low = NULL;
    if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
        (void)pthread_attr_getstack(&attributes, &low, &loop->shadow.size_bytes);
        loop->shadow.low = low;
        (void)pthread_attr_destroy(&attributes);
    }
#endif
}

static int create(struct coir__runtime **out, const coir_options *options) {
    /* At a page, as blocks of tasks lie at the end of one: elsewhere it depends on what the program
     * has allocated before, and on sizes, which of them get into each other's way in the cache. */
    const size_t page = 4096;
    const size_t size = (sizeof(struct coir__runtime) + page - 1) / page * page;
    struct coir__runtime *const rt = sys_allocate_aligned(page, size);
    if (rt == NULL)
        return -ENOMEM;
    memset(rt, 0, offsetof(struct coir__runtime, wheel)); /* which has an init of its own */
    apply_options(rt, options);
    int rc = coir__stacks_init(&rt->stacks, options->stack_cache != 0 ? options->stack_cache
                                                                      : COIR_STACK_CACHE_DEFAULT);
    if (rc == 0)
        rc = coir__poll_init(&rt->poller);
    if (rc < 0) {
        sys_free(rt);
        return rc;
    }
    coir__wheel_init(&rt->wheel, coir__clock(rt));
    list_init(&rt->starved);
    rt->epoch = 1;
    rt->generation = next_serial() << COIR_GENERATION_BITS;
    rt->fp = coir__fp_get();
    rt->errno_address = &errno;
    rt->current = &rt->loop;
    rt->loop.due = COIR_NEVER;
    rt->loop.home = &rt->root; /* for a hook that opens a scope there */
    rt->loop.saved_errno = errno;
    rt->turn_budget = TURN_FIRST;
    describe_thread(&rt->loop);
    coir__observe_init(rt, options);
    *out = rt;
    return 0;
}

static void destroy(struct coir__runtime *rt) {
    coir__offload_fini(rt);
    coir__fds_fini(rt);
    coir__poll_fini(&rt->poller);
    coir__stacks_fini(&rt->stacks);
    coir__ready_fini(&rt->ready);
    coir__inspector_fini(rt);
    while (rt->slabs != NULL) {
        void *const slab = rt->slabs;
        memcpy(&rt->slabs, slab, sizeof rt->slabs); /* its first member: the next one */
        sys_free(slab);
    }
    sys_free(rt);
}

/* ---- Running ---- */

/* The main task: the caller's function, and after it the end of everything that is left. */
static int main_task(void *arg) {
    struct coir__runtime *const rt = arg;
    rt->main_rc = rt->main_fn(rt->main_arg);
    if (coir__rt == NULL || rt->current->scope != NULL) /* which coir__task_exit will tell */
        return rt->main_rc;
    if (COIR_DEBUG && rt->root.coir__live > 1) {
        coir__warn("the main task has ended while others live in its scope; they are cancelled:");
        (void)coir__dump(rt, stderr);
    }
    coir_scope_cancel(&rt->root);
    return rt->main_rc;
}

static int run(struct coir__runtime *rt) {
    coir__scope_open_root(&rt->root);
    const coir_spawn_options options = {.name = "main", .result = &rt->main_rc};
    const int rc = coir__spawn(&rt->root, main_task, rt, &options, NULL);
    if (rc < 0)
        return rc;
    coir__loop(rt);
    if (COIR_DEBUG)
        coir__unseen_tell(&rt->root);
    return rt->doomed ? -EDEADLK : rt->main_rc;
}

static coir__cold int refuse_nested(void) {
    coir__misuse(coir__rt, "calls coir_run inside a run; call the function itself, or spawn it");
    return -EPERM;
}

int coir_run(coir_fn fn, void *arg) {
    return coir_run_with(fn, arg, NULL);
}

int coir_run_with(coir_fn fn, void *arg, const coir_options *options) {
    static pthread_once_t forks = PTHREAD_ONCE_INIT;
    static const coir_options defaults;
    if (coir__rt != NULL)
        return refuse_nested();
    if (in_forked_child)
        return -ECHILD;
    if (options == NULL)
        options = &defaults;
    if (fn == NULL || check_options(options) < 0)
        return -EINVAL;
    (void)pthread_once(&forks, watch_forks);
    struct coir__runtime *rt;
    int rc = create(&rt, options);
    if (rc < 0)
        return rc;
    rt->main_fn = fn;
    rt->main_arg = arg;
    coir__rt = rt;
    coir__layout_list(rt);
    if (options->cancel_on_signals)
        rc = coir__signals_take(rt);
    if (rc == 0 && options->dump_on_sigquit)
        rc = coir__quit_take(rt);
    if (rc == 0) {
        coir__thread_end_watch(rt);
        coir__fault_init(rt);
        coir__watchdog_start(rt, options->slow_task);
        rc = run(rt);
        coir__watchdog_stop(rt);
        coir__fault_fini(rt);
        coir__thread_end_leave();
    }
    coir__quit_release(rt);
    coir__signals_release(rt);
    coir__layout_unlist(rt);
    coir__rt = NULL;
    destroy(rt);
    return rc;
}

coir_scope *coir_main_scope(void) {
    return coir__rt != NULL ? &coir__rt->root : NULL;
}

/* ---- Clock and counters ---- */

coir_time coir_now(void) {
    return coir__rt != NULL ? coir__clock(coir__rt) : sys_clock();
}

coir_time coir_after(coir_time duration) {
    coir_time result;
    if (duration == COIR_NEVER || __builtin_add_overflow(coir_now(), duration, &result))
        return duration < 0 ? 1 : COIR_NEVER;
    return result < 1 ? 1 : result;
}

int coir_stats_get(coir_stats *out) {
    const struct coir__runtime *const rt = coir__rt;
    if (rt == NULL)
        return coir__outside();
    if (out == NULL)
        return -EINVAL;
    *out = (coir_stats){
        .tasks_alive = coir__alive(rt),
        .tasks_ever = coir__spawned(rt),
        .switches = rt->ready.head + rt->turns,
        .polls = rt->polls,
        .stacks_mapped = rt->stacks.mapped,
        .stacks_cached = coir__stacks_cached(&rt->stacks),
        .stacks_unguarded = rt->stacks.unguarded,
        .timers_armed = rt->wheel.armed,
        .descriptors = rt->descriptors,
        .io_waiting = rt->io_waiting,
        .offload_jobs = rt->offload_jobs,
        .offload_threads = coir__offload_threads(rt),
        .scopes_left_open = rt->scopes_left_open,
        .cuts_ignored = rt->cuts_ignored,
        .slow_stretches = coir__watchdog_stretches(rt),
        .accept_backoffs = rt->accept_backoffs,
    };
    return 0;
}

const char *coir_version(void) {
    return "0.1.0";
}
