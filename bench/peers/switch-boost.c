/* Link with: -lboost_context
 * The bare switch of Boost.Context. */
#include "boost.h"

#include "../lib/switch.h"

int main(int argc, char **argv) {
    return switch_main(argc, argv);
}
