/* What every benchmark program shares: pinning, the clock, a timed run that is long enough, the
 * line that reports a result, and what the kernel says about this process's memory.
 *
 * A program measures one thing for one subject. It is named MEASURE-SUBJECT, takes the cases to run
 * as arguments, and prints one line a figure: case, unit and value, separated by tabs. bench/run.sh
 * starts the subjects of a measure in turn, again and again, and does the statistics; a program
 * therefore takes each figure once. */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A function the compiler must leave as it is: neither inlined nor copied for constant arguments,
 * because where a switch returns to is the very thing that is measured. */
#ifdef __clang__
#define BENCH_KEEP __attribute__((noinline))
#else
#define BENCH_KEEP __attribute__((noinline, noclone))
#endif

/* And one that must dissolve into its caller, however often it is called: a library's own call
 * is measured as it is, but a subject written here shall not pay for one it does not need. */
#define BENCH_INLINE static inline __attribute__((always_inline))

/* A function of an adapter, which not every measure calls. */
#define BENCH_SOME __attribute__((unused)) static

/* Makes a function differ from all others, so that identical ones are not folded into one, and
 * keeps the call before it from becoming a tail call. */
#define BENCH_UNIQUE(name) __asm__ volatile("# " #name ::: "memory")

/* Exit status of a program that cannot run its case here; it has said why on stderr. */
#define BENCH_CANNOT 77

/* Pins the process to the CPU that the environment variable names; does nothing if it is unset. */
void bench_pin(const char *variable);

/* Nanoseconds on the monotonic clock. */
uint64_t bench_clock(void);

/* Does something `count` times. */
typedef void (*bench_op)(uint64_t count, void *arg);

/* Runs op with growing counts until a run takes 20 ms, which warms everything up, then as often
 * once more, in up to 32 pieces; returns the nanoseconds that an operation took in the median one.
 */
double bench_ns(bench_op op, void *arg);

/* Prints one figure. */
void bench_report(const char *name, const char *unit, double value);

/* Ends the program: with a message, and the error if it is not 0 (either sign). */
void bench_die(const char *what, int error) __attribute__((noreturn));

/* Ends the program if `rc` is an error. Inline: it stands in loops that are measured. */
BENCH_INLINE void bench_check(const char *what, int rc) {
    if (__builtin_expect(rc < 0, 0))
        bench_die(what, rc);
}

/* Parses the number at the start of `text`; `*rest` is what follows it. Dies if there is none. */
size_t bench_number(const char *text, const char **rest);

/* This process's memory, in bytes. */
struct bench_memory {
    double resident;    /* now */
    double page_tables; /* now */
    double peak;        /* most that was ever resident */
};

void bench_memory_read(struct bench_memory *out);

/* A TCP socket that listens on a free port of 127.0.0.1; prints what load.c waits for, the process
 * id and the address. `flags` are those of socket(2), such as SOCK_NONBLOCK. */
int bench_listen(int flags);

/* CPU time of this process so far, in nanoseconds. */
uint64_t bench_cpu(void);

/* Bytes the system could still hand out. */
double bench_memory_available(void);

#ifdef __cplusplus
}
#endif

#endif
