/* What scenarios have in common: steps that notice a cut, and what the tasks of one came to. */
#ifndef TESTS_LAWS_LAWS_H
#define TESTS_LAWS_LAWS_H

#include "laws/explore.h"

/* What the tasks of a schedule came to, in the order of their ends. A scenario begins with
 * ends_clear(). */
struct ends {
    int rc[16];
    size_t count;
    size_t begun; /* tasks that have begun */
    bool cut;     /* some call said -ECANCELED */
};
extern struct ends ends;

void ends_clear(void);
/* Notes a beginning, an end; the latter returns its argument. */
void begin(void);
int end(int rc);
/* The earliest real error among the ends; 0 if there is none. */
int earliest_error(void);

/* Yields so often, or until it is cut; then every call that may wait says the same again. */
int steps(int n);

/* A task that takes some steps and comes to `rc`; cut, it says so. */
struct stepper {
    int steps, rc;
};
int step(void *stepper);
#define STEPPER(takes, comes_to)                                                                   \
    { .steps = (takes), .rc = (comes_to) }

/* A task that sleeps and comes to `rc`; cut, it says so. */
struct sleeper {
    coir_time duration;
    int rc;
};
int sleep_then(void *sleeper);

/* Tasks that cancel, after so many steps. They belong to a scope which that does not reach. */
struct canceller {
    coir_scope *scope; /* this, if not NULL */
    coir_task task;    /* else that */
    int steps;
};
int cancel_later(void *canceller);

/* ---- Lines: tasks that come to one place and are served first come, first served ---- */

struct line {
    struct {
        struct coir__task *task;
        bool waits; /* in its call */
    } members[16];
    size_t count;
};

/* The caller is about to make a call that may wait; returns its number. */
size_t line_up(struct line *line);
/* The call has returned. If it served the caller, nobody who came before may still be parked. */
void line_served(struct line *line, size_t number, bool served);
/* A try-call has served the caller: nobody at all may be parked. */
void line_tried(const struct line *line);

#endif
