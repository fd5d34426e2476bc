/* The buffer of a channel: its memory, and the two orders that are not simply a ring. */
#include "sync/buffer.h"

struct coir__entry {
    uint64_t number; /* of the item, in order of arrival */
    char *place;
};

int coir__buffer_init(struct coir__buffer *buffer, size_t item_size, size_t capacity,
                      const coir_channel_options *options) {
    size_t size, heap_size;
    if (__builtin_mul_overflow(item_size, capacity, &size) ||
        __builtin_mul_overflow(sizeof(struct coir__entry), capacity, &heap_size) ||
        size > PTRDIFF_MAX || heap_size > PTRDIFF_MAX)
        return -EINVAL;
    *buffer = (struct coir__buffer){.item_size = item_size,
                                    .room = capacity,
                                    .capacity = capacity,
                                    .order = options->order,
                                    .compare = options->compare};
    if (capacity == 0)
        return 0;
    buffer->begin = sys_allocate(size);
    if (options->order == COIR_PRIORITY)
        buffer->heap = sys_allocate(heap_size);
    if (buffer->begin == NULL || (options->order == COIR_PRIORITY && buffer->heap == NULL)) {
        coir__buffer_fini(buffer);
        return -ENOMEM;
    }
    buffer->head = buffer->tail = buffer->begin;
    buffer->end = buffer->begin + size;
    return 0;
}

void coir__buffer_fini(struct coir__buffer *buffer) {
    sys_free(buffer->begin);
    sys_free(buffer->heap);
}

/* ---- The heap ---- */

static bool before(const struct coir__buffer *buffer, const struct coir__entry *a,
                   const struct coir__entry *b) {
    const int order = buffer->compare(a->place, b->place);
    return order != 0 ? order < 0 : a->number < b->number;
}

/* Moves the entry at `at` towards the root, past those that leave after it. */
static void sift_up(struct coir__buffer *buffer, size_t at) {
    struct coir__entry *const heap = buffer->heap, entry = heap[at];
    while (at > 0 && before(buffer, &entry, &heap[(at - 1) / 2])) {
        heap[at] = heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap[at] = entry;
}

/* Moves the root towards the leaves, past those of the first `count` that leave before it. */
static void sift_down(struct coir__buffer *buffer, size_t count) {
    struct coir__entry *const heap = buffer->heap, entry = heap[0];
    size_t at = 0, child;
    while ((child = 2 * at + 1) < count) {
        if (child + 1 < count && before(buffer, &heap[child + 1], &heap[child]))
            child++;
        if (!before(buffer, &heap[child], &entry))
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = entry;
}

/* ---- Put and pop: the count has been changed already ---- */

void coir__buffer_put_ordered(struct coir__buffer *buffer, const void *item) {
    const size_t last = buffer->count - 1;
    if (buffer->order == COIR_LIFO) {
        memcpy(buffer->begin + last * buffer->item_size, item, buffer->item_size);
        return;
    }
    struct coir__entry *const entry = &buffer->heap[last];
    if (last == buffer->places_used)
        entry->place = buffer->begin + buffer->places_used++ * buffer->item_size;
    entry->number = buffer->next_number++;
    memcpy(entry->place, item, buffer->item_size);
    sift_up(buffer, last);
}

char *coir__buffer_pop_ordered(struct coir__buffer *buffer) {
    const size_t last = buffer->count;
    if (buffer->order == COIR_LIFO)
        return buffer->begin + last * buffer->item_size;
    struct coir__entry *const heap = buffer->heap, root = heap[0];
    heap[0] = heap[last];
    heap[last] = root;
    sift_down(buffer, last);
    return root.place;
}
