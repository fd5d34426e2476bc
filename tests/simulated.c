/* The simulated system as programs use it that are linked with libcoir-sim.a: the cases of
 * tests/subjects/simulated.c. What the library does on it is the matter of tests/sim. */
#include "support.h"

SUITE(simulated);

static void run_case(const char *name) {
    const program_result *const result =
        run_program((const char *const[]){"tests/subjects/simulated", name, NULL});
    cr_assert(result->status == 0, "wait status 0x%x:\n%s%s", (unsigned)result->status, result->out,
              result->err);
}

#ifdef __linux__
#define SIMULATED_TEST(name, text)                                                                 \
    Test(simulated, name) {                                                                        \
        run_case(text);                                                                            \
    }
#else
#define SIMULATED_TEST(name, text)                                                                 \
    Test(simulated, name) {                                                                        \
        (void)run_case;                                                                            \
        skip_test("the simulated system is Linux");                                                \
    }
#endif

SIMULATED_TEST(machines_are_cut_off_and_mended, "partition")
SIMULATED_TEST(who_is_killed_reaches_nobody_and_starts_again, "killed client")
SIMULATED_TEST(a_server_that_loses_its_power_is_not_heard_of, "killed server")
SIMULATED_TEST(who_waits_to_be_accepted_is_cut_off_with_the_listener, "killed backlog")
SIMULATED_TEST(who_is_killed_in_line_does_not_connect_later, "killed in line")
SIMULATED_TEST(a_killed_machine_has_no_datagrams, "killed datagrams")
SIMULATED_TEST(a_cut_made_again_is_the_same_cut, "many cuts")
SIMULATED_TEST(jobs_have_the_stacks_of_threads, "large stacks")
SIMULATED_TEST(a_signal_comes_in_each_order, "signals")
SIMULATED_TEST(options_and_addresses_out_of_range_are_refused, "misuse")
SIMULATED_TEST(outside_of_a_simulation_nothing_is_simulated, "outside")
SIMULATED_TEST(waiting_for_what_can_not_come_is_a_deadlock, "deadlock")
SIMULATED_TEST(the_same_seed_gives_the_same_trace, "again")
SIMULATED_TEST(a_trace_is_written_between_tasks_too, "trace")
