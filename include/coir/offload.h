/* Blocking calls on a pool of threads, so that the loop does not block with them. */
#ifndef COIR_OFFLOAD_H
#define COIR_OFFLOAD_H

#include "base.h"

COIR_BEGIN_DECLS

/* Runs fn(arg) on a thread of the pool and waits for it; returns what it returned. The pool grows
 * on demand to its bound (coir_options.offload_threads); beyond that jobs queue, first in first
 * out. Nothing of the runtime may be called from fn but coir_offload_cancelled. Cut while queued:
 * fn never runs, -ECANCELED. Cut while running: fn is waited for and its result returned (it owns
 * what arg points to until then). Errors: -ECANCELED; -EINVAL fn is NULL; -EAGAIN or -ENOMEM no
 * thread could be started and none is running; -EPERM outside the runtime. */
COIR_API COIR_MUST_CHECK int coir_offload(coir_fn fn, void *arg);

/* In a job: whether the task that waits for it has been cut, so that a long job can end early.
 * False on any thread that runs no job. */
COIR_API bool coir_offload_cancelled(void);

COIR_END_DECLS

#endif
