/* The shape of the bare switch measure: two flows of control hand over to each other, in three
 * settings that differ only in what the processor can predict about the return.
 *
 *   chain    both flows wait at the same place, below the same callers
 *   callers  both wait at the same place, but return from there to different callers
 *   loops    each waits at a place of its own
 *
 * A subject defines, before it includes this file (see context.h for the contract):
 *   struct context, context_make, context_switch
 * and calls switch_main from main. The unit is one switch, one way. */
#ifndef BENCH_SWITCH_H
#define BENCH_SWITCH_H

#include <string.h>

#include "bench.h"

static struct context switch_here, switch_there;

static BENCH_KEEP void switch_chain(struct context *from, struct context *to, uint64_t count) {
    for (; count != 0; --count)
        context_switch(from, to);
    BENCH_UNIQUE(chain);
}

static BENCH_KEEP void switch_hop(struct context *from, struct context *to) {
    context_switch(from, to);
    BENCH_UNIQUE(hop);
}

static BENCH_KEEP void switch_caller_here(uint64_t count) {
    for (; count != 0; --count) {
        switch_hop(&switch_here, &switch_there);
        BENCH_UNIQUE(caller_here);
    }
}

static BENCH_KEEP void switch_caller_there(uint64_t count) {
    for (; count != 0; --count) {
        switch_hop(&switch_there, &switch_here);
        BENCH_UNIQUE(caller_there);
    }
}

static BENCH_KEEP void switch_loop_here(uint64_t count) {
    for (; count != 0; --count) {
        context_switch(&switch_here, &switch_there);
        BENCH_UNIQUE(loop_here);
    }
}

static BENCH_KEEP void switch_loop_there(uint64_t count) {
    for (; count != 0; --count) {
        context_switch(&switch_there, &switch_here);
        BENCH_UNIQUE(loop_there);
    }
}

static void switch_chain_here(uint64_t count) {
    switch_chain(&switch_here, &switch_there, count);
}

static void switch_chain_there(uint64_t count) {
    switch_chain(&switch_there, &switch_here, count);
}

struct switch_setting {
    const char *name;
    void (*here)(uint64_t count);
    void (*there)(uint64_t count);
};

/* Never ends: the program leaves from the other flow. */
static void switch_other_flow(void *arg) {
    const struct switch_setting *setting = arg;
    setting->there(UINT64_MAX);
}

static void switch_round_trips(uint64_t count, void *arg) {
    const struct switch_setting *setting = arg;
    setting->here(count);
}

static void switch_measure(struct switch_setting *setting) {
    static _Alignas(64) char stack[64 * 1024];
    context_make(&switch_there, stack, sizeof stack, switch_other_flow, setting);
    bench_report(setting->name, "ns", bench_ns(switch_round_trips, setting) / 2);
}

static int switch_main(int argc, char **argv) {
    static struct switch_setting settings[] = {
        {"chain", switch_chain_here, switch_chain_there},
        {"callers", switch_caller_here, switch_caller_there},
        {"loops", switch_loop_here, switch_loop_there},
    };
    bench_pin("BENCH_CPU");
    for (int i = 1; i < argc; ++i)
        for (size_t k = 0; k < sizeof settings / sizeof *settings; ++k)
            if (strcmp(argv[i], settings[k].name) == 0)
                switch_measure(&settings[k]);
    return 0;
}

#endif
