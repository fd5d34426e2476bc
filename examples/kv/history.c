/* Searches for an order, from the first operation to the last, as Wing and Gong do it. No value is
 * written twice, so a read has its place behind one write: what is left to choose is the next
 * write. That what was done so far and the value by then decide all that follows keeps the search
 * short. */
#include "history.h"

#include <string.h>

#define SEEN_MAX 65536

struct search {
    const struct operation *all;
    unsigned count;
    uint64_t known;          /* those that must have been done at the end, by bit */
    uint64_t seen[SEEN_MAX]; /* states that lead nowhere: a hash table */
    size_t seen_count;
};

/* Returns false if it was there already. If there is no room it is new each time, which costs time
 * only. */
static bool remember(struct search *search, uint64_t state) {
    uint64_t at = state * UINT64_C(0x9e3779b97f4a7c15) >> 48;
    while (search->seen[at] != 0 && search->seen[at] != state)
        at = (at + 1) % SEEN_MAX;
    if (search->seen[at] == state)
        return false;
    if (search->seen_count < SEEN_MAX / 2) {
        search->seen[at] = state;
        search->seen_count++;
    }
    return true;
}

/* Whether nothing that is not done yet had ended before operation i began. */
static bool may_be_next(const struct search *search, uint64_t done, unsigned i) {
    for (unsigned j = 0; j < search->count; j++)
        if ((done >> j & 1) == 0 && search->all[j].known &&
            search->all[j].end < search->all[i].begin)
            return false;
    return true;
}

/* Does all reads that may come now and give that value: which changes nothing for the others. False
 * if one of those that give it has to come later, when it would be another's. */
static bool do_reads(const struct search *search, uint64_t *done, const char *value) {
    bool left = true, any = true;
    while (left && any) {
        left = any = false;
        for (unsigned i = 0; i < search->count; i++) {
            const struct operation *const one = &search->all[i];
            if ((*done >> i & 1) != 0 || one->writes || !one->known ||
                strcmp(one->value, value) != 0)
                continue;
            left = true;
            if (!may_be_next(search, *done, i))
                continue;
            *done |= UINT64_C(1) << i;
            any = true;
        }
    }
    return !left;
}

/* `last`: the write that counts, plus 1; 0: none. */
static bool can_go_on(struct search *search, uint64_t done, unsigned last) {
    if (!do_reads(search, &done, last > 0 ? search->all[last - 1].value : "-"))
        return false;
    if ((done & search->known) == search->known)
        return true;
    /* What was done and the last write, as one number that no other state has. */
    if (!remember(search, 1 + done * (HISTORY_MAX + 1) + last))
        return false;
    for (unsigned i = 0; i < search->count; i++)
        if ((done >> i & 1) == 0 && search->all[i].writes && may_be_next(search, done, i) &&
            can_go_on(search, done | UINT64_C(1) << i, i + 1))
            return true;
    return false;
}

bool history_is_linear(const struct operation *operations, unsigned count) {
    static struct search search;
    search = (struct search){.all = operations, .count = count};
    for (unsigned i = 0; i < count; i++)
        search.known |= operations[i].known ? UINT64_C(1) << i : 0;
    return can_go_on(&search, 0, 0);
}
