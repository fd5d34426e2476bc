/* Single steps; steps.h says what each function is for. */
#include "arch/steps.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "arch/abi.h"
#include "base/sanitizer.h"

#if defined(__linux__) && (defined(__x86_64__) || defined(__aarch64__))

static void (*each_step)(ucontext_t *at);
static struct sigaction before;

static void handle_traps(void (*handle)(int number, siginfo_t *info, void *context)) {
    const struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO};
    check_int(sigaction(SIGTRAP, &action, &before), 0);
}

#endif

#if defined(__linux__) && defined(__x86_64__)

/* The processor sets the flag aside for the handler and takes it up again after it. */
static void on_trap(UNUSED int number, UNUSED siginfo_t *info, void *context) {
    each_step(context);
}

void need_steps(void) {
    if (on_valgrind())
        skip_test("Valgrind knows no single steps");
    if (COIR_TSAN)
        skip_test("a step strikes within ThreadSanitizer's own calls, and a handler makes more");
}

/* Above the red zone, in which the compiler may keep something. */
#define CHANGE_FLAGS(how)                                                                          \
    __asm__ volatile("leaq -128(%%rsp), %%rsp\n pushfq\n" how " (%%rsp)\n popfq\n"                 \
                     "leaq 128(%%rsp), %%rsp" ::                                                   \
                         : "memory", "cc")

void steps_begin(void (*each)(ucontext_t *at)) {
    each_step = each;
    handle_traps(on_trap);
    CHANGE_FLAGS("orl $0x100,");
}

void steps_end(void) {
    CHANGE_FLAGS("andl $~0x100,");
    (void)sigaction(SIGTRAP, &before, NULL);
}

bool steps_everywhere(void) {
    return true;
}

uintptr_t pc_of(const ucontext_t *at) {
    return (uintptr_t)at->uc_mcontext.gregs[REG_RIP];
}

uintptr_t sp_of(const ucontext_t *at) {
    return (uintptr_t)at->uc_mcontext.gregs[REG_RSP];
}

/* The red zone (psABI 3.2.2). */
void spoil_below_sp(const ucontext_t *at) {
    memset((char *)sp_of(at) - 128, 0x5a, 128);
}

#elif defined(__linux__) && defined(__aarch64__)

#define RET UINT32_C(0xd65f03c0)
#define BRK_1 UINT32_C(0xd4200020)
#define BRK_77 UINT32_C(0xd42009a0)
#define CODE_MAX 128

/* The instructions of a function, and what they are while there is a breakpoint on each. */
struct code {
    uint32_t *at;
    size_t count;
    uint32_t original[CODE_MAX];
};
static struct code codes[2]; /* the switch, the base frame */
static uint32_t *without;    /* the one whose breakpoint is out of the way, because it runs next */

static void write_code(uint32_t *at, uint32_t instruction) {
    *(volatile uint32_t *)at = instruction;
    __builtin___clear_cache((char *)at, (char *)(at + 1));
}

static void allow_writing(const struct code *code) {
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), first = (uintptr_t)code->at & -page;
    const uintptr_t end = ((uintptr_t)(code->at + code->count) + page - 1) & -page;
    check_int(mprotect((void *)first, end - first, PROT_READ | PROT_WRITE | PROT_EXEC), 0);
}

/* All up to the first `last`. */
static void find_code(struct code *code, uintptr_t begin, uint32_t last) {
    code->at = (uint32_t *)begin;
    code->count = 0;
    do {
        check(code->count < CODE_MAX);
        code->original[code->count] = code->at[code->count];
    } while (code->at[code->count++] != last);
    allow_writing(code);
}

static uint32_t original_of(const uint32_t *at) {
    for (size_t i = 0; i < COUNT_OF(codes); i++)
        if (at >= codes[i].at && at < codes[i].at + codes[i].count)
            return codes[i].original[at - codes[i].at];
    return 0;
}

/* Puts back the instruction that is about to run, and the breakpoint on the one that has run. */
static void on_trap(int number, UNUSED siginfo_t *info, void *context) {
    uint32_t *const at = (uint32_t *)pc_of(context);
    const uint32_t original = original_of(at);
    if (original == 0 || original == BRK_1) {
        signal(number, SIG_DFL);
        return;
    }
    each_step(context);
    if (without != NULL)
        write_code(without, BRK_77);
    without = at;
    write_code(at, original);
}

void need_steps(void) {
    if (on_valgrind())
        skip_test("Valgrind takes no code that changes");
}

void steps_begin(void (*each)(ucontext_t *at)) {
    each_step = each;
    handle_traps(on_trap);
    find_code(&codes[0], (uintptr_t)&coir_context_switch, RET);
    find_code(&codes[1], (uintptr_t)&coir__entry, BRK_1);
    for (size_t i = 0; i < COUNT_OF(codes); i++)
        for (size_t j = 0; j < codes[i].count; j++)
            write_code(&codes[i].at[j], BRK_77);
}

void steps_end(void) {
    for (size_t i = 0; i < COUNT_OF(codes); i++)
        for (size_t j = 0; j < codes[i].count; j++)
            write_code(&codes[i].at[j], codes[i].original[j]);
    without = NULL;
    (void)sigaction(SIGTRAP, &before, NULL);
}

bool steps_everywhere(void) {
    return false;
}

uintptr_t pc_of(const ucontext_t *at) {
    return at->uc_mcontext.pc;
}

uintptr_t sp_of(const ucontext_t *at) {
    return at->uc_mcontext.sp;
}

void spoil_below_sp(UNUSED const ucontext_t *at) {
}

#else

void need_steps(void) {
    skip_test("single steps are not written for this system");
}

void steps_begin(UNUSED void (*each)(ucontext_t *at)) {
}

void steps_end(void) {
}

bool steps_everywhere(void) {
    return false;
}

uintptr_t pc_of(UNUSED const ucontext_t *at) {
    return 0;
}

uintptr_t sp_of(UNUSED const ucontext_t *at) {
    return 0;
}

void spoil_below_sp(UNUSED const ucontext_t *at) {
}

#endif
