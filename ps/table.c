/* Finding the table: see table.h, and src/debug/layout.h for what it is. */
#include "table.h"

#include <elf.h>
#include <string.h>

#include "debug/layout.h"

/* ---- Reading one ---- */

/* What is in the target, while it is read. */
struct source {
    const struct target *target;
    struct coir__layout head;
};

static bool look_up(const struct source *source, const char *name, uint64_t *out) {
    for (size_t i = 0; i < COIR_LAYOUT_ENTRIES && source->head.entries[i].name[0] != '\0'; i++) {
        const struct coir__layout_entry *const entry = &source->head.entries[i];
        if (strncmp(entry->name, name, sizeof entry->name) == 0) {
            *out = entry->value;
            return true;
        }
    }
    return false;
}

static _Noreturn void die_of_version(const struct source *source, const char *why) {
    uint64_t major = 0, minor = 0, patch = 0;
    (void)look_up(source, "release.major", &major);
    (void)look_up(source, "release.minor", &minor);
    (void)look_up(source, "release.patch", &patch);
    die("%s runs Coir %u.%u.%u, and this is the coir-ps of %d.%d.%d: %s. Use the one of that "
        "release",
        source->target->name, (unsigned)major, (unsigned)minor, (unsigned)patch, COIR_VERSION_MAJOR,
        COIR_VERSION_MINOR, COIR_VERSION_PATCH, why);
}

static uint64_t entry(const struct source *source, const char *name) {
    uint64_t value = 0;
    if (!look_up(source, name, &value)) {
        char why[96];
        (void)snprintf(why, sizeof why, "it does not tell where to find %s", name);
        die_of_version(source, why);
    }
    return value;
}

/* An offset in, or the size of, a struct that is read in one piece. */
static uint64_t offset(const struct source *source, const char *name) {
    const uint64_t value = entry(source, name);
    if (value > OBJECT_SIZE_MAX - sizeof(uint64_t))
        die("%s is damaged: its table says that %s is %llu", source->target->name, name,
            (unsigned long long)value);
    return value;
}

static void read_frame(const struct source *source, struct table *out) {
    static const struct {
        const char *name;
        unsigned char number;
    } x86_64[] = {{"frame.rbx", 3},  {"frame.rbp", 6},  {"frame.r12", 12}, {"frame.r13", 13},
                  {"frame.r14", 14}, {"frame.r15", 15}, {"frame.rip", PC}},
      aarch64[] = {{"frame.x19", 19}, {"frame.x20", 20}, {"frame.x21", 21}, {"frame.x22", 22},
                   {"frame.x23", 23}, {"frame.x24", 24}, {"frame.x25", 25}, {"frame.x26", 26},
                   {"frame.x27", 27}, {"frame.x28", 28}, {"frame.x29", 29}, {"frame.x30", 30},
                   {"frame.x30", PC}};
    const bool arm = source->target->machine == EM_AARCH64;
    memset(out->frame, 0xff, sizeof out->frame);
    for (size_t i = 0;
         i < (arm ? sizeof aarch64 / sizeof *aarch64 : sizeof x86_64 / sizeof *x86_64); i++)
        out->frame[arm ? aarch64[i].number : x86_64[i].number] =
            offset(source, arm ? aarch64[i].name : x86_64[i].name);
}

static void read_table(const struct source *source, uint64_t address, struct table *out) {
    const uint64_t version = source->head.version;
    if (version != COIR_LAYOUT_VERSION)
        die_of_version(source, "their tasks lie in memory in different ways");
    out->address = address;
    out->head = address + offsetof(struct coir__layout, runtimes);
    out->first = (uint64_t)(uintptr_t)source->head.runtimes.next;
    out->fresh = (uint64_t)(uintptr_t)source->head.fresh;
#define READ_OFFSET(kind, name) out->kind##_##name = offset(source, #kind "." #name);
#define READ_CONSTANT(kind, name) out->kind##_##name = entry(source, #kind "." #name);
    TABLE_OFFSETS(READ_OFFSET)
    TABLE_CONSTANTS(READ_CONSTANT)
    read_frame(source, out);
}

/* ---- Looking for them ---- */

struct search {
    struct table *out;
    size_t capacity, count;
};

/* Another program may have the words in its data, or a copy of all of it. */
static void try_at(const struct target *target, uint64_t address, struct search *search) {
    struct source source = {.target = target};
    if (search->count < search->capacity &&
        target->kind->read(target, address, &source.head, sizeof source.head) &&
        (uint64_t)(uintptr_t)source.head.address == address)
        read_table(&source, address, &search->out[search->count++]);
}

static bool visit(const struct target *target, uint64_t low, uint64_t high, void *context) {
    static char piece[1 << 16];
    struct search *const search = context;
    for (; low < high; low += sizeof piece - 8) { /* the magic may lie across the end of a piece */
        const size_t size = high - low < sizeof piece ? high - low : sizeof piece;
        if (!target->kind->read(target, low, piece, size))
            continue;
        for (size_t i = 0; i + sizeof COIR_LAYOUT_MAGIC <= size; i += 8)
            if (memcmp(piece + i, COIR_LAYOUT_MAGIC, sizeof COIR_LAYOUT_MAGIC) == 0)
                try_at(target, low + i, search);
    }
    return search->count == search->capacity;
}

size_t tables_find(const struct target *target, struct table *out, size_t capacity) {
    struct search search = {.out = out, .capacity = capacity};
    target->kind->search(target, visit, &search);
    if (search.count == 0)
        die("there is no Coir in %s", target->name);
    return search.count;
}
