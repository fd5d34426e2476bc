/* COIR_SCOPE guards its scope: a block left without close, by any path, cancels and joins what was
 * spawned there, and is counted. */
#include "support.h"

SUITE(flow_guard);

static uint64_t left_open(void) {
    coir_stats stats;
    check_rc(coir_stats_get(&stats), 0);
    return stats.scopes_left_open;
}

static int wait_and_count(void *arg) {
    const int rc = coir_sleep(COIR_NEVER);
    *(int *)arg += rc == -ECANCELED;
    return rc;
}

static int leave_by_return(int *cuts) {
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, wait_and_count, cuts), 0);
    check_rc(coir_yield(), 0);
    return 7;
}

TASK_TEST_SEEDS(flow_guard, a_return_cancels_and_joins) {
    int cuts = 0;
    check_int(leave_by_return(&cuts), 7);
    check_int(cuts, 1);
    check_int(left_open(), 1);
    check_rc(coir_yield(), 0);
    return 0;
}

static int leave_by_try(int *cuts) {
    COIR_SCOPE(s);
    COIR_TRY(coir_spawn(&s, wait_and_count, cuts));
    COIR_TRY(coir_sleep(-1));
    return coir_scope_close(&s, 0);
}

TASK_TEST_SEEDS(flow_guard, a_failed_try_cancels_and_joins) {
    int cuts = 0;
    check_rc(leave_by_try(&cuts), -EINVAL);
    check_int(cuts, 1);
    check_int(left_open(), 1);
    return 0;
}

TASK_TEST_SEEDS(flow_guard, leaving_a_loop_cancels_and_joins) {
    int cuts = 0;
    for (int i = 0; i < 10; i++) {
        COIR_SCOPE(s);
        check_rc(coir_spawn(&s, wait_and_count, &cuts), 0);
        if (i % 3 == 1)
            continue;
        if (i == 8)
            break;
        coir_scope_cancel(&s);
        check_rc(coir_scope_close(&s, 0), 0);
    }
    check_int(cuts, 9);
    check_int(left_open(), 4); /* of i = 1, 4, 7 and 8 */
    return 0;
}

static int leave_three_open(int *cuts) {
    COIR_SCOPE(a);
    check_rc(coir_spawn(&a, wait_and_count, cuts), 0);
    COIR_SCOPE(b, .shield = true);
    check_rc(coir_spawn(&b, wait_and_count, cuts), 0);
    COIR_SCOPE(c, .policy = COIR_SUPERVISE);
    check_rc(coir_spawn(&c, wait_and_count, cuts), 0);
    return 0;
}

TASK_TEST_SEEDS(flow_guard, nested_scopes_are_left_from_the_inside_out) {
    int cuts = 0;
    check_int(leave_three_open(&cuts), 0);
    check_int(cuts, 3);
    check_int(left_open(), 3);
    check_rc(coir_yield(), 0);
    return 0;
}

TASK_TEST(flow_guard, a_closed_scope_is_not_counted) {
    {
        COIR_SCOPE(s);
        check_rc(coir_scope_close(&s, 0), 0);
    }
    check_int(left_open(), 0);
    return 0;
}

TASK_TEST(flow_guard, a_refused_scope_is_not_counted) {
    {
        COIR_SCOPE(s, .deadline = -1);
        check_rc(coir_spawn(&s, wait_and_count, NULL), -EINVAL);
    }
    check_int(left_open(), 0);
    check_rc(coir_yield(), 0);
    return 0;
}

static int leave_in_a_task(void *cuts) {
    return leave_by_return(cuts);
}

TASK_TEST_SEEDS(flow_guard, a_task_may_end_by_leaving_its_scopes) {
    int cuts = 0;
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    for (int i = 0; i < 5; i++)
        check_rc(coir_spawn(&s, leave_in_a_task, &cuts), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(cuts, 5);
    check_int(left_open(), 5);
    return 0;
}

Test(flow_guard, outside_a_runtime_there_is_nothing_to_join) {
    COIR_SCOPE(s);
    check_rc(coir_scope_close(&s, 0), -EPERM);
}
