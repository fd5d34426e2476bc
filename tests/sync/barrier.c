/* Barriers: all go on together, each with a place of its own; one that leaves, one that breaks it.
 */
#include "help.h"

#include <limits.h>

SUITE(sync_barrier);

struct party {
    coir_barrier *barrier;
    int at_ms;
    int rc;
    coir_time when; /* it went on */
};

static int arrive(void *arg) {
    struct party *const p = arg;
    COIR_TRY(coir_sleep(COIR_MS(p->at_ms)));
    p->rc = coir_barrier_wait(p->barrier);
    p->when = coir_now();
    return p->rc;
}

static coir_barrier made(int parties) {
    coir_barrier barrier;
    check_rc(coir_barrier_init(&barrier, parties), 0);
    return barrier;
}

static void spawn_parties(coir_scope *s, coir_barrier *barrier, struct party *parties,
                          coir_task *tasks, size_t count) {
    for (size_t i = 0; i < count; i++) {
        parties[i] = (struct party){.barrier = barrier, .rc = INT_MIN};
        tasks[i] = spawn_now(s, arrive, &parties[i]);
    }
}

/* ---- Misuse ---- */

Test(sync_barrier, outside_the_runtime_it_is_refused) {
    coir_barrier barrier = made(1);
    check_rc(coir_barrier_wait(&barrier), -EPERM);
    check_rc(coir_barrier_abort(&barrier), -EPERM);
    check_rc(coir_barrier_reset(&barrier), -EPERM);
    check_rc(coir_barrier_destroy(&barrier), 0);
    check_rc(coir_barrier_destroy(NULL), 0);
}

TASK_TEST(sync_barrier, nonsense_is_refused) {
    coir_barrier barrier = {0};
    check_rc(coir_barrier_wait(&barrier), -EINVAL); /* nobody has said for how many */
    check_rc(coir_barrier_init(NULL, 1), -EINVAL);
    check_rc(coir_barrier_init(&barrier, 0), -EINVAL);
    check_rc(coir_barrier_init(&barrier, -1), -EINVAL);
    check_rc(coir_barrier_init(&barrier, INT_MIN), -EINVAL);
    check_rc(coir_barrier_wait(NULL), -EINVAL);
    check_rc(coir_barrier_abort(NULL), -EINVAL);
    check_rc(coir_barrier_reset(NULL), -EINVAL);
    check_rc(coir_barrier_destroy(&barrier), 0);
    return 0;
}

/* ---- Going on ---- */

TASK_TEST_SEEDS(sync_barrier, all_go_on_when_the_last_has_come_each_with_its_place) {
    coir_barrier barrier = made(5);
    struct party parties[5];
    const coir_time began = coir_now();
    COIR_SCOPE(s);
    for (int i = 0; i < 5; i++) {
        parties[i] = (struct party){.barrier = &barrier, .at_ms = 1 + (i + 2) % 5};
        check_rc(coir_spawn(&s, arrive, &parties[i]), 0);
    }
    check_rc(coir_scope_close(&s, 0), 0);
    for (int i = 0; i < 5; i++) {
        check_int(parties[i].rc, (i + 2) % 5);
        check_int(parties[i].when - began, COIR_MS(5));
    }
    check_rc(coir_barrier_destroy(&barrier), 0);
    return 0;
}

TASK_TEST(sync_barrier, alone_one_does_not_wait) {
    coir_barrier barrier = made(1);
    for (int i = 0; i < 3; i++)
        check_int(coir_barrier_wait(&barrier), 0);
    return 0;
}

#define RUNNERS 4
#define LAPS 10

struct race {
    coir_barrier barrier;
    uint32_t state;
    int laps[RUNNERS];
    unsigned places[LAPS]; /* bit: the place was given in that lap */
};

struct runner {
    struct race *race;
    int number;
};

/* Nobody is ever more than a lap behind another. */
static int run_laps(void *arg) {
    const struct runner *const r = arg;
    struct race *const race = r->race;
    for (int lap = 0; lap < LAPS; lap++) {
        for (unsigned yields = draw(&race->state, 4); yields > 0; yields--)
            check_rc(coir_yield(), 0);
        const int place = coir_barrier_wait(&race->barrier);
        check(place >= 0 && place < RUNNERS);
        race->places[lap] |= 1U << place;
        race->laps[r->number]++;
        for (int i = 0; i < RUNNERS; i++)
            check(race->laps[i] >= lap && race->laps[i] <= lap + 2);
    }
    return 0;
}

TASK_TEST_SEEDS(sync_barrier, it_may_be_used_again_at_once) {
    struct race race = {.barrier = made(RUNNERS), .state = 3};
    struct runner runners[RUNNERS];
    COIR_SCOPE(s);
    for (int i = 0; i < RUNNERS; i++) {
        runners[i] = (struct runner){.race = &race, .number = i};
        check_rc(coir_spawn(&s, run_laps, &runners[i]), 0);
    }
    check_rc(coir_scope_close(&s, 0), 0);
    for (int lap = 0; lap < LAPS; lap++)
        check_int(race.places[lap], (1 << RUNNERS) - 1);
    check_rc(coir_barrier_destroy(&race.barrier), 0);
    return 0;
}

/* ---- Cancellation ---- */

TASK_TEST_SEEDS(sync_barrier, one_that_is_cut_no_longer_counts) {
    coir_barrier barrier = made(3);
    struct party parties[4];
    coir_task tasks[4];
    COIR_SCOPE(s);
    spawn_parties(&s, &barrier, parties, tasks, 2);
    check(coir_task_cancel(tasks[0]));
    spawn_parties(&s, &barrier, &parties[2], &tasks[2], 1);
    check(!coir_task_done(tasks[1]));
    spawn_parties(&s, &barrier, &parties[3], &tasks[3], 1);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(parties[0].rc, -ECANCELED);
    for (int i = 1; i < 4; i++)
        check_int(parties[i].rc, i - 1);
    check_rc(coir_barrier_destroy(&barrier), 0);
    return 0;
}

TASK_TEST_SEEDS(sync_barrier, one_that_may_go_on_goes_on_though_cancelled) {
    coir_barrier barrier = made(2);
    struct party parties[1];
    coir_task tasks[1];
    COIR_SCOPE(s);
    spawn_parties(&s, &barrier, parties, tasks, 1);
    check_int(coir_barrier_wait(&barrier), 1);
    check(coir_task_cancel(tasks[0]));
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(parties[0].rc, 0);
    return 0;
}

TASK_TEST_SEEDS(sync_barrier, a_cancelled_task_does_not_count) {
    coir_barrier barrier = made(1);
    COIR_SCOPE(s);
    coir_scope_cancel(&s);
    check_rc(coir_barrier_wait(&barrier), -ECANCELED);
    check_rc(coir_scope_close(&s, -ECANCELED), 0);
    check_int(coir_barrier_wait(&barrier), 0);
    return 0;
}

/* Three of three come at 1, 2 and 3 ms; one is cancelled at some instant. Either all have gone on
 * together by then, or that one has not and the two others wait for another. */
TASK_TEST_SEEDS(sync_barrier, a_cancel_at_every_instant) {
    for (int victim = 0; victim < 3; victim++) {
        for (int at = 0; at <= 5; at++) {
            coir_barrier barrier = made(3);
            struct party parties[3];
            coir_task tasks[3];
            COIR_SCOPE(s);
            for (int i = 0; i < 3; i++) {
                parties[i] = (struct party){.barrier = &barrier, .at_ms = 1 + i, .rc = -ECANCELED};
                check_rc(coir_spawn_task(&s, arrive, &parties[i], &tasks[i]), 0);
            }
            pass(at);
            (void)coir_task_cancel(tasks[victim]);
            pass(10);
            if (parties[victim].rc == -ECANCELED)
                check_int(coir_barrier_wait(&barrier), 2); /* stands in */
            check_rc(coir_scope_close(&s, 0), 0);
            for (int i = 0, place = 0; i < 3; i++)
                if (parties[i].rc != -ECANCELED)
                    check_int(parties[i].rc, place++);
                else
                    check_int(i, victim);
            check_rc(coir_barrier_destroy(&barrier), 0);
        }
    }
    return 0;
}

/* ---- Breaking ---- */

TASK_TEST_SEEDS(sync_barrier, abort_sends_all_away_until_it_is_mended) {
    coir_barrier barrier = made(3);
    struct party parties[2];
    coir_task tasks[2];
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    spawn_parties(&s, &barrier, parties, tasks, 2);
    check_rc(coir_barrier_abort(&barrier), 0);
    check(coir_task_cancel(tasks[1])); /* too late */
    check_rc(coir_barrier_wait(&barrier), -EPIPE);
    check_rc(coir_barrier_abort(&barrier), 0);
    check_rc(coir_scope_close(&s, 0), -EPIPE);
    check_rc(parties[0].rc, -EPIPE);
    check_rc(parties[1].rc, -EPIPE);
    check_rc(coir_barrier_reset(&barrier), 0);
    COIR_SCOPE(again);
    spawn_parties(&again, &barrier, parties, tasks, 2);
    check_int(coir_barrier_wait(&barrier), 2);
    check_rc(coir_scope_close(&again, 0), 0);
    check_rc(coir_barrier_destroy(&barrier), 0);
    return 0;
}

TASK_TEST_SEEDS(sync_barrier, reset_sends_those_away_who_wait) {
    coir_barrier barrier = made(2);
    struct party parties[2];
    coir_task tasks[2];
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    spawn_parties(&s, &barrier, parties, tasks, 1);
    check_rc(coir_barrier_reset(&barrier), 0);
    spawn_parties(&s, &barrier, &parties[1], &tasks[1], 1);
    check_int(coir_barrier_wait(&barrier), 1);
    check_rc(coir_scope_close(&s, 0), -EPIPE);
    check_rc(parties[0].rc, -EPIPE);
    check_rc(parties[1].rc, 0);
    return 0;
}

/* ---- Destroying, looking ---- */

TASK_TEST_SEEDS(sync_barrier, one_that_is_waited_for_is_not_destroyed) {
    coir_barrier barrier = made(2);
    struct party parties[1];
    coir_task tasks[1];
    COIR_SCOPE(s);
    spawn_parties(&s, &barrier, parties, tasks, 1);
    check_rc(coir_barrier_destroy(&barrier), -EBUSY);
    check_contains(listing(), named("barrier", &barrier));
    coir_scope_cancel(&s);
    check_rc(coir_barrier_destroy(&barrier), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}
