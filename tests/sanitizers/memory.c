/* A task with a mistake, for AddressSanitizer, UndefinedBehaviorSanitizer or Valgrind to report.
 * The argument names it: it is that of a function below. Called by `between`, called by
 * `defective`, which is the body of the task, on a stack that was another task's before. */
#include <coir.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 16 };

/* What compilers must not see through, lest they warn of the mistakes, or use them. */
static volatile int size = SIZE, greatest = INT_MAX, result;
static char *volatile kept;

__attribute__((noinline)) static void keep(char *block) {
    kept = block;
}

static void do_right(void) {
    kept = malloc(SIZE);
    result = coir_yield();
    free(kept);
}

static void overrun_a_local(void) {
    char local[SIZE] = "";
    keep(local);
    kept[size] = 1;
}

__attribute__((noinline)) static void keep_a_local(void) {
    char local[SIZE] = "gone";
    keep(local);
}

static void use_a_local_after_return(void) {
    keep_a_local();
    result = coir_yield();
    result = (unsigned char)kept[0];
}

/* Another task frees the block during the wait. */
static void use_a_block_after_free(void) {
    kept = malloc(SIZE);
    result = coir_sleep(COIR_MS(1));
    result = (unsigned char)kept[0];
}

static int free_the_block(void *arg) {
    (void)arg;
    COIR_TRY(coir_yield()); /* then it is there */
    free(kept);
    return 0;
}

static void overrun_a_block(void) {
    kept = malloc(SIZE);
    result = coir_yield();
    kept[size] = 1;
    free(kept);
}

static void branch_on_an_unset_local(void) {
    char local[SIZE];
    keep(local);
    result = coir_yield();
    if (kept[size - 1] == 1)
        result = 1;
}

static void lose_a_block(void) {
    kept = malloc(SIZE);
    result = coir_yield();
    kept = NULL;
}

static void overflow_an_int(void) {
    result = greatest + size;
}

static const struct mistake {
    const char *name;
    void (*make)(void);
    coir_fn other; /* runs while the mistake is in the making; may be NULL */
} mistakes[] = {
    {"none", do_right, NULL},
    {"overrun_a_local", overrun_a_local, NULL},
    {"use_a_local_after_return", use_a_local_after_return, NULL},
    {"use_a_block_after_free", use_a_block_after_free, free_the_block},
    {"overrun_a_block", overrun_a_block, NULL},
    {"branch_on_an_unset_local", branch_on_an_unset_local, NULL},
    {"lose_a_block", lose_a_block, NULL},
    {"overflow_an_int", overflow_an_int, NULL},
};

__attribute__((noinline)) static int between(const struct mistake *mistake) {
    mistake->make();
    return result;
}

static int defective(void *mistake) {
    COIR_TRY(coir_yield());
    return between(mistake) > 0;
}

static int return_zero(void *arg) {
    (void)arg;
    return 0;
}

static int app(void *mistake) {
    COIR_SCOPE(before);
    COIR_TRY(coir_spawn(&before, return_zero, NULL));
    COIR_TRY(coir_scope_close(&before, 0));
    COIR_SCOPE(s);
    COIR_TRY(coir_spawn(&s, defective, mistake));
    const coir_fn other = ((const struct mistake *)mistake)->other;
    if (other != NULL)
        COIR_TRY(coir_spawn(&s, other, NULL));
    return coir_scope_close(&s, 0);
}

int main(int argc, char **argv) {
    for (size_t i = 0; argc > 1 && i < sizeof mistakes / sizeof *mistakes; i++) {
        struct mistake mistake = mistakes[i];
        if (strcmp(argv[1], mistake.name) == 0)
            return coir_run(app, &mistake) < 0;
    }
    return 2;
}
