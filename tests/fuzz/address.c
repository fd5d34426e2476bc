/* Addresses: any text is parsed or refused, and what an address is written as stands for that same
 * address. */
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "io/address.h"

static void check_written(const struct coir__address *address) {
    char text[COIR_ADDRESS_SIZE + 1];
    struct coir__target again;
    const int rc = coir__address_format(address, text, COIR_ADDRESS_SIZE);
    HOLDS(rc == 0 || rc == -ENOSPC);
    if (rc < 0)
        return;
    HOLDS(strlen(text) < COIR_ADDRESS_SIZE);
    HOLDS(coir__address_parse(text, &again) == 0);
    HOLDS(!again.is_name);
    HOLDS(again.address.size == address->size);
    HOLDS(memcmp(&again.address.as, &address->as, address->size) == 0);
    for (size_t size = 0; size <= strlen(text); size++) {
        char *const small = malloc(size + 1);
        HOLDS(coir__address_format(address, small, size) == -ENOSPC);
        free(small);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct coir__target target;
    char *const text = malloc(size + 1); /* of that size, so that a read behind it is seen */
    memcpy(text, data, size);
    text[size] = '\0';
    const int rc = coir__address_parse(text, &target);
    HOLDS(rc == 0 || rc == -EINVAL || rc == -ENAMETOOLONG);
    if (rc == 0 && target.is_name)
        HOLDS(target.host[0] != '\0' && strlen(target.host) < COIR_HOST_SIZE);
    else if (rc == 0 && target.address.size > 0)
        check_written(&target.address);
    free(text);
    return 0;
}
