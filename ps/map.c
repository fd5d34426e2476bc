/* Open addressing; see map.h. */
#include "map.h"

#include <stdlib.h>

#include "target.h"

static size_t slot_of(const struct map *map, uint64_t key) {
    size_t slot = (key * UINT64_C(0x9e3779b97f4a7c15) >> 20) % map->size;
    while (map->keys[slot] != 0 && map->keys[slot] != key)
        slot = (slot + 1) % map->size;
    return slot;
}

void *map_get(const struct map *map, uint64_t key) {
    return map->size > 0 ? map->values[slot_of(map, key)] : NULL;
}

static void grow(struct map *map) {
    struct map larger = {.size = map->size > 0 ? 2 * map->size : 256, .count = map->count};
    larger.keys = allocate(larger.size * sizeof *larger.keys);
    larger.values = allocate(larger.size * sizeof *larger.values);
    for (size_t i = 0; i < map->size; i++) {
        if (map->keys[i] == 0)
            continue;
        const size_t slot = slot_of(&larger, map->keys[i]);
        larger.keys[slot] = map->keys[i];
        larger.values[slot] = map->values[i];
    }
    free(map->keys);
    free(map->values);
    map->keys = larger.keys;
    map->values = larger.values;
    map->size = larger.size;
}

void map_put(struct map *map, uint64_t key, void *value) {
    if (2 * (map->count + 1) > map->size)
        grow(map);
    const size_t slot = slot_of(map, key);
    map->keys[slot] = key;
    map->values[slot] = value;
    map->count++;
}

void map_free(struct map *map, void (*free_value)(void *)) {
    for (size_t i = 0; free_value != NULL && i < map->size; i++)
        if (map->keys[i] != 0)
            free_value(map->values[i]);
    free(map->keys);
    free(map->values);
    *map = (struct map){.size = 0};
}
