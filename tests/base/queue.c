/* The queue of src/base/queue.h. */
#include "support.h"

#include "base/queue.h"

SUITE(base_queue);

struct item {
    int number;
    struct coir__link link;
};

static struct coir__queue queue;
static struct item items[5];

static void begin(void) {
    memset(&queue, 0, sizeof queue);
    memset(items, 0, sizeof items);
    for (int i = 0; i < 5; i++)
        items[i].number = i + 1;
}

/* The numbers of the members in order; checks that the ring is whole. */
static const char *members(void) {
    static char text[16];
    size_t count = 0;
    struct coir__link *link = queue.first;
    while (link != NULL) {
        check(link->next->prev == link);
        check(link->prev->next == link);
        text[count++] = (char)('0' + list_entry(link, struct item, link)->number);
        link = link->next != queue.first ? link->next : NULL;
    }
    text[count] = '\0';
    return text;
}

Test(base_queue, zeroed_it_is_empty) {
    begin();
    check(queue_empty(&queue));
    check(queue_pop(&queue) == NULL);
    check_str(members(), "");
}

Test(base_queue, append_adds_at_the_end_and_prepend_at_the_front) {
    begin();
    queue_append(&queue, &items[1].link);
    queue_append(&queue, &items[2].link);
    queue_prepend(&queue, &items[0].link);
    queue_append(&queue, &items[3].link);
    check(!queue_empty(&queue));
    check_str(members(), "1234");
}

Test(base_queue, prepend_to_an_empty_one) {
    begin();
    queue_prepend(&queue, &items[1].link);
    queue_prepend(&queue, &items[0].link);
    check_str(members(), "12");
}

Test(base_queue, pop_takes_from_the_front) {
    begin();
    for (size_t i = 0; i < 5; i++)
        queue_append(&queue, &items[i].link);
    for (size_t i = 0; i < 5; i++) {
        check(queue_pop(&queue) == &items[i].link);
        check(!list_linked(&items[i].link));
    }
    check(queue_empty(&queue));
    queue_append(&queue, &items[3].link);
    check_str(members(), "4");
}

Test(base_queue, take_removes_from_anywhere) {
    begin();
    for (size_t i = 0; i < 5; i++)
        queue_append(&queue, &items[i].link);
    const size_t order[] = {2, 0, 4, 1, 3};
    const char *const left[] = {"1245", "245", "24", "4", ""};
    for (size_t i = 0; i < COUNT_OF(order); i++) {
        check(list_linked(&items[order[i]].link));
        queue_take(&queue, &items[order[i]].link);
        check(!list_linked(&items[order[i]].link));
        check_str(members(), left[i]);
    }
    check(queue_empty(&queue));
}
