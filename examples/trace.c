/* Draws what every task does as a row of a timeline, in the trace event format of Chrome.
 *
 *     trace >trace.json        then open it at ui.perfetto.dev, or at chrome://tracing
 *
 * Each row is always in one of three states: running, ready (it could run, but another does), or
 * waiting, for what it says. An arrow leads from whoever woke a task to where it ran. Shows: hooks
 * know all that happens, so that a tracer is a page of code. The program that is traced is below:
 * clients who share two connections and a mutex, and one of whom is cut by a deadline: after 14
 * milliseconds, or as many as the argument says. */
#include <coir.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- The tracer ---- */

struct tracer {
    FILE *out;
    coir_time began;
    bool loop_runs;
    uint64_t running; /* number of the task that has the thread; 0: the loop */
    bool *woken;      /* by number: an arrow leads to its next run */
    size_t room;
};

static double microseconds(const struct tracer *tracer) {
    return (double)(coir_now() - tracer->began) / 1000;
}

static void begin_slice(struct tracer *tracer, uint64_t row, const char *what) {
    fprintf(tracer->out, ",\n{\"ph\":\"B\",\"pid\":1,\"tid\":%llu,\"ts\":%.3f,\"name\":\"%s\"}",
            (unsigned long long)row, microseconds(tracer), what);
}

static void end_slice(struct tracer *tracer, uint64_t row) {
    fprintf(tracer->out, ",\n{\"ph\":\"E\",\"pid\":1,\"tid\":%llu,\"ts\":%.3f}",
            (unsigned long long)row, microseconds(tracer));
}

static void next_slice(struct tracer *tracer, uint64_t row, const char *what) {
    end_slice(tracer, row);
    begin_slice(tracer, row, what);
}

/* One end of an arrow: "s" where it starts, "f" where it ends. */
static void arrow(struct tracer *tracer, const char *end, uint64_t row, uint64_t woken) {
    fprintf(tracer->out,
            ",\n{\"ph\":\"%s\",\"bp\":\"e\",\"pid\":1,\"tid\":%llu,\"ts\":%.3f,\"id\":%llu,"
            "\"cat\":\"wake\",\"name\":\"wake\"}",
            end, (unsigned long long)row, microseconds(tracer), (unsigned long long)woken);
}

static void name_row(struct tracer *tracer, uint64_t row, const char *name) {
    fprintf(tracer->out, "%s{\"ph\":\"M\",\"pid\":1,\"tid\":%llu,\"name\":\"thread_name\",",
            row == 0 ? "[\n" : ",\n", (unsigned long long)row);
    fprintf(tracer->out, "\"args\":{\"name\":\"");
    for (; *name != '\0'; name++) {
        if (*name == '"' || *name == '\\' || (unsigned char)*name < 0x20)
            fprintf(tracer->out, "\\u%04x", (unsigned)*name);
        else
            fputc(*name, tracer->out);
    }
    fprintf(tracer->out, " %llu\"}}", (unsigned long long)row);
}

static void make_room(struct tracer *tracer, uint64_t number) {
    while (number >= tracer->room) {
        const size_t room = tracer->room > 0 ? 2 * tracer->room : 64;
        bool *const woken = realloc(tracer->woken, room * sizeof *woken);
        if (woken == NULL)
            abort();
        for (size_t i = tracer->room; i < room; i++)
            woken[i] = false;
        tracer->woken = woken;
        tracer->room = room;
    }
}

static void on_spawn(void *context, coir_task task, coir_task by) {
    (void)by;
    char name[COIR_NAME_SIZE];
    const bool named = coir_task_name(task, name, sizeof name) == 0 && name[0] != '\0';
    name_row(context, coir_task_number(task), named ? name : "task");
    make_room(context, coir_task_number(task));
    begin_slice(context, coir_task_number(task), "spawned");
}

static void on_ready(void *context, coir_task task, coir_task by) {
    struct tracer *const tracer = context;
    const uint64_t number = coir_task_number(task);
    next_slice(tracer, number, "ready");
    if (coir_task_equal(task, by)) /* it has only yielded */
        return;
    arrow(tracer, "s", tracer->running, number);
    tracer->woken[number] = true;
}

static void on_park(void *context, coir_task task, const coir_waiter *wait) {
    next_slice(context, coir_task_number(task), wait->what != NULL ? wait->what : "wait");
}

static void on_run(void *context, coir_task task) {
    struct tracer *const tracer = context;
    const uint64_t number = coir_task_number(task);
    if (tracer->running == 0 && tracer->loop_runs)
        end_slice(tracer, 0);
    tracer->running = number;
    tracer->loop_runs = number == 0;
    if (number == 0) {
        begin_slice(tracer, 0, "idle, timers, descriptors");
        return;
    }
    next_slice(tracer, number, "running");
    if (tracer->woken[number])
        arrow(tracer, "f", number, number);
    tracer->woken[number] = false;
}

static void on_exit_of(void *context, coir_task task, int rc) {
    (void)rc;
    end_slice(context, coir_task_number(task));
}

/* ---- A program worth looking at ---- */

static coir_mutex ledger;
static coir_semaphore connections;

static void work(coir_time duration) {
    const coir_time end = coir_after(duration);
    while (coir_now() < end) {
    }
}

static int book(void) {
    COIR_TRY(coir_mutex_lock(&ledger));
    work(COIR_US(300));
    const int rc = coir_sleep(COIR_MS(1)); /* holding it: look how the others wait */
    coir_mutex_unlock(&ledger);
    return rc;
}

static int client(void *arg) {
    const int *const number = arg;
    COIR_TRY(coir_semaphore_acquire(&connections));
    int rc = coir_sleep(COIR_MS(2 + *number)); /* the server thinks */
    coir_semaphore_release(&connections);
    work(COIR_US(400));
    return rc < 0 ? rc : book();
}

static int app(void *deadline_ms) {
    static int numbers[6];
    COIR_TRY(coir_semaphore_init(&connections, 2, 0));
    COIR_SCOPE(scope, .deadline = coir_after(COIR_MS(*(int *)deadline_ms)), .move_on = true);
    for (int i = 0; i < 6; i++) {
        numbers[i] = i;
        char name[COIR_NAME_SIZE];
        snprintf(name, sizeof name, "client %c", 'a' + i);
        const coir_spawn_options options = {.name = name};
        COIR_TRY(coir_spawn_with(&scope, client, &numbers[i], &options));
    }
    return coir_scope_close(&scope, 0);
}

int main(int argc, char **argv) {
    int deadline_ms = argc > 1 ? atoi(argv[1]) : 14;
    struct tracer tracer = {.out = stdout, .began = coir_now(), .loop_runs = true};
    const coir_hooks hooks = {
        .context = &tracer,
        .spawn = on_spawn,
        .ready = on_ready,
        .park = on_park,
        .run = on_run,
        .exit = on_exit_of,
    };
    name_row(&tracer, 0, "the loop");
    begin_slice(&tracer, 0, "start");
    const int rc = coir_run_with(app, &deadline_ms, &(const coir_options){.hooks = &hooks});
    if (tracer.loop_runs)
        end_slice(&tracer, 0);
    fprintf(tracer.out, "\n]\n");
    free(tracer.woken);
    if (rc < 0)
        fprintf(stderr, "trace: %s\n", coir_strerror(rc));
    return rc < 0 || fflush(tracer.out) != 0;
}
