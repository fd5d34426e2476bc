/* The program that tools are tested on; see subject.h. */
#include "debug/subject.h"

#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

void start_subject(struct subject *subject, const char *program, const char *how) {
    const bool elsewhere = program != NULL && program[0] == '/';
    char path[4096], line[64];
    int ends[2];
    snprintf(path, sizeof path, "%s%s", elsewhere ? "" : COIR_BUILD_DIR "/",
             program != NULL ? program : "tests/subjects/shop");
    check_int(pipe(ends), 0);
    fflush(NULL);
    subject->pid = fork();
    check(subject->pid >= 0);
    if (subject->pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execl(path, path, how, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    FILE *const said = fdopen(ends[0], "r");
    for (int runtimes = how != NULL && strcmp(how, "threads") == 0 ? 2 : 1; runtimes > 0;
         runtimes--)
        cr_assert(fgets(line, sizeof line, said) != NULL && strcmp(line, "ready\n") == 0,
                  "%s does not say that it is ready", path);
    fclose(said);
    snprintf(subject->number, sizeof subject->number, "%d", (int)subject->pid);
}

void end_subject(struct subject *subject) {
    int status;
    check_int(waitpid(subject->pid, &status, WNOHANG), 0);
    check_int(kill(subject->pid, SIGKILL), 0);
    check_int(waitpid(subject->pid, &status, 0), subject->pid);
}

void need_program(const char *name) {
    char command[128];
    snprintf(command, sizeof command, "command -v %s", name);
    if (run_program((const char *const[]){"/bin/sh", "-c", command, NULL})->status == 0)
        return;
    char reason[128];
    snprintf(reason, sizeof reason, "%s is not installed: what it would show is not looked at",
             name);
    skip_test(reason);
}

/* ---- Files ---- */

static char folder[64];

const char *scratch(const char *name) {
    static char paths[4][256];
    static unsigned next;
    if (folder[0] == '\0') {
        snprintf(folder, sizeof folder, "/tmp/coir-debug-XXXXXX");
        check(mkdtemp(folder) != NULL);
    }
    char *const path = paths[next++ % COUNT_OF(paths)];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static int remove_one(const char *path, UNUSED const struct stat *info, UNUSED int kind,
                      UNUSED struct FTW *where) {
    return remove(path);
}

void remove_scratch(void) {
    if (folder[0] != '\0')
        (void)nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    folder[0] = '\0';
}

/* ---- Texts ---- */

void check_texts_in_order(const char *text, const char *const parts[]) {
    const char *at = text;
    for (size_t i = 0; parts[i] != NULL; i++) {
        at = strstr(at, parts[i]);
        cr_assert(at != NULL, "no \"%s\" %s%s%s in:\n%s", parts[i], i > 0 ? "after \"" : "",
                  i > 0 ? parts[i - 1] : "", i > 0 ? "\"" : "", text);
        at += strlen(parts[i]);
    }
}
