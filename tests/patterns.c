/* The programs of examples/patterns, run under the virtual clock: what each prints has to be what
 * the comment at its top promises, line by line; so that the comment cannot lie. */
#include <dirent.h>
#include <stdio.h>
#include <sys/wait.h>

#include "support.h"

SUITE(patterns);

#define FOLDER COIR_SOURCE_DIR "/examples/patterns"
#define MARGIN " *     " /* in the comment, before each line of output */

#define PATTERNS(X)                                                                                \
    X(background)                                                                                  \
    X(blocking)                                                                                    \
    X(bounded_timeout)                                                                             \
    X(cardinal_rule)                                                                               \
    X(chaining)                                                                                    \
    X(cleanup)                                                                                     \
    X(cpu_pool)                                                                                    \
    X(error_group)                                                                                 \
    X(fire_and_forget)                                                                             \
    X(first_completed)                                                                             \
    X(first_exception)                                                                             \
    X(gather)                                                                                      \
    X(gather_list)                                                                                 \
    X(keep_going)                                                                                  \
    X(map)                                                                                         \
    X(producer_consumer)                                                                           \
    X(progress)                                                                                    \
    X(semaphore)                                                                                   \
    X(stages)                                                                                      \
    X(ten_urls)                                                                                    \
    X(timeout_many)

/* The lines between " * Output:" and the end of the comment, without their margin. Good until the
 * next call. */
static const char *promised_by(const char *name) {
    static char text[8192];
    char path[4096], line[256];
    snprintf(path, sizeof path, FOLDER "/%s.c", name);
    FILE *const source = fopen(path, "r");
    cr_assert(source != NULL, "%s: %s", path, strerror(errno));
    bool begun = false, ended = false;
    size_t length = 0;
    while (!ended && fgets(line, sizeof line, source) != NULL) {
        if (begun) {
            char *const end = strstr(line, " */");
            ended = end != NULL;
            if (ended)
                strcpy(end, "\n");
            cr_assert(strncmp(line, MARGIN, strlen(MARGIN)) == 0, "%s: no output: %s", path, line);
            const char *const output = line + strlen(MARGIN);
            length += (size_t)snprintf(text + length, sizeof text - length, "%s", output);
            check(length < sizeof text);
        }
        begun = begun || strcmp(line, " * Output:\n") == 0;
    }
    fclose(source);
    cr_assert(ended, "%s promises no output", path);
    return text;
}

static const program_result *run_pattern(const char *name, const char *option) {
    char path[256];
    snprintf(path, sizeof path, "examples/patterns/%s", name);
    return run_program((const char *const[]){path, option, NULL});
}

/* Nothing on stderr. But a library built for debugging lists what the main task leaves behind,
 * which one of the programs does on purpose; and one is there to be named for its slowness. */
static void check_complaints(const char *name, const char *complaints) {
    const char *expected = NULL;
    if (COIR_DEBUG && strcmp(name, "fire_and_forget") == 0)
        expected = "coir: the main task has ended while others live in its scope";
    else if (strcmp(name, "cardinal_rule") == 0 && complaints[0] != '\0')
        expected = "coir: task ";
    if (expected != NULL)
        cr_assert(strncmp(complaints, expected, strlen(expected)) == 0, "it says: %s", complaints);
    else
        check_str(complaints, "");
}

static void check_pattern(const char *name) {
    const char *const promised = promised_by(name);
    const program_result *const result = run_pattern(name, "--virtual");
    check_complaints(name, result->err);
    cr_assert(strcmp(result->out, promised) == 0, "%s --virtual prints\n%s\nnot, as promised,\n%s",
              name, result->out, promised);
    check_int(result->status, 0);
}

#define PATTERN_TEST(name)                                                                         \
    Test(patterns, name) {                                                                         \
        check_pattern(#name);                                                                      \
    }
PATTERNS(PATTERN_TEST)

/* ---- All of them, and as a user runs them ---- */

static bool is_tested(const char *file) {
#define FILE_NAME(name) #name ".c",
    static const char *const files[] = {PATTERNS(FILE_NAME)};
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        if (strcmp(files[i], file) == 0)
            return true;
    }
    return false;
}

Test(patterns, each_program_has_a_test) {
    DIR *const folder = opendir(FOLDER);
    cr_assert(folder != NULL, FOLDER ": %s", strerror(errno));
    size_t programs = 0;
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        const size_t length = strlen(entry->d_name);
        if (length < 2 || strcmp(entry->d_name + length - 2, ".c") != 0)
            continue;
        cr_assert(is_tested(entry->d_name), "%s is not in the list", entry->d_name);
        programs++;
    }
    closedir(folder);
    check(programs > 0);
}

/* The culprit is named, in the end: a machine may be too slow to notice in time. */
Test(patterns, who_breaks_the_cardinal_rule_is_named) {
    const char *complaints = "";
    const char *const where = emulated() ? "(where it is could not be found out)" : " block";
    if (on_valgrind())
        skip_test("the system shows the stack of Valgrind, not that of the task in it");
    for (int i = 0; i < 20 && strstr(complaints, where) == NULL; i++)
        complaints = run_pattern("cardinal_rule", "--virtual")->err;
    check_contains(complaints, "coir: task 'main' has held the thread for ");
    check_contains(complaints, where);
    if (!emulated()) /* where nobody knows that it blocks */
        check_contains(complaints, "  a call that blocks belongs on a thread (coir_offload)");
}

/* On the system's clock the lines are the same, but for their times: as promised, or later. */
Test(patterns, for_real) {
    const char *promised = promised_by("gather");
    const program_result *const result = run_pattern("gather", NULL);
    check_int(result->status, 0);
    const char *actual = result->out;
    while (*promised != '\0') {
        int at, expected, text, expected_text;
        check_int(sscanf(promised, "[%d ms]%n", &expected, &expected_text), 1);
        cr_assert(sscanf(actual, "[%d ms]%n", &at, &text) == 1, "no time in \"%s\"", actual);
        check(at >= expected);
        promised += expected_text;
        actual += text;
        const size_t length = strcspn(promised, "\n") + 1;
        cr_assert(strncmp(actual, promised, length) == 0, "\"%s\" for \"%s\"", actual, promised);
        promised += length;
        actual += length;
    }
    check_str(actual, "");
}

Test(patterns, wrong_arguments) {
    const program_result *const result = run_pattern("gather", "--vitrual");
    check_int(WEXITSTATUS(result->status), 2);
    check_str(result->out, "");
    check_contains(result->err, "usage: ");
}
