/* Names for addresses: of static functions, of assembly, of other libraries, and of nothing. */
#include "debug/symbol.h"

#include <dlfcn.h>

#include "arch/frame.h"
#include "debug/frames.h"

SUITE(debug_symbol);

static struct coir__symbol look_up(uintptr_t address) {
    struct coir__symbols symbols;
    struct coir__symbol symbol;
    coir__symbols_open(&symbols);
    coir__symbol_at(&symbols, (void *)(address + 1), &symbol);
    coir__symbols_close(&symbols);
    return symbol;
}

KEPT static int nothing_special(int value) {
    return value;
}

Test(debug_symbol, a_static_function) {
    const struct coir__symbol symbol = look_up((uintptr_t)nothing_special);
    check_str(symbol.function, "nothing_special");
    check_contains(symbol.module, "/tests/check");
    check_int(nothing_special(1), 1);
}

Test(debug_symbol, an_exported_function_and_one_in_assembly) {
    const struct coir__symbol exported = look_up((uintptr_t)coir_run);
    check_str(exported.function, "coir_run");
    const struct coir__symbol assembly = look_up((uintptr_t)&coir__entry + COIR_ENTRY_PAD);
    check_str(assembly.function, "coir__entry");
}

/* Asks the dynamic linker, or ends the test where there is none. */
static Dl_info linker_on(const void *address) {
    Dl_info where;
    if (dladdr(address, &where) == 0)
        skip_test("a program that is linked statically knows no libraries");
    return where;
}

Test(debug_symbol, a_function_of_a_library) {
    (void)linker_on((void *)(uintptr_t)coir_run);
    const struct coir__symbol symbol = look_up((uintptr_t)dlsym(RTLD_DEFAULT, "a64l"));
    check_str(symbol.function, "a64l");
    check_contains(symbol.module, "libc");
}

Test(debug_symbol, the_offset_is_what_the_module_was_linked_with) {
    const Dl_info where = linker_on((void *)(uintptr_t)coir_run);
    const struct coir__symbol symbol = look_up((uintptr_t)coir_run);
    check_int(symbol.offset, (uintptr_t)coir_run - (uintptr_t)where.dli_fbase);
}

Test(debug_symbol, an_address_without_a_file) {
    int here = 0;
    const struct coir__symbol on_stack = look_up((uintptr_t)&here), nowhere = look_up(16);
    check_str(on_stack.function, "");
    check_str(nowhere.function, "");
    check_str(nowhere.module, "?");
    check_int(nowhere.offset, 16);
}
