/* A circular doubly linked list whose links live in its members.
 *
 * A list is a head link that is not a member. A link that is in no list, once removed by
 * list_take, has next == NULL, so that "is it in a list" can be asked. No allocation, O(1) each. */
#ifndef COIR_BASE_LIST_H
#define COIR_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "coir/scope.h" /* struct coir__link, which public types embed */

#define list_entry(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))

static inline void list_init(struct coir__link *head) {
    head->next = head->prev = head;
}

static inline bool list_empty(const struct coir__link *head) {
    return head->next == head;
}

/* Whether a member is in some list. It must have been zeroed, or removed by list_take. */
static inline bool list_linked(const struct coir__link *link) {
    return link->next != NULL;
}

static inline void list_append(struct coir__link *head, struct coir__link *link) {
    link->next = head;
    link->prev = head->prev;
    head->prev->next = link;
    head->prev = link;
}

static inline void list_prepend(struct coir__link *head, struct coir__link *link) {
    list_append(head->next, link);
}

static inline void list_take(struct coir__link *link) {
    link->prev->next = link->next;
    link->next->prev = link->prev;
    link->next = link->prev = NULL;
}

/* The same for a member of which nobody will ask whether it is in a list. */
static inline void list_unlink(struct coir__link *link) {
    link->prev->next = link->next;
    link->next->prev = link->prev;
}

/* Moves all members of `from`, in order, to the end of `to`; leaves `from` empty. */
static inline void list_splice(struct coir__link *to, struct coir__link *from) {
    if (list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}

#endif
