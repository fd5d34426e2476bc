/* The floor: the least tasks over the least switch, all of it inlined by the compiler. */
#include "../floor.h"

#include "../../lib/fifo.h"
