/* Bytes taken for the choices of tests/sim's generator: the programs that come of them run on the
 * simulated system, and are held against the laws. The first byte is the system's seed. */
#include <errno.h>
#include <stdarg.h>

#include "fuzz/fuzz.h"
#include "sim/interpret.h"
#include "sim/program.h"
#include "sim/report.h"

static struct desk mine;
struct desk *desk = &mine;

void violated(const char *law, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)fprintf(stderr, "%s: ", law);
    (void)vfprintf(stderr, format, arguments);
    (void)fputc('\n', stderr);
    va_end(arguments);
    if (desk->message_size > 0)
        (void)fprintf(stderr, "the library said: %s\n", desk->messages);
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2)
        return 0;
    struct source source = {.bytes = data + 1, .left = size - 1};
    desk->message_size = 0;
    struct program *const program = program_generate(&source, data[0]);
    if (getenv("PRINT") != NULL)
        program_print(program, stdout);
    (void)program_run(program);
    return 0;
}
