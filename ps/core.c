/* A core file, written by the kernel or by a debugger. What it leaves out, because it was never
 * written to, is read from the program's files. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "copy.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Of the note for a thread: struct elf_prstatus, the same on both machines. */
enum { STATUS_TID = 32, STATUS_REGISTERS = 112, STATUS_SIZE_MIN = 112 + 20 * 8 };

struct segment {
    uint64_t low, high; /* as far as the file goes */
    uint64_t offset;
    bool writable;
};

struct thread {
    int32_t tid;
    struct registers registers;
};

struct file_range {
    uint64_t low, high;
};

struct core {
    int fd;
    Elf *elf;
    const char *image;
    size_t size_bytes;
    const char *program;
    struct segment *segments; /* in the order of addresses */
    size_t segment_count;
    struct thread *threads;
    size_t thread_count;
    struct file_range *files; /* what was mapped from files */
    size_t file_count;
};

/* ---- Memory ---- */

static const struct segment *segment_at(const struct core *core, uint64_t address) {
    size_t low = 0, high = core->segment_count;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (core->segments[middle].high <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low < core->segment_count && core->segments[low].low <= address ? &core->segments[low]
                                                                           : NULL;
}

/* From the file that was mapped there; what a program never writes to is as it is there. */
static bool read_program(const struct target *target, uint64_t address, void *out,
                         size_t size_bytes) {
    GElf_Addr bias;
    Dwfl_Module *const module =
        target->dwfl != NULL ? dwfl_addrmodule(target->dwfl, address) : NULL;
    Elf *const elf = module != NULL ? dwfl_module_getelf(module, &bias) : NULL;
    size_t count = 0, size;
    if (elf == NULL || elf_getphdrnum(elf, &count) != 0)
        return false;
    const char *const image = elf_rawfile(elf, &size);
    for (size_t i = 0; i < count; i++) {
        GElf_Phdr head;
        if (gelf_getphdr(elf, (int)i, &head) == NULL || head.p_type != PT_LOAD)
            continue;
        const uint64_t at = address - bias - head.p_vaddr;
        if (at >= head.p_filesz || size_bytes > head.p_filesz - at)
            continue;
        if (image == NULL || head.p_offset + at > size || size_bytes > size - head.p_offset - at)
            return false;
        memcpy(out, image + head.p_offset + at, size_bytes);
        return true;
    }
    return false;
}

static bool read_core(const struct target *target, uint64_t address, void *out, size_t size_bytes) {
    const struct core *const core = target->own;
    char *to = out;
    while (size_bytes > 0) {
        const struct segment *const segment = segment_at(core, address);
        if (segment == NULL)
            return read_program(target, address, to, size_bytes);
        size_t piece = size_bytes;
        if (piece > segment->high - address)
            piece = segment->high - address;
        memcpy(to, core->image + segment->offset + (address - segment->low), piece);
        to += piece;
        address += piece;
        size_bytes -= piece;
    }
    return true;
}

static void read_all_core(const struct target *target, struct piece *pieces, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!read_core(target, pieces[i].low, (void *)(uintptr_t)pieces[i].bytes,
                       pieces[i].high - pieces[i].low))
            pieces[i].bytes = NULL;
}

static bool from_a_file(const struct core *core, uint64_t low) {
    for (size_t i = 0; i < core->file_count; i++)
        if (low >= core->files[i].low && low < core->files[i].high)
            return true;
    return core->file_count == 0;
}

static void search_core(const struct target *target, target_visit *visit, void *context) {
    const struct core *const core = target->own;
    for (size_t i = 0; i < core->segment_count; i++) {
        const struct segment *const segment = &core->segments[i];
        if (segment->writable && from_a_file(core, segment->low) &&
            visit(target, segment->low, segment->high, context))
            return;
    }
}

/* ---- Threads: they are held for ever ---- */

static void hold_nothing(struct target *target, long thread) {
    (void)target, (void)thread;
}

static void release_nothing(struct target *target) {
    (void)target;
}

static bool core_registers(const struct target *target, long thread, struct registers *out) {
    const struct core *const core = target->own;
    for (size_t i = 0; i < core->thread_count; i++) {
        if (core->threads[i].tid == thread) {
            *out = core->threads[i].registers;
            return true;
        }
    }
    return false;
}

/* ---- What is in the file ---- */

static void add_segment(struct target *target, const GElf_Phdr *head) {
    struct core *const core = target->own;
    uint64_t size = head->p_filesz;
    if (head->p_offset >= core->size_bytes)
        size = 0;
    else if (size > core->size_bytes - head->p_offset)
        size = core->size_bytes - head->p_offset;
    if (size == 0)
        return;
    core->segments[core->segment_count++] = (struct segment){.low = head->p_vaddr,
                                                             .high = head->p_vaddr + size,
                                                             .offset = head->p_offset,
                                                             .writable = head->p_flags & PF_W};
}

static void add_thread(struct target *target, const char *note, size_t size_bytes) {
    struct core *const core = target->own;
    uint64_t saved[34] = {0};
    if (size_bytes < STATUS_SIZE_MIN)
        return;
    size_t size = size_bytes - STATUS_REGISTERS;
    if (size > sizeof saved)
        size = sizeof saved;
    core->threads = enlarge(core->threads, (core->thread_count + 1) * sizeof *core->threads);
    struct thread *const thread = &core->threads[core->thread_count++];
    memcpy(&thread->tid, note + STATUS_TID, sizeof thread->tid);
    memcpy(saved, note + STATUS_REGISTERS, size);
    target_registers(target, saved, &thread->registers);
}

/* How many, the size of a page, then low, high and offset of each. */
static void add_files(struct core *core, const char *note, size_t size_bytes) {
    uint64_t count, words[3];
    if (size_bytes < 2 * sizeof count)
        return;
    memcpy(&count, note, sizeof count);
    if (count > (size_bytes - 2 * sizeof count) / sizeof words)
        return;
    core->files = allocate((count + 1) * sizeof *core->files);
    for (uint64_t i = 0; i < count; i++) {
        memcpy(words, note + 2 * sizeof count + i * sizeof words, sizeof words);
        core->files[core->file_count++] = (struct file_range){.low = words[0], .high = words[1]};
    }
}

static void read_notes(struct target *target, const GElf_Phdr *head) {
    struct core *const core = target->own;
    Elf_Data *const data =
        elf_getdata_rawchunk(core->elf, (int64_t)head->p_offset, head->p_filesz, ELF_T_NHDR);
    GElf_Nhdr note;
    size_t at = 0, name, content;
    while (data != NULL && (at = gelf_getnote(data, at, &note, &name, &content)) > 0) {
        const char *const bytes = (const char *)data->d_buf + content;
        if (note.n_namesz != sizeof "CORE" ||
            memcmp((const char *)data->d_buf + name, "CORE", sizeof "CORE") != 0)
            continue;
        if (note.n_type == NT_PRSTATUS)
            add_thread(target, bytes, note.n_descsz);
        else if (note.n_type == NT_FILE && core->files == NULL)
            add_files(core, bytes, note.n_descsz);
    }
}

static int in_order(const void *left, const void *right) {
    const struct segment *const a = left, *const b = right;
    return a->low < b->low ? -1 : a->low > b->low;
}

static void read_segments(struct target *target) {
    struct core *const core = target->own;
    size_t count = 0;
    uint64_t end = 0;
    if (elf_getphdrnum(core->elf, &count) != 0)
        die("%s is damaged: %s", target->name, elf_errmsg(-1));
    core->segments = allocate((count + 1) * sizeof *core->segments);
    for (size_t i = 0; i < count; i++) {
        GElf_Phdr head;
        if (gelf_getphdr(core->elf, (int)i, &head) == NULL)
            continue;
        if (head.p_offset + head.p_filesz > end)
            end = head.p_offset + head.p_filesz;
        if (head.p_type == PT_LOAD)
            add_segment(target, &head);
        else if (head.p_type == PT_NOTE)
            read_notes(target, &head);
    }
    qsort(core->segments, core->segment_count, sizeof *core->segments, in_order);
    target->cut_short = end > core->size_bytes;
    if (target->cut_short)
        complain("%s is cut short: it has %zu of %llu bytes, and what lay in the rest is missing "
                 "here too",
                 target->name, core->size_bytes, (unsigned long long)end);
}

/* ---- Opening and closing ---- */

static void report_core(struct target *target) {
    static const Dwfl_Callbacks callbacks = {.find_elf = dwfl_build_id_find_elf,
                                             .find_debuginfo = dwfl_standard_find_debuginfo};
    struct core *const core = target->own;
    target->dwfl = dwfl_begin(&callbacks);
    if (target->dwfl == NULL || dwfl_core_file_report(target->dwfl, core->elf, core->program) < 0 ||
        dwfl_report_end(target->dwfl, NULL, NULL) != 0)
        die("the files of %s cannot be found: %s", target->name, dwfl_errmsg(-1));
}

static void close_core(struct target *target) {
    struct core *const core = target->own;
    (void)elf_end(core->elf);
    (void)close(core->fd);
    free(core->segments);
    free(core->threads);
    free(core->files);
    free(core);
}

static const struct target_kind kind = {
    .read = read_core,
    .read_all = read_all_core,
    .search = search_core,
    .hold = hold_nothing,
    .registers = core_registers,
    .release = release_nothing,
    .report = report_core,
    .close = close_core,
};

/* What to do about a file that is none. */
static const char *advice(const char *image, size_t size_bytes) {
    static const unsigned char packed[][4] = {
        {0x1f, 0x8b}, {0x28, 0xb5, 0x2f, 0xfd}, {0xfd, '7', 'z', 'X'}, {0x04, 0x22, 0x4d, 0x18}};
    for (size_t i = 0; i < sizeof packed / sizeof packed[0]; i++)
        if (size_bytes > 4 && memcmp(image, packed[i], i == 0 ? 2 : 4) == 0)
            return ": it is compressed, unpack it first (coredumpctl dump does)";
    return "";
}

void target_open_core(struct target *target, const char *path, const char *program) {
    struct core *const core = allocate(sizeof *core);
    GElf_Ehdr head;
    *target = (struct target){.kind = &kind, .own = core, .path = path};
    (void)snprintf(target->name, sizeof target->name, "core file %s", path);
    core->program = program;
    core->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (core->fd < 0)
        die("%s cannot be opened: %s", path, strerror(errno));
    if (program != NULL && access(program, R_OK) != 0)
        die("%s cannot be opened: %s", program, strerror(errno));
    (void)elf_version(EV_CURRENT);
    core->elf = elf_begin(core->fd, ELF_C_READ_MMAP, NULL);
    core->image = core->elf != NULL ? elf_rawfile(core->elf, &core->size_bytes) : NULL;
    if (core->image == NULL || elf_kind(core->elf) != ELF_K_ELF)
        die("%s is neither a process nor a core file%s", path,
            core->image != NULL ? advice(core->image, core->size_bytes) : "");
    target_check_header(target, (const unsigned char *)core->image, core->size_bytes);
    if (gelf_getehdr(core->elf, &head) == NULL || head.e_type != ET_CORE)
        die("%s is a program or library, not a core file: coir-ps CORE [PROGRAM]", path);
    read_segments(target);
}
