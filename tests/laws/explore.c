/* The odometer of schedules; explore.h says what it is for.
 *
 * All schedules of a scenario are run within one runtime, in its main task, because a run of its
 * own would cost a hundred times as much as the schedule. What could differ from one schedule to
 * the next besides the choices is the length of the turn: each begins with a full one. */
#include "laws/explore.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "core/runtime.h"

#define DEPTH_MAX 4096 /* choices in one schedule */
#define CHOICES_MAX 32
#define FULL_TURN 256        /* switches: more than a schedule has */
#define SLOW_SCHEDULES 10000 /* with a sanitizer; a tenth of that under Valgrind */

static const char digits[CHOICES_MAX + 1] = "0123456789abcdefghijklmnopqrstuv";

static struct {
    unsigned char choice[DEPTH_MAX], count[DEPTH_MAX];
    size_t length; /* choices that are prescribed */
    size_t depth;  /* choices made */
    bool running;  /* within a schedule */
    bool replaying;
} odometer;

/* ---- The odometer ---- */

int choose(int n) {
    if (n < 2 || !odometer.running)
        return 0;
    const size_t at = odometer.depth;
    cr_assert(at < DEPTH_MAX, "a schedule does not end%s", run_label());
    cr_assert(n <= CHOICES_MAX, "%d is too much of a choice", n);
    if (at >= odometer.length) {
        odometer.choice[at] = 0;
        odometer.length = at + 1;
    } else if (odometer.replaying) {
        cr_assert(odometer.choice[at] < n, "the string does not fit at its character %zu", at);
    } else if (at + 1 < odometer.length) {
        cr_assert(odometer.count[at] == n, "a scenario differs from run to run%s", run_label());
    }
    odometer.count[at] = (unsigned char)n;
    odometer.depth++;
    return odometer.choice[at];
}

/* Moves to the next string. False: there is none. */
static bool turn_on(void) {
    odometer.length = odometer.depth;
    while (odometer.length > 0) {
        const size_t last = odometer.length - 1;
        if (++odometer.choice[last] < odometer.count[last])
            return true;
        odometer.length--;
    }
    return false;
}

static const char *describe(void) {
    static char text[2 * DEPTH_MAX + 64];
    size_t length = (size_t)snprintf(text, sizeof text, " (replay with COIR_SCHEDULE=");
    for (size_t i = 0; i < odometer.depth; i++)
        text[length++] = digits[odometer.choice[i]];
    if (odometer.depth == 0) /* an empty string would not be seen */
        text[length++] = '0';
    snprintf(text + length, sizeof text - length, ")");
    return text;
}

static void prescribe(const char *string) {
    odometer.replaying = true;
    for (; *string != '\0'; string++) {
        const char *const digit = strchr(digits, *string);
        cr_assert(digit != NULL && odometer.length < DEPTH_MAX, "COIR_SCHEDULE makes no sense");
        odometer.choice[odometer.length++] = (unsigned char)(digit - digits);
    }
}

/* ---- What the runtime asks and is done to it ---- */

static unsigned choose_task(UNUSED void *context, unsigned count) {
    return (unsigned)choose((int)count);
}

/* Lets time pass until a timer fires. */
static void pass_time(struct coir__runtime *rt) {
    const size_t armed = rt->wheel.armed;
    while (rt->wheel.armed == armed) {
        const coir_time next = coir__wheel_next(&rt->wheel);
        rt->virtual_now = next > rt->virtual_now ? next : rt->virtual_now;
        coir__wheel_advance(&rt->wheel, rt->virtual_now);
    }
}

/* What the world may do before the next task runs. */
static void before_pick(UNUSED void *context) {
    struct coir__runtime *const rt = coir__rt;
    if (!odometer.running)
        return;
    while (rt->wheel.armed > 0 && choose(2) == 1)
        pass_time(rt);
    if (rt->io_waiting > 0 && choose(2) == 1)
        check_rc(coir__poll_wait(&rt->poller, 0, coir__fd_event, rt), 0);
}

/* ---- Running ---- */

struct exploration {
    void (*scenario)(void);
    size_t most, count, deepest;
    bool complete;
};

static void run_schedule(struct exploration *exploration) {
    struct coir__runtime *const rt = coir__rt;
    trace_clear();
    coir__yield_turn(rt, rt->current);
    rt->turn_budget = rt->careful_left = FULL_TURN;
    odometer.depth = 0;
    odometer.running = true;
    exploration->scenario();
    odometer.running = false;
    cr_assert(!rt->doomed, "a deadlock%s", run_label());
    check_int(coir__alive(rt), 1);
    check_int(rt->wheel.armed, 0);
    check_int(rt->io_waiting, 0);
    exploration->count++;
    if (odometer.depth > exploration->deepest)
        exploration->deepest = odometer.depth;
}

static int run_schedules(void *arg) {
    struct exploration *const exploration = arg;
    do {
        run_schedule(exploration);
        exploration->complete = odometer.replaying || !turn_on();
    } while (!exploration->complete && exploration->count < exploration->most);
    return 0;
}

/* A crash is not a check: the string is printed here. */
static void on_crash(int signal) {
    const char *const text = describe();
    (void)!write(STDERR_FILENO, text, strlen(text));
    (void)!write(STDERR_FILENO, "\n", 1);
    raise(signal);
}

static void watch_for_crashes(void) {
    const struct sigaction action = {.sa_handler = on_crash,
                                     .sa_flags = (int)(SA_RESETHAND | SA_NODEFER | SA_ONSTACK)};
    sigaction(SIGABRT, &action, NULL);
    sigaction(SIGSEGV, &action, NULL);
}

/* One line for the summary that tools/check.sh prints at the end. */
static void report(const char *name, const struct exploration *exploration) {
    FILE *const file = fopen(COIR_BUILD_DIR "/tests/schedules", "a");
    if (file == NULL)
        return;
    char line[256];
    const int length =
        snprintf(line, sizeof line, "%8zu %s%s, at most %zu choices\n", exploration->count, name,
                 exploration->complete ? "" : " (there are more)", exploration->deepest);
    setvbuf(file, NULL, _IOFBF, sizeof line);
    fwrite(line, 1, (size_t)length, file);
    fclose(file);
}

void explore(const char *name, void (*scenario)(void), size_t most, bool may_stop) {
    struct exploration exploration = {.scenario = scenario, .most = most};
    const size_t slow = on_valgrind() ? SLOW_SCHEDULES / 10 : SLOW_SCHEDULES;
    if ((on_valgrind() || with_sanitizer()) && slow < most) {
        exploration.most = slow;
        may_stop = true;
    }
    const char *const string = getenv("COIR_SCHEDULE");
    if (string != NULL)
        prescribe(string);
    watch_for_crashes();
    run_label_from(describe);
    coir__next_chooser = (struct coir__chooser){.choose = choose_task, .before = before_pick};
    check_rc(run_task(run_schedules, &exploration), 0);
    cr_assert(exploration.complete || may_stop, "not finished after %zu schedules", most);
    if (string == NULL)
        report(name, &exploration);
}
