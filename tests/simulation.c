/* The simulations that are small enough to run each time: the programs that tests/sim is made of
 * but for the random ones, which `make sim` runs. What they say is the result: how much was tried.
 */
#include "support.h"

#include <stdio.h>

SUITE(simulation);

static void check_program(const char *path) {
    if (emulated())
        skip_test("it takes too long in an emulator, and is the same there");
    const program_result *const result = run_program((const char *const[]){path, NULL});
    cr_assert(result->status == 0, "%s, wait status 0x%x:\n%s%s", path, (unsigned)result->status,
              result->out, result->err);
    const char *const summary = strstr(result->out, "simulation: ");
    check(summary != NULL);
    fputs(summary, stdout);
}

Test(simulation, each_call_fails_in_its_turn) {
    check_program("tests/nth");
}

Test(simulation, it_says_what_this_system_says) {
    check_program("tests/twin");
}
