/* What the documents show must be so: the lines of code of docs/from-asyncio.md compile, with the
 * compiler that `make` was given. */
#include "support.h"

SUITE(documents);

Test(documents, from_asyncio) {
    const program_result *const result = run_program((const char *const[]){
        "/bin/sh", "-c", "cd '" COIR_SOURCE_DIR "' && exec sh tools/from-asyncio.sh", NULL});
    cr_assert(result->status == 0, "wait status 0x%x:\n%s", (unsigned)result->status, result->err);
    check_contains(result->out, " lines compile");
}
