/* Runs the scenarios of nth.h with each fault in its turn, every scenario in a process of its own.
 *
 *   nth                          all of them; JOBS=2 at a time
 *   NTH=spawn nth                that scenario alone
 *   NTH=spawn:0:12:0:once nth    one fault of it: with no stack left, the twelfth call, in the
 * first way it can fail; once, always (all later calls too), alike (those that fail for the same
 * reason). TRACE=1 shows each call */
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim/calls.h"
#include "sim/nth/nth.h"
#include "sim/sim.h"

#define SECONDS_MAX 300 /* for one scenario, and for all of them, on a slow machine */

#define GUARD COIR_SEC(3000) /* of the simulated clock: no scenario takes so long */
#define ANCESTORS 4
#define STATUS_VIOLATED 9
#define FAULTS_MAX 64 /* of one run that are told apart */
#define JOBS_MAX 64

enum mode { ONCE, ALWAYS, ALIKE, MODES };
static const char *const mode_names[MODES] = {"once", "always", "alike"};

/* One run: which fault is placed, and what came of it. */
static struct {
    const struct scenario *scenario;
    uint64_t nth; /* 0: none */
    unsigned kind;
    enum mode mode;
    int error;                                          /* of the fault that was met last */
    const struct coir__task *by[FAULTS_MAX][ANCESTORS]; /* who met them, and those above */
    bool met[256];                                      /* errors that were */
    unsigned kinds;            /* in how many ways the n-th call may fail */
    bool told;                 /* a call has said that it met one */
    bool over;                 /* the faults are */
    unsigned room;             /* stacks that are left before more have to be mapped */
    uint64_t begin, end, last; /* calls of a run without faults: of the scenario, before the end */
    int deadlocks;
} run;

/* What a process tells the one that started it. */
struct desk {
    pid_t worker; /* that process; for the one that started it */
    uint64_t faults;
    char violated[1024];
};
static struct desk *desk;

/* ---- Judging ---- */

static const char *where(void) {
    static char text[128];
    if (run.nth == 0)
        (void)snprintf(text, sizeof text, "%s", run.scenario->name);
    else
        (void)snprintf(text, sizeof text, "%s:%u:%llu:%u:%s", run.scenario->name, run.room,
                       (unsigned long long)run.nth, run.kind, mode_names[run.mode]);
    return text;
}

void violated(const char *format, ...) {
    va_list arguments;
    int length = snprintf(desk->violated, sizeof desk->violated, "FAILED NTH=%s (%s)\n       ",
                          where(), run.error != 0 ? strerror(run.error) : "no fault");
    va_start(arguments, format);
    (void)vsnprintf(desk->violated + length, sizeof desk->violated - (size_t)length, format,
                    arguments);
    va_end(arguments);
    coir_sim_trace("%s", desk->violated);
    _exit(STATUS_VIOLATED);
}

static bool is_for(const struct coir__task *const *by, const struct coir__task *task) {
    bool is = by[0] == NULL;
    for (unsigned i = 0; i < ANCESTORS; i++)
        is |= by[i] == task;
    return is;
}

/* Those of this task and of the tasks below it. What happens in a thread or the loop may be for
 * anybody. */
static uint64_t faults_met(void) {
    const uint64_t seen =
        coir__sim->report.failed < FAULTS_MAX ? coir__sim->report.failed : FAULTS_MAX;
    uint64_t count = coir__sim->report.failed - seen;
    for (uint64_t i = 0; i < seen; i++)
        count += is_for(run.by[i], coir__rt->current);
    return count;
}

struct before call_begins(void) {
    return (struct before){.met = faults_met()};
}

static bool is_allowed(long rc, const long *errors) {
    for (; *errors != 0; errors++)
        if (rc == -*errors || (*errors == SYSTEM && rc < 0 && rc > -256 && run.met[-rc]))
            return true;
    return false;
}

/* What a call may come to whose partner has failed or gone. */
static bool follows(long rc) {
    return rc == -ECANCELED || rc == -EPIPE || rc == -ECONNRESET || rc == -ECONNREFUSED ||
           rc == -ENOTCONN || rc == -ENOENT || rc == 0;
}

long call_ends(const struct before *before, const char *call, long rc, const long *allowed) {
    const long expected = allowed[0];
    if (rc == expected || (expected == ANY && rc >= 0))
        return rc;
    const char *const text = rc < 0 ? coir_strerror((int)rc) : "no error";
    if (faults_met() > before->met) {
        must(is_allowed(rc, allowed + 1) || follows(rc),
             "%s came to %ld (%s), which it is not said to", call, rc, text);
        run.told |= is_allowed(rc, allowed + 1);
    } else {
        run.told |= rc == -ECONNRESET && run.met[ECONNRESET];
        must(run.told || rc == -ECANCELED || run.scenario->lossy,
             "%s came to %ld (%s), and has met no fault", call, rc, text);
        must(follows(rc), "%s came to %ld (%s), though another has failed", call, rc, text);
    }
    return rc == 0 && expected > 0 ? -EPIPE : rc; /* the end of a stream, too early */
}

int close_scope(coir_scope *scope, int rc) {
    const int closed = coir_scope_close(scope, rc);
    if (rc < 0 && rc != -ECANCELED)
        must(closed == rc, "a scope whose body came to %d was closed with %d", rc, closed);
    else
        must(closed == 0 || (closed < 0 && (run.told || closed == -ECANCELED)),
             "a scope was closed with %d", closed);
    return closed;
}

int open_ends(int (*make)(int fds[2]), int fds[2]) {
    TRY(make(fds), 0, EMFILE, ENFILE);
    long rc = CALL(coir_adopt(fds[0]), 0, ENOMEM);
    if (rc < 0) {
        (void)coir__sim_close(fds[0]);
        (void)coir__sim_close(fds[1]);
        return (int)rc;
    }
    rc = CALL(coir_adopt(fds[1]), 0, ENOMEM);
    if (rc == 0)
        return 0;
    close_fd(fds[0]);
    (void)coir__sim_close(fds[1]);
    return (int)rc;
}

void close_fd(int fd) {
    const struct before before = call_begins();
    const int rc = coir_close(fd);
    must(rc == 0 || (rc < 0 && run.met[-rc] && faults_met() > before.met),
         "coir_close came to %d (%s)", rc, coir_strerror(rc));
    must(coir_close(fd) == -EBADF, "a descriptor is known after coir_close");
}

static void note_who(const struct coir__task **by, const struct coir__task *task) {
    for (unsigned i = 0; i < ANCESTORS; i++) {
        by[i] = task;
        task = task != NULL ? task->home->coir__owner : NULL;
    }
}

static void on_failure(void *context, int error, unsigned kinds) {
    (void)context;
    const bool by_task = coir__rt != NULL && coir__rt->current != &coir__rt->loop;
    run.error = error;
    if (coir__sim->report.failed <= FAULTS_MAX)
        note_who(run.by[coir__sim->report.failed - 1], by_task ? coir__rt->current : NULL);
    run.met[error] = true;
    if (coir__sim->report.failed == 1)
        run.kinds = kinds;
}

static void on_message(void *context, const char *text, size_t size) {
    (void)context;
    if (size >= 14 && memcmp(text, "coir: deadlock", 14) == 0)
        run.deadlocks++;
    if (size >= 11 && memcmp(text, "coir: fatal", 11) == 0)
        violated("%.*s", (int)size, text);
}

/* ---- The bystander: two tasks that pass a ball, and meet no fault ---- */

static struct {
    coir_channel *ball;
    coir_mutex mutex;
    coir_event ready;
    uint64_t rounds;
    bool stop;
} stand;

static void unharmed(int rc, const char *what) {
    must(rc == 0, "a bystander's %s came to %d (%s)", what, rc, coir_strerror(rc));
}

static int throw_ball(void *arg) {
    (void)arg;
    while (!stand.stop) {
        unharmed(coir_mutex_lock(&stand.mutex), "lock");
        unharmed(coir_channel_send(stand.ball, &stand.rounds), "send");
        unharmed(coir_mutex_unlock(&stand.mutex), "unlock");
        stand.rounds++;
        unharmed(coir_sleep(COIR_US(50) << (stand.rounds < 20 ? stand.rounds : 20)), "sleep");
    }
    unharmed(coir_channel_close(stand.ball), "close");
    return 0;
}

static int catch_ball(void *arg) {
    uint64_t ball, expected = 0;
    int rc;
    (void)arg;
    while ((rc = coir_channel_recv(stand.ball, &ball)) == 0) {
        must(ball == expected++, "a bystander's ball is another");
        unharmed(coir_mutex_lock(&stand.mutex), "lock");
        unharmed(coir_mutex_unlock(&stand.mutex), "unlock");
    }
    must(rc == -EPIPE && expected == stand.rounds, "a bystander has lost a ball (%d)", rc);
    return 0;
}

/* ---- A crowd: tasks that have all the stacks, so that the next spawn has to map more ---- */

static size_t crowd; /* how many that takes; found out by the first run */
static coir_event dismissed;

static int stand_around(void *arg) {
    (void)arg;
    unharmed(coir_event_wait(&dismissed), "wait");
    return 0;
}

static int spawn_crowd(coir_scope *scope) {
    const size_t mapped = coir__sim->report.mappings_left;
    size_t count = 0;
    for (; crowd == 0 ? coir__sim->report.mappings_left == mapped : count < crowd - run.room;
         count++)
        if (coir_spawn(scope, stand_around, NULL) < 0)
            return -ENOMEM;
    if (crowd == 0)
        crowd = count - 1;
    return 0;
}

/* ---- A run ---- */

/* The scenario, once, with an end to it in any case. */
static int pass(void) {
    coir_scope guard = {0};
    must(coir_scope_open(&guard, .deadline = coir_after(GUARD), .policy = COIR_SUPERVISE) == 0,
         "a scope could not be opened");
    const int rc = run.scenario->run();
    const int closed = coir_scope_close(&guard, rc);
    const bool waits = run.scenario->patient && run.mode != ONCE && !run.over;
    must(waits || !coir_scope_expired(&guard), "it hangs");
    must(closed == rc || coir_scope_expired(&guard), "its scope came to %d, it to %d", closed, rc);
    return rc;
}

/* With the fault, and again without. */
static int run_beside(void *arg) {
    (void)arg;
    stand.rounds = 0;
    stand.stop = false;
    COIR_SCOPE(s);
    dismissed = (coir_event){.coir__set = false};
    if (coir_channel_create(&stand.ball, sizeof stand.rounds, 0, NULL) < 0 ||
        coir_spawn(&s, throw_ball, NULL) < 0 || coir_spawn(&s, catch_ball, NULL) < 0 ||
        spawn_crowd(&s) < 0)
        violated("the bystanders could not be set up");
    unharmed(coir_sleep(COIR_MS(1)), "sleep");
    run.begin = coir__sim->report.calls;
    const int first = pass();

    run.end = coir__sim->report.calls;
    must(first >= 0 || run.told || (run.nth != 0 && run.scenario->patient), "it came to %d", first);
    must(run.nth != 0 || first >= 0, "without a fault it came to %d", first);
    run.over = true;
    run.told = false;
    if (run.nth <= run.end)
        coir__sim->options.fail_nth = 0;
    const int again = pass();
    must(again >= 0, "when the fault is over it comes to %d (%s)", again, coir_strerror(again));
    run.last = coir__sim->report.calls;
    stand.stop = true;
    unharmed(coir_event_set(&dismissed), "event");
    const int rc = coir_scope_close(&s, 0);
    must(rc == 0 && stand.rounds > 0, "the bystanders' scope came to %d", rc);
    must(coir_channel_destroy(stand.ball) == 0 && coir_mutex_destroy(&stand.mutex) == 0,
         "the bystanders have left something in use");
    return 0;
}

/* A scenario that is a whole run. */
static int run_whole(void *arg) {
    (void)arg;
    return run.scenario->run();
}

static void check_nothing_left(const coir_sim_report *report) {
    must(report->descriptors_left == 0, "%zu descriptors are left open", report->descriptors_left);
    must(report->allocations_left == 0, "%zu blocks are not freed", report->allocations_left);
    must(report->mappings_left == 0, "%zu bytes are still mapped", report->mappings_left);
    must(report->threads_left == 0, "%zu threads are left", report->threads_left);
}

/* Whether the fault was met. */
static bool run_once(uint64_t nth, unsigned kind, enum mode mode) {
    const coir_options *const options = run.scenario->options;
    coir_sim_options sim = {.seed = 1,
                            .order = COIR_SIM_FIFO,
                            .socket_room_bytes = 512,
                            .fail_nth = nth,
                            .fail_for_ever = mode != ONCE};
    coir_sim_report report;
    if (options != NULL)
        sim.runtime = *options;
    if (getenv("TRACE") != NULL)
        sim.trace = stdout;
    run.nth = nth;
    run.kind = kind;
    run.mode = mode;
    run.error = 0;
    memset(run.met, 0, sizeof run.met);
    run.kinds = 0;
    run.told = run.over = false;
    run.deadlocks = 0;
    coir__sim_next_hooks = (struct coir__sim_hooks){.on_message = on_message,
                                                    .on_failure = on_failure,
                                                    .fail_kind = kind,
                                                    .fail_alike = mode == ALIKE};
    const int rc = coir_sim_run(options != NULL ? run_whole : run_beside, NULL, &sim, &report);
    must(run.deadlocks == 0, "a deadlock was reported");
    must(rc >= 0 || run.told ||
             (report.failed > 0 &&
              (rc == -ENOMEM || rc == -EMFILE || rc == -ENFILE || rc == -ENOSPC)),
         "the run came to %d (%s)", rc, coir_strerror(rc));
    check_nothing_left(&report);
    if (nth == 0 && options != NULL) {
        run.begin = 0;
        run.end = run.last = report.calls;
    }
    desk->faults += report.failed > 0;
    return report.failed > 0;
}

/* Those after which a call has to be tried again, which come last, do not. */
static bool may_last(unsigned kind, int error) {
    return error != EINTR && (error != EAGAIN || kind == 0);
}

/* Every way in which the n-th call may fail. False: there is no such call. */
static bool fail_nth_call(uint64_t nth) {
    unsigned kinds = 1;
    for (unsigned kind = 0; kind < kinds; kind++) {
        if (!run_once(nth, kind, ONCE))
            return false;
        kinds = run.kinds;
        if (!may_last(kind, run.error))
            continue;
        (void)run_once(nth, kind, ALWAYS);
        (void)run_once(nth, kind, ALIKE);
    }
    return true;
}

static void fail_each_call(void) {
    (void)run_once(0, 0, ONCE);
    const uint64_t end = run.end, last = run.last;
    for (uint64_t nth = run.begin + 1; nth <= end; nth++)
        must(fail_nth_call(nth), "another run of it makes no such call");
    for (uint64_t nth = last + 1; run.room == 0 && fail_nth_call(nth); nth++)
        ;
}

static void run_scenario(const struct scenario *scenario) {
    run.scenario = scenario;
    (void)alarm(SECONDS_MAX);
    if (scenario->options == NULL)
        (void)run_once(0, 0, ONCE); /* finds out how large the crowd is */
    for (run.room = 0; run.room == 0 || run.room < scenario->rooms; run.room++)
        fail_each_call();
    must(desk->faults > 0, "it makes no call that could fail");
}

/* ---- All of them ---- */

static const struct scenario *const lists[] = {
    task_scenarios,    sync_scenarios, channel_scenarios, descriptor_scenarios,
    network_scenarios, file_scenarios, whole_scenarios};

/* The n-th scenario; NULL if there are not so many. */
static const struct scenario *nth_scenario(unsigned n) {
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        for (const struct scenario *it = lists[i]; it->name != NULL; it++)
            if (n-- == 0)
                return it;
    return NULL;
}

static const struct scenario *find_scenario(const char *name, size_t length) {
    const struct scenario *it;
    for (unsigned n = 0; (it = nth_scenario(n)) != NULL; n++)
        if (strlen(it->name) == length && memcmp(it->name, name, length) == 0)
            return it;
    return NULL;
}

/* "name" or "name:0:12:0:once" */
static void run_asked(const char *text) {
    const size_t length = strcspn(text, ":");
    unsigned long long nth;
    unsigned kind, room;
    char mode[16];
    run.scenario = find_scenario(text, length);
    if (run.scenario == NULL) {
        (void)fprintf(stderr, "NTH=%s: there is no scenario of that name\n", text);
        exit(2);
    }
    if (sscanf(text + length, ":%u:%llu:%u:%15s", &room, &nth, &kind, mode) != 4) {
        run_scenario(run.scenario);
        return;
    }
    (void)run_once(0, 0, ONCE);
    run.room = room;
    for (enum mode it = ONCE; it < MODES; it++)
        if (strcmp(mode, mode_names[it]) == 0)
            (void)run_once(nth, kind, it);
}

struct shared {
    _Atomic unsigned next;
    struct desk desks[];
};

static pid_t start_worker(struct shared *shared, unsigned n, const char *asked) {
    (void)fflush(NULL);
    const pid_t child = fork();
    if (child != 0)
        return child;
    desk = &shared->desks[n];
    if (asked != NULL)
        run_asked(asked);
    else
        run_scenario(nth_scenario(n));
    _exit(0);
}

/* Waits for one of them; whether it failed, which is told. */
static bool await_worker(struct shared *shared, unsigned count) {
    int status = 0;
    const pid_t ended = wait(&status);
    for (unsigned i = 0; i < count; i++) {
        if (shared->desks[i].worker != ended || status == 0)
            continue;
        if (shared->desks[i].violated[0] != '\0')
            (void)printf("%s\n", shared->desks[i].violated);
        else
            (void)printf("FAILED NTH=%s\n       %s\n",
                         nth_scenario(i) != NULL ? nth_scenario(i)->name : "?",
                         WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "exit");
        return true;
    }
    return false;
}

int main(void) {
    const char *const asked = getenv("NTH"), *const asked_jobs = getenv("JOBS");
    const unsigned long asked_number = asked_jobs != NULL ? strtoul(asked_jobs, NULL, 10) : 0;
    const unsigned jobs = asked_number > 0 ? (unsigned)asked_number : 2;
    unsigned count = 0, alive = 0, failures = 0;
    (void)alarm(SECONDS_MAX);
    while (nth_scenario(count) != NULL)
        count++;
    if (asked != NULL)
        count = 1;
    struct shared *const shared = mmap(NULL, sizeof *shared + count * sizeof(struct desk),
                                       PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return 2;
    for (unsigned i = 0; i < count || alive > 0; alive--) {
        for (; i < count && alive < jobs; i++, alive++)
            shared->desks[i].worker = start_worker(shared, i, asked);
        failures += await_worker(shared, i);
    }
    uint64_t faults = 0;
    for (unsigned i = 0; i < count; i++)
        faults += shared->desks[i].faults;
    (void)printf("simulation: %u scenarios, %llu faults placed one by one, %u failures\n", count,
                 (unsigned long long)faults, failures);
    return failures > 0;
}
