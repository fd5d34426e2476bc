/* What the tests of listings share; dumps.h says what each function is for. */
#include "debug/dumps.h"

#include <stdarg.h>
#include <stdio.h>

const char *dump_with(const coir_dump_options *options) {
    static char *text;
    static size_t size_bytes;
    coir_stats stats;
    free(text);
    FILE *const file = open_memstream(&text, &size_bytes);
    check(file != NULL);
    check_rc(coir_stats_get(&stats), 0);
    check_int(coir_dump_with(file, options), stats.tasks_alive);
    check_int(fclose(file), 0);
    return text;
}

const char *dump(void) {
    return dump_with(NULL);
}

coir_task spawn_waiting(coir_scope *scope, const char *name, coir_fn fn, void *arg) {
    coir_task task;
    check_rc(
        coir_spawn_with(scope, fn, arg, &(const coir_spawn_options){.name = name, .task = &task}),
        0);
    check_rc(coir_sleep(1), 0);
    return task;
}

void end_scope(coir_scope *scope) {
    coir_scope_cancel(scope);
    (void)coir_scope_close(scope, 0);
}

const char *words(const char *format, ...) {
    static char texts[4][512];
    static unsigned next;
    char *const text = texts[next++ % COUNT_OF(texts)];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof texts[0], format, arguments);
    va_end(arguments);
    return text;
}

const char *line_of(const char *text, const char *beginning) {
    static char lines[4][1024];
    static unsigned next;
    const size_t length = strlen(beginning);
    for (const char *at = text; *at != '\0';) {
        const char *const line = at + strspn(at, " ");
        const size_t size = strcspn(line, "\n");
        if (strncmp(line, beginning, length) == 0) {
            char *const out = lines[next++ % COUNT_OF(lines)];
            snprintf(out, sizeof lines[0], "%.*s", (int)size, line);
            return out;
        }
        at = line + size + (line[size] == '\n');
    }
    cr_assert(false, "no line begins with \"%s\" in:\n%s\n%s", beginning, text, run_label());
    return "";
}
