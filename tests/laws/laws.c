/* What scenarios have in common; laws.h says what each function is for. */
#include "laws/laws.h"

#include "core/runtime.h"

struct ends ends;

void ends_clear(void) {
    ends = (struct ends){.count = 0};
}

void begin(void) {
    ends.begun++;
}

int end(int rc) {
    check(ends.count < COUNT_OF(ends.rc));
    ends.rc[ends.count++] = rc;
    return rc;
}

int earliest_error(void) {
    for (size_t i = 0; i < ends.count; i++)
        if (ends.rc[i] < 0 && ends.rc[i] != -ECANCELED)
            return ends.rc[i];
    return 0;
}

/* A cut lasts as long as the scope it is from. */
static int note_cut(int rc) {
    if (rc == -ECANCELED) {
        ends.cut = true;
        check_rc(coir_check(), -ECANCELED);
        check_rc(coir_yield(), -ECANCELED);
        check_rc(coir_sleep(1), -ECANCELED);
    }
    return rc;
}

int steps(int n) {
    int rc = 0;
    for (int i = 0; i < n && rc == 0; i++)
        rc = coir_yield();
    return note_cut(rc);
}

int step(void *arg) {
    const struct stepper *const stepper = arg;
    begin();
    const int rc = steps(stepper->steps);
    return end(rc < 0 ? rc : stepper->rc);
}

int sleep_then(void *arg) {
    const struct sleeper *const sleeper = arg;
    begin();
    const coir_time until = coir_after(sleeper->duration);
    const int rc = note_cut(coir_sleep(sleeper->duration));
    check(rc < 0 || coir_now() >= until);
    return end(rc < 0 ? rc : sleeper->rc);
}

int cancel_later(void *arg) {
    const struct canceller *const canceller = arg;
    for (int i = 0; i < canceller->steps; i++)
        check_rc(coir_yield(), 0);
    if (canceller->scope != NULL)
        coir_scope_cancel(canceller->scope);
    else
        (void)coir_task_cancel(canceller->task);
    return 0;
}

/* ---- Lines ---- */

size_t line_up(struct line *line) {
    check(line->count < COUNT_OF(line->members));
    line->members[line->count].task = coir__rt->current;
    line->members[line->count].waits = true;
    return line->count++;
}

static void check_nobody_parked(const struct line *line, size_t first_n) {
    for (size_t i = 0; i < first_n; i++)
        check(!line->members[i].waits || line->members[i].task->wait == NULL);
}

void line_served(struct line *line, size_t number, bool served) {
    line->members[number].waits = false;
    if (served)
        check_nobody_parked(line, number);
}

void line_tried(const struct line *line) {
    check_nobody_parked(line, line->count);
}
