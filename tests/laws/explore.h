/* Laws tested by exhaustion: a scenario is run under every schedule there is.
 *
 * A scenario is the body of a main task under the virtual clock, and checks itself. What could
 * happen in another order is a choice: which of the ready tasks runs next; whether the next
 * deadline passes or the poller is asked before that, though tasks are ready; what choose()
 * returns. The explorer runs the scenario again and again, each time with the next string of
 * choices, like an odometer, until all have had their turn. It checks after each that no task,
 * timer or deadlock is left.
 *
 * A check that fails names the string, and so does a crash. With COIR_SCHEDULE=string in the
 * environment that one schedule is run alone:
 *
 *     COIR_SCHEDULE=0201 make check FILTER=laws_scope/name
 */
#ifndef TESTS_LAWS_EXPLORE_H
#define TESTS_LAWS_EXPLORE_H

#include "support.h"

/* One suite a file. */
#define LAWS(name) TestSuite(name, .timeout = 300)

/* LAW(suite, name) { scenario }. It must come to its end within MOST_SCHEDULES. */
#define LAW(suite, name) LAW_WITHIN(suite, name, MOST_SCHEDULES, false)
/* One that is known to have more: the first `most` are run, and it is said that there are more. */
#define LAW_AS_FAR_AS(suite, name, most) LAW_WITHIN(suite, name, most, true)

#define MOST_SCHEDULES 1000000

#define LAW_WITHIN(suite, name, most, may_stop)                                                    \
    static void suite##_##name##_scenario(void);                                                   \
    Test(suite, name) {                                                                            \
        explore(#suite "/" #name, suite##_##name##_scenario, most, may_stop);                      \
    }                                                                                              \
    static void suite##_##name##_scenario(void)

/* Runs the scenario under at most `most` schedules. If there are more, that is a failure, unless it
 * may stop there. */
void explore(const char *name, void (*scenario)(void), size_t most, bool may_stop);

/* A number from 0 to n - 1; each is tried. n is at most 32. Within a scenario. */
int choose(int n);

#endif
