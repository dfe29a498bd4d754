/* trace_libs.h : allocators by name, for the verbs that record and replay. */
#ifndef TRACE_LIBS_H
#define TRACE_LIBS_H

#include <stddef.h>

/* The file of an allocator given by name or path; "" for the C library's own. Ends the process if it is not found. */
char *libs_path(const char *name);
/* A short name for such a path. */
char *libs_label(const char *path);
/* All allocators found on this machine, the C library's first. Returns their number. */
size_t libs_found(char ***paths);
/* LD_PRELOAD's value: our library `own` first (NULL: none), then lib ("": the C library's own; NULL: what LD_PRELOAD says now). */
char *libs_preload(const char *own, const char *lib);
/* The file that command names; ends the process with the reason if nothing can be preloaded into it (not found, static, setuid). */
char *libs_check_command(const char *command);

#endif
