/* Lines, by libdw. Declared here is what is used of its interface, that of libdw.so.1. */
#include "debug/line.h"

#include <pthread.h>
#include <stdlib.h>

#include "debug/load.h"

/* Dwarf_Die: a compilation unit, a function, ...; and Dwarf_Attribute. */
struct entry {
    void *address, *unit, *abbreviation;
    long padding;
};
struct attribute {
    void *room[8];
};
enum { INLINED_SUBROUTINE = 0x1d, CALL_FILE = 0x58, CALL_LINE = 0x59 }; /* of DWARF */

/* Dwfl_Callbacks */
struct callbacks {
    void (*find_elf)(void);
    void (*find_debuginfo)(void);
    void (*section_address)(void);
    char **debuginfo_path;
};

/* The names without "dwfl_" and "dwarf_". A bias is what to take away from an address here to get
 * the one in the file. */
static struct {
    void *(*begin)(const struct callbacks *callbacks);
    void (*end)(void *session);
    void (*report_begin_add)(void *session);
    void *(*report_elf)(void *session, const char *name, const char *file, int fd, uint64_t base,
                        bool add_vaddr);
    int (*report_end)(void *session, void *removed, void *arg);
    void *(*addrmodule)(void *session, uint64_t address);
    struct entry *(*addrdie)(void *module, uint64_t address, uint64_t *bias);
    struct entry *(*nextcu)(void *module, struct entry *last, uint64_t *bias);
    int (*haspc)(struct entry *unit, uint64_t pc);
    void *(*getsrc)(struct entry *unit, uint64_t pc);
    const char *(*linesrc)(void *line, uint64_t *modified, uint64_t *length);
    int (*lineno)(void *line, int *number);
    int (*getscopes)(struct entry *unit, uint64_t pc, struct entry **scopes);
    int (*getscopes_die)(struct entry *entry, struct entry **scopes);
    int (*tag)(struct entry *entry);
    const char *(*diename)(struct entry *entry);
    struct attribute *(*attr)(struct entry *entry, unsigned name, struct attribute *out);
    int (*formudata)(struct attribute *attribute, uint64_t *value);
    int (*getsrcfiles)(struct entry *unit, void **files, size_t *count);
    const char *(*filesrc)(void *files, size_t index, uint64_t *modified, uint64_t *length);
} libdw;

static struct callbacks callbacks;
static bool is_loaded;

static void load(void) {
    const struct coir__import imports[] = {
        {"dwfl_begin", &libdw.begin},
        {"dwfl_end", &libdw.end},
        {"dwfl_report_begin_add", &libdw.report_begin_add},
        {"dwfl_report_elf", &libdw.report_elf},
        {"dwfl_report_end", &libdw.report_end},
        {"dwfl_addrmodule", &libdw.addrmodule},
        {"dwfl_module_addrdie", &libdw.addrdie},
        {"dwfl_module_nextcu", &libdw.nextcu},
        {"dwarf_haspc", &libdw.haspc},
        {"dwarf_getsrc_die", &libdw.getsrc},
        {"dwarf_linesrc", &libdw.linesrc},
        {"dwarf_lineno", &libdw.lineno},
        {"dwarf_getscopes", &libdw.getscopes},
        {"dwarf_getscopes_die", &libdw.getscopes_die},
        {"dwarf_tag", &libdw.tag},
        {"dwarf_diename", &libdw.diename},
        {"dwarf_attr", &libdw.attr},
        {"dwarf_formudata", &libdw.formudata},
        {"dwarf_getsrcfiles", &libdw.getsrcfiles},
        {"dwarf_filesrc", &libdw.filesrc},
        {"dwfl_build_id_find_elf", &callbacks.find_elf},
        {"dwfl_build_id_find_debuginfo", &callbacks.find_debuginfo},
    };
    is_loaded = coir__load("libdw.so.1", imports, sizeof imports / sizeof imports[0]);
}

void coir__lines_open(struct coir__lines *lines) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, load);
    lines->session = is_loaded ? libdw.begin(&callbacks) : NULL;
}

void coir__lines_close(struct coir__lines *lines) {
    if (lines->session != NULL)
        libdw.end(lines->session);
    lines->session = NULL;
}

/* The module at an address, which libdw is told of if it does not know it yet. */
static void *module_at(void *session, uint64_t address, const struct coir__symbol *symbol) {
    void *const known = libdw.addrmodule(session, address);
    if (known != NULL || symbol->module[0] != '/')
        return known;
    libdw.report_begin_add(session);
    void *const module = libdw.report_elf(session, symbol->module, symbol->module, -1,
                                          address - symbol->offset, true);
    (void)libdw.report_end(session, NULL, NULL);
    return module;
}

/* The compilation unit that an address lies in: by the table of ranges, which clang does not write
 * by default, or one by one. */
static struct entry *unit_at(void *module, uint64_t address, uint64_t *bias) {
    struct entry *unit = libdw.addrdie(module, address, bias);
    if (unit != NULL)
        return unit;
    while ((unit = libdw.nextcu(module, unit, bias)) != NULL)
        if (libdw.haspc(unit, address - *bias) > 0)
            return unit;
    return NULL;
}

/* What an address in the file lies in, from the innermost inlined function or block outwards: an
 * array for the caller to free. */
static int scopes_at(struct entry *unit, uint64_t pc, struct entry **out) {
    struct entry *scopes = NULL;
    const int count =
        libdw.getscopes(unit, pc, &scopes); /* beyond the first: where it is written */
    if (count <= 0)
        return 0;
    struct entry innermost = scopes[0];
    free(scopes);
    *out = NULL;
    return libdw.getscopes_die(&innermost, out);
}

static uint64_t number_of(struct entry *entry, unsigned name) {
    struct attribute attribute;
    uint64_t value = 0;
    (void)libdw.formudata(libdw.attr(entry, name, &attribute), &value);
    return value;
}

/* Adds to the first line, which is that of the innermost function, where it was inlined. */
static size_t add_callers(struct entry *unit, uint64_t pc, struct coir__line *out) {
    struct entry *scopes = NULL;
    void *files = NULL;
    const int count = scopes_at(unit, pc, &scopes);
    size_t lines = 1;
    if (libdw.getsrcfiles(unit, &files, NULL) != 0)
        files = NULL;
    for (int i = 0; i < count && files != NULL && lines < COIR_LINES_MAX; i++) {
        if (libdw.tag(&scopes[i]) != INLINED_SUBROUTINE)
            continue;
        out[lines - 1].function = libdw.diename(&scopes[i]);
        out[lines].file = libdw.filesrc(files, number_of(&scopes[i], CALL_FILE), NULL, NULL);
        out[lines].number = (int)number_of(&scopes[i], CALL_LINE);
        out[lines++].function = NULL;
    }
    free(scopes);
    return lines;
}

size_t coir__lines_at(struct coir__lines *lines, const void *pc, const struct coir__symbol *symbol,
                      struct coir__line out[COIR_LINES_MAX]) {
    const uint64_t address = (uintptr_t)pc - 1;
    uint64_t bias = 0;
    if (lines->session == NULL)
        return 0;
    void *const module = module_at(lines->session, address, symbol);
    struct entry *const unit = module != NULL ? unit_at(module, address, &bias) : NULL;
    void *const found = unit != NULL ? libdw.getsrc(unit, address - bias) : NULL;
    if (found == NULL || libdw.lineno(found, &out[0].number) != 0)
        return 0;
    out[0].function = NULL;
    out[0].file = libdw.linesrc(found, NULL, NULL);
    return add_callers(unit, address - bias, out);
}
