/* What the documents show must be so: the lines of code of docs/from-asyncio.md compile, with the
 * compiler that `make` was given; the programs in docs/debugging.md and docs/testing.md say what is
 * shown there; the switch is the one that docs/performance.md explains. */
#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "support.h"

SUITE(documents);

Test(documents, from_asyncio) {
    const program_result *const result = run_program((const char *const[]){
        "/bin/sh", "-c", "cd '" COIR_SOURCE_DIR "' && exec sh tools/from-asyncio.sh", NULL});
    cr_assert(result->status == 0, "wait status 0x%x:\n%s", (unsigned)result->status, result->err);
    check_contains(result->out, " lines compile");
}

/* ---- docs/debugging.md, docs/testing.md ---- */

/* Replaces each number, address and offset by one #: those differ from run to run. */
static void blur(char *text) {
    char *out = text;
    while (*text != '\0') {
        if (!isdigit((unsigned char)*text)) {
            *out++ = *text++;
            continue;
        }
        text += strspn(text, "0123456789abcdefx,.");
        *out++ = '#';
    }
    *out = '\0';
}

/* That the lines shown stand in what the program says, in that order; "..." stands for any. */
static void check_shown(const char *command, char *shown, char *said) {
    char *rest;
    for (char *line = strtok_r(shown, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        if (strcmp(line, "...") == 0)
            continue;
        char *const at = strstr(said, line);
        cr_assert(at != NULL, "$ %s does not say, there, \"%s\", but:\n%s", command, line, said);
        said = at + strlen(line);
    }
}

/* Looks at what it says on stdout, if anything, and on stderr otherwise. */
static void check_command(char *command, char *shown, bool exactly) {
    static char said[sizeof((program_result *)NULL)->err];
    const char *words[10];
    size_t count = 0;
    char *rest;
    for (char *word = strtok_r(command, " ", &rest); word != NULL;
         word = strtok_r(NULL, " ", &rest)) {
        check(count + 1 < COUNT_OF(words));
        words[count++] = word;
    }
    words[count] = NULL;
    const program_result *const result = run_program(words);
    memcpy(said, result->out[0] != '\0' ? result->out : result->err, sizeof said);
    if (!exactly) {
        blur(shown);
        blur(said);
    }
    check_shown(command, shown, said);
}

/* Runs the commands of blocks that begin so, which are as many. */
static void check_document(const char *name, const char *head, int expected, bool exactly) {
    static char text[65536];
    char path[4096];
    snprintf(path, sizeof path, "%s/docs/%s", COIR_SOURCE_DIR, name);
    FILE *const file = fopen(path, "r");
    check(file != NULL);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    int commands = 0;
    for (char *at = text; (at = strstr(at, head)) != NULL; commands++) {
        char *const command = at + strlen("```\n$ ");
        char *const shown = strchr(command, '\n');
        char *const end = strstr(command, "```");
        check(shown != NULL && end != NULL);
        *shown = *end = '\0';
        check_command(command, shown + 1, exactly);
        at = end + 1;
    }
    check_int(commands, expected);
}

Test(documents, debugging) {
    if (with_sanitizer() || on_valgrind())
        skip_test("the tool handles signals itself, and changes what stacks take");
    check_document("debugging.md", "```\n$ tests/", 5, false);
}

/* To the nanosecond and the last digit: a seed gives the same run on each kernel, by each compiler.
 * But on aarch64 stacks and guards are of other sizes, which takes another number of calls. */
#ifdef __x86_64__
#define SEEDS_ARE_EXACT !emulated()
#else
#define SEEDS_ARE_EXACT false
#endif

Test(documents, testing) {
#ifdef __linux__
    if (with_sanitizer() || on_valgrind())
        skip_test("with the tool other calls are made, so that a seed gives another run");
    check_document("testing.md", "```\n$ examples/", 4, SEEDS_ARE_EXACT);
#else
    skip_test("the simulated system is Linux");
#endif
}

/* ---- docs/performance.md ---- */

/* The listing of the switch: the instructions of this program's own, in that order, and no others.
 */
Test(documents, performance) {
#ifndef __x86_64__
    skip_test("the listing is that of x86_64");
#endif
    char exe[PATH_MAX];
    const ssize_t size = readlink("/proc/self/exe", exe, sizeof exe - 1);
    check(size > 0);
    exe[size] = '\0';
    const program_result *const result = run_program((const char *const[]){
        "/bin/sh", "-c",
        "command -v objdump >/dev/null || exit 77;"
        "awk '/^endbr64$/, /^```$/' '" COIR_SOURCE_DIR "/docs/performance.md' |"
        "    grep -v '```' | tr -s ' ' >&2;"
        "objdump -d --no-show-raw-insn --disassemble=coir_context_switch \"$0\" |"
        "    awk '/<coir_context_switch>:/, /jmp/' |"
        "    sed '1d; s/^[^:]*:[[:space:]]*//; s/[[:space:]]*$//' | tr -s ' '",
        exe, NULL});
    if (result->status == 77 << 8)
        skip_test("needs objdump");
    check_int(result->status, 0);
    check(strlen(result->err) > 0);
    check_str(result->out, result->err);
}
