/* command.c : from a command's name to the ELF file that will run, and what stands against preloading into it. */
#include "command.h"
#include "util.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { MOST_SCRIPTS = 5 }; /* as the kernel's limit of nested interpreters */

static bool is_program(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* The path that execvp() would take, or NULL with errno. */
static char *find_in_path(const char *name) {
    if (strchr(name, '/')) {
        struct stat st;
        if (stat(name, &st) != 0) {
            return NULL;
        }
        if (is_program(name)) {
            return xstrdup(name);
        }
        errno = S_ISDIR(st.st_mode) ? EISDIR : EACCES;
        return NULL;
    }
    const char *path = getenv("PATH");
    int error = ENOENT;
    for (const char *p = path ? path : "/usr/local/bin:/usr/bin:/bin"; *name;) {
        size_t n = strcspn(p, ":");
        char *file = xprintf("%.*s/%s", n ? (int)n : 1, n ? p : ".", name);
        if (is_program(file)) {
            return file;
        }
        error = access(file, F_OK) == 0 ? EACCES : error;
        free(file);
        if (!p[n]) {
            break;
        }
        p += n + 1;
    }
    errno = error;
    return NULL;
}

/* The first line of a script without "#!", or NULL when the file is no script. */
static char *script_line(const char *path) {
    char line[512] = "";
    FILE *f = fopen(path, "re");
    if (!f) {
        return NULL;
    }
    size_t n = fread(line, 1, sizeof line - 1, f);
    fclose(f);
    if (n < 2 || memcmp(line, "#!", 2) != 0) {
        return NULL;
    }
    line[strcspn(line, "\n")] = 0;
    return xstrdup(line + 2 + strspn(line + 2, " \t"));
}

/* "/usr/bin/env -S A=b python3 -u" runs python3: the command that env will look for, or NULL. */
static char *env_target(char *arguments) {
    for (char *save, *w = strtok_r(arguments, " \t", &save); w; w = strtok_r(NULL, " \t", &save)) {
        if (*w != '-' && !strchr(w, '=')) {
            return find_in_path(w);
        }
    }
    return NULL;
}

/* The file that the #! line names, or the one that env finds for it. */
static char *interpreter_of(char *line) {
    size_t n = strcspn(line, " \t");
    char *rest = line[n] ? line + n + 1 : line + n;
    line[n] = 0;
    const char *slash = strrchr(line, '/');
    if (strcmp(slash ? slash + 1 : line, "env") == 0) {
        char *target = env_target(rest);
        if (target) {
            return target;
        }
    }
    return find_in_path(line);
}

static const char *privileges(const char *path) {
    struct stat st;
    if (stat(path, &st) != 0) {
        return NULL;
    }
    if (st.st_mode & S_ISUID) {
        return "setuid";
    }
    if ((st.st_mode & S_ISGID) && (st.st_mode & S_IXGRP)) {
        return "setgid";
    }
    return getxattr(path, "security.capability", NULL, 0) > 0 ? "given capabilities by its file" : NULL;
}

static void judge(struct command *c) {
    const char *high = privileges(c->program);
    if (high) {
        c->kind = COMMAND_SETUID;
        c->reason = xprintf("%s is %s: the loader ignores LD_PRELOAD for programs with raised privileges; "
                            "link it with -lhakmem instead, or run an unprivileged copy",
                            c->program, high);
    } else if (!c->elf.interpreter) {
        c->kind = COMMAND_STATIC;
        c->reason =
            c->elf.is_go
                ? xprintf("%s is a static Go program: Go has its own allocator and no loader runs, so no malloc can be "
                          "preloaded; tune it with GOGC and GOMEMLIMIT",
                          c->program)
                : xprintf("%s is statically linked: no loader runs, so nothing can be preloaded; "
                          "link it with libhakmem.a instead",
                          c->program);
    } else if (strstr(c->elf.interpreter, "ld-musl")) {
        c->kind = COMMAND_MUSL;
        c->reason =
            xprintf("%s is linked with musl (%s); libhakmem.so needs glibc; link it with libhakmem.a built for musl",
                    c->program, c->elf.interpreter);
    }
}

static char *remark_on(const struct command *c) {
    const char *slash = strrchr(c->program, '/');
    const char *base = slash ? slash + 1 : c->program;
    if (c->elf.is_go) {
        return xstrdup("Go has its own allocator: hakmem serves only what its C libraries allocate");
    }
    if (strcmp(base, "java") == 0) {
        return xstrdup("Java's heap is the JVM's own: hakmem serves the JVM's native memory");
    }
    if (strcmp(base, "node") == 0) {
        return xstrdup("JavaScript's heap is V8's own: hakmem serves node's native memory");
    }
    if (strncmp(base, "python", 6) == 0) {
        return xstrdup(
            "Python takes blocks up to 512 bytes from its own pools; PYTHONMALLOC=malloc sends them to malloc");
    }
    return NULL;
}

/* Where symbolic links lead; a program behind /proc/PID/exe keeps that name, for its path may not exist any more. */
static char *final_path(const char *path) {
    char *real = strncmp(path, "/proc/", 6) == 0 ? NULL : realpath(path, NULL);
    return real ? real : xstrdup(path);
}

bool command_of_file(struct command *c, const char *path) {
    *c = (struct command){.file = xstrdup(path), .program = final_path(path)};
    for (int depth = 0; depth <= MOST_SCRIPTS; depth++) {
        if (elf_open(&c->elf, c->program)) {
            judge(c);
            c->remark = remark_on(c);
            return true;
        }
        if (errno != ENOEXEC) {
            return false;
        }
        char *line = script_line(c->program);
        char *next = line ? interpreter_of(line) : find_in_path("/bin/sh");
        free(line);
        if (!next) {
            errno = ENOEXEC;
            return false;
        }
        free(c->program);
        c->program = final_path(next);
        free(next);
        c->is_script = true;
    }
    errno = ELOOP;
    return false;
}

void command_find(struct command *c, const char *name) {
    char *file = find_in_path(name);
    if (!file && (errno == ENOENT || errno == ENOTDIR)) {
        fail(STATUS_NO_FILE, "%s: command not found; give its path, or put its directory into PATH", name);
    }
    if (!file) {
        fail(STATUS_NO_EXEC, "%s: cannot be run: %s", name, strerror(errno));
    }
    if (!command_of_file(c, file)) {
        fail(STATUS_NO_EXEC, "%s: cannot be run: %s%s", file, strerror(errno),
             errno == ENOEXEC ? " (neither an ELF program of this byte order nor a script whose interpreter exists)"
                              : "");
    }
    free(file);
}
