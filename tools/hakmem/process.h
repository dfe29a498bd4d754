/* process.h : the objects that a process or a command consists of, in the order in which the loader looks symbols up. */
#ifndef HAKMEM_PROCESS_H
#define HAKMEM_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct object {
    char *name;    /* as the process knows it */
    char *file;    /* where we can read it (another mount namespace) */
    uint64_t bias; /* where it is loaded; 0 for a command that does not run */
};
struct objects {
    struct object *item;
    size_t count;
    bool exact; /* the loader's own order, rather than a guess from the map of memory */
};

/* Of a live process: from the loader's list in its memory, or if that cannot be read from /proc/PID/maps. The program itself is the first. */
bool objects_of_process(struct objects *o, pid_t pid);
/* Of a program that would be started: what the loader lists. */
bool objects_of_command(struct objects *o, const char *interpreter, const char *program);
/* size bytes of the process's memory. */
bool process_read(pid_t pid, uint64_t address, void *out, size_t size);
/* Its environment at its start, NULL-terminated; NULL with errno when it may not be read. */
char **process_environment(pid_t pid);

#endif
