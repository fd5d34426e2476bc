/* The listing as JSON: valid whatever things are called, and complete. Where Python is installed it
 * reads it too. */
#include "debug/dumps.h"

#include <locale.h>
#include <stdio.h>
#include <unistd.h>

SUITE(debug_json);

/* ---- A reader that knows the grammar ---- */

static const char *value(const char *at, int depth);

static const char *space(const char *at) {
    return at + strspn(at, " \t\r\n");
}

static const char *string(const char *at) {
    if (*at++ != '"')
        return NULL;
    while (*at != '"') {
        if ((unsigned char)*at < ' ')
            return NULL;
        if (*at == '\\') {
            if (at[1] == 'u' && strspn(at + 2, "0123456789abcdefABCDEF") < 4)
                return NULL;
            if (at[1] == '\0' || strchr("\"\\/bfnrtu", at[1]) == NULL)
                return NULL;
            at++;
        }
        at++;
    }
    return at + 1;
}

static const char *number(const char *at) {
    const char *const digits = at + (*at == '-');
    const size_t count = strspn(digits, "0123456789");
    return count > 0 && (count == 1 || *digits != '0') ? digits + count : NULL;
}

/* An array, or, with names, an object. */
static const char *members(const char *at, bool named, char end, int depth) {
    at = space(at + 1);
    if (*at == end)
        return at + 1;
    for (;;) {
        if (named) {
            at = string(at);
            if (at == NULL || *space(at) != ':')
                return NULL;
            at = space(at) + 1;
        }
        at = value(space(at), depth + 1);
        if (at == NULL)
            return NULL;
        at = space(at);
        if (*at != ',')
            return *at == end ? at + 1 : NULL;
        at = space(at + 1);
    }
}

static const char *literal(const char *at) {
    static const char *const literals[] = {"true", "false", "null"};
    for (size_t i = 0; i < COUNT_OF(literals); i++)
        if (strncmp(at, literals[i], strlen(literals[i])) == 0)
            return at + strlen(literals[i]);
    return number(at);
}

/* Behind the value that begins here; NULL if none does. */
static const char *value(const char *at, int depth) {
    if (depth > 8)
        return NULL;
    if (*at == '{')
        return members(at, true, '}', depth);
    if (*at == '[')
        return members(at, false, ']', depth);
    return *at == '"' ? string(at) : literal(at);
}

static bool is_utf8(const char *text) {
    const size_t length = mbstowcs(NULL, text, 0);
    return length != (size_t)-1;
}

void check_json(const char *text) {
    const char *const end = value(space(text), 0);
    cr_assert(end != NULL && *space(end) == '\0', "no valid JSON:\n%s", text);
}

Test(debug_json, the_reader_of_these_tests_tells_good_from_bad) {
    check(value("{\"a\": [1, -2, \"\\u00e9\\n\"], \"b\": {}, \"c\": null}", 0) != NULL);
    const char *const bad[] = {"{\"a\" 1}", "[1,]", "[1 2]",     "\"\n\"", "\"\\x\"",  "{1: 2}",
                               "01",        "[",    "\"\\u12\"", "tru",    "{\"a\": }"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        const char *const end = value(bad[i], 0);
        cr_assert(end == NULL || *end != '\0', "taken for valid: %s", bad[i]);
    }
}

/* ---- What is written ---- */

TASK_TEST(debug_json, any_name_makes_a_valid_string) {
    check(setlocale(LC_CTYPE, "C.UTF-8") != NULL);
    static const char *const names[] = {"plain",
                                        "\"quoted\"",
                                        "back\\slash",
                                        "new\nline\ttab\x01\x7f",
                                        "h\xc3\xa9",
                                        "cut \xe2\x82",
                                        "wrong \xff\xfe\x80",
                                        "long form \xc0\xaf",
                                        "surrogate \xed\xa0\x80",
                                        "high \xf4\x90\x80\x80",
                                        "smile \xf0\x9f\x98\x80"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        COIR_SCOPE(s, .name = names[i]);
        (void)spawn_waiting(&s, names[i], sleep_for_ever, NULL);
        const char *const text = dump_as(.format = COIR_DUMP_JSON);
        check_json(text);
        check(is_utf8(text));
        end_scope(&s);
    }
    COIR_SCOPE(s);
    (void)spawn_waiting(&s, "say \"h\xc3\xa9\"\n\xff", sleep_for_ever, NULL);
    check_contains(dump_as(.format = COIR_DUMP_JSON),
                   "\"name\": \"say \\\"h\xc3\xa9\\\"\\u000a\\ufffd\"");
    end_scope(&s);
    return 0;
}

static int sleep_in_a_scope(UNUSED void *arg) {
    COIR_SCOPE(s, .name = "attempt", .deadline = coir_after(COIR_MS(1200)), .shield = true);
    return coir_scope_close(&s, coir_sleep(COIR_NEVER));
}

TASK_TEST(debug_json, says_of_scopes_and_tasks_what_there_is_to_say) {
    COIR_SCOPE(s, .name = "work");
    check_rc(coir_spawn(&s, sleep_in_a_scope, NULL), 0);
    check_rc(coir_sleep(COIR_MS(700)), 0);
    check_rc(coir_spawn(&s, sleep_in_a_scope, NULL), 0);
    const char *const text = dump_as(.format = COIR_DUMP_JSON);
    check_json(text);
    check_contains(text, "\"tasks_alive\": 3, \"grouped\": false");
    check_contains(text, "\"name\": \"work\", \"owner\": 1, \"outer\": null, \"tasks\": 2, "
                         "\"cancelled\": false, \"expired\": false, \"shielded\": false, "
                         "\"deadline_in_ns\": null}");
    check_contains(text, "\"name\": \"attempt\", \"owner\": 2, \"outer\": null, \"tasks\": 0, "
                         "\"cancelled\": false, \"expired\": false, \"shielded\": true, "
                         "\"deadline_in_ns\": 500000000}");
    check_contains(text, "{\"number\": 1, \"name\": \"main\", ");
    check_contains(text, "\"state\": \"running\", \"waits_for\": null, ");
    check_contains(text, "{\"number\": 2, \"name\": null, \"entry\": \"sleep_in_a_scope\", ");
    check_contains(text, "\"state\": \"waiting\", \"waits_for\": \"sleep for ever\", \"object\": "
                         "null, \"fd\": null, \"waited_ns\": 700000000, \"cancelled\": false, "
                         "\"deadline_in_ns\": 500000000, ");
    check_contains(text, "\"state\": \"new\"");
    check_contains(text, "\"backtrace\": [\"0x");
    check_contains(text, "\"function\": \"coir__entry\"");
    check_contains(text, "\"cut_short\": false");
    end_scope(&s);
    return 0;
}

TASK_TEST(debug_json, lists_each_task_unless_groups_are_asked_for) {
    COIR_SCOPE(s);
    for (int i = 0; i < 100; i++)
        check_rc(coir_spawn(&s, sleep_for_ever, NULL), 0);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    const char *text = dump_as(.format = COIR_DUMP_JSON);
    check_json(text);
    check_int(occurrences(text, "\"number\": "), 101);
    check(strstr(text, "\"count\"") == NULL);

    text = dump_as(.format = COIR_DUMP_JSON, .grouping = COIR_GROUPING_ALIKE);
    check_json(text);
    check_int(occurrences(text, "\"number\": "), 2);
    check_contains(text, "\"count\": 1, \"others\": []}");
    check_contains(text, "\"count\": 100, \"others\": [3, 4, 5]}");

    text = dump_as(.format = COIR_DUMP_JSON, .tasks_max = 7, .no_backtraces = true);
    check_json(text);
    check_int(occurrences(text, "\"number\": "), 7);
    check_contains(text, "\"cut_short\": true");
    check(strstr(text, "\"backtrace\"") == NULL);
    end_scope(&s);
    return 0;
}

/* ---- Read by others ---- */

#define SCRIPT                                                                                     \
    "import json, sys\n"                                                                           \
    "d = json.load(open(sys.argv[1], 'rb'))\n"                                                     \
    "tasks = {t['number']: t for t in d['tasks']}\n"                                               \
    "scopes = {s['id']: s for s in d['scopes']}\n"                                                 \
    "assert len(tasks) == d['tasks_alive'] == 302, len(tasks)\n"                                   \
    "assert all(t['scope'] in scopes for t in tasks.values())\n"                                   \
    "assert all(s['owner'] is None or s['owner'] in tasks for s in scopes.values())\n"             \
    "assert sum(s['tasks'] for s in scopes.values()) == 302\n"                                     \
    "assert all(a in d['symbols'] for t in tasks.values() for a in t['backtrace'])\n"              \
    "assert all(d['symbols'][t['backtrace'][-1]]['function'] == 'coir__entry'\n"                   \
    "           for t in tasks.values())\n"                                                        \
    "assert tasks[2]['name'] == '\"\\n\\ufffd', tasks[2]['name']\n"                                \
    "print('read it')\n"

TASK_TEST(debug_json, python_reads_it) {
    if (run_program((const char *const[]){"/usr/bin/env", "python3", "-c", "", NULL})->status != 0)
        skip_test("there is no Python 3 to read it");
    char path[] = "/tmp/coir-json-XXXXXX";
    const int fd = mkstemp(path);
    check(fd >= 0);
    FILE *const file = fdopen(fd, "w");
    check(file != NULL);
    COIR_SCOPE(s);
    (void)spawn_waiting(&s, "\"\n\xff", sleep_for_ever, NULL);
    for (int i = 0; i < 300; i++)
        check_rc(coir_spawn(&s, i % 2 == 0 ? sleep_for_ever : sleep_in_a_scope, NULL), 0);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    check_int(coir_dump_with(file, &(const coir_dump_options){.format = COIR_DUMP_JSON}), 302);
    check_int(fclose(file), 0);
    const program_result *const result =
        run_program((const char *const[]){"/usr/bin/env", "python3", "-c", SCRIPT, path, NULL});
    check_int(unlink(path), 0);
    cr_assert(strcmp(result->out, "read it\n") == 0, "python3 says: %s", result->err);
    end_scope(&s);
    return 0;
}
