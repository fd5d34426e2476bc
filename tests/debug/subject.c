/* The program that tools are tested on; see subject.h. */
#include "debug/subject.h"

#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CORE_SIZE_MAX (64 << 20)

static char folder[64];

static const char *scratch_folder(void) {
    if (folder[0] == '\0') {
        snprintf(folder, sizeof folder, "/tmp/coir-debug-XXXXXX");
        check(mkdtemp(folder) != NULL);
    }
    return folder;
}

/* In the child, for subject_core. Room for its core file, but not for one of the emulator itself.
 */
static void prepare_core(void) {
    const struct rlimit limit = {CORE_SIZE_MAX, CORE_SIZE_MAX};
    if (chdir(folder) != 0 || setrlimit(RLIMIT_CORE, &limit) != 0)
        _exit(126);
}

/* Whether all of its threads sleep, or the system does not tell. */
static bool sleeps(pid_t pid) {
    char pattern[64];
    glob_t threads;
    bool asleep = true;
    snprintf(pattern, sizeof pattern, "/proc/%d/task/*/stat", (int)pid);
    if (glob(pattern, 0, NULL, &threads) != 0)
        return true;
    for (size_t i = 0; i < threads.gl_pathc; i++) {
        char state = 'S';
        FILE *const file = fopen(threads.gl_pathv[i], "r");
        if (file == NULL)
            continue;
        check(fscanf(file, "%*d (%*[^)]) %c", &state) != 0);
        fclose(file);
        asleep &= state == 'S';
    }
    globfree(&threads);
    return asleep;
}

void start_subject(struct subject *subject, const char *program, const char *how) {
    const bool elsewhere = program != NULL && program[0] == '/';
    char path[4096], line[64];
    int ends[2];
    subject->core[0] = '\0';
    snprintf(path, sizeof path, "%s%s", elsewhere ? "" : COIR_BUILD_DIR "/",
             program != NULL ? program : "tests/subjects/shop");
    check_int(pipe(ends), 0);
    if (emulated())
        (void)scratch_folder();
    fflush(NULL);
    subject->pid = fork();
    check(subject->pid >= 0);
    if (subject->pid == 0) {
        if (emulated())
            prepare_core();
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
    while ((how == NULL || strcmp(how, "run") != 0) && !sleeps(subject->pid))
        usleep(1000); /* it is about to */
    snprintf(subject->number, sizeof subject->number, "%d", (int)subject->pid);
}

/* Where the program's own file tells what is in memory, qemu leaves that out of the core file, but
 * says that it has been there: gdb and libdw take it for zeros then, instead of from the file. */
static void forget_what_is_left_out(const char *core) {
    struct { /* of the ELF header, for 64 bits: not every system has <elf.h> */
        unsigned char identity[32];
        uint64_t segments_at;
        unsigned char more[16];
        uint16_t segments_count, last[3];
    } header;
    struct {
        uint32_t type, flags;
        uint64_t offset, address, unused, size_in_file, size_in_memory, alignment;
    } segment;
    const int fd = open(core, O_RDWR);
    check(fd >= 0);
    check_int(pread(fd, &header, sizeof header, 0), sizeof header);
    check_int(memcmp(header.identity, "\177ELF", 4), 0);
    for (unsigned i = 0; i < header.segments_count; i++) {
        const off_t at = (off_t)(header.segments_at + i * sizeof segment);
        check_int(pread(fd, &segment, sizeof segment, at), sizeof segment);
        if (segment.size_in_file == 0)
            segment.size_in_memory = 0;
        check_int(pwrite(fd, &segment, sizeof segment, at), sizeof segment);
    }
    close(fd);
}

const char *subject_core(struct subject *subject) {
    char pattern[300];
    glob_t found;
    if (subject->core[0] != '\0')
        return subject->core;
    check_int(kill(subject->pid, SIGTRAP), 0);
    check_int(waitpid(subject->pid, NULL, 0), subject->pid);
    snprintf(pattern, sizeof pattern, "%s/qemu_*_%s.core", scratch_folder(), subject->number);
    cr_assert(glob(pattern, 0, NULL, &found) == 0, "there is no %s", pattern);
    snprintf(subject->core, sizeof subject->core, "%s", found.gl_pathv[0]);
    globfree(&found);
    forget_what_is_left_out(subject->core);
    return subject->core;
}

void end_subject(struct subject *subject) {
    int status;
    if (subject->core[0] != '\0')
        return;
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

const char *scratch(const char *name) {
    static char paths[4][256];
    static unsigned next;
    char *const path = paths[next++ % COUNT_OF(paths)];
    snprintf(path, sizeof paths[0], "%s/%s", scratch_folder(), name);
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

/* The number stands in its table, 24 bytes behind the beginning of the magic word. */
const char *shop_with_another_layout(void) {
    static const char magic[] = "coir: look here";
    static char bytes[16 << 20];
    const char *const path = scratch("shop");
    FILE *file = fopen(COIR_BUILD_DIR "/tests/subjects/shop", "r");
    check(file != NULL);
    const size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    check(size < sizeof bytes);
    char *const at = memmem(bytes, size, magic, sizeof magic);
    check(at != NULL);
    at[24] = 99;
    file = fopen(path, "w");
    check(file != NULL);
    check_int(fwrite(bytes, 1, size, file), size);
    check_int(fclose(file), 0);
    check_int(chmod(path, 0700), 0);
    return path;
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
