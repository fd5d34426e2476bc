/* Copying: see copy.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "copy.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "map.h"

#define CHUNK_SIZE ((size_t)8 << 20)

/* ---- Memory ---- */

static struct chunk {
    struct chunk *next;
    size_t size_bytes, used;
} * chunks;
static struct chunk **last_chunk = &chunks;
static struct chunk *current; /* those after it are yet to be used again */

void *keep(size_t size_bytes) {
    const size_t size = (size_bytes + 15) / 16 * 16;
    while (current != NULL && size > current->size_bytes - current->used)
        current = current->next;
    if (current == NULL) {
        const size_t least = size + sizeof *current;
        const size_t whole = least > CHUNK_SIZE ? least : CHUNK_SIZE;
        current = mmap(NULL, whole, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
        if (current == MAP_FAILED)
            die("there is no memory left for a copy of the tasks");
        *current = (struct chunk){.size_bytes = whole, .used = sizeof *current};
        *last_chunk = current;
        last_chunk = &current->next;
    }
    void *const memory = (char *)current + current->used;
    current->used += size;
    return memory;
}

void copies_forget(void) {
    for (struct chunk *chunk = chunks; chunk != NULL; chunk = chunk->next)
        chunk->used = sizeof *chunk;
    current = chunks;
}

/* ---- One by one ---- */

struct piece copy_piece(const struct target *target, uint64_t low, uint64_t high) {
    char *const bytes = keep(high - low);
    const bool read = target->kind->read(target, low, bytes, high - low);
    return (struct piece){.low = low, .high = read ? high : low, .bytes = read ? bytes : NULL};
}

bool read_near(const struct target *target, const struct piece *near, uint64_t address, void *out,
               size_t size_bytes) {
    if (near == NULL || near->bytes == NULL || address < near->low || address > near->high ||
        size_bytes > near->high - address)
        return target->kind->read(target, address, out, size_bytes);
    memcpy(out, near->bytes + (address - near->low), size_bytes);
    return true;
}

/* ---- Many at once ---- */

static struct map names; /* to the index in `expected`, plus one */
static struct piece *expected;
static uint64_t *addresses; /* by which they are asked for */
static size_t count, room;
static bool fetched;
static size_t next; /* the one behind that which was asked for last: mostly in the same order */

void copies_expect(uint64_t address, uint64_t low, uint64_t high) {
    if (map_get(&names, address) != NULL)
        return;
    if (count == room) {
        room = room > 0 ? 2 * room : 1024;
        expected = enlarge(expected, room * sizeof *expected);
        addresses = enlarge(addresses, room * sizeof *addresses);
    }
    addresses[count] = address;
    expected[count++] = (struct piece){.low = low, .high = high};
    map_put(&names, address, (void *)(uintptr_t)count);
}

void copies_fetch(const struct target *target) {
    for (size_t i = 0; i < count; i++)
        expected[i].bytes = keep(expected[i].high - expected[i].low);
    target->kind->read_all(target, expected, count);
    fetched = true;
}

const struct piece *copies_get(uint64_t address) {
    if (!fetched)
        return NULL;
    if (next == count || addresses[next] != address) {
        const size_t number = (size_t)(uintptr_t)map_get(&names, address);
        if (number == 0)
            return NULL;
        next = number - 1;
    }
    const struct piece *const found = &expected[next++];
    return found->bytes != NULL ? found : NULL;
}

void copies_free(void) {
    map_free(&names, NULL);
    free(expected);
    free(addresses);
    while (chunks != NULL) {
        struct chunk *const chunk = chunks;
        chunks = chunk->next;
        (void)munmap(chunk, chunk->size_bytes);
    }
}
