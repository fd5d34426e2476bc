/* Jobs on threads, as the rest of the library uses them. */
#ifndef COIR_IO_OFFLOAD_H
#define COIR_IO_OFFLOAD_H

#include "core/runtime.h"

struct coir__job {
    coir_waiter wait;
    struct coir__link link; /* in the queue, or among the finished */
    coir_fn fn;
    void *arg;
    int rc; /* what fn returned */
    /* NULL: a cut waits until the job has ended. Otherwise the job is on the heap and a cut leaves
     * a running one to its thread, which calls this in the end. */
    void (*destroy)(struct coir__job *job);
    bool running, abandoned;
    _Atomic bool cancelled;
};

/* The job that the calling thread runs, or NULL. */
extern __thread struct coir__job *coir__current_job __attribute__((visibility("hidden")));

/* Runs the job and waits for it. 0: it has ended, see job->rc. Otherwise it has not run, or was
 * left behind; if it has a `destroy`, that was called or will be. -ECANCELED, -ENOMEM, -EAGAIN. */
int coir__offload_run(struct coir__runtime *rt, struct coir__job *job);

#endif
