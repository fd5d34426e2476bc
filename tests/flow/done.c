/* coir_task_on_done: calls to be made when a task ends. */
#include "support.h"

SUITE(flow_done);

/* A call that traces its name and the result, and notes whose end it was told. */
struct note {
    coir_done done;
    const char *name;
    coir_task task;
    int calls;
};

static void take_note(coir_task task, int rc, void *arg) {
    struct note *const note = arg;
    note->task = task;
    note->calls++;
    trace("%s:%d", note->name, rc);
}

#define NOTE(text)                                                                                 \
    { .done = {.fn = take_note}, .name = (text) }

static int add(coir_task task, struct note *note) {
    note->done.arg = note;
    return coir_task_on_done(task, &note->done);
}

TASK_TEST_SEEDS(flow_done, calls_are_made_once_in_the_order_they_were_asked_for) {
    struct job job = JOB(10, 4);
    struct note notes[] = {NOTE("a"), NOTE("b"), NOTE("c")};
    coir_task task;
    COIR_SCOPE(s);
    check_rc(coir_spawn_task(&s, do_job, &job, &task), 0);
    for (size_t i = 0; i < COUNT_OF(notes); i++)
        check_rc(add(task, &notes[i]), 0);
    check_rc(coir_sleep(COIR_MS(5)), 0);
    check_trace("");
    check_rc(coir_scope_close(&s, 0), 0);
    check_trace("a:4 b:4 c:4");
    check(coir_task_equal(notes[0].task, task));
    return 0;
}

TASK_TEST(flow_done, of_an_ended_task_at_once) {
    int five = 5;
    struct note note = NOTE("late");
    coir_task task;
    COIR_SCOPE(s);
    check_rc(coir_spawn_task(&s, return_int, &five, &task), 0);
    check_rc(coir_join(task, NULL), 0);
    check_rc(add(task, &note), 0);
    check_trace("late:5");
    check_rc(add(task, &note), 0); /* it is over: may be used again */
    check_int(note.calls, 2);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

static int join_and_trace(void *arg) {
    check_rc(coir_join(*(const coir_task *)arg, NULL), 0);
    trace("joined");
    return 0;
}

TASK_TEST_SEEDS(flow_done, calls_come_before_those_who_wait) {
    struct job job = JOB(10, 4);
    struct note note = NOTE("called");
    coir_task task;
    COIR_SCOPE(s);
    check_rc(coir_spawn_task(&s, do_job, &job, &task), 0);
    check_rc(coir_spawn(&s, join_and_trace, &task), 0);
    check_rc(coir_sleep(COIR_MS(5)), 0);
    check_rc(add(task, &note), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_trace("called:4 joined");
    return 0;
}

TASK_TEST_SEEDS(flow_done, one_taken_back_is_not_made) {
    struct job job = JOB(10, 4);
    struct note notes[] = {NOTE("a"), NOTE("b"), NOTE("c")};
    coir_task task;
    COIR_SCOPE(s);
    check_rc(coir_spawn_task(&s, do_job, &job, &task), 0);
    for (size_t i = 0; i < COUNT_OF(notes); i++)
        check_rc(add(task, &notes[i]), 0);
    check(coir_done_remove(&notes[1].done));
    check(!coir_done_remove(&notes[1].done));
    check_rc(coir_scope_close(&s, 0), 0);
    check_trace("a:4 c:4");
    check(!coir_done_remove(&notes[0].done));
    return 0;
}

static void remove_the_next(UNUSED coir_task task, UNUSED int rc, void *arg) {
    trace("first");
    check(coir_done_remove(arg));
}

TASK_TEST(flow_done, a_call_may_take_back_the_next) {
    struct job job = JOB(10, 4);
    struct note notes[] = {NOTE("never"), NOTE("last")};
    coir_done first = {.fn = remove_the_next, .arg = &notes[0].done};
    coir_task task;
    COIR_SCOPE(s);
    check_rc(coir_spawn_task(&s, do_job, &job, &task), 0);
    check_rc(coir_task_on_done(task, &first), 0);
    check_rc(add(task, &notes[0]), 0);
    check_rc(add(task, &notes[1]), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_trace("first last:4");
    return 0;
}

struct sequel {
    coir_scope *scope;
    struct job job;
    coir_task first;
};

static void spawn_a_sequel(coir_task task, int rc, void *arg) {
    struct sequel *const sequel = arg;
    check_rc(rc, -EPROTO);
    check(coir_task_done(task));
    check_rc(coir_task_result(task), -EPROTO);
    check(!coir_task_cancel(task));
    check_rc(coir_spawn(sequel->scope, do_job, &sequel->job), 0);
}

TASK_TEST_SEEDS(flow_done, a_call_may_spawn_into_the_closing_scope) {
    struct job job = JOB(10, -EPROTO);
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    struct sequel sequel = {.scope = &s, .job = JOB(10, 1)};
    coir_done done = {.fn = spawn_a_sequel, .arg = &sequel};
    check_rc(coir_spawn_task(&s, do_job, &job, &sequel.first), 0);
    check_rc(coir_task_on_done(sequel.first, &done), 0);
    const coir_time began = coir_now();
    check_rc(coir_scope_close(&s, 0), -EPROTO);
    check_int(coir_now() - began, COIR_MS(20));
    check(sequel.job.ended);
    return 0;
}

static int be_cut_joining(void *arg) {
    check_rc(coir_join(*(const coir_task *)arg, NULL), -ECANCELED);
    return 0;
}

static void cancel_scope(UNUSED coir_task task, UNUSED int rc, void *arg) {
    coir_scope_cancel(arg);
}

TASK_TEST_SEEDS(flow_done, a_call_may_cancel_those_who_wait_for_the_same_task) {
    struct job job = JOB(10, 1);
    coir_task task;
    COIR_SCOPE(s);
    COIR_SCOPE(waiting);
    coir_done done = {.fn = cancel_scope, .arg = &waiting};
    check_rc(coir_spawn_task(&s, do_job, &job, &task), 0);
    check_rc(coir_task_on_done(task, &done), 0);
    check_rc(coir_spawn(&waiting, be_cut_joining, &task), 0);
    check_rc(coir_sleep(COIR_MS(20)), -ECANCELED);
    check_rc(coir_scope_close(&waiting, 0), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

static int watch_oneself(void *arg) {
    check_rc(add(coir_self(), arg), 0);
    return 3;
}

TASK_TEST(flow_done, of_a_task_without_a_handle_and_of_oneself) {
    struct note note = NOTE("own");
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, watch_oneself, &note), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_trace("own:3");
    return 0;
}

TASK_TEST_SEEDS(flow_done, a_cancelled_task_is_told_as_such) {
    struct note note = NOTE("cut");
    coir_task task;
    COIR_SCOPE(s);
    check_rc(coir_spawn_task(&s, sleep_for_ever, NULL, &task), 0);
    check_rc(add(task, &note), 0);
    check(coir_task_cancel(task));
    check_int(note.calls, 0); /* it has yet to end */
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(note.calls, 1);
    return 0;
}

TASK_TEST(flow_done, nonsense_is_refused) {
    struct note note = NOTE("x");
    coir_done empty = {.fn = NULL};
    coir_task task;
    check_rc(coir_task_on_done((coir_task){.coir__record = NULL}, &note.done), -ESRCH);
    COIR_SCOPE(s);
    check_rc(coir_spawn_task(&s, sleep_for_ever, NULL, &task), 0);
    check_rc(coir_task_on_done(task, NULL), -EINVAL);
    check_rc(coir_task_on_done(task, &empty), -EINVAL);
    check_rc(add(task, &note), 0);
    check_rc(add(task, &note), -EINVAL); /* still to be made */
    check(coir_done_remove(&note.done));
    check(!coir_done_remove(NULL));
    coir_scope_cancel(&s);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(add(task, &note), -ESRCH);
    check_trace("");
    return 0;
}

Test(flow_done, outside_the_runtime) {
    struct note note = NOTE("x");
    check_rc(add((coir_task){.coir__record = NULL}, &note), -EPERM);
    check(!coir_done_remove(&note.done));
}
