/* A table from addresses to pointers. Address 0 stands for nothing. */
#ifndef PS_MAP_H
#define PS_MAP_H

#include <stddef.h>
#include <stdint.h>

struct map {
    uint64_t *keys; /* 0: free */
    void **values;
    size_t size, count; /* half full at most */
};

/* NULL if there is none. */
void *map_get(const struct map *map, uint64_t key);
/* For a key that is not there yet. */
void map_put(struct map *map, uint64_t key, void *value);
/* `free_value` may be NULL. */
void map_free(struct map *map, void (*free_value)(void *));

#endif
