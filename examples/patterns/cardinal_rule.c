/* The cardinal rule: never block the loop. A task that computes for long, or calls what blocks,
 * stops all others.
 *
 *     await asyncio.to_thread(work)          (and not, in a coroutine, time.sleep(0.1))
 *
 * Tasks take turns, and a turn ends only where the task waits or yields. The same work is done in
 * three ways, while another task measures by the system's clock (the virtual one stands still while
 * a task runs) how long it has to wait for a turn. Who breaks the rule is named on stderr while it
 * does, because .slow_task asks for that; for the first way:
 *
 *     coir: task 'main' has held the thread for 40 ms, computing for 0 ms of them; ...
 *       the main task of coir_run
 *         #0    clock_nanosleep at ../sysdeps/unix/sysv/linux/clock_nanosleep.c:48
 *         #1    nanosleep at ../sysdeps/unix/sysv/linux/nanosleep.c:25
 *         #2    block at examples/patterns/cardinal_rule.c:39
 *         #3    do_work at examples/patterns/cardinal_rule.c:76
 *         #4    app at examples/patterns/cardinal_rule.c:83
 *       a call that blocks belongs on a thread (coir_offload), if Coir has none of its own for it
 *
 * Output:
 *     [   0 ms] blocking: nobody else could run for 90 ms or more
 *     [   0 ms] in slices: the others ran on
 *     [   0 ms] on a thread: the others ran on */
#include <coir.h>
#include <time.h>

#include "lib/timeline.h"

static bool over;

static coir_time system_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return COIR_SEC((coir_time)now.tv_sec) + now.tv_nsec;
}

static int block(void *arg) {
    const int ms = arg != NULL ? *(const int *)arg : 100;
    return nanosleep(&(struct timespec){.tv_nsec = COIR_MS(ms)}, NULL);
}

static int in_slices(void *arg) {
    (void)arg;
    for (int i = 0; i < 10; i++) {
        block(&(int){10});
        COIR_TRY(coir_yield());
    }
    return 0;
}

static int on_thread(void *arg) {
    return coir_offload(block, arg);
}

static int bystander(void *way) {
    coir_time last = system_now(), longest = 0;
    int turns = 0;
    for (; !over; turns++) {
        COIR_TRY(coir_yield());
        const coir_time now = system_now();
        longest = now - last > longest ? now - last : longest;
        last = now;
    }
    if (turns > 1)
        say("%s: the others ran on", (const char *)way);
    else if (longest >= COIR_MS(90))
        say("%s: nobody else could run for 90 ms or more", (const char *)way);
    return 0;
}

static int do_work(coir_fn work, char *way) {
    over = false;
    COIR_SCOPE(s);
    COIR_TRY(coir_spawn(&s, bystander, way));
    COIR_TRY(coir_yield());
    const int rc = work(NULL);
    over = true;
    return coir_scope_close(&s, rc);
}

static int app(void *arg) {
    (void)arg;
    COIR_TRY(do_work(block, (char[]){"blocking"}));
    COIR_TRY(do_work(in_slices, (char[]){"in slices"}));
    return do_work(on_thread, (char[]){"on a thread"});
}

int main(int argc, char **argv) {
    coir_options options = timeline(argc, argv);
    options.slow_task = COIR_MS(40);
    return coir_run_with(app, NULL, &options) < 0;
}
