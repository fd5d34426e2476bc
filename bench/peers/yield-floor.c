/* The floor of the yield: the least scheduler over the least switch, all of it inlined. */
#include "floor.h"

#include "../lib/fifo.h"

int main(int argc, char **argv) {
    return yield_main(argc, argv);
}
