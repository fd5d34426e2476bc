/* Link with: -lboost_context
 * The least scheduler over Boost.Context: what a yield costs when only the switch is bought. */
#include "boost.h"

#include "../lib/fifo.h"

int main(int argc, char **argv) {
    return yield_main(argc, argv);
}
