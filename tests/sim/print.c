/* Programs and figures for people. */
#include <stdio.h>

#include "coir.h"
#include "sim/program.h"
#include "sim/report.h"

static const struct {
    const char *name;
    unsigned traits;
} table[OPS] = {
#define X(name, text, traits) [OP_##name] = {text, traits},
    OPERATIONS(X)
#undef X
};

const char *op_name(enum op op) {
    return (unsigned)op < OPS ? table[op].name : "?";
}

unsigned op_traits(enum op op) {
    return table[op].traits;
}

/* ---- Programs ---- */

static void print_time(long ns, FILE *out) {
    if (ns >= 1000000000 && ns % 1000000 == 0)
        (void)fprintf(out, "%g s", (double)ns / 1e9);
    else if (ns >= 1000000)
        (void)fprintf(out, "%g ms", (double)ns / 1e6);
    else
        (void)fprintf(out, "%ld ns", ns);
}

static void print_scope(const struct node *node, FILE *out) {
    static const char *const policies[] = {"fail fast", "supervise", "race"};
    (void)fprintf(out, " %s", policies[node->a]);
    if (node->b != 0) {
        (void)fputs(", deadline in ", out);
        print_time(node->b, out);
    }
    (void)fprintf(out, "%s%s", node->c & 1 ? ", shielded" : "", node->c & 2 ? ", moves on" : "");
}

static void print_numbers(const struct node *node, FILE *out) {
    static const char *const errors[] = {"EIO", "ENOENT", "ECONNRESET", "ECANCELED"};
    static const char *const whens[] = {"all", "the first", "the first failure"};
    switch (node->op) {
    case OP_SCOPE:
        print_scope(node, out);
        break;
    case OP_SPAWN:
    case OP_START:
        (void)fprintf(out, " into scope %ld out%s%s%s%s%s", node->a,
                      node->b & 1 ? ", with a handle" : "", node->b & 2 ? ", argument copied" : "",
                      node->b & 4 ? ", result stored" : "", node->b & 8 ? ", large stack" : "",
                      node->b & 16 ? ", named" : "");
        break;
    case OP_GATHER:
        (void)fprintf(out, " %s", node->a ? "supervise" : "fail fast");
        break;
    case OP_MAP:
        (void)fprintf(out, " %ld, %ld at a time", node->a, node->b);
        break;
    case OP_SLEEP:
    case OP_SLEEP_UNTIL:
    case OP_TIMEOUT:
        (void)fputc(' ', out);
        print_time(node->a, out);
        break;
    case OP_FAIL:
        (void)fprintf(out, " %s", errors[node->a % 4]);
        break;
    case OP_WAIT:
        (void)fprintf(out, " for %s of %ld from %ld on", whens[node->b], 1 + node->a % 24, node->a);
        if (node->c > 0) {
            (void)fputs(", at most ", out);
            print_time(node->c, out);
        }
        break;
    case OP_CANCEL_SCOPE:
        (void)fprintf(out, node->b ? " %ld around" : " %ld of those open", node->a);
        break;
    case OP_SET_DEADLINE:
        (void)fprintf(out, " of %ld around, in ", node->a);
        print_time(node->b, out);
        break;
    case OP_SET_SHIELD:
        (void)fprintf(out, node->c ? " %s of %ld around" : " %s of %ld of those open",
                      node->b ? "up" : "down", node->a);
        break;
    case OP_RACE:
    case OP_CALL:
    case OP_SELECT:
    case OP_TRY_SELECT:
    case OP_YIELD:
    case OP_CHECK:
        break;
    default:
        (void)fprintf(out, " %ld, %ld", node->a, node->b);
        break;
    }
}

static void print_list(const struct node *list, int depth, FILE *out) {
    for (; list != NULL; list = list->next) {
        (void)fprintf(out, "%4u %*s%s", list->id, 2 * depth, "", op_name(list->op));
        print_numbers(list, out);
        (void)fprintf(out, "%s%s\n", list->flags & NODE_PASSES ? "; passes errors on" : "",
                      list->flags & NODE_IGNORES ? "; ignores being cancelled" : "");
        print_list(list->body, depth + 1, out);
    }
}

void program_print(const struct program *program, FILE *out) {
    static const char *const orders[] = {"any", "first in first out", "last in first out", "mixed"};
    static const char *const channel_orders[] = {"fifo", "lifo", "priority"};
    (void)fprintf(out, "order: %s%s%s\n", orders[program->sim.order],
                  program->watchdog ? "" : "; no watchdog",
                  program->sim.runtime.cancel_on_signals ? "; signals" : "");
    for (unsigned i = 0; i < COIR_SIM_FAULTS; i++)
        if (program->sim.rates[i] > 0)
            (void)fprintf(out, "fault: %s, %u in 65536\n", coir_sim_fault_name((coir_sim_fault)i),
                          program->sim.rates[i]);
    for (unsigned i = 0; i < CHANNELS; i++)
        (void)fprintf(out, "channel %u: %u of %u bytes, %s\n", i, program->channels[i].capacity,
                      program->channels[i].item_size, channel_orders[program->channels[i].order]);
    (void)fprintf(out, "semaphores: %u permits, bound %u; limiters: %u; barriers: %u\n",
                  program->permits, program->bound, program->limit, program->parties);
    print_list(program->main, 0, out);
}

/* ---- Figures ---- */

void count_fate(enum op op, enum fate fate) {
    desk->counts.fates[op][fate]++;
}

const char *fate_name(enum fate fate) {
    static const char *const names[FATES] = {
        [FATE_AT_ONCE] = "at once",
        [FATE_WAITED] = "waited",
        [FATE_ENTRY] = "cut at entry",
        [FATE_CUT + CAUSE_NONE] = "cut",
        [FATE_CUT + CAUSE_SCOPE] = "cut by scope",
        [FATE_CUT + CAUSE_TASK] = "cut by handle",
        [FATE_CUT + CAUSE_DEADLINE] = "cut by deadline",
        [FATE_CUT + CAUSE_FAILURE] = "cut by failure",
        [FATE_CUT + CAUSE_WON] = "cut by race won",
        [FATE_CUT + CAUSE_SIGNAL] = "cut by signal",
        [FATE_CUT + CAUSE_DEADLOCK] = "cut by deadlock",
        [FATE_WON] = "done though cancelled",
        [FATE_CLOSED] = "closed",
        [FATE_FAULT] = "fault",
    };
    return names[fate];
}

bool fate_applies(enum op op, enum fate fate) {
    const unsigned traits = op_traits(op);
    const bool call = (traits & (OP_CHECKS | OP_PARKS)) != 0;
    if (!call || (traits & OP_SPECIAL) != 0)
        return false;
    if (fate == FATE_ENTRY)
        return (traits & OP_CHECKS) != 0 || op == OP_JOIN;
    if (fate == FATE_CUT + CAUSE_NONE)
        return false;
    if (fate == FATE_AT_ONCE && op == OP_OFFLOAD) /* a thread has to take it */
        return false;
    /* Whoever sleeps, or waits for a descriptor or a thread, may yet be woken. */
    if (fate == FATE_CUT + CAUSE_DEADLOCK &&
        (op == OP_SLEEP || op == OP_SLEEP_UNTIL || op >= OP_READ))
        return false;
    if (fate == FATE_WAITED || (fate >= FATE_CUT && fate <= FATE_WON))
        return (traits & OP_PARKS) != 0;
    if (fate == FATE_CLOSED)
        return (traits & OP_CLOSES) != 0;
    if (fate == FATE_FAULT)
        return (traits & OP_FAILS) != 0;
    return true;
}
