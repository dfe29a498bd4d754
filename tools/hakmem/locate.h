/* locate.h : the allocators that the tool knows: their names, files, symbols, and where the system keeps them. */
#ifndef HAKMEM_LOCATE_H
#define HAKMEM_LOCATE_H

#include "elf_file.h"

struct allocator {
    const char *name;
    const char *files[6];   /* base names to look for, the preferred first; none for libc */
    const char *symbols[4]; /* any of these, defined, gives it away, exported or hidden */
    const char *text;       /* bytes that its messages hold, for stripped static copies */
    const char *variables;  /* prefix of its environment variables */
    const char *more;       /* one more such variable, or NULL */
};
extern const struct allocator allocators[];
extern const size_t allocator_count;

const struct allocator *allocator_named(const char *name);
/* Which allocator's code the file holds, by its symbols (and with all, by hidden ones and its texts); NULL: none that we know. */
const struct allocator *allocator_in(const struct elf_file *elf, const char *path, bool all);

/* Is the file a library that could be preloaded as malloc on that machine? If not, *why says so. */
bool library_fits(const char *path, uint16_t machine, char **why);
/* The allocator's library for that machine, or NULL. The caller frees. */
char *library_find(const struct allocator *a, uint16_t machine);
/* From the command line: a name ("jemalloc", "libc", "hakmem") or a path. The real path, or "" for libc. Ends the process with the reason if
 * there is none, naming those that were found. */
char *library_need(const char *option, const char *text, uint16_t machine);
/* A short name for a path that library_need() returned: the allocator's own, or the file's. */
char *library_label(const char *path);

/* A library of ours that lies beside the tool (build tree) or in LIBDIR/hakmem (installed): its path, or NULL. */
char *tool_library(const char *file);
/* The same; ends the process when it is missing. */
char *tool_library_need(const char *file);

#endif
