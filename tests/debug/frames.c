/* What the tests of backtraces and listings share; frames.h says what each function is for. */
#include "debug/frames.h"

#include "debug/symbol.h"

const char *names_of(void *const pcs[], size_t count) {
    static char text[8192];
    struct coir__symbols symbols;
    size_t length = 0;
    text[0] = '\0';
    coir__symbols_open(&symbols);
    for (size_t i = 0; i < count && length < sizeof text; i++) {
        struct coir__symbol symbol;
        coir__symbol_at(&symbols, pcs[i], &symbol);
        length += (size_t)snprintf(text + length, sizeof text - length, "%s ",
                                   symbol.function[0] != '\0' ? symbol.function : symbol.module);
    }
    coir__symbols_close(&symbols);
    return text;
}

const char *names_of_task(coir_task task) {
    void *pcs[64];
    const ssize_t count = coir_backtrace(task, pcs, COUNT_OF(pcs));
    check(count > 0);
    return names_of(pcs, (size_t)count);
}
