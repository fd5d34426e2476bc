/* What closing a scope returns, and when: every combination of what the body does, what two
 * children do, what cancels from inside or outside, of policy, move_on and shield, against a small
 * model written from the documentation of coir_scope_close alone.
 *
 * A scenario: an inner scope within an outer one of the same task. Each actor (the body, two
 * children of the inner scope) acts at a time of its own, or waits until it is cut; one event
 * cancels the inner or the outer scope. Clock: milliseconds since the scenario began. */
#include "support.h"

SUITE(flow_close);

/* ---- Scenarios ---- */

enum { AT_ONCE = 0, EARLY = 5, CHILD_1 = 10, CHILD_2 = 12, BODY = 14, LATE = 20, NEVER = 1000 };
enum { OWN_ERROR = -EPROTO, CLEANUP_ERROR = -EPIPE, BODY_ERROR = -EIO, BODY_SUCCESS = 5 };

/* What an actor does: at its time it returns `result`; if it is cut before, `when_cut`. */
struct plan {
    const char *name;
    bool exists, at_once, waits_for_ever;
    int result, when_cut;
};

#define PASS_ON (-ECANCELED)

static const struct plan child_plans[] = {
    {.name = "none"},
    {"succeeds at once", true, true, false, 3, 0},
    {"fails at once", true, true, false, OWN_ERROR, 0},
    {"says cancelled at once", true, true, false, -ECANCELED, 0},
    {"succeeds", true, false, false, 3, PASS_ON},
    {"fails", true, false, false, OWN_ERROR, PASS_ON},
    {"says cancelled", true, false, false, -ECANCELED, PASS_ON},
    {"waits", true, false, true, 0, PASS_ON},
    {"waits, swallows the cut", true, false, true, 0, 0},
    {"waits, turns the cut into an error", true, false, true, 0, CLEANUP_ERROR},
};

static const struct plan body_plans[] = {
    {"succeeds at once", true, true, false, BODY_SUCCESS, 0},
    {"fails at once", true, true, false, BODY_ERROR, 0},
    {"says cancelled at once", true, true, false, -ECANCELED, 0},
    {"succeeds", true, false, false, BODY_SUCCESS, PASS_ON},
    {"fails", true, false, false, BODY_ERROR, PASS_ON},
    {"says cancelled", true, false, false, -ECANCELED, PASS_ON},
    {"waits", true, false, true, 0, PASS_ON},
    {"waits, swallows the cut", true, false, true, 0, 0},
    {"waits, turns the cut into an error", true, false, true, 0, BODY_ERROR},
};

/* When the scopes are cancelled, by hand or by their deadlines; NEVER: not at all. */
struct event {
    const char *name;
    int inner_cancel, inner_deadline, outer_cancel, outer_deadline;
};

static const struct event events[] = {
    {"nothing", NEVER, NEVER, NEVER, NEVER},
    {"inner cancelled before", AT_ONCE, NEVER, NEVER, NEVER},
    {"inner cancelled early", EARLY, NEVER, NEVER, NEVER},
    {"inner cancelled late", LATE, NEVER, NEVER, NEVER},
    {"inner expired before", NEVER, AT_ONCE, NEVER, NEVER},
    {"inner expires early", NEVER, EARLY, NEVER, NEVER},
    {"inner expires late", NEVER, LATE, NEVER, NEVER},
    {"outer cancelled before", NEVER, NEVER, AT_ONCE, NEVER},
    {"outer cancelled early", NEVER, NEVER, EARLY, NEVER},
    {"outer cancelled late", NEVER, NEVER, LATE, NEVER},
    {"outer expired before", NEVER, NEVER, NEVER, AT_ONCE},
    {"outer expires early", NEVER, NEVER, NEVER, EARLY},
    {"outer expires late", NEVER, NEVER, NEVER, LATE},
    {"both expire early", NEVER, EARLY, NEVER, EARLY},
    {"both cancelled early", EARLY, NEVER, EARLY, NEVER},
    {"both were before", AT_ONCE, NEVER, AT_ONCE, NEVER},
    {"inner cancelled early, outer late", EARLY, NEVER, LATE, NEVER},
    {"inner expires early, outer expires late", NEVER, EARLY, NEVER, LATE},
    {"outer cancelled early, inner expires late", NEVER, LATE, EARLY, NEVER},
};

struct scenario {
    const struct plan *body, *children[2];
    const struct event *event;
    coir_policy policy;
    bool move_on, shield;
};

static size_t take(size_t *index, size_t count) {
    const size_t digit = *index % count;
    *index /= count;
    return digit;
}

#define SCENARIOS                                                                                  \
    (COUNT_OF(body_plans) * COUNT_OF(child_plans) * COUNT_OF(child_plans) * COUNT_OF(events) * 12)

static struct scenario scenario_at(size_t index) {
    struct scenario s;
    s.policy = (coir_policy)take(&index, 3);
    s.move_on = take(&index, 2) != 0;
    s.shield = take(&index, 2) != 0;
    s.event = &events[take(&index, COUNT_OF(events))];
    s.children[0] = &child_plans[take(&index, COUNT_OF(child_plans))];
    s.children[1] = &child_plans[take(&index, COUNT_OF(child_plans))];
    s.body = &body_plans[take(&index, COUNT_OF(body_plans))];
    return s;
}

static const char *describe(const struct scenario *s) {
    static const char *const policies[] = {"fail fast", "supervise", "race"};
    static char text[400];
    snprintf(text, sizeof text, "body %s; children: %s; %s; event: %s; %s%s%s%s", s->body->name,
             s->children[0]->name, s->children[1]->name, s->event->name, policies[s->policy],
             s->move_on ? ", move_on" : "", s->shield ? ", shield" : "", run_label());
    return text;
}

/* ---- The model ---- */

/* How an actor came to its end. */
struct end {
    bool ended, was_cut;
    bool excused; /* the scope was cancelled by then: -ECANCELED is no failure */
    int rc, at;
};

struct outcome {
    bool hangs; /* somebody waits for ever, and nothing cuts him: not a scenario to run */
    int inner_rc, outer_rc;
    int other_inner_rc; /* also right: two children failed in one moment, in unknown order */
    int closed_at;
    bool expired;
    size_t failures;
};

enum { ACTORS = 3 }; /* the body and two children */

struct model {
    const struct scenario *s;
    struct end ends[ACTORS];
    int now;
    bool cancelled, expired, won; /* of the inner scope itself */
    bool outer_reaches;           /* the outer scope is cancelled and no shield keeps it off */
};

static const struct plan *plan_of(const struct scenario *s, size_t actor) {
    return actor == 0 ? s->body : s->children[actor - 1];
}

static int time_of(const struct plan *plan, size_t actor) {
    static const int times[ACTORS] = {BODY, CHILD_1, CHILD_2};
    return plan->at_once ? AT_ONCE : plan->waits_for_ever ? NEVER : times[actor];
}

static bool failed(const struct end *end) {
    return end->ended && end->rc < 0 && (end->rc != -ECANCELED || !end->excused);
}

/* What the end of an actor means for the others. */
static void apply_policy(struct model *m, size_t actor, bool success) {
    const bool child = actor > 0;
    const bool failure = failed(&m->ends[actor]);
    if (m->s->policy == COIR_RACE && child && success)
        m->won = m->cancelled = true;
    if (failure && (m->s->policy == COIR_FAIL_FAST || (m->s->policy == COIR_RACE && !child)))
        m->cancelled = true;
}

static void end_actor(struct model *m, size_t actor, int rc, bool was_cut) {
    const bool excused = m->cancelled || m->outer_reaches;
    m->ends[actor] = (struct end){true, was_cut, excused, rc, m->now};
    apply_policy(m, actor, rc >= 0);
}

static bool settle(struct model *m) {
    bool any = false;
    for (size_t i = 0; i < ACTORS && (m->cancelled || m->outer_reaches); i++)
        if (plan_of(m->s, i)->exists && !m->ends[i].ended) {
            end_actor(m, i, plan_of(m->s, i)->when_cut, true);
            any = true;
        }
    return any;
}

/* A deadline that has passed when the scope is opened takes effect at the first wait inside, or
 * when the runtime looks at its timers. Which children that act at once come before is left open.
 */
static bool expires_at_the_first_wait(const struct scenario *s) {
    return s->event->inner_deadline == AT_ONCE || s->event->outer_deadline == AT_ONCE;
}

static bool depends_on_order(const struct scenario *s) {
    const struct plan *const a = s->children[0], *const b = s->children[1];
    const bool body_fails_at_once = s->body->at_once && s->body->result < 0;
    return expires_at_the_first_wait(s) &&
           (a->at_once || b->at_once || (body_fails_at_once && (a->exists || b->exists)));
}

static bool anybody_waits(const struct scenario *s) {
    bool waits = false;
    for (size_t i = 0; i < ACTORS; i++)
        waits = waits || (plan_of(s, i)->exists && !plan_of(s, i)->at_once);
    return waits;
}

static void happen(struct model *m) {
    const struct event *const e = m->s->event;
    bool open = m->now == AT_ONCE && (!expires_at_the_first_wait(m->s) || anybody_waits(m->s));
    for (size_t i = 0; i < ACTORS && m->now != AT_ONCE; i++)
        open = open || (plan_of(m->s, i)->exists && !m->ends[i].ended);
    if (open && e->inner_deadline == m->now && !m->cancelled)
        m->cancelled = m->expired = true;
    if (open && e->inner_cancel == m->now)
        m->cancelled = true;
    if (open && !m->s->shield && (e->outer_cancel == m->now || e->outer_deadline == m->now))
        m->outer_reaches = true;
}

/* The body at its time first: at once it acts before any child has run. */
static void act(struct model *m) {
    for (size_t i = 0; i < ACTORS; i++) {
        const struct plan *const plan = plan_of(m->s, i);
        if (plan->exists && !m->ends[i].ended && time_of(plan, i) == m->now)
            end_actor(m, i, plan->result, false);
    }
}

static void play(struct model *m) {
    static const int times[] = {AT_ONCE, EARLY, CHILD_1, CHILD_2, BODY, LATE};
    for (size_t i = 0; i < COUNT_OF(times); i++) {
        m->now = times[i];
        happen(m);
        if (m->now == AT_ONCE)
            act(m);
        while (settle(m)) {
        }
        if (m->now != AT_ONCE)
            act(m);
        while (settle(m)) {
        }
    }
}

static bool real(const struct end *end) {
    return end->ended && end->rc < 0 && end->rc != -ECANCELED;
}

/* The earliest real error of a child into *rc, and what else it may be into *other: two children
 * that end in one moment, both in a scope that is cancelled already, may do so in either order. */
static bool child_error(const struct model *m, int *rc, int *other) {
    const struct end *const a = &m->ends[1], *const b = &m->ends[2];
    if (!real(a) && !real(b))
        return false;
    if (real(a) && real(b) && a->at == b->at && a->rc != b->rc) {
        const struct end *const own = a->rc == OWN_ERROR ? a : b;
        *rc = OWN_ERROR;
        *other = own->excused ? CLEANUP_ERROR : OWN_ERROR;
    } else {
        const bool a_first = real(a) && (!real(b) || a->at <= b->at);
        *rc = *other = a_first ? a->rc : b->rc;
    }
    return true;
}

/* The documentation of coir_scope_close, line by line. */
static int close_model(const struct model *m, int *other) {
    const struct end *const body = &m->ends[0];
    bool any_cut = false, unexcused = false;
    for (size_t i = 0; i < ACTORS; i++) {
        any_cut = any_cut || m->ends[i].was_cut;
        unexcused = unexcused || (failed(&m->ends[i]) && !real(&m->ends[i]) && (i == 0 || !m->won));
    }
    int rc;
    if (real(body))
        return *other = body->rc;
    if (!m->won && child_error(m, &rc, other))
        return rc;
    if (any_cut && m->outer_reaches)
        return *other = -ECANCELED;
    if (any_cut && m->expired)
        return *other = m->s->move_on ? 0 : -ETIMEDOUT;
    if (unexcused)
        return *other = -ECANCELED;
    if (body->rc == -ECANCELED && m->cancelled)
        return *other = 0;
    return *other = body->rc;
}

/* The outer scope has no children; its body came to what the inner one returned. */
static int close_outer_model(const struct model *m, int inner_rc, int closed_at) {
    const struct event *const e = m->s->event;
    bool any_cut = false;
    for (size_t i = 0; i < ACTORS; i++)
        any_cut = any_cut || m->ends[i].was_cut;
    const bool expired = e->outer_deadline <= closed_at && anybody_waits(m->s);
    const bool cancelled = expired || e->outer_cancel <= closed_at;
    if (inner_rc < 0 && inner_rc != -ECANCELED)
        return inner_rc;
    if (any_cut && m->outer_reaches && expired)
        return -ETIMEDOUT;
    if (inner_rc == -ECANCELED)
        return cancelled ? 0 : -ECANCELED;
    return inner_rc;
}

static struct outcome predict(const struct scenario *s) {
    struct model m = {.s = s};
    struct outcome o = {.hangs = false};
    play(&m);
    for (size_t i = 0; i < ACTORS; i++) {
        const bool exists = plan_of(s, i)->exists;
        o.hangs = o.hangs || (exists && !m.ends[i].ended);
        o.closed_at = exists && m.ends[i].at > o.closed_at ? m.ends[i].at : o.closed_at;
        o.failures += failed(&m.ends[i]);
    }
    o.inner_rc = close_model(&m, &o.other_inner_rc);
    o.outer_rc = close_outer_model(&m, o.inner_rc, o.closed_at);
    o.expired = m.expired;
    return o;
}

/* ---- The real thing ---- */

struct actor {
    const struct plan *plan;
    coir_time act_at;
};

static int act_out(void *arg) {
    const struct actor *const actor = arg;
    if (actor->plan->at_once)
        return actor->plan->result;
    const int rc = coir_sleep_until(actor->act_at);
    if (rc == 0)
        return actor->plan->result;
    check_rc(rc, -ECANCELED);
    return actor->plan->when_cut;
}

struct stage {
    struct scenario s;
    coir_time began;
    coir_scope inner, outer;
};

static coir_time moment(const struct stage *stage, int ms) {
    return ms == NEVER ? COIR_NEVER : ms == AT_ONCE ? 1 : stage->began + COIR_MS(ms);
}

/* Cancels by hand, from a task outside both scopes. Inner first: the outer is to get the credit. */
static int cancel_by_hand(void *arg) {
    struct stage *const stage = arg;
    const struct event *const e = stage->s.event;
    for (int pass = 0; pass < 2; pass++) {
        const int at = pass == 0 ? EARLY : LATE;
        COIR_TRY(coir_sleep_until(moment(stage, at)));
        if (e->inner_cancel == at)
            coir_scope_cancel(&stage->inner);
        if (e->outer_cancel == at)
            coir_scope_cancel(&stage->outer);
    }
    return 0;
}

static int play_inner(struct stage *stage) {
    const struct scenario *const s = &stage->s;
    struct actor actors[ACTORS];
    for (size_t i = 0; i < ACTORS; i++) {
        const struct plan *const plan = plan_of(s, i);
        actors[i] = (struct actor){plan, moment(stage, time_of(plan, i))};
    }
    COIR_TRY(coir_scope_open(&stage->inner, .policy = s->policy, .move_on = s->move_on,
                             .shield = s->shield, .name = "inner",
                             .deadline = moment(stage, s->event->inner_deadline)));
    if (s->event->inner_cancel == AT_ONCE)
        coir_scope_cancel(&stage->inner);
    for (size_t i = 1; i < ACTORS; i++)
        if (actors[i].plan->exists)
            check_rc(coir_spawn(&stage->inner, act_out, &actors[i]), 0);
    return coir_scope_close(&stage->inner, act_out(&actors[0]));
}

static void play_scenario(const struct scenario *s) {
    const struct outcome o = predict(s);
    if (o.hangs || depends_on_order(s))
        return;
    struct stage stage = {.s = *s, .began = coir_now()};
    COIR_SCOPE(around, .name = "around");
    if (s->event->inner_cancel != NEVER || s->event->outer_cancel != NEVER)
        check_rc(coir_spawn(&around, cancel_by_hand, &stage), 0);
    check_rc(coir_scope_open(&stage.outer, .name = "outer",
                             .deadline = moment(&stage, s->event->outer_deadline)),
             0);
    if (s->event->outer_cancel == AT_ONCE)
        coir_scope_cancel(&stage.outer);

    const int inner_rc = play_inner(&stage);
    const int closed_at = (int)((coir_now() - stage.began) / COIR_MS(1));
    const int outer_rc = coir_scope_close(&stage.outer, inner_rc);

    cr_assert(inner_rc == o.inner_rc || inner_rc == o.other_inner_rc,
              "the inner scope closed with %s, not %s: %s", rc_text(inner_rc), rc_text(o.inner_rc),
              describe(s));
    cr_assert(outer_rc == o.outer_rc || inner_rc != o.inner_rc,
              "the outer scope closed with %s, not %s: %s", rc_text(outer_rc), rc_text(o.outer_rc),
              describe(s));
    cr_assert(closed_at == o.closed_at, "it closed at %d ms, not %d: %s", closed_at, o.closed_at,
              describe(s));
    cr_assert(coir_scope_expired(&stage.inner) == o.expired, "expired is not %d: %s", o.expired,
              describe(s));
    /* In one moment: whether one child's end excuses the other's depends on their order. */
    const bool any_order = s->children[0]->at_once && s->children[1]->at_once && run_label()[0];
    const size_t failures = coir_scope_errors(&stage.inner, NULL, 0);
    cr_assert(failures == o.failures || any_order, "%zu failures, not %zu: %s", failures,
              o.failures, describe(s));
    check_rc(coir_yield(), 0); /* leaving the scopes is the uncancel */
    coir_scope_cancel(&around);
    check_rc(coir_scope_close(&around, 0), 0);
}

static size_t stride;

static int play_scenarios(UNUSED void *arg) {
    for (size_t i = 0; i < SCENARIOS; i += stride) {
        const struct scenario s = scenario_at(i);
        play_scenario(&s);
    }
    return 0;
}

Test(flow_close, every_scenario_first_in_first_out) {
    stride = on_valgrind() ? 997 : 1;
    check_rc(run_task(play_scenarios, NULL), 0);
}

Test(flow_close, scenarios_in_every_order) {
    stride = on_valgrind() ? 9973 : 7;
    run_task_seeds(play_scenarios, NULL);
}
