/* Naming addresses, by /proc/self/maps and the symbol tables of the files it lists. */
#include "debug/symbol.h"

#include <string.h>

#include "base/sys.h"

#ifdef __linux__
#include <elf.h>

/* ---- Where files are mapped ---- */

/* Reads a file line by line. */
struct lines {
    int fd;
    size_t begin, end; /* of what is unread in the buffer */
    char buffer[1024];
};

/* The next line, without its end; one too long for the buffer is cut. NULL at the end. */
static char *next_line(struct lines *lines) {
    for (;;) {
        char *const line = lines->buffer + lines->begin;
        const size_t length = lines->end - lines->begin;
        char *const newline = memchr(line, '\n', length);
        if (newline != NULL) {
            *newline = '\0';
            lines->begin += (size_t)(newline + 1 - line);
            return line;
        }
        memmove(lines->buffer, line, length);
        lines->begin = 0;
        lines->end = length < sizeof lines->buffer - 1 ? length : 0;
        const ssize_t got =
            sys_read(lines->fd, lines->buffer + lines->end, sizeof lines->buffer - lines->end);
        if (got <= 0)
            return NULL;
        lines->end += (size_t)got;
    }
}

static uintptr_t parse_hex(const char **text) {
    uintptr_t value = 0;
    for (;; ++*text) {
        const char c = **text;
        if (c >= '0' && c <= '9')
            value = value * 16 + (uintptr_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            value = value * 16 + (uintptr_t)(c - 'a') + 10;
        else
            return value;
    }
}

/* "55d0c000-55d0d000 r-xp 00001000 08:01 1234   /usr/bin/app"; whether it holds the address. */
static bool parse_mapping(const char *line, uintptr_t address, struct coir__module *out) {
    out->start = parse_hex(&line);
    if (*line++ != '-')
        return false;
    out->end = parse_hex(&line);
    if (address < out->start || address >= out->end || strlen(line) < sizeof " r-xp ")
        return false;
    line += sizeof " r-xp " - 1;
    out->file_offset = parse_hex(&line);
    const char *const path = strpbrk(line, "/[");
    const size_t length = path != NULL ? strnlen(path, sizeof out->path - 1) : 0;
    memcpy(out->path, path != NULL ? path : "", length);
    out->path[length] = '\0';
    return true;
}

static bool find_mapping(uintptr_t address, struct coir__module *out) {
    struct lines lines = {.fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC)};
    if (lines.fd < 0)
        return false;
    bool found = false;
    const char *line;
    while (!found && (line = next_line(&lines)) != NULL)
        found = parse_mapping(line, address, out);
    (void)sys_close(lines.fd);
    return found;
}

/* The kernel's own library is no file, but all of it is mapped in one piece. */
static bool is_of_kernel(const struct coir__module *module) {
    return strcmp(module->path, "[vdso]") == 0;
}

/* The whole file, read through a mapping of its own; fails for what is not a file. */
static void open_image(struct coir__module *module) {
    struct stat info;
    if (is_of_kernel(module)) {
        module->image = (const char *)module->start;
        module->size_bytes = module->end - module->start;
        return;
    }
    const int fd = module->path[0] == '/' ? open(module->path, O_RDONLY | O_CLOEXEC) : -1;
    module->image = NULL;
    if (fd < 0)
        return;
    if (sys_stat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0) {
        module->size_bytes = (size_t)info.st_size;
        const void *const image = mmap(NULL, module->size_bytes, PROT_READ, MAP_PRIVATE, fd, 0);
        if (image != MAP_FAILED)
            module->image = image;
    }
    (void)sys_close(fd);
}

static void close_image(struct coir__module *module) {
    if (module->image != NULL && !is_of_kernel(module))
        sys_unmap((void *)(uintptr_t)module->image, module->size_bytes);
    module->image = NULL;
}

/* The module at an address; NULL if nothing is mapped there. */
static struct coir__module *module_at(struct coir__symbols *symbols, uintptr_t address) {
    for (unsigned i = 0; i < symbols->count; i++) {
        struct coir__module *const module = &symbols->modules[i];
        if (address >= module->start && address < module->end)
            return module;
    }
    struct coir__module *const place = &symbols->modules[symbols->next];
    if (symbols->count == COIR_MODULES)
        close_image(place);
    else
        symbols->count++;
    symbols->next = (symbols->next + 1) % COIR_MODULES;
    if (find_mapping(address, place)) {
        open_image(place);
        return place;
    }
    *place = (struct coir__module){.image = NULL}; /* holds no address */
    return NULL;
}

/* ---- Symbol tables ---- */

#if UINTPTR_MAX > UINT32_MAX
typedef Elf64_Ehdr elf_header;
typedef Elf64_Phdr elf_segment;
typedef Elf64_Shdr elf_section;
typedef Elf64_Sym elf_symbol;
#define ELF_CLASS ELFCLASS64
#else
typedef Elf32_Ehdr elf_header;
typedef Elf32_Phdr elf_segment;
typedef Elf32_Shdr elf_section;
typedef Elf32_Sym elf_symbol;
#define ELF_CLASS ELFCLASS32
#endif

/* `count` things of `size_bytes` at an offset in the file, or NULL if they do not lie in it. */
static const void *part_of(const struct coir__module *module, uint64_t offset, uint64_t count,
                           size_t size_bytes) {
    if (module->image == NULL || offset > module->size_bytes || offset % 4 != 0 ||
        count > (module->size_bytes - offset) / size_bytes)
        return NULL;
    return module->image + offset;
}

static const elf_header *header_of(const struct coir__module *module) {
    const elf_header *const header = part_of(module, 0, 1, sizeof *header);
    if (header == NULL || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
        header->e_ident[EI_CLASS] != ELF_CLASS)
        return NULL;
    return header;
}

/* The address at which the linker has put what lies at an offset in the file. */
static uintptr_t linked_address(const struct coir__module *module, const elf_header *header,
                                uintptr_t offset) {
    const elf_segment *const segments =
        part_of(module, header->e_phoff, header->e_phnum, sizeof *segments);
    for (unsigned i = 0; segments != NULL && i < header->e_phnum; i++) {
        const elf_segment *const it = &segments[i];
        if (it->p_type == PT_LOAD && offset >= it->p_offset && offset - it->p_offset < it->p_filesz)
            return offset - it->p_offset + it->p_vaddr;
    }
    return offset;
}

const struct coir__module *coir__module_at(struct coir__symbols *symbols, uintptr_t address,
                                           uintptr_t *linked) {
    const struct coir__module *const module = module_at(symbols, address);
    const elf_header *const header = module != NULL ? header_of(module) : NULL;
    if (header == NULL)
        return NULL;
    *linked = linked_address(module, header, address - module->start + module->file_offset);
    return module;
}

bool coir__module_segment(const struct coir__module *module, unsigned type, uintptr_t *linked) {
    const elf_header *const header = header_of(module);
    const elf_segment *const segments =
        part_of(module, header->e_phoff, header->e_phnum, sizeof *segments);
    for (unsigned i = 0; segments != NULL && i < header->e_phnum; i++)
        if (segments[i].p_type == type) {
            *linked = segments[i].p_vaddr;
            return true;
        }
    return false;
}

const unsigned char *coir__module_contents(const struct coir__module *module, uintptr_t linked,
                                           size_t *size_bytes) {
    const elf_header *const header = header_of(module);
    const elf_segment *const segments =
        part_of(module, header->e_phoff, header->e_phnum, sizeof *segments);
    for (unsigned i = 0; segments != NULL && i < header->e_phnum; i++) {
        const elf_segment *const it = &segments[i];
        if (it->p_type != PT_LOAD || linked < it->p_vaddr || linked - it->p_vaddr >= it->p_filesz)
            continue;
        *size_bytes = it->p_filesz - (linked - it->p_vaddr);
        return part_of(module, it->p_offset, it->p_filesz, 1) != NULL
                   ? (const unsigned char *)module->image + it->p_offset + (linked - it->p_vaddr)
                   : NULL;
    }
    return NULL;
}

static const elf_section *section_of(const struct coir__module *module, const elf_header *header,
                                     unsigned type) {
    const elf_section *const sections =
        part_of(module, header->e_shoff, header->e_shnum, sizeof *sections);
    for (unsigned i = 0; sections != NULL && i < header->e_shnum; i++)
        if (sections[i].sh_type == type && sections[i].sh_link < header->e_shnum)
            return &sections[i];
    return NULL;
}

/* Copies a name, without what compilers append to those of parts and clones (".cold", ".part.0").
 */
static void copy_name(const char *name, size_t room, char *out) {
    size_t length = strnlen(name, room < COIR_SYMBOL_SIZE ? room : COIR_SYMBOL_SIZE - 1);
    const char *const dot = length > 1 ? memchr(name + 1, '.', length - 1) : NULL;
    if (dot != NULL)
        length = (size_t)(dot - name);
    memcpy(out, name, length);
    out[length] = '\0';
}

/* Looks for the function that holds the address in the first table of the type. */
static bool find_function(const struct coir__module *module, const elf_header *header,
                          unsigned type, uintptr_t address, char *out) {
    const elf_section *const table = section_of(module, header, type);
    if (table == NULL)
        return false;
    const elf_section *const names =
        (const elf_section *)part_of(module, header->e_shoff, header->e_shnum, sizeof *names) +
        table->sh_link;
    const size_t count = table->sh_size / sizeof(elf_symbol);
    const elf_symbol *const all = part_of(module, table->sh_offset, count, sizeof *all);
    const char *const text = names->sh_offset <= module->size_bytes &&
                                     names->sh_size <= module->size_bytes - names->sh_offset
                                 ? module->image + names->sh_offset
                                 : NULL;
    for (size_t i = 0; all != NULL && text != NULL && i < count; i++) {
        const elf_symbol *const it = &all[i];
        if ((it->st_info & 0xf) == STT_FUNC && address >= it->st_value &&
            address - it->st_value < it->st_size && it->st_name < names->sh_size) {
            copy_name(text + it->st_name, names->sh_size - it->st_name, out);
            return true;
        }
    }
    return false;
}

static bool look_up(struct coir__symbols *symbols, uintptr_t address, struct coir__symbol *out) {
    const struct coir__module *const module = module_at(symbols, address);
    if (module == NULL)
        return false;
    out->offset = address - module->start + module->file_offset;
    memcpy(out->module, module->path, sizeof out->module);
    const elf_header *const header = header_of(module);
    if (header != NULL) {
        out->offset = linked_address(module, header, out->offset);
        (void)(find_function(module, header, SHT_SYMTAB, out->offset, out->function) ||
               find_function(module, header, SHT_DYNSYM, out->offset, out->function));
    }
    return true;
}

#else
#include <dlfcn.h>

/* Elsewhere what the dynamic linker knows: exported functions. */
static void copy(const char *text, char *out, size_t size_bytes) {
    const size_t length = strnlen(text, size_bytes - 1);
    memcpy(out, text, length);
    out[length] = '\0';
}

static bool look_up(struct coir__symbols *symbols, uintptr_t address, struct coir__symbol *out) {
    Dl_info where = {.dli_fbase = NULL};
    (void)symbols;
    if (dladdr((void *)address, &where) == 0 || where.dli_fname == NULL)
        return false;
    copy(where.dli_fname, out->module, sizeof out->module);
    out->offset = address - (uintptr_t)where.dli_fbase;
    if (where.dli_sname != NULL)
        copy(where.dli_sname, out->function, sizeof out->function);
    return true;
}

static void close_image(struct coir__module *module) {
    (void)module;
}
#endif

void coir__symbols_open(struct coir__symbols *symbols) {
    symbols->count = symbols->next = 0;
}

void coir__symbols_close(struct coir__symbols *symbols) {
    for (unsigned i = 0; i < symbols->count; i++)
        close_image(&symbols->modules[i]);
    symbols->count = 0;
}

void coir__symbol_at(struct coir__symbols *symbols, const void *pc, struct coir__symbol *out) {
    const uintptr_t address = (uintptr_t)pc - 1;
    out->function[0] = '\0';
    if (!look_up(symbols, address, out)) {
        memcpy(out->module, "?", sizeof "?");
        out->offset = address;
    }
}
