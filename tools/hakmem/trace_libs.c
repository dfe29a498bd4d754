/* trace_libs.c : see trace_libs.h. */
#include "trace_libs.h"
#include "command.h"
#include "locate.h"
#include "util.h"

#include <stdlib.h>
#include <string.h>

char *libs_path(const char *name) { return library_need("--lib", name, elf_own_machine()); }

char *libs_label(const char *path) { return library_label(path); }

size_t libs_found(char ***paths) {
    size_t n = 0;
    *paths = xmalloc((allocator_count + 1) * sizeof **paths);
    (*paths)[n++] = xstrdup("");
    for (size_t i = 0; i < allocator_count; i++) {
        char *path = allocators[i].files[0] ? library_find(&allocators[i], elf_own_machine()) : NULL;
        if (path)
            (*paths)[n++] = path;
    }
    return n;
}

char *libs_preload(const char *own, const char *lib) {
    const char *now = lib ? lib : getenv("LD_PRELOAD");
    char *path = own ? tool_library_need(own) : xstrdup("");
    char *value = xprintf("%s%s%s", path, *path && now && *now ? ":" : "", now ? now : "");
    free(path);
    return value;
}

char *libs_check_command(const char *command) {
    struct command c;
    command_find(&c, command);
    if (c.kind != COMMAND_OK)
        fail(STATUS_USAGE, "%s: %s", command, c.reason);
    return c.file;
}
