/* The shortest program that violates the same law: whatever can be taken out is.
 *
 * Each candidate is a process of its own, because a violation is the end of one. The order of
 * events depends on all that happens, so a candidate gets several. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim/interpret.h"
#include "sim/variant.h"

#define ORDERS 24 /* tried for each candidate */
#define SECONDS_MAX 20

/* ---- As text ---- */

static bool add_drop(struct variant *variant, unsigned id, bool keeps_body) {
    if (variant->drop_count == DROPS_MAX)
        return false;
    variant->drops[variant->drop_count++] = 2 * id + keeps_body;
    return true;
}

/* "3,5-9,k4" */
static const char *parse_drops(const char *text, struct variant *out) {
    char *end;
    do {
        const bool keeps = *text == 'k';
        unsigned long first = strtoul(text + keeps, &end, 10), last = first;
        if (end == text + keeps)
            return NULL;
        if (*end == '-')
            last = strtoul(end + 1, &end, 10);
        for (; first <= last; first++)
            if (!add_drop(out, (unsigned)first, keeps))
                return NULL;
        text = end + 1;
    } while (*end == ',');
    return end;
}

bool variant_parse(const char *text, struct variant *out) {
    *out = (struct variant){.seed = 0};
    bool seeded = false;
    while (*text != '\0') {
        char *end;
        if (strncmp(text, "seed:", 5) == 0) {
            out->seed = strtoull(text + 5, &end, 10);
            seeded = end != text + 5;
            text = end;
        } else if (strncmp(text, "order:", 6) == 0) {
            out->order = strtoull(text + 6, &end, 10);
            text = end;
        } else if (strncmp(text, "calm:", 5) == 0) {
            out->calm = (uint32_t)strtoul(text + 5, &end, 16);
            text = end;
        } else if (strncmp(text, "drop:", 5) != 0 || (text = parse_drops(text + 5, out)) == NULL) {
            return false;
        }
        if (*text == '/')
            text++;
        else if (*text != '\0')
            return false;
    }
    return seeded;
}

static int compare_drops(const void *a, const void *b) {
    const unsigned one = *(const unsigned *)a, other = *(const unsigned *)b;
    if ((one & 1) != (other & 1))
        return (one & 1) ? 1 : -1;
    return one < other ? -1 : one > other;
}

/* In any order they come to the same; so in one that is short to write. */
static size_t format_drops(const struct variant *variant, char *out, size_t size_bytes) {
    unsigned drops[DROPS_MAX];
    const unsigned count = variant->drop_count;
    size_t length = 0;
    memcpy(drops, variant->drops, sizeof drops);
    qsort(drops, count, sizeof drops[0], compare_drops);
    for (unsigned i = 0, j; i < count && length + 24 < size_bytes; i = j) {
        for (j = i + 1; j < count && (drops[j] == drops[j - 1] || drops[j] == drops[j - 1] + 2);
             j++)
            ;
        length += (size_t)snprintf(out + length, size_bytes - length, "%s%s%u",
                                   i == 0 ? "/drop:" : ",", drops[i] & 1 ? "k" : "", drops[i] / 2);
        if (drops[j - 1] != drops[i])
            length += (size_t)snprintf(out + length, size_bytes - length, "-%u", drops[j - 1] / 2);
    }
    return length;
}

void variant_format(const struct variant *variant, char *out, size_t size_bytes) {
    size_t length =
        (size_t)snprintf(out, size_bytes, "seed:%llu", (unsigned long long)variant->seed);
    if (variant->order != 0)
        length += (size_t)snprintf(out + length, size_bytes - length, "/order:%llu",
                                   (unsigned long long)variant->order);
    if (variant->calm != 0)
        length += (size_t)snprintf(out + length, size_bytes - length, "/calm:%x", variant->calm);
    (void)format_drops(variant, out + length, size_bytes - length);
}

struct program *variant_program(const struct variant *variant) {
    struct source source = {.random = variant->seed * UINT64_C(0x2545f4914f6cdd1d)};
    struct program *const program =
        program_generate(&source, variant->order != 0 ? variant->order : ~variant->seed);
    for (unsigned i = 0; i < COIR_SIM_FAULTS; i++)
        if (variant->calm >> i & 1)
            program->sim.rates[i] = 0;
    for (unsigned i = 0; i < variant->drop_count; i++)
        program_drop(program, variant->drops[i] / 2, variant->drops[i] & 1);
    return program;
}

/* ---- Trying ---- */

static const char *death_name(int status) {
    static char text[64];
    if (WIFSIGNALED(status))
        (void)snprintf(text, sizeof text, "crash: %s", strsignal(WTERMSIG(status)));
    else
        (void)snprintf(text, sizeof text, "crash: exit %d", WEXITSTATUS(status));
    return text;
}

bool variant_fails(const struct variant *variant, struct desk *out) {
    struct desk *const shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return false;
    (void)fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        desk = shared;
        (void)!freopen("/dev/null", "w", stderr);
        (void)alarm(SECONDS_MAX);
        (void)program_run(variant_program(variant));
        _exit(0);
    }
    int status = 0;
    (void)waitpid(child, &status, 0);
    if (status != 0 && shared->law[0] == '\0')
        (void)snprintf(shared->law, sizeof shared->law, "%s", death_name(status));
    *out = *shared;
    (void)munmap(shared, sizeof *shared);
    return status != 0;
}

/* ---- Shrinking ---- */

static struct desk tried;

static bool violates(const struct variant *variant, const char *law) {
    return variant_fails(variant, &tried) && strcmp(tried.law, law) == 0;
}

/* Takes the candidate over if it violates the same law in some order. */
static bool take_over(struct variant *variant, struct variant *candidate, const char *law) {
    const uint64_t order = candidate->order;
    if (violates(candidate, law)) {
        *variant = *candidate;
        return true;
    }
    for (candidate->order = 1; candidate->order <= ORDERS; candidate->order++)
        if (candidate->order != order && violates(candidate, law)) {
            *variant = *candidate;
            return true;
        }
    return false;
}

static void collect_ids(const struct node *list, unsigned *ids, unsigned *count) {
    for (; list != NULL; list = list->next) {
        if (*count < DROPS_MAX)
            ids[(*count)++] = list->id;
        collect_ids(list->body, ids, count);
    }
}

static bool try_drop(struct variant *variant, unsigned id, bool keep_body, const char *law) {
    struct variant candidate = *variant;
    return add_drop(&candidate, id, keep_body) && take_over(variant, &candidate, law);
}

/* One way through all nodes that are left, the last ones first. Whether any could be dropped. */
static bool drop_some(struct variant *variant, const char *law) {
    static unsigned ids[DROPS_MAX];
    unsigned count = 0;
    bool any = false;
    collect_ids(variant_program(variant)->main, ids, &count);
    for (unsigned i = 0; i < count; i++) /* from the outside: what is in a body goes with it */
        any |= try_drop(variant, ids[i], false, law);
    count = 0;
    collect_ids(variant_program(variant)->main, ids, &count);
    for (unsigned i = count; i-- > 0;)
        any |= try_drop(variant, ids[i], true, law);
    return any;
}

static void calm_down(struct variant *variant, const char *law) {
    for (unsigned i = 0; i < COIR_SIM_FAULTS; i++) {
        struct variant candidate = *variant;
        candidate.calm |= 1U << i;
        if (variant_program(variant)->sim.rates[i] > 0)
            (void)take_over(variant, &candidate, law);
    }
}

void variant_shrink(struct variant *variant, const char *law) {
    calm_down(variant, law);
    while (drop_some(variant, law))
        ;
    calm_down(variant, law);
}
