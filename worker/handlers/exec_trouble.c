#include "worker/handlers/exec_trouble.h"

#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/base/text.h"

enum { HEAD_SIZE = 4096, SCRIPTS_LOOKED_AT = 3 };

/* ---- the file ---- */

/* Where bgop-exec-host finds it; false: nowhere. */
static bool find(char path[PATH_MAX], const char *program)
{
    const char *folders = getenv("PATH");

    if (strchr(program, '/'))
        return snprintf(path, PATH_MAX, "%s", program) < PATH_MAX && access(path, F_OK) == 0;
    for (const char *at = folders ? folders : "/bin:/usr/bin"; at; at = strchr(at, ':') ? strchr(at, ':') + 1 : NULL) {
        int size = (int)strcspn(at, ":");
        int length = snprintf(path, PATH_MAX, "%.*s/%s", size ? size : 1, size ? at : ".", program);

        if (length > 0 && length < PATH_MAX && access(path, F_OK) == 0)
            return true;
    }
    return false;
}

struct head {
    char bytes[HEAD_SIZE];
    size_t size;
};

static bool read_head(struct head *head, const char *path)
{
    struct stat about;
    FILE *file;

    head->size = 0;
    if (stat(path, &about) < 0 || !S_ISREG(about.st_mode)) /* a pipe would be waited for */
        return false;
    file = fopen(path, "re");
    if (!file)
        return false;
    head->size = fread(head->bytes, 1, sizeof head->bytes, file);
    fclose(file);
    return true;
}

static bool begins(const struct head *head, const char *bytes, size_t size)
{
    return head->size >= size && memcmp(head->bytes, bytes, size) == 0;
}

/* The first line of a script, without its newline; 0: it is none. */
static size_t script_line(const struct head *head)
{
    const char *end = memchr(head->bytes, '\n', head->size);

    if (!begins(head, "#!", 2))
        return 0;
    return end ? (size_t)(end - head->bytes) : head->size;
}

static bool ends_in_crlf(const struct head *head)
{
    size_t size = script_line(head);

    return size > 0 && head->bytes[size - 1] == '\r';
}

static const char crlf[] = "its first line ends in CRLF, as Windows writes it: save %.300s with LF (sed -i 's/\\r$//')";

/* ---- one errno each ---- */

/* What an ELF program names as its loader; false: none, or it is of another kind of machine. */
static bool elf_loader(char loader[PATH_MAX], const struct head *head)
{
    Elf64_Ehdr elf;

    if (!begins(head, ELFMAG, SELFMAG) || head->bytes[EI_CLASS] != ELFCLASS64 || head->size < sizeof elf)
        return false;
    memcpy(&elf, head->bytes, sizeof elf);
    for (size_t i = 0; i < elf.e_phnum; i++) {
        size_t at = elf.e_phoff + i * sizeof(Elf64_Phdr);
        Elf64_Phdr part;

        if (elf.e_phoff > head->size || at + sizeof part > head->size)
            return false;
        memcpy(&part, head->bytes + at, sizeof part);
        if (part.p_type == PT_INTERP && part.p_offset < head->size && part.p_filesz < PATH_MAX &&
            part.p_filesz <= head->size - part.p_offset) {
            return text_copy(loader, PATH_MAX, head->bytes + part.p_offset,
                             strnlen(head->bytes + part.p_offset, part.p_filesz));
        }
    }
    return false;
}

/* The interpreter that a script's first line names. */
static void interpreter(char name[PATH_MAX], const struct head *head)
{
    size_t size = script_line(head), at = 2;

    while (at < size && strchr(" \t", head->bytes[at]))
        at++;
    size = at < size ? size - at : 0;
    text_copy(name, PATH_MAX, head->bytes + at, size);
    name[strcspn(name, " \t")] = '\0';
}

static void not_found(char why[EXEC_TROUBLE_SIZE], const char *program)
{
    char path[PATH_MAX], folder[PATH_MAX];
    const char *folders = getenv("PATH");

    if (!strchr(program, '/'))
        snprintf(why, EXEC_TROUBLE_SIZE, " (not in PATH=%.400s)", folders ? folders : "");
    else if (readlink(program, path, sizeof path) > 0)
        snprintf(why, EXEC_TROUBLE_SIZE, " (it is a link to what is not there)");
    else if (program[0] != '/' && getcwd(folder, sizeof folder))
        snprintf(why, EXEC_TROUBLE_SIZE, " (from the worker's folder %.400s)", folder);
}

/* The file is there: so what it needs is not. */
static void needs_missing(char why[EXEC_TROUBLE_SIZE], const char *path, const struct head *head)
{
    char name[PATH_MAX];

    if (ends_in_crlf(head)) {
        char reason[EXEC_TROUBLE_SIZE - 4];

        snprintf(reason, sizeof reason, crlf, path);
        snprintf(why, EXEC_TROUBLE_SIZE, " (%s)", reason);
    } else if (script_line(head) > 0) {
        interpreter(name, head);
        snprintf(why, EXEC_TROUBLE_SIZE, " (the interpreter that its first line names: %.400s)", name);
    } else if (elf_loader(name, head)) {
        snprintf(why, EXEC_TROUBLE_SIZE, " (the loader that it needs: %.400s; was it built for another system?)", name);
    }
}

static void not_allowed(char why[EXEC_TROUBLE_SIZE], const char *path, const struct head *head)
{
    struct stat about;
    struct statvfs system;
    char name[PATH_MAX];

    if (stat(path, &about) < 0)
        return; /* the folder itself is closed to us */
    if (S_ISDIR(about.st_mode)) {
        snprintf(why, EXEC_TROUBLE_SIZE, " (it is a folder)");
    } else if (!S_ISREG(about.st_mode)) {
        snprintf(why, EXEC_TROUBLE_SIZE, " (it is no regular file)");
    } else if (access(path, X_OK) < 0 && (about.st_mode & 0111) == 0) {
        snprintf(why, EXEC_TROUBLE_SIZE, " (it is not executable: chmod +x %.400s)", path);
    } else if (statvfs(path, &system) == 0 && system.f_flag & ST_NOEXEC) {
        snprintf(why, EXEC_TROUBLE_SIZE, " (its file system is mounted noexec)");
    } else if (script_line(head) > 0) {
        interpreter(name, head);
        if (access(name, X_OK) < 0) {
            snprintf(why, EXEC_TROUBLE_SIZE, " (the interpreter that its first line names, %.400s, is not executable)",
                     name);
        }
    }
}

static void not_a_program(char why[EXEC_TROUBLE_SIZE], const struct head *head)
{
    struct head self;

    if (head->size == 0) {
        snprintf(why, EXEC_TROUBLE_SIZE, " (it is empty)");
    } else if (begins(head, "\xef\xbb\xbf#!", 5)) {
        snprintf(why, EXEC_TROUBLE_SIZE, " (a byte order mark stands before its #!: save it without)");
    } else if (begins(head, ELFMAG, SELFMAG) && read_head(&self, "/proc/self/exe") && self.size >= EI_NIDENT + 4 &&
               head->size >= EI_NIDENT + 4 && memcmp(head->bytes + EI_NIDENT + 2, self.bytes + EI_NIDENT + 2, 2) != 0) {
        snprintf(why, EXEC_TROUBLE_SIZE, " (it was built for another kind of machine)");
    } else if (!begins(head, ELFMAG, SELFMAG)) {
        snprintf(why, EXEC_TROUBLE_SIZE,
                 " (neither a program nor a script whose first line names its interpreter, as in #!/bin/sh)");
    }
}

const char *exec_trouble(char why[EXEC_TROUBLE_SIZE], const char *program, int error)
{
    char path[PATH_MAX];
    struct head head;

    why[0] = '\0';
    if (!find(path, program)) {
        if (error == ENOENT)
            not_found(why, program);
        return why;
    }
    read_head(&head, path);
    if (error == ENOENT)
        needs_missing(why, path, &head);
    else if (error == EACCES)
        not_allowed(why, path, &head);
    else if (error == ENOEXEC)
        not_a_program(why, &head);
    return why;
}

const char *exec_trouble_scripts(char why[EXEC_TROUBLE_SIZE], char *const *argv)
{
    char path[PATH_MAX];
    struct head head;

    why[0] = '\0';
    for (int i = 0; i < SCRIPTS_LOOKED_AT && argv[i]; i++) {
        if (find(path, argv[i]) && read_head(&head, path) && ends_in_crlf(&head)) {
            snprintf(why, EXEC_TROUBLE_SIZE, crlf, path);
            break;
        }
    }
    return why;
}

/* ---- before it is tried ---- */

int exec_trouble_foresee(const char *program)
{
    char path[PATH_MAX], name[PATH_MAX];
    struct stat about;
    struct head head;

    if (!find(path, program))
        return ENOENT;
    if (stat(path, &about) < 0 || !S_ISREG(about.st_mode) || access(path, X_OK) < 0)
        return EACCES;
    if (!read_head(&head, path))
        return 0; /* may be run, not read */
    if (script_line(&head) > 0) {
        interpreter(name, &head);
        return ends_in_crlf(&head) || access(name, F_OK) < 0 ? ENOENT : access(name, X_OK) < 0 ? EACCES : 0;
    }
    return begins(&head, ELFMAG, SELFMAG) ? 0 : ENOEXEC;
}
