/* coir-ps, on processes and on core files; and what it says where there is nothing to show. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "debug/dumps.h"
#include "debug/subject.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

SUITE(debug_ps);

#define PS_TEST(name) Test(debug_ps, name, .fini = remove_scratch)
#define SHOP "tests/subjects/shop"

static struct subject subject;
static char program[4096]; /* that it runs */

static const char *built(const char *name) {
    static char paths[4][4096];
    static unsigned next;
    char *const path = paths[next++ % COUNT_OF(paths)];
    snprintf(path, sizeof paths[0], "%s/%s", COIR_BUILD_DIR, name);
    return path;
}

static void need_coir_ps(void) {
    char path[4096];
    snprintf(path, sizeof path, "%s/coir-ps", COIR_BUILD_DIR);
    if (access(path, X_OK) != 0)
        skip_test("coir-ps was not built: libdw is missing");
    if (on_valgrind())
        skip_test("from outside, the process is Valgrind");
}

/* For what is not to be seen in a core file. */
static void need_processes(void) {
    need_coir_ps();
    if (emulated())
        skip_test("from outside, the process is the emulator");
}

static void begin(const char *path, const char *how) {
    need_coir_ps();
    snprintf(program, sizeof program, "%s", path[0] == '/' ? path : built(path));
    start_subject(&subject, program, how);
}

/* Runs it on up to three arguments. */
static const program_result *ps(const char *first, const char *second, const char *third) {
    const program_result *const result =
        run_program((const char *const[]){"coir-ps", first, second, third, NULL});
    if (strstr(result->err, "may not be looked into") != NULL && geteuid() == 0)
        skip_test("this system does not let one process look into another");
    return result;
}

static const char *listing(const char *first, const char *second, const char *third) {
    const program_result *const result = ps(first, second, third);
    cr_assert(result->status == 0, "coir-ps says: %s", result->err);
    return result->out;
}

/* Of the subject, or where that cannot be looked into, of its core file. */
static const program_result *ps_subject(const char *option) {
    if (!emulated())
        return option != NULL ? ps(option, subject.number, NULL) : ps(subject.number, NULL, NULL);
    const char *const core = subject_core(&subject);
    return option != NULL ? ps(option, core, program) : ps(core, program, NULL);
}

static const char *look(const char *option) {
    const program_result *const result = ps_subject(option);
    cr_assert(result->status == 0, "coir-ps says: %s", result->err);
    return result->out;
}

/* That it shows nothing and says why. */
static void check_refusal(const program_result *result, const char *text) {
    check(WIFEXITED(result->status));
    check_int(WEXITSTATUS(result->status), 1);
    check_str(result->out, "");
    check_in_order(result->err, "coir-ps: ", text);
}

/* ---- Subjects ---- */

/* What it calls the subject; and what is told of a process only. */
#define SUBJECT (emulated() ? "core file " : "process ")
#define OF_PROCESSES(text) (emulated() ? "" : (text))

#define SHOP_LINES                                                                                 \
    ": Coir 0.1.0, 10 tasks", "\nthread ", "\n  scope 'main': 1 task",                             \
        "\n    task 1 'main': waits for close of scope 'shop', ", "deadline in ", "; stack ",      \
        " KiB\n", "\n      scope 'shop': 8 tasks, deadline in ",                                   \
        "\n        task 2 'customer': waits for read on fd ",                                      \
        "\n        task 3 'till': sleeps for ever",                                                \
        "\n        task 4 'assistant': waits for mutex 0x", " held by task 3 'till'",              \
        "\n        task 5 'manager': waits for close of scope 0x", "\n          scope 0x",         \
        ": 1 task, shielded",                                                                      \
        "\n            task 10 'apprentice': waits for join of task 3 'till'"
#define FUNCTIONS                                                                                  \
    "task 2 'customer'", "\n            coir_read", "\n            ask", "\n            customer", \
        "\n            coir__entry", "\n            spawned by open_shop", "task 3 'till'"
#define GROUP                                                                                      \
    "\n        task 6 'doze': sleeps until ", "\n            doze",                                \
        "\n            and 3 tasks as this one", "7 'doze', 8 'doze', 9 'doze'\n"

/* Not "for 1.2 s to 1.2 s". */
static void check_no_empty_range(const char *text) {
    const char *const others = strstr(text, "as this one, for ");
    check(others != NULL);
    const char *const begin = others + strlen("as this one, for "), *const end = strchr(begin, ':');
    const char *const to = strstr(begin, " to ");
    if (to != NULL && to < end) {
        const size_t length = (size_t)(to - begin);
        check((size_t)(end - to) != length + strlen(" to ") ||
              strncmp(begin, to + strlen(" to "), length) != 0);
    }
}

PS_TEST(lists_the_tasks_of_a_process) {
    begin(SHOP, NULL);
    const char *const text = look(NULL);
    check_in_order(text, SUBJECT, SHOP_LINES);
    check_in_order(text, OF_PROCESSES("held for "), FUNCTIONS);
    check_in_order(text, GROUP);
    if (!emulated()) /* where it is not told since when they wait */
        check_no_empty_range(text);
    check_contains(text, OF_PROCESSES(", pipe:["));
    end_subject(&subject);
}

PS_TEST(without_backtraces) {
    begin(SHOP, NULL);
    const char *const text = look("--no-backtrace");
    check_in_order(text, ": Coir 0.1.0, 10 tasks", "\n  scope 'main': 1 task",
                   "\n    task 1 'main': ", "\n      scope 'shop': 8 tasks",
                   "\n        task 6 'doze': ", "\n            and 3 tasks as this one");
    check(strstr(text, "coir__entry") == NULL);
    end_subject(&subject);
}

PS_TEST(each_task_for_itself) {
    begin(SHOP, NULL);
    const char *const text = look("--all");
    check_in_order(text,
                   "task 6 'doze': ", "task 7 'doze': ", "task 8 'doze': ", "task 9 'doze': ");
    check_int(occurrences(text, "            doze"), 4);
    end_subject(&subject);
}

PS_TEST(as_json) {
    begin(SHOP, NULL);
    const char *const text = look("--json");
    check_json(text);
    check_in_order(text, "{\"release\": \"0.1.0\", ", emulated() ? "\"core\": \"" : "\"pid\": ",
                   emulated() ? subject.core : subject.number, OF_PROCESSES(", \"held_ns\": "),
                   "\"runtimes\": [\n{\"thread\": ",
                   "\"tasks_alive\": 10, \"grouped\": false, \"complete\": true", "\"scopes\": [",
                   "\"name\": \"main\", \"owner\": null", "\"name\": \"shop\", \"owner\": 1",
                   "\"tasks\": [", "{\"number\": 2, ",
                   "\"name\": \"customer\", \"entry\": \"customer\"", "\"state\": \"waiting\"",
                   "\"waits_for\": \"read on fd ", "\"fd\": ", "\"spawned_at\": \"0x",
                   "\"backtrace\": [\"0x", "{\"number\": 6, \"name\": null, \"entry\": \"doze\"",
                   "\"symbols\": {", "\"module\": \"", "\"function\": \"");
    check_int(occurrences(text, "{\"number\": "), 10);
    check_json(look("-jn"));
    end_subject(&subject);
}

PS_TEST(shows_the_running_task_and_one_that_has_not_begun) {
    begin(SHOP, "run");
    const char *const text = look(NULL);
    check_in_order(text, "task 1 'main': running, deadline in ", "\n        compute",
                   "\n        open_shop", "\n        coir__entry",
                   "task 11 'late?': ready, not begun", "\n            late",
                   "spawned by open_shop");
    end_subject(&subject);
}

PS_TEST(shows_the_runtimes_of_two_threads) {
    begin(SHOP, "threads");
    const char *const text = look(NULL);
    check_in_order(text, ": Coir 0.1.0, 20 tasks", "\nthread ", "task 1 'main': waits",
                   "task 3 'till'", "\nthread ", "task 1 'main': waits", "task 3 'till'");
    end_subject(&subject);
}

/* Copied by several threads. */
PS_TEST(misses_none_of_many) {
    need_processes();
    begin(SHOP, "crowd");
    const char *const text = look(NULL);
    check_contains(text, ": Coir 0.1.0, 20,006 tasks");
    check_in_order(text, "task 6 'doze': sleeps until ", "and 19,999 tasks as this one");
    check_int(occurrences(text, " 'doze': "), 1);
    check(strstr(text, "destroyed") == NULL && strstr(text, "cannot be told") == NULL);
    end_subject(&subject);
}

/* Again and again, on one that would notice. */
PS_TEST(does_not_disturb) {
    need_processes();
    begin("tests/subjects/busy", "run");
    for (int i = 0; i < 30; i++) {
        const char *const text = look("-n");
        check_contains(text, ": Coir 0.1.0, 4 tasks");
        check(strstr(text, "destroyed") == NULL);
    }
    int status = -1;
    check_int(kill(subject.pid, SIGTERM), 0);
    check_int(waitpid(subject.pid, &status, 0), subject.pid);
    check_int(status, 0);
}

/* ---- Programs of all kinds ---- */

/* Runs a shell command with the two paths as $1 and $2. */
static void shell(const char *command, const char *first, const char *second) {
    const program_result *const result =
        run_program((const char *const[]){"/bin/sh", "-c", command, "sh", first, second, NULL});
    cr_assert(result->status == 0, "%s: %s", command, result->err);
}

/* Functions have no names, all else is there. */
static void check_stripped(void) {
    const char *const text = look(NULL);
    check_in_order(text, SUBJECT, SHOP_LINES);
    check_in_order(text, "task 2 'customer'", "+0x", "task 5 'manager'");
    end_subject(&subject);
}

PS_TEST(reads_a_stripped_program) {
    need_coir_ps();
    need_program("strip");
    shell("${STRIP:-strip} -o \"$2\" \"$1\"", built("tests/subjects/shop"), scratch("shop"));
    begin(scratch("shop"), NULL);
    check_stripped();
}

PS_TEST(reads_a_program_with_the_shared_library) {
    begin("tests/subjects/shop-shared", NULL);
    const char *const text = look(NULL);
    check_in_order(text, SUBJECT, SHOP_LINES);
    check_in_order(text, FUNCTIONS);
    check_in_order(text, GROUP);
    end_subject(&subject);
}

PS_TEST(reads_a_stripped_shared_library) {
    need_coir_ps();
    need_program("strip");
    if (with_sanitizer())
        skip_test("a sanitizer's library is looked for elsewhere");
    shell("${STRIP:-strip} -o \"$2\" \"$1\"", built("libcoir.so"), scratch("libcoir.so.0"));
    shell("${STRIP:-strip} -o \"$2\" \"$1\"", built("tests/subjects/shop-shared"), scratch("shop"));
    const char *const shop = scratch("shop"), *const others = getenv("LD_LIBRARY_PATH");
    char folders[4096];
    snprintf(folders, sizeof folders, "%.*s:%s", (int)(strrchr(shop, '/') - shop), shop,
             others != NULL ? others : "");
    setenv("LD_LIBRARY_PATH", folders, 1);
    begin(shop, NULL);
    check_stripped();
}

/* As after an upgrade, while the old one runs on. */
PS_TEST(names_functions_of_a_program_that_was_deleted) {
    need_processes();
    shell("cp \"$1\" \"$2\"", built("tests/subjects/shop"), scratch("shop"));
    begin(scratch("shop"), NULL);
    check_int(unlink(scratch("shop")), 0);
    check_in_order(look(NULL), FUNCTIONS);
    end_subject(&subject);
}

/* ---- Core files ---- */

/* Where it was, which the emulator's core files do not tell. */
static const char *program_untold(void) {
    return emulated() ? program : NULL;
}

/* Of the subject, which is ended. */
static const char *take_core(void) {
    if (emulated())
        return subject_core(&subject);
    need_program("gdb");
    if (with_sanitizer())
        skip_test("a sanitizer's shadow makes core files of terabytes");
    const char *const core = scratch("core");
    char command[300];
    snprintf(command, sizeof command, "coir gcore %s", core);
    const program_result *const result = run_program((const char *const[]){
        "/usr/bin/env", "gdb", "-nx", "-batch", "-iex", "set auto-load safe-path /", "-p",
        subject.number, "-ex", command, NULL});
    if (strstr(result->out, "Saved corefile") == NULL)
        skip_test("gdb cannot write a core file here");
    end_subject(&subject);
    return core;
}

PS_TEST(lists_the_tasks_of_a_core_file) {
    begin(SHOP, NULL);
    const char *const core = take_core();
    const char *const text = listing(core, program_untold(), NULL);
    check_in_order(text, "core file ", SHOP_LINES);
    check_in_order(text, FUNCTIONS);
    check_in_order(text, GROUP);
    check_json(listing("-j", core, program_untold()));
}

PS_TEST(shows_the_running_task_of_a_core_file) {
    begin(SHOP, "run");
    check_in_order(listing(take_core(), program_untold(), NULL),
                   "task 1 'main': running, deadline in ", "\n        compute",
                   "\n        open_shop", "\n        coir__entry");
}

PS_TEST(takes_the_program_from_where_it_is_now) {
    need_coir_ps();
    shell("cp \"$1\" \"$2\"", built("tests/subjects/shop"), scratch("shop"));
    begin(scratch("shop"), NULL);
    const char *const core = take_core();
    check_int(unlink(scratch("shop")), 0);
    const program_result *const result = ps(core, NULL, NULL);
    check_int(result->status, 0);
    check_contains(result->err, "functions are without names");
    check_in_order(result->out, ": Coir 0.1.0, 10 tasks", "task 2 'customer'");
    check_in_order(listing(core, built("tests/subjects/shop"), NULL), FUNCTIONS);
}

PS_TEST(shows_what_is_left_of_a_core_file) {
    begin(SHOP, NULL);
    const char *const core = take_core();
    struct stat info;
    check_int(stat(core, &info), 0);
    for (off_t size = info.st_size / 2; size > 4096; size /= 2) {
        check_int(truncate(core, size), 0);
        const program_result *const result = ps(core, NULL, NULL);
        check(WIFEXITED(result->status));
        check_contains(result->err, "is cut short: it has ");
    }
}

/* ---- Nothing to show ---- */

PS_TEST(says_that_there_is_no_such_process) {
    need_coir_ps();
    const pid_t child = fork();
    if (child == 0)
        _exit(0);
    check_int(waitpid(child, NULL, 0), child);
    char number[16];
    snprintf(number, sizeof number, "%d", (int)child);
    check_refusal(ps(number, NULL, NULL), "there is no process ");
}

PS_TEST(says_that_no_coir_is_inside) {
    need_processes();
    need_program("sleep");
    const pid_t child = fork();
    if (child == 0) {
        execlp("sleep", "sleep", "100", (char *)NULL);
        _exit(127);
    }
    char number[16];
    snprintf(number, sizeof number, "%d", (int)child);
    struct timespec pause = {.tv_nsec = 1000000};
    const program_result *result;
    do { /* until it is that program */
        nanosleep(&pause, NULL);
        result = ps(number, NULL, NULL);
    } while (strstr(result->err, "no Coir runs") != NULL);
    check_refusal(result, "there is no Coir in process ");
    check_int(kill(child, SIGKILL), 0);
    check_int(waitpid(child, NULL, 0), child);
}

PS_TEST(says_that_no_runtime_runs) {
    need_processes();
    char number[16];
    snprintf(number, sizeof number, "%d", (int)getpid());
    const program_result *const result = ps(number, NULL, NULL);
    if (strstr(result->err, "may not be looked into") != NULL)
        skip_test("this system does not let a process look into its parent");
    check_refusal(result, "no Coir runs in process ");
}

PS_TEST(says_what_it_takes_to_be_permitted) {
    need_processes();
    begin(SHOP, NULL);
    const program_result *result = NULL;
    if (geteuid() != 0) {
        result = run_program((const char *const[]){"coir-ps", "1", NULL});
    } else {
        need_program("setpriv");
        char command[4200];
        snprintf(command, sizeof command, "%s/coir-ps", COIR_BUILD_DIR);
        result =
            run_program((const char *const[]){"/usr/bin/env", "setpriv", "--reuid=65534",
                                              "--clear-groups", command, subject.number, NULL});
        if (WEXITSTATUS(result->status) >= 126)
            skip_test("another user may not run what is built here");
    }
    check_refusal(result, "may not be looked into");
    check_contains(result->err, "sudo coir-ps ");
    end_subject(&subject);
}

PS_TEST(says_that_a_debugger_holds_it) {
    need_processes();
    begin(SHOP, NULL);
    (void)look(NULL);
    if (ptrace(PTRACE_SEIZE, subject.pid, NULL, NULL) != 0)
        skip_test("this system does not let one process trace another");
    check_refusal(ps(subject.number, NULL, NULL), "a debugger");
    check_int(kill(subject.pid, SIGKILL), 0);
}

PS_TEST(refuses_another_layout) {
    need_coir_ps();
    begin(shop_with_another_layout(), NULL);
    check_refusal(ps_subject(NULL), "runs Coir 0.1.0, and this is the coir-ps of ");
    end_subject(&subject);
}

static void write_scratch(const char *path, const void *content, size_t size_bytes) {
    FILE *const file = fopen(path, "w");
    check(file != NULL);
    check_int(fwrite(content, 1, size_bytes, file), size_bytes);
    check_int(fclose(file), 0);
}

PS_TEST(says_what_a_file_is_if_not_a_core_file) {
    need_coir_ps();
    const char *const path = scratch("file");
    check_refusal(ps(built("coir-ps"), NULL, NULL), "is a program or library, not a core file");
    check_refusal(ps("/nothing/here", NULL, NULL), "cannot be opened: No such file");
    write_scratch(path, "some text", 9);
    check_refusal(ps(path, NULL, NULL), "is neither a process nor a core file\n");
    write_scratch(path, "\x1f\x8b\x08\x00\x00\x00", 6);
    check_refusal(ps(path, NULL, NULL), "it is compressed");
    unsigned char header[64] = {0x7f, 'E', 'L', 'F', 1 /* 32-bit */, 1, 1};
    header[16] = 4; /* a core file */
    header[18] = 3; /* i386 */
    write_scratch(path, header, sizeof header);
    check_refusal(ps(path, NULL, NULL), "32-bit");
    header[4] = 2;
    header[18] = 243; /* RISC-V */
    write_scratch(path, header, sizeof header);
    check_refusal(ps(path, NULL, NULL), "another kind of machine (ELF number 243)");
}

PS_TEST(explains_its_use) {
    need_coir_ps();
    const program_result *result = ps(NULL, NULL, NULL);
    check_int(WEXITSTATUS(result->status), 2);
    check_contains(result->err, "usage: coir-ps ");
    result = ps("--nonsense", "1", NULL);
    check_int(WEXITSTATUS(result->status), 2);
    check_contains(listing("--help", NULL, NULL), "usage: coir-ps ");
    check_str(listing("--version", NULL, NULL), "coir-ps 0.1.0\n");
}
