/* The C library's swapcontext with the least tasks on top.
 * Measures: yield spawn
 */
#include "../ucontext.h"

#include "../../lib/fifo.h"
