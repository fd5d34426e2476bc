/* The listing of scopes and tasks, and the use of stacks. */
#include <string.h>

#include "coir/debug.h"
#include "debug/tree.h"
#include "debug/wait.h"

static void print_indent(FILE *out, int depth) {
    (void)fprintf(out, "%*s", 2 * depth, "");
}

static void print_task(const struct coir__runtime *rt, const struct coir__task *task, int depth,
                       FILE *out) {
    char label[128], wait[COIR_WAIT_SIZE];
    print_indent(out, depth);
    (void)fprintf(out, "%s: ", coir__task_label(task, label, sizeof label));
    if (task == rt->current)
        (void)fputs("running", out);
    else if (task->wait != NULL)
        (void)fprintf(out, "waits for %s", coir__wait_text(task->wait, wait, sizeof wait));
    else
        (void)fputs("ready", out);
    if (task->due == COIR_CUT)
        (void)fputs(", cancelled", out);
    (void)fputc('\n', out);
}

static void print_scope(const coir_scope *scope, int depth, FILE *out) {
    print_indent(out, depth);
    char label[128];
    (void)fprintf(out, "%s: %zu %s%s%s\n", coir__scope_label(scope, label, sizeof label),
                  scope->coir__live, scope->coir__live == 1 ? "task" : "tasks",
                  scope->coir__cancelled ? ", cancelled" : "",
                  scope->coir__shield ? ", shielded" : "");
}

int coir__dump(struct coir__runtime *rt, FILE *out) {
    int count = 0;
    struct coir__place place = coir__tree_root(rt);
    print_scope(place.scope, 1, out);
    while (coir__tree_next(&place)) {
        if (place.scope != NULL) {
            print_scope(place.scope, place.depth + 1, out);
        } else {
            print_task(rt, place.task, place.depth + 1, out);
            count++;
        }
    }
    (void)fflush(out);
    return count;
}

int coir_dump(FILE *out) {
    if (coir__rt == NULL)
        return coir__outside();
    return out != NULL ? coir__dump(coir__rt, out) : -EINVAL;
}

/* How far below the top the stack has been touched: the deepest page in memory, and within it the
 * deepest word that is not zero. */
COIR_RAW_MEMORY static size_t high_water(const struct coir__task *task, size_t page_size) {
    char *const top = (char *)(uintptr_t)task->shadow.low + task->shadow.size_bytes;
    char *const end = (char *)(((uintptr_t)top + page_size - 1) / page_size * page_size);
    unsigned char resident[64];
    char *page = (char *)(uintptr_t)task->shadow.low;
    while (page < end) {
        const size_t pages = (size_t)(end - page) / page_size;
        const size_t count = pages < sizeof resident ? pages : sizeof resident;
        if (!sys_resident(page, count * page_size, resident))
            return 0;
        for (size_t i = 0; i < count; i++, page += page_size) {
            if ((resident[i] & 1) == 0)
                continue;
            const uint64_t *word = (const uint64_t *)(void *)page;
            while ((char *)(uintptr_t)word < page + page_size && *word == 0)
                word++;
            if ((char *)(uintptr_t)word < page + page_size)
                return (size_t)(top - (char *)(uintptr_t)word);
        }
    }
    return 0;
}

int coir_task_stack(coir_task task, coir_stack_use *out) {
    const struct coir__runtime *const rt = coir__rt;
    const int rc = coir_task_result(task);
    if (rt == NULL)
        return coir__outside();
    if (out == NULL)
        return -EINVAL;
    if (rc == -ESRCH || coir_task_done(task))
        return -ESRCH;
    const struct coir__task *const found = ((struct coir__record *)task.coir__record)->task;
    const char *const top = (const char *)found->shadow.low + found->shadow.size_bytes;
    const char *const sp = found == rt->current ? (const char *)__builtin_frame_address(0)
                                                : (const char *)found->context.sp;
    sanitizer_look_away();
    const size_t deepest = high_water(found, rt->stacks.page_size);
    sanitizer_look_again();
    const size_t now = (size_t)(top - sp);
    *out = (coir_stack_use){
        .size = found->shadow.size_bytes,
        .now = now,
        .high_water = deepest > now ? deepest : now,
        .guarded = found->guarded,
    };
    return 0;
}
