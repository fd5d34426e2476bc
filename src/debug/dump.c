/* The listing of scopes and tasks: what is to be listed and how; and the use of stacks. */
#include <string.h>

#include "debug/inspector.h"
#include "debug/listing.h"

/* ---- Of what is listed ---- */

bool coir__listing_next(struct coir__listing *listing, struct coir__place *place) {
    bool more = coir__tree_next(place);
    while (more && place->task != NULL && listing->groups.table != NULL &&
           coir__group_led_by(&listing->groups, place->task) == NULL)
        more = coir__tree_past(place);
    if (!more || place->task == NULL)
        return more;
    listing->cut_short =
        listing->options->tasks_max != 0 && listing->told == listing->options->tasks_max;
    listing->told++;
    return !listing->cut_short;
}

void coir__listing_trace(const struct coir__listing *listing, const struct coir__task *task,
                         struct coir__trace *out) {
    const struct coir__trace empty = *out;
    if (task == listing->rt->current)
        out->from = listing->from;
    coir__backtrace(listing->rt, task, out);
    if (out->count == 0) { /* it is not there: asked for in a call that took the place of another */
        *out = empty;
        coir__backtrace(listing->rt, task, out);
    }
}

const char *coir__task_state(const struct coir__listing *listing, const struct coir__task *task) {
    if (task == listing->rt->current)
        return "running";
    if (task->wait != NULL)
        return "waiting";
    return coir__has_begun(task) ? "ready" : "new";
}

size_t coir__stack_used(const struct coir__runtime *rt, const struct coir__task *task) {
    const char *const top = (const char *)task->shadow.low + task->shadow.size_bytes;
    const char *const sp = coir__is_suspended(rt, task) ? (const char *)task->context.sp
                                                        : (const char *)__builtin_frame_address(0);
    return (size_t)(top - sp);
}

/* ---- Listing ---- */

static const coir_dump_options defaults;

static bool wants_groups(const coir_dump_options *options) {
    if (options->grouping == COIR_GROUPING_DEFAULT)
        return options->format == COIR_DUMP_TEXT;
    return options->grouping == COIR_GROUPING_ALIKE;
}

static void list(void *arg) {
    struct coir__listing *const listing = arg;
    struct coir__inspector *const inspector = listing->rt->inspector;
    listing->groups =
        (struct coir__groups){.now = listing->now, .with_frames = !listing->options->no_backtraces};
    coir__names_open(&listing->names);
    if (inspector != NULL)
        inspector->names = &listing->names;
    if (wants_groups(listing->options))
        coir__groups_find(&listing->groups, listing->rt);
    if (listing->options->format == COIR_DUMP_JSON)
        coir__listing_json(listing);
    else
        coir__listing_text(listing);
    if (inspector != NULL)
        inspector->names = NULL;
    coir__groups_free(&listing->groups);
    coir__names_close(&listing->names);
    (void)fflush(listing->out);
}

static int dump(struct coir__runtime *rt, FILE *out, const coir_dump_options *options,
                const void *from) {
    struct coir__listing listing = {
        .rt = rt, .out = out, .options = options, .from = from, .now = coir__clock(rt)};
    coir__aside(rt, list, &listing);
    return (int)coir__alive(rt);
}

int coir__dump(struct coir__runtime *rt, FILE *out) {
    return dump(rt, out, &defaults, NULL);
}

int coir_dump_with(FILE *out, const coir_dump_options *options) {
    struct coir__runtime *const rt = coir__rt;
    if (rt == NULL)
        return coir__outside();
    if (out == NULL)
        return -EINVAL;
    if (options == NULL)
        options = &defaults;
    if ((unsigned)options->format > COIR_DUMP_JSON ||
        (unsigned)options->grouping > COIR_GROUPING_NONE)
        return -EINVAL;
    const uintptr_t from = coir__return_address((uintptr_t)__builtin_return_address(0));
    return dump(rt, out, options, (const void *)from);
}

int coir_dump(FILE *out) {
    return coir_dump_with(out, NULL);
}

/* ---- The use of stacks ---- */

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
    sanitizer_look_away();
    const size_t deepest = high_water(found, rt->stacks.page_size);
    sanitizer_look_again();
    const size_t now = coir__stack_used(rt, found);
    *out = (coir_stack_use){
        .size = found->shadow.size_bytes,
        .now = now,
        .high_water = deepest > now ? deepest : now,
        .guarded = found->guarded,
    };
    return 0;
}
