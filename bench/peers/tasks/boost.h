/* Link with: -lboost_context
 * Boost.Context's switch with the least tasks on top.
 * Measures: yield spawn
 */
#include "../boost.h"

#include "../../lib/fifo.h"
