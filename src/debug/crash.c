/* Reports of crashes: first what is known for certain, addresses included, then names. */
#include "debug/crash.h"

#include <string.h>

#include "debug/frame_text.h"
#include "debug/identity.h"

#define NULL_MAX 4096 /* below that lies what is behind a null pointer */

static const char *name_of(int number) {
    switch (number) {
    case SIGSEGV:
        return "SIGSEGV";
    case SIGBUS:
        return "SIGBUS";
    case SIGFPE:
        return "SIGFPE";
    case SIGILL:
        return "SIGILL";
    case SIGTRAP:
        return "SIGTRAP";
    case SIGABRT:
        return "SIGABRT";
    default:
        return "a signal";
    }
}

/* What has happened; with an address behind it, or not. */
static void add_cause(struct coir__text *line, const siginfo_t *info) {
    const uintptr_t address = (uintptr_t)info->si_addr;
    const char *text = NULL;
    switch (info->si_signo) {
    case SIGSEGV:
        if (info->si_code == SEGV_MAPERR)
            text = address < NULL_MAX ? "access through a null pointer, to "
                                      : "access to where nothing is mapped, ";
        else if (info->si_code == SEGV_ACCERR)
            text = "access that is not allowed, to ";
        break;
    case SIGBUS:
        text = "access to memory that cannot be had (of a file that has become shorter?), ";
        break;
    case SIGFPE:
        text = info->si_code == FPE_INTDIV ? "division by zero, or its result is too large, at "
                                           : "arithmetic, at ";
        break;
    case SIGILL:
    case SIGTRAP:
        text = "an instruction that cannot be executed, or a trap, at ";
        break;
    default:
        break;
    }
    if (text != NULL) {
        coir__text_add(line, text);
        coir__text_address(line, info->si_addr);
    } else {
        coir__text_add(line, info->si_signo == SIGABRT ? "abort was called"
                                                       : "access to an impossible address");
    }
}

struct report {
    struct coir__text line;
    struct coir__symbols symbols;
    struct coir__cfi cfi;
    const struct coir__task *task; /* NULL: it happened in the loop */
    struct coir__identity identity;
    struct coir__frames_source frames;
};

static void begin(struct report *report, const struct coir__runtime *rt,
                  const ucontext_t *context) {
    const struct coir__registers registers = coir__registers_interrupted(context);
    memset(report, 0, sizeof *report);
    report->task = rt->current != &rt->loop ? rt->current : NULL;
    coir__symbols_open(&report->symbols);
    report->cfi.symbols = &report->symbols;
    coir__trail_begin(&report->frames.trail, rt, &registers);
    if (report->task != NULL)
        coir__identify(&report->identity, report->task);
}

/* Where the task comes from, and its frames; how often the most frequent of them repeats. */
static size_t tell_rest(struct report *report) {
    struct coir__text *const line = &report->line;
    coir__frames_tell_raw(report->frames, &report->cfi);
    if (report->task != NULL) {
        coir__text_add(line, "  ");
        coir__text_origin(line, &report->symbols, &report->identity);
        coir__text_end(line);
    }
    const size_t repeats = coir__frames_tell(report->frames, &report->cfi);
    coir__symbols_close(&report->symbols);
    return repeats;
}

static void advise_on_size(struct coir__text *line, size_t size_bytes, bool recursion) {
    coir__text_add(line, recursion ? "  if it is meant to call itself that deep, "
                                   : "  keep large arrays off the stack, or ");
    if (2 * size_bytes > COIR_STACK_SIZE_MAX) {
        coir__text_add(line, "have it need less: there is no larger stack");
    } else {
        coir__text_add(line, "give it more: try .stack_size_bytes = ");
        coir__text_digits(line, 2 * size_bytes / 4096 * 4);
        coir__text_add(line, " * 1024");
        coir__text_add(line, " in coir_spawn_with, or in coir_options for all tasks");
    }
    coir__text_end(line);
}

void coir__crash_tell_overflow(const struct coir__runtime *rt, const ucontext_t *context) {
    struct report report;
    begin(&report, rt, context);
    const size_t size = report.task->shadow.size_bytes;
    const size_t needed = report.frames.trail.high - report.frames.trail.at.sp;
    coir__text_add(&report.line, "coir: fatal: stack overflow in ");
    coir__text_task(&report.line, &report.symbols, &report.identity.task);
    coir__text_add(&report.line, ": it has used all of its ");
    coir__text_number(&report.line, size);
    coir__text_add(&report.line, " bytes");
    coir__text_end(&report.line);
    const bool stepped_over = needed > size + COIR_GUARD_SIZE;
    advise_on_size(&report.line, stepped_over ? needed : size, tell_rest(&report) > 1);
}

void coir__crash_tell(const struct coir__runtime *rt, const siginfo_t *info,
                      const ucontext_t *context, bool handled) {
    struct report report;
    begin(&report, rt, context);
    coir__text_add(&report.line, handled ? "coir: " : "coir: fatal: ");
    coir__text_add(&report.line, name_of(info->si_signo));
    coir__text_add(&report.line, " in ");
    if (report.task != NULL)
        coir__text_task(&report.line, &report.symbols, &report.identity.task);
    else
        coir__text_add(&report.line, "the runtime's loop, outside all tasks");
    coir__text_add(&report.line, ": ");
    add_cause(&report.line, info);
    if (handled)
        coir__text_add(&report.line, "; the program's own handler goes on from here");
    coir__text_end(&report.line);
    (void)tell_rest(&report);
}

void coir__crash_tell_place(const struct coir__runtime *rt, const ucontext_t *context) {
    struct report report;
    begin(&report, rt, context);
    struct coir__trail from = report.frames.trail;
    while (from.at.pc != 0 && from.at.pc != (uintptr_t)coir__fatal_place)
        (void)coir__trail_next(&from, &report.cfi);
    if (from.at.pc != 0)
        report.frames.trail = from;
    (void)tell_rest(&report);
}

void coir__crash_tell_least(const siginfo_t *info, const ucontext_t *context) {
    struct coir__text line = {.length = 0};
    coir__text_add(&line, "coir: ");
    coir__text_add(&line, name_of(info->si_signo));
    coir__text_add(&line, ": ");
    add_cause(&line, info);
    coir__text_add(&line, ", by the instruction at ");
    coir__text_address(&line, (const void *)coir__registers_interrupted(context).pc);
    coir__text_add(&line, "; to tell more fails, what is known of the task is damaged");
    coir__text_end(&line);
}
