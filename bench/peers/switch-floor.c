/* The floor of the bare switch. */
#include "floor.h"

#include "../lib/switch.h"

int main(int argc, char **argv) {
    return switch_main(argc, argv);
}
