/* One function over a range of indices, so many at a time: tasks that share one counter. */
#include "coir/combine.h"
#include "core/runtime.h"

struct map {
    size_t next, end, done;
    int (*fn)(size_t index, void *ctx);
    void *ctx;
};

static int work(void *arg) {
    struct map *const map = arg;
    coir__stands_for((coir_fn)(void (*)(void))map->fn);
    while (map->next < map->end) {
        COIR_TRY(coir_check()); /* after a yield too: a cancel may have come since */
        COIR_TRY(map->fn(map->next++, map->ctx));
        map->done++;
        if (map->next < map->end)
            COIR_TRY(coir_yield());
    }
    return 0;
}

int coir_map(size_t n, size_t limit, int (*fn)(size_t index, void *ctx), void *ctx) {
    if (fn == NULL || limit == 0)
        return -EINVAL;
    struct map map = {.end = n, .fn = fn, .ctx = ctx};
    COIR_SCOPE(s, .name = "map");
    int rc = 0;
    for (size_t i = 0; i < n && i < limit && rc == 0; i++)
        rc = coir_spawn(&s, work, &map);
    rc = coir_scope_close(&s, rc);
    return rc == 0 && map.done < n ? -ECANCELED : rc; /* tasks cancelled by their handles */
}
