/* File and line, by libdw. Declared here is what is used of its interface, that of libdw.so.1. */
#include "debug/line.h"

#include <pthread.h>

#include "debug/load.h"

/* Dwarf_Die, which is for the caller to allocate. */
struct unit {
    void *room[8];
};

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
    struct unit *(*addrdie)(void *module, uint64_t address, uint64_t *bias);
    struct unit *(*nextcu)(void *module, struct unit *last, uint64_t *bias);
    int (*haspc)(struct unit *unit, uint64_t pc);
    void *(*getsrc)(struct unit *unit, uint64_t pc);
    const char *(*linesrc)(void *line, uint64_t *modified, uint64_t *length);
    int (*lineno)(void *line, int *number);
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

/* The module at an address, made known to the session if it is not yet. */
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
static struct unit *unit_at(void *module, uint64_t address, uint64_t *bias) {
    struct unit *unit = libdw.addrdie(module, address, bias);
    if (unit != NULL)
        return unit;
    while ((unit = libdw.nextcu(module, unit, bias)) != NULL)
        if (libdw.haspc(unit, address - *bias) > 0)
            return unit;
    return NULL;
}

const char *coir__line_at(struct coir__lines *lines, const void *pc,
                          const struct coir__symbol *symbol, int *line) {
    const uint64_t address = (uintptr_t)pc - 1;
    uint64_t bias = 0;
    if (lines->session == NULL)
        return NULL;
    void *const module = module_at(lines->session, address, symbol);
    struct unit *const unit = module != NULL ? unit_at(module, address, &bias) : NULL;
    void *const found = unit != NULL ? libdw.getsrc(unit, address - bias) : NULL;
    if (found == NULL || libdw.lineno(found, line) != 0)
        return NULL;
    return libdw.linesrc(found, NULL, NULL);
}
