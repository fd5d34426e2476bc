/* One part of a soak, which tools/soak.sh runs beside the others:
 *
 *   soak echo ADDRESS SECONDS     clients of examples/echo
 *   soak httpd ADDRESS SECONDS    clients of examples/httpd, which serves the file "big.bin"
 *   soak storm SECONDS            cancelled scopes
 *   soak file                     writes "big.bin" to stdout
 *
 * Says what was done and what was lost; exit status 1 if anything was. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "soak/soak.h"

uint32_t pick(uint32_t count) {
    static uint64_t state = 1;
    uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)(((z ^ (z >> 31)) >> 32) * count >> 32);
}

static int write_file(void) {
    for (size_t i = 0; i < SOAK_FILE_SIZE; i++)
        (void)putchar(soak_content(i));
    return fflush(stdout) != 0;
}

int main(int argc, char **argv) {
    const char *const kind = argc > 1 ? argv[1] : "";
    if (strcmp(kind, "file") == 0)
        return write_file();
    const long seconds = argc > 2 ? strtol(argv[argc - 1], NULL, 10) : 0;
    uint64_t lost;
    if (seconds <= 0) {
        (void)fputs("usage: soak echo|httpd ADDRESS SECONDS | storm SECONDS | file\n", stderr);
        return 2;
    }
    if (strcmp(kind, "storm") == 0)
        lost = run_storms(COIR_SEC(seconds));
    else
        lost = run_clients(argv[2], strcmp(kind, "httpd") == 0, COIR_SEC(seconds));
    return lost > 0;
}
