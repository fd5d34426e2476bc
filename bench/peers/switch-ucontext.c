/* The bare switch of the C library's ucontext. */
#include "ucontext.h"

#include "../lib/switch.h"

int main(int argc, char **argv) {
    return switch_main(argc, argv);
}
