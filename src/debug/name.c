/* The table of addresses that have been looked up. */
#include "debug/name.h"

#include "base/sys.h"

#define TABLE_SIZE_MIN 64

void coir__names_open(struct coir__names *names) {
    *names = (struct coir__names){.last = &names->first};
    coir__symbols_open(&names->symbols);
    coir__lines_open(&names->lines);
}

void coir__names_close(struct coir__names *names) {
    while (names->first != NULL) {
        struct coir__name *const name = names->first;
        names->first = name->next;
        sys_free(name);
    }
    sys_free(names->table);
    coir__lines_close(&names->lines);
    coir__symbols_close(&names->symbols);
}

/* The place of an address, or the free one where it would be put. */
static struct coir__name **place_of(const struct coir__names *names, const void *pc) {
    size_t at = (size_t)((uintptr_t)pc * UINT64_C(0x9e3779b97f4a7c15) >> 32);
    while (names->table[at &= names->size - 1] != NULL && names->table[at]->pc != pc)
        at++;
    return &names->table[at];
}

/* Sees to it that there is room for one more. */
static bool grow(struct coir__names *names) {
    if (2 * names->count < names->size)
        return true;
    const size_t size = names->size > 0 ? 2 * names->size : TABLE_SIZE_MIN;
    struct coir__name **const table = sys_allocate(size * sizeof *table);
    if (table == NULL)
        return false;
    sys_free(names->table);
    names->table = table;
    names->size = size;
    for (struct coir__name *name = names->first; name != NULL; name = name->next)
        *place_of(names, name->pc) = name;
    return true;
}

static void look_up(struct coir__names *names, const void *pc, struct coir__name *out) {
    out->pc = pc;
    coir__symbol_at(&names->symbols, pc, &out->symbol);
    out->line_count = coir__lines_at(&names->lines, pc, &out->symbol, out->lines);
}

const struct coir__name *coir__name_of(struct coir__names *names, const void *pc) {
    struct coir__name **const place = grow(names) ? place_of(names, pc) : NULL;
    if (place != NULL && *place != NULL)
        return *place;
    struct coir__name *const name = place != NULL ? sys_allocate(sizeof *name) : NULL;
    if (name == NULL) {
        look_up(names, pc, &names->spare);
        return &names->spare;
    }
    look_up(names, pc, name);
    *place = name;
    *names->last = name;
    names->last = &name->next;
    names->count++;
    return name;
}
