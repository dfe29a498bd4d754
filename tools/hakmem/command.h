/* command.h : what will really run when a user names a command, and whether an allocator can be preloaded into it. */
#ifndef HAKMEM_COMMAND_H
#define HAKMEM_COMMAND_H

#include "elf_file.h"

enum command_kind {
    COMMAND_OK,
    COMMAND_STATIC,  /* no loader runs, so nothing can be preloaded */
    COMMAND_SETUID,  /* setuid, setgid or file capabilities: the loader ignores preloading */
    COMMAND_MUSL,    /* another C library's loader */
    COMMAND_FOREIGN, /* not for this machine, and no hakmem for its machine (decided by locate.c) */
};

struct command {
    char *file;    /* what execve() gets, found in PATH */
    char *program; /* the ELF file that serves in the end: behind #!, and behind env(1) in a #! line */
    bool is_script;
    struct elf_file elf; /* of program */
    enum command_kind kind;
    char *reason; /* why it cannot be preloaded, with the remedy; NULL when it can */
    char *remark; /* what a user should know (Go, Java, Python have allocators of their own), or NULL */
};

/* Finds name in PATH and follows #!; ends the process with 127 (not found) or 126 (not executable) and the reason. */
void command_find(struct command *c, const char *name);
/* The same for a file that is known to exist, as /proc/PID/exe; false with errno when it cannot be read. */
bool command_of_file(struct command *c, const char *path);

#endif
