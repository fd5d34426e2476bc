/* The commands for gdb, in batch mode, on a live process and on a core file. The script comes from
 * the program itself, as users have it. */
#include "debug/subject.h"

#include <stdio.h>
#include <unistd.h>

SUITE(debug_gdb);

enum { COMMANDS_MAX = 12 };

/* The one here, or the one for all machines, with the libraries that the emulator takes. */
static const char *gdb_name(void) {
    return emulated() ? "gdb-multiarch" : "gdb";
}

/* Runs gdb on `target`, as its last arguments: "-p", PID or PROGRAM, CORE. All that it says. */
static const char *gdb(const char *const target[2], const char *const commands[]) {
    const char *argv[12 + 2 * COMMANDS_MAX] = {
        "/bin/sh",
        "-c",
        ("LC_ALL=C exec \"$0\" -nx -batch -iex \"set sysroot "
         "${QEMU_LD_PREFIX-target:}\" \"$@\" 2>&1"),
        gdb_name(),
        "-iex",
        "set auto-load safe-path /",
        target[0],
        target[1] != NULL ? target[1] : "-nx"};
    for (size_t i = 0; commands[i] != NULL; i++) {
        check(i < COMMANDS_MAX);
        argv[8 + 2 * i] = "-ex";
        argv[9 + 2 * i] = commands[i];
    }
    const char *const text = run_program(argv)->out;
    if (strstr(text, "Operation not permitted") != NULL)
        skip_test("this system does not let one process look into another");
    check(strstr(text, "Python Exception") == NULL);
    return text;
}
/* The base frame: coir__entry, which gdb may print as coir.entry, taking such a name for one of
 * Ada's where no debug information says what it is. */
#define BASE "entry ("

#define GDB(first, second, ...)                                                                    \
    gdb((const char *const[]){first, second}, (const char *const[]){__VA_ARGS__, NULL})

static const char *shop(void) {
    static char path[4096];
    snprintf(path, sizeof path, "%s/tests/subjects/shop", COIR_BUILD_DIR);
    return path;
}

static struct subject subject;
static const char *program; /* that it runs */

/* On the subject. */
#define LOOK(...) look((const char *const[]){__VA_ARGS__, NULL})
static const char *look(const char *const commands[]) {
    return emulated() ? gdb((const char *const[]){program, subject_core(&subject)}, commands)
                      : gdb((const char *const[]){"-p", subject.number}, commands);
}

static void begin_with(const char *path, const char *how) {
    if (on_valgrind())
        skip_test("gdb would see Valgrind, not the program");
    need_program(gdb_name());
    const program_result *const result = run_program((const char *const[]){
        "/usr/bin/env", gdb_name(), "-nx", "-batch", "-ex", "python print('it', 'has')", NULL});
    if (strstr(result->out, "it has") == NULL)
        skip_test("the gdb here has no Python: the commands are written in it");
    program = path;
    start_subject(&subject, path, how);
}

static void begin(const char *how) {
    begin_with(shop(), how);
}

/* How long it has been so is known of a process, not of a core file. */
#define TILL                                                                                       \
    (emulated() ? "task 3 'till': sleeps for ever\n" : "task 3 'till': sleeps for ever, for ")

#define GDB_TEST(name) Test(debug_gdb, name, .fini = remove_scratch)

#define PS_LINES                                                                                   \
    "Id  Task ", "State ", "In\n", "1  'main' ", "waits for close of scope 'shop'",                \
        "scope 'main'\n", "2  'customer' ", "waits for read on fd ", "scope 'shop'\n",             \
        "3  'till' ", "sleeps", "4  'assistant' ", "waits for mutex 0x", " held by task 3 'till'", \
        "5  'manager' ", "waits for close of scope 0x", "10  'apprentice' ",                       \
        "waits for join of task 3 'till'", "6  'doze' ", "7  'doze' ", "8  'doze' ", "9  'doze' ", \
        "sleeps", "scope 'shop'\n"

GDB_TEST(lists_the_tasks_of_a_process) {
    begin(NULL);
    const char *const text = LOOK("coir ps");
    check_in_order(text, PS_LINES);
    check_int(occurrences(text, "'doze'"), 4);
    end_subject(&subject);
}

GDB_TEST(shows_the_tree) {
    begin(NULL);
    const char *const text = LOOK("coir tree");
    check_in_order(
        text, "runtime 1, thread ", "\n  scope 'main': 1 task",
        "\n    task 1 'main': ", "\n      scope 'shop': 8 tasks",
        "\n        task 2 'customer': ", "\n        task 5 'manager': ", "\n          scope 0x",
        ": 1 task, shielded", "\n            task 10 'apprentice': ", "\n        task 6 'doze': ",
        "\n        task 9 'doze': ");
    end_subject(&subject);
}

static void check_customer(const char *text) {
    check_in_order(text, "task 2 'customer': waits for read on fd ", "\n#1 ", " coir_read (",
                   " ask (", " customer (", BASE, "spawned by open_shop");
    check(strstr(text, "corrupt") == NULL);
    if (strstr(text, "shop.c:") != NULL) /* built with debug information */
        check_in_order(text, " ask (fd=", "question=42)",
                       with_sanitizer() ? "customer (" : "customer (arg=0x");
}

GDB_TEST(shows_the_frames_of_a_parked_task_with_their_arguments) {
    begin(NULL);
    check_customer(LOOK("coir bt 2"));
    check_customer(LOOK("coir bt customer"));
    end_subject(&subject);
}

GDB_TEST(selects_a_task_and_leaves_it) {
    begin(NULL);
    const char *const text =
        LOOK("bt", "coir task till", "echo <<\\n", "bt", "echo >>\\n", "frame function till",
             "coir bt customer", "echo still\\n", "frame", "coir thread", "echo left\\n", "bt");
    check_in_order(text, " main (", TILL, "<<\n", "#1 ", " sleep_to (", " till (", BASE, ">>\n",
                   " till (", "task 2 'customer'", "still\n", " till (", "left\n", "#0 ",
                   " main (");
    end_subject(&subject);
}

GDB_TEST(shows_the_running_task_and_one_that_has_not_begun) {
    begin("run");
    const char *const text = LOOK("coir ps", "coir bt", "coir bt 11", "coir bt till");
    check_in_order(text, "\n*  1  'main' ", "running ", "11  'late?' ", "ready, not begun ",
                   "task 1 'main': running\n", "#0 ", " compute (", " open_shop (", BASE,
                   "task 11 'late?': ready, not begun\n", "#1  it will begin with late\n",
                   "spawned by open_shop", TILL, " till (");
    end_subject(&subject);
}

GDB_TEST(shows_equal_backtraces_once) {
    begin(NULL);
    const char *const text = LOOK("coir bt all");
    check_in_order(text, "task 1 'main'", " close_waiting (", " open_shop (", "task 2 'customer'",
                   "task 4 'assistant'", " assistant (", "task 6 'doze'", "and 3 tasks as this one",
                   " sleep_to (", " doze (");
    check_int(occurrences(text, " doze ("), 1);
    end_subject(&subject);
}

GDB_TEST(asks_for_the_frames_of_equal_tasks_once) {
    begin(NULL);
    const char *const text =
        LOOK("python walked, walk = [], CoirBt.walk",
             "python CoirBt.walk = lambda self, task: walked.append(task.name) or walk(self, task)",
             "coir bt all", "python print('asked for: ' + ' '.join(walked))");
    check_contains(text, "and 3 tasks as this one");
    const char *const asked = strstr(text, "asked for: ");
    check(asked != NULL);
    check_contains(asked, " assistant");
    check_int(occurrences(asked, "doze"), 1);
    end_subject(&subject);
}

GDB_TEST(says_durations_as_the_library_does) {
    begin(NULL);
    check_in_order(
        LOOK("python print([coir_duration(n) for n in (7, 2500, 30 * 10**6, 9990 * 10**6,"
             " 100 * 10**9, 3 * 3600 * 10**9 + 1, 90000 * 10**9)])"),
        "'7 ns', '2.5 us', '30 ms', '9.9 s', '1 min 40 s', '3 h 0 min', '1 d 1 h'");
    end_subject(&subject);
}

GDB_TEST(tells_the_runtimes_of_two_threads_apart) {
    begin("threads");
    const char *const text = LOOK("coir ps", "coir bt 2.3", "coir bt 3");
    check_in_order(text, "runtime 1, thread ", "1  'main' ", "runtime 2, thread ", "1  'main' ",
                   "task 3 'till'", " till (", "Several tasks go by 3; choose by number: 1.3, 2.3");
    end_subject(&subject);
}

GDB_TEST(reads_a_core_file) {
    if (with_sanitizer())
        skip_test("a sanitizer's shadow makes core files of terabytes");
    begin(NULL);
    char write_core[300];
    const char *core = scratch("core");
    snprintf(write_core, sizeof write_core, "coir gcore %s", core);
    if (emulated())
        core = subject_core(&subject);
    else
        check_contains(LOOK(write_core), "Saved corefile ");
    end_subject(&subject);
    check_in_order(GDB(shop(), core, "coir ps"), PS_LINES);
    check_customer(GDB(shop(), core, "coir bt 2"));
    check_in_order(GDB(shop(), core, "coir task till", "bt"), "task 3 'till'", "#1 ", " till (",
                   BASE);
}

GDB_TEST(refuses_another_layout) {
    begin_with(shop_with_another_layout(), NULL);
    check_contains(LOOK("coir ps"),
                   "lays out its memory in another way (99) than these commands know (1): "
                   "load the gdb.py of that release.");
    end_subject(&subject);
}

GDB_TEST(says_what_is_wrong) {
    begin(NULL);
    const char *text = LOOK("coir bt 77", "coir task", "coir nonsense");
    check_contains(text, "There is no task 77: `coir ps` lists them.");
    check_contains(text, "Which task?");
    check_contains(text, "nonsense");
    end_subject(&subject);
    check_contains(GDB(shop(), NULL, "coir ps"),
                   "There is no process and no core file to look into.");
    if (!emulated()) /* by which gdb can start nothing */
        check_contains(GDB(shop(), NULL, "break main", "run", "coir ps"),
                       "No Coir runtime runs here: no thread is inside coir_run.");
    check_contains(GDB(shop(), NULL, "coir help"), "coir bt all");
}
