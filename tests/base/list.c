/* The intrusive list of src/base/list.h. */
#include "support.h"

#include "base/list.h"

SUITE(base_list);

struct item {
    int number;
    struct coir__link link;
};

static struct coir__link head;
static struct item items[9];

static void begin(void) {
    list_init(&head);
    memset(items, 0, sizeof items);
    for (int i = 0; i < 9; i++)
        items[i].number = i + 1;
}

/* The numbers of the members, read forwards; checks that backwards gives the same. */
static const char *members(const struct coir__link *list) {
    static char forwards[16];
    size_t count = 0;
    for (struct coir__link *link = list->next; link != list; link = link->next) {
        check(link->next->prev == link);
        check(link->prev->next == link);
        forwards[count++] = (char)('0' + list_entry(link, struct item, link)->number);
    }
    forwards[count] = '\0';
    return forwards;
}

Test(base_list, an_empty_list_has_no_members) {
    begin();
    check(list_empty(&head));
    check_str(members(&head), "");
}

Test(base_list, append_adds_at_the_end_and_prepend_at_the_front) {
    begin();
    for (size_t i = 1; i < 4; i++)
        list_append(&head, &items[i].link);
    list_prepend(&head, &items[0].link);
    check(!list_empty(&head));
    check_str(members(&head), "1234");
}

Test(base_list, take_removes_from_anywhere) {
    begin();
    for (size_t i = 0; i < 5; i++)
        list_append(&head, &items[i].link);
    const size_t order[] = {2, 0, 4, 1, 3};
    const char *const left[] = {"1245", "245", "24", "4", ""};
    for (size_t i = 0; i < COUNT_OF(order); i++) {
        check(list_linked(&items[order[i]].link));
        list_take(&items[order[i]].link);
        check(!list_linked(&items[order[i]].link));
        check_str(members(&head), left[i]);
    }
    check(list_empty(&head));
}

Test(base_list, what_was_taken_can_be_added_again) {
    begin();
    list_append(&head, &items[0].link);
    list_append(&head, &items[1].link);
    list_take(&items[0].link);
    list_append(&head, &items[0].link);
    check_str(members(&head), "21");
}

Test(base_list, splice_moves_all_in_order) {
    struct coir__link other;
    begin();
    list_init(&other);
    list_splice(&head, &other);
    check(list_empty(&head));
    list_append(&other, &items[2].link);
    list_append(&other, &items[3].link);
    list_splice(&head, &other);
    check_str(members(&head), "34");
    check(list_empty(&other));
    list_append(&other, &items[4].link);
    list_splice(&head, &other);
    check_str(members(&head), "345");
    check(list_empty(&other));
}
