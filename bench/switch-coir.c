/* The bare switch of coir/context.h, without the runtime. */
#include "peers/coir.h"

#include "lib/switch.h"

int main(int argc, char **argv) {
    return switch_main(argc, argv);
}
