/* Combinators: several calls at once, each in a task; several tasks waited for at once.
 *
 * All are written with scopes and tasks, and keep their promises: none returns before every task it
 * started has ended, and whoever cuts one cuts the tasks it started. (coir_wait and coir_next start
 * none: cutting them leaves the tasks alone. So does cutting coir_join: it is asyncio's shield.)
 * Common errors: -ECANCELED cut; -EPERM outside the runtime. */
#ifndef COIR_COMBINE_H
#define COIR_COMBINE_H

#include "base.h"
#include "scope.h"
#include "task.h"

COIR_BEGIN_DECLS

/* ---- Calls: started, and waited for ---- */

/* One call, and what came of it. */
typedef struct coir_call {
    coir_fn fn;
    void *arg;
    int rc; /* what fn(arg) returned; -EINPROGRESS if it could not be started */
} coir_call;

/* coir_call calls[] = {COIR_CALL(fetch, &a), COIR_CALL(fetch, &b)}; */
#define COIR_CALL(fn, arg)                                                                         \
    { (fn), (arg), 0 }

/* Runs all calls at once, each in a task of its own, and waits for all. Results are in calls[i].rc,
 * in the order of the calls. COIR_FAIL_FAST: the first failure cancels the others (asyncio's gather
 * would let them run on). COIR_SUPERVISE: all run to their end. Returns what coir_scope_close says
 * of the body that started them: 0; the earliest failure; -ECANCELED if a call was cut from
 * outside; -ENOMEM if not all could be started, which counts as a failure (the arg of a call that
 * was not is still the caller's). No calls: 0. -EINVAL, and none is started: another policy, calls
 * is NULL, or a function is. Parks until all have ended. */
COIR_API COIR_MUST_CHECK int coir_gather(coir_call *calls, size_t n, coir_policy policy);

/* Runs all calls at once until the first succeeds, cancels the others, waits for them, and returns
 * what the first returned, with its index in *winner (may be NULL). Results as above; a loser may
 * have succeeded too. Failures are kept back as long as a call may still succeed; if none does:
 * the earliest failure, or -ECANCELED if all were cut. A winner found before a cut from outside is
 * returned all the same. -EINVAL also for no calls. -ENOMEM: not all could be started, and of
 * those that were, which are cancelled, none succeeded. */
COIR_API COIR_MUST_CHECK int coir_race(coir_call *calls, size_t n, size_t *winner);

/* Calls fn(0, ctx) to fn(n - 1, ctx), begun in that order, at most `limit` at a time. The first
 * that fails cancels those under way, and no further one is begun; nor is one when the caller is
 * cut. Uses `limit` tasks, or n if that is less: many indices share one, and between two of them it
 * yields. Returns 0; the earliest failure; -ECANCELED; -ENOMEM a task could not be started, and the
 * others are cancelled; -EINVAL fn is NULL or limit is 0 (SIZE_MAX is no limit). */
COIR_API COIR_MUST_CHECK int coir_map(size_t n, size_t limit, int (*fn)(size_t index, void *ctx),
                                      void *ctx);

/* Calls fn(arg) in the calling task, in a scope that ends after `duration` (0 or less: at once, so
 * that its first wait is cut). Returns what it returned; -ETIMEDOUT if it was cut by that, and not
 * before it returned. -EINVAL fn is NULL. */
COIR_API COIR_MUST_CHECK int coir_timeout(coir_time duration, coir_fn fn, void *arg);

/* Spawns fn(arg) into the scope as coir_spawn_with does (options may be NULL), and waits until the
 * task says by coir_started that it is ready. Returns the value given there; from then on the task
 * is the scope's. A task that ends before is the caller's affair alone: its scope takes it for
 * cancelled, as does everybody who joins it, and what it returned is returned here: its failure, or
 * -EPROTO if it was none. Cut: cancels the task, waits for its end, then returns its failure or
 * -ECANCELED. Already cancelled: nothing is spawned. Further errors: those of coir_spawn_with. The
 * model is start of trio's nurseries. */
COIR_API COIR_MUST_CHECK int coir_start(coir_scope *scope, coir_fn fn, void *arg,
                                        const coir_spawn_options *options);

/* Tells the task that waits in coir_start for the calling one that it is ready. `value`, at least
 * 0, is for its return. Never parks. Errors: -EALREADY nobody waits: said before, or spawned
 * otherwise (a body that serves both ways ignores this); -ECANCELED the starter was cut and has
 * left: the caller is cancelled, or about to be; -EINVAL negative. */
COIR_API int coir_started(int value);

/* ---- Tasks: only waited for ---- */

typedef enum coir_when {
    COIR_ALL_COMPLETED,
    COIR_FIRST_COMPLETED,
    COIR_FIRST_EXCEPTION /* the first that failed, or all; -ECANCELED is no failure here */
} coir_when;

/* Waits until as many of the n tasks have ended as `when` says, or until the deadline (COIR_NEVER:
 * none; one that has passed: lets the other tasks run once), which cancels nothing and is no error.
 * Returns how many have ended by then; coir_task_done tells which. A handle that is in the array
 * twice counts twice. Uses the heap where n is above 16. Errors: -ESRCH a handle as coir_join's
 * error of that name; -EDEADLK one is the caller's own; -EINVAL tasks is NULL, n is 0 (or above
 * INT32_MAX), `when` is none of those; -ENOMEM. */
COIR_API COIR_MUST_CHECK int coir_wait(const coir_task *tasks, size_t n, coir_when when,
                                       coir_time deadline);

/* Waits for the next end of a task in the scope, among those spawned with a handle: each is told
 * once, in the order in which they ended, whether they were joined or not. Stores its handle in
 * *task and what it returned in *rc (each may be NULL). When several tasks wait, the first is told
 * first. A failure that cancels the scope is told to one who waits; the next call is cut, so to
 * hear of all let the scope supervise. Returns 0; -ENOENT all have ended
 * and been told; -EDEADLK only the caller's own end is left; -EINVAL the scope is NULL or not
 * open. */
COIR_API COIR_MUST_CHECK int coir_next(coir_scope *scope, coir_task *task, int *rc);

COIR_END_DECLS

#endif
