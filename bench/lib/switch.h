/* The shape of the bare switch measure: two flows of control hand over to each other, in three
 * settings that differ only in what the processor can predict about the return.
 *
 *   chain    both flows wait at the same place, below the same callers
 *   callers  both wait at the same place, but return from there to different callers
 *   loops    each waits at a place of its own
 *
 * Each also with "-fp": either flow keeps a floating-point environment of its own (on x86_64 MXCSR
 * and the x87 control word), by the switch itself or, where that does not, stored and loaded around
 * it.
 *
 * A subject defines, before it includes this file (see context.h for the contract):
 *   struct context, context_make, context_switch, perhaps CONTEXT_KEEPS_FP
 * and calls switch_main from main. The unit is one switch, one way. */
#ifndef BENCH_SWITCH_H
#define BENCH_SWITCH_H

#include <string.h>

#include "bench.h"

static struct context switch_here, switch_there;

BENCH_INLINE void switch_plain(struct context *from, struct context *to) {
    context_switch(from, to);
}

BENCH_INLINE void switch_fp(struct context *from, struct context *to) {
#if defined(CONTEXT_KEEPS_FP)
    context_switch(from, to);
#elif defined(__x86_64__)
    unsigned mxcsr;
    unsigned short x87;
    __asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(mxcsr), "=m"(x87));
    context_switch(from, to);
    __asm__ volatile("ldmxcsr %0\n\tfldcw %1" : : "m"(mxcsr), "m"(x87));
#elif defined(__aarch64__)
    uint64_t fpcr;
    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    context_switch(from, to);
    __asm__ volatile("msr fpcr, %0" : : "r"(fpcr));
#else
#error "how does this architecture keep its floating-point environment?"
#endif
}

/* The places, once for each kind of switch. */
#define SWITCH_PLACES(kind)                                                                        \
    static BENCH_KEEP void kind##_chain(struct context *from, struct context *to,                  \
                                        uint64_t count) {                                          \
        for (; count != 0; --count)                                                                \
            kind(from, to);                                                                        \
        BENCH_UNIQUE(kind##_chain);                                                                \
    }                                                                                              \
                                                                                                   \
    static void kind##_chain_here(uint64_t count) {                                                \
        kind##_chain(&switch_here, &switch_there, count);                                          \
    }                                                                                              \
                                                                                                   \
    static void kind##_chain_there(uint64_t count) {                                               \
        kind##_chain(&switch_there, &switch_here, count);                                          \
    }                                                                                              \
                                                                                                   \
    static BENCH_KEEP void kind##_hop(struct context *from, struct context *to) {                  \
        kind(from, to);                                                                            \
        BENCH_UNIQUE(kind##_hop);                                                                  \
    }                                                                                              \
                                                                                                   \
    static BENCH_KEEP void kind##_caller_here(uint64_t count) {                                    \
        for (; count != 0; --count) {                                                              \
            kind##_hop(&switch_here, &switch_there);                                               \
            BENCH_UNIQUE(kind##_caller_here);                                                      \
        }                                                                                          \
    }                                                                                              \
                                                                                                   \
    static BENCH_KEEP void kind##_caller_there(uint64_t count) {                                   \
        for (; count != 0; --count) {                                                              \
            kind##_hop(&switch_there, &switch_here);                                               \
            BENCH_UNIQUE(kind##_caller_there);                                                     \
        }                                                                                          \
    }                                                                                              \
                                                                                                   \
    static BENCH_KEEP void kind##_loop_here(uint64_t count) {                                      \
        for (; count != 0; --count) {                                                              \
            kind(&switch_here, &switch_there);                                                     \
            BENCH_UNIQUE(kind##_loop_here);                                                        \
        }                                                                                          \
    }                                                                                              \
                                                                                                   \
    static BENCH_KEEP void kind##_loop_there(uint64_t count) {                                     \
        for (; count != 0; --count) {                                                              \
            kind(&switch_there, &switch_here);                                                     \
            BENCH_UNIQUE(kind##_loop_there);                                                       \
        }                                                                                          \
    }

SWITCH_PLACES(switch_plain)
SWITCH_PLACES(switch_fp)

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
        {"chain", switch_plain_chain_here, switch_plain_chain_there},
        {"callers", switch_plain_caller_here, switch_plain_caller_there},
        {"loops", switch_plain_loop_here, switch_plain_loop_there},
        {"chain-fp", switch_fp_chain_here, switch_fp_chain_there},
        {"callers-fp", switch_fp_caller_here, switch_fp_caller_there},
        {"loops-fp", switch_fp_loop_here, switch_fp_loop_there},
    };
    bench_pin("BENCH_CPU");
    for (int i = 1; i < argc; ++i)
        for (size_t k = 0; k < sizeof settings / sizeof *settings; ++k)
            if (strcmp(argv[i], settings[k].name) == 0)
                switch_measure(&settings[k]);
    return 0;
}

#endif
