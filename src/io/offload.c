/* A bounded pool of threads for calls that block.
 *
 * The pool is made with the first job; threads are started while jobs wait and none is idle. A
 * thread whose job was left behind does not count, so that slow name servers do not stop the rest.
 * The loop hears of finished jobs through the poller's wake-up. The pool is on the heap and counts
 * its threads, because a thread whose job was left behind may outlive the runtime. */
#include "io/offload.h"

#include <pthread.h>

#include "coir/offload.h"

/* Threads that may hang in jobs left behind before they hold up others. */
#define ABANDONED_MAX 64

struct coir__offload {
    pthread_mutex_t lock;
    pthread_cond_t more;        /* a job was queued, or the pool closes */
    struct coir__link queue;    /* not begun, oldest first */
    struct coir__link finished; /* for the loop to collect */
    struct coir__link workers;
    struct coir__poller *poller; /* NULL once the runtime has ended */
    unsigned threads, idle, limit;
    unsigned queued;     /* length of the queue */
    unsigned abandoned;  /* threads busy with a job nobody waits for any more: not counted */
    unsigned references; /* the runtime, and every thread */
};

struct worker {
    struct coir__link link;
    struct coir__offload *pool;
    struct coir__job *job; /* running, or NULL */
    pthread_t thread;
    bool detached; /* nobody joins it: it frees itself */
};

__thread struct coir__job *coir__current_job;

bool coir_offload_cancelled(void) {
    return coir__current_job != NULL && atomic_load(&coir__current_job->cancelled);
}

/* ---- Threads ---- */

/* Gives up one reference; unlocks the pool. */
static void release_pool(struct coir__offload *pool) {
    const bool last = --pool->references == 0;
    (void)pthread_mutex_unlock(&pool->lock);
    if (!last)
        return;
    (void)pthread_mutex_destroy(&pool->lock);
    (void)pthread_cond_destroy(&pool->more);
    sys_free(pool);
}

static void run_job(struct worker *self, struct coir__job *job) {
    struct coir__offload *const pool = self->pool;
    self->job = job;
    job->running = true;
    (void)pthread_mutex_unlock(&pool->lock);
    coir__current_job = job;
    const int rc = job->fn(job->arg);
    coir__current_job = NULL;
    (void)pthread_mutex_lock(&pool->lock);
    self->job = NULL;
    if (job->abandoned) {
        job->destroy(job);
        pool->abandoned--;
        return;
    }
    job->rc = rc;
    list_append(&pool->finished, &job->link);
    coir__poll_wake(pool->poller);
}

static void *work(void *arg) {
    struct worker *const self = arg;
    struct coir__offload *const pool = self->pool;
    (void)pthread_mutex_lock(&pool->lock);
    for (;;) {
        if (pool->threads - pool->abandoned > pool->limit && !self->detached) {
            list_take(&self->link); /* another has taken this one's place */
            self->detached = true;
            (void)pthread_detach(self->thread);
            break;
        }
        if (!list_empty(&pool->queue)) {
            struct coir__job *const job = list_entry(pool->queue.next, struct coir__job, link);
            list_take(&job->link);
            pool->queued--;
            run_job(self, job);
        } else if (pool->poller == NULL) {
            break;
        } else {
            pool->idle++;
            (void)pthread_cond_wait(&pool->more, &pool->lock);
            pool->idle--;
        }
    }
    pool->threads--;
    const bool detached = self->detached;
    release_pool(pool);
    if (detached)
        sys_free(self);
    return NULL;
}

static int start_worker(struct coir__offload *pool) {
    struct worker *const worker = sys_allocate(sizeof *worker);
    if (worker == NULL)
        return -ENOMEM;
    worker->pool = pool;
    const int error = pthread_create(&worker->thread, NULL, work, worker);
    if (error != 0) {
        sys_free(worker);
        return -error;
    }
    list_append(&pool->workers, &worker->link);
    pool->threads++;
    pool->references++;
    return 0;
}

static int make_pool(struct coir__runtime *rt) {
    struct coir__offload *const pool = sys_allocate(sizeof *pool);
    if (pool == NULL)
        return -ENOMEM;
    (void)pthread_mutex_init(&pool->lock, NULL);
    (void)pthread_cond_init(&pool->more, NULL);
    list_init(&pool->queue);
    list_init(&pool->finished);
    list_init(&pool->workers);
    pool->poller = &rt->poller;
    pool->limit = rt->offload_threads;
    pool->references = 1;
    rt->offload = pool;
    return 0;
}

void coir__offload_fini(struct coir__runtime *rt) {
    struct coir__offload *const pool = rt->offload;
    if (pool == NULL)
        return;
    struct coir__link to_join;
    list_init(&to_join);
    (void)pthread_mutex_lock(&pool->lock);
    pool->poller = NULL;
    while (!list_empty(&pool->workers)) {
        struct worker *const worker = list_entry(pool->workers.next, struct worker, link);
        list_take(&worker->link);
        if (worker->job != NULL) { /* only jobs that were left behind can still run */
            worker->detached = true;
            (void)pthread_detach(worker->thread);
        } else {
            list_append(&to_join, &worker->link);
        }
    }
    (void)pthread_cond_broadcast(&pool->more);
    (void)pthread_mutex_unlock(&pool->lock);
    while (!list_empty(&to_join)) {
        struct worker *const worker = list_entry(to_join.next, struct worker, link);
        list_take(&worker->link);
        (void)pthread_join(worker->thread, NULL);
        sys_free(worker);
    }
    (void)pthread_mutex_lock(&pool->lock);
    release_pool(pool);
    rt->offload = NULL;
}

uint64_t coir__offload_threads(const struct coir__runtime *rt) {
    struct coir__offload *const pool = rt->offload;
    if (pool == NULL)
        return 0;
    (void)pthread_mutex_lock(&pool->lock);
    const unsigned threads = pool->threads;
    (void)pthread_mutex_unlock(&pool->lock);
    return threads;
}

/* ---- Jobs ---- */

static bool cut_job(coir_waiter *wait) {
    struct coir__job *const job = (struct coir__job *)(void *)wait;
    struct coir__runtime *const rt = coir__rt;
    struct coir__offload *const pool = rt->offload;
    (void)pthread_mutex_lock(&pool->lock);
    const bool queued = !job->running;
    const bool leave = queued || (job->destroy != NULL && !list_linked(&job->link));
    if (queued) {
        list_take(&job->link);
        pool->queued--;
    } else if (leave) {
        job->abandoned = true;
        pool->abandoned++;
    }
    atomic_store(&job->cancelled, true);
    (void)pthread_mutex_unlock(&pool->lock);
    if (!leave)
        return false;
    rt->offload_jobs--;
    if (queued && job->destroy != NULL)
        job->destroy(job);
    return true;
}

void coir__offload_reap(struct coir__runtime *rt) {
    struct coir__offload *const pool = rt->offload;
    if (rt->offload_jobs == 0)
        return;
    struct coir__link finished;
    list_init(&finished);
    (void)pthread_mutex_lock(&pool->lock);
    list_splice(&finished, &pool->finished);
    (void)pthread_mutex_unlock(&pool->lock);
    while (!list_empty(&finished)) {
        struct coir__job *const job = list_entry(finished.next, struct coir__job, link);
        list_take(&job->link);
        rt->offload_jobs--;
        coir__wake(rt, &job->wait, 0);
    }
}

/* Queues the job; a thread may take it at once. */
static int submit(struct coir__runtime *rt, struct coir__job *job) {
    if (rt->offload == NULL)
        COIR_TRY(make_pool(rt));
    struct coir__offload *const pool = rt->offload;
    int rc = 0;
    (void)pthread_mutex_lock(&pool->lock);
    if (pool->idle <= pool->queued && pool->threads - pool->abandoned < pool->limit &&
        pool->abandoned <= ABANDONED_MAX)
        rc = start_worker(pool);
    if (rc == 0 || pool->threads > 0) {
        rc = 0;
        list_append(&pool->queue, &job->link);
        pool->queued++;
        (void)pthread_cond_signal(&pool->more);
    }
    (void)pthread_mutex_unlock(&pool->lock);
    return rc;
}

int coir__offload_run(struct coir__runtime *rt, struct coir__job *job) {
    job->wait.cut = cut_job;
    int rc = coir__check(rt, rt->current);
    if (rc == 0)
        rc = submit(rt, job);
    if (rc < 0) {
        if (job->destroy != NULL)
            job->destroy(job);
        return rc;
    }
    rt->offload_jobs++;
    return coir__park(rt, rt->current, &job->wait);
}

int coir_offload(coir_fn fn, void *arg) {
    if (coir__rt == NULL)
        return coir__outside();
    if (fn == NULL)
        return -EINVAL;
    struct coir__job job = {
        .wait = {.what = coir__what_offload, .object = (const void *)(uintptr_t)fn},
        .fn = fn,
        .arg = arg};
    COIR_TRY(coir__offload_run(coir__rt, &job));
    return job.rc;
}
