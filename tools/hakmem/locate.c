/* locate.c : finding allocators' libraries, and telling allocators apart. */
#include "locate.h"
#include "util.h"
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct allocator allocators[] = {
    {"hakmem", {"libhakmem.so", "libhakmem.so.1"}, {"hak_option_get"}, "hakmem: HAKMEM_", "HAKMEM_", NULL},
    {"mimalloc",
     {"libmimalloc.so.3", "libmimalloc.so.2", "libmimalloc.so"},
     {"mi_malloc", "mi_version"},
     "mimalloc: ",
     "MIMALLOC_",
     NULL},
    {"jemalloc",
     {"libjemalloc.so.2", "libjemalloc.so"},
     {"je_malloc_conf", "je_malloc", "mallctl", "je_mallctl"},
     "<jemalloc>: ",
     "MALLOC_CONF",
     "_RJEM_MALLOC_CONF"},
    {"tcmalloc",
     {"libtcmalloc_minimal.so.4", "libtcmalloc.so.4"},
     {"tc_malloc", "MallocExtension_ReleaseFreeMemory"},
     "tcmalloc: ",
     "TCMALLOC_",
     NULL},
    {"snmalloc", {"libsnmallocshim.so"}, {"sn_malloc", "sn_rust_alloc"}, "snmalloc", "SNMALLOC_", NULL},
    {"rpmalloc", {"librpmalloc.so", "librpmallocwrap.so"}, {"rpmalloc"}, "rpmalloc", "RPMALLOC_", NULL},
    {"tbbmalloc",
     {"libtbbmalloc_proxy.so.2"},
     {"__TBB_malloc_proxy", "scalable_malloc"},
     "TBBmalloc",
     "TBB_MALLOC_",
     NULL},
    {"hardened_malloc", {"libhardened_malloc.so"}, {"h_malloc"}, "hardened_malloc", "HARDENED_", NULL},
    {"musl", {NULL}, {"__libc_malloc_impl", "__malloc_donate"}, "musl libc", "", NULL},
    {"libc", {NULL}, {"gnu_get_libc_version", "__libc_mallopt"}, "GNU C Library", "GLIBC_TUNABLES", "MALLOC_"},
};
const size_t allocator_count = sizeof allocators / sizeof allocators[0];

const struct allocator *allocator_named(const char *name) {
    for (size_t i = 0; i < allocator_count; i++) {
        if (strcmp(allocators[i].name, name) == 0) {
            return &allocators[i];
        }
    }
    return strcmp(name, "glibc") == 0 ? allocator_named("libc") : NULL;
}

static bool any_symbol_visit(void *context, const char *name, uint64_t value, uint64_t size) {
    const struct allocator **found = context;
    (void)value, (void)size;
    size_t best = *found ? (size_t)(*found - allocators) : allocator_count;
    for (size_t i = 0; i < best; i++) {
        for (size_t k = 0; k < 4 && allocators[i].symbols[k]; k++) {
            if (strcmp(allocators[i].symbols[k], name) == 0) {
                *found = &allocators[i];
                return true;
            }
        }
    }
    if (strncmp(name, "_ZN8snmalloc", 12) == 0 && best > 4) {
        *found = allocator_named("snmalloc");
    }
    return true;
}

const struct allocator *allocator_in(const struct elf_file *elf, const char *path, bool all) {
    const struct allocator *found = NULL;
    elf_symbols(elf, all, any_symbol_visit, &found);
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    for (size_t i = 0; i < allocator_count && !found; i++) {
        char *prefix = xprintf("lib%s", allocators[i].name);
        if (strncmp(base, prefix, strlen(prefix)) == 0) {
            found = &allocators[i];
        }
        free(prefix);
    }
    for (size_t i = 0; i < allocator_count && !found && all; i++) {
        if (elf_contains(elf, allocators[i].text)) {
            found = &allocators[i];
        }
    }
    return found;
}

bool library_fits(const char *path, uint16_t machine, char **why) {
    struct elf_file elf;
    *why = NULL;
    if (access(path, R_OK) != 0 || !elf_open(&elf, path)) {
        *why = xprintf("%s", errno == ENOEXEC ? "it is not an ELF file" : strerror(errno));
        return false;
    }
    if (machine && elf.machine != machine) {
        *why = xprintf("it is for %s, the program for %s", elf_machine_name(elf.machine), elf_machine_name(machine));
    } else if (elf.type != ET_DYN || elf.interpreter) {
        *why = xstrdup("it is not a shared library");
    } else if (!elf_defines(&elf, "malloc", false)) {
        *why = xstrdup("it does not define malloc");
    }
    elf_close(&elf);
    return *why == NULL;
}

static const char *triplet_of(uint16_t machine) {
    switch (machine) {
    case EM_X86_64:
        return "x86_64-linux-gnu";
    case EM_386:
        return "i386-linux-gnu";
    case EM_AARCH64:
        return "aarch64-linux-gnu";
    case EM_RISCV:
        return "riscv64-linux-gnu";
    default:
        return "";
    }
}

static char *find_in(const char *directory, const char *file, uint16_t machine) {
    char *path = xprintf("%s/%s", directory, file), *why = NULL;
    if (access(path, F_OK) == 0 && library_fits(path, machine, &why)) {
        return path;
    }
    free(why);
    free(path);
    return NULL;
}

char *library_find(const struct allocator *a, uint16_t machine) {
    const char *triplet = triplet_of(machine);
    char *directories[] = {
        xprintf("%s", tool_directory()),
        xprintf("%s/../lib/%s", tool_directory(), triplet),
        xprintf("%s/../lib", tool_directory()),
        xprintf("/usr/local/lib/%s", triplet),
        xstrdup("/usr/local/lib"),
        xprintf("/usr/lib/%s", triplet),
        xstrdup("/usr/lib64"),
        xstrdup("/usr/lib"),
    };
    char *found = NULL;
    for (size_t i = 0; i < 6 && a->files[i] && !found; i++) {
        for (size_t d = 0; d < sizeof directories / sizeof directories[0] && !found; d++) {
            found = find_in(directories[d], a->files[i], machine);
        }
    }
    for (size_t d = 0; d < sizeof directories / sizeof directories[0]; d++) {
        free(directories[d]);
    }
    return found;
}

static char *names_found(uint16_t machine) {
    char *list = xstrdup("libc");
    for (size_t i = 0; i < allocator_count; i++) {
        char *path = library_find(&allocators[i], machine);
        if (path) {
            char *longer = xprintf("%s, %s", list, allocators[i].name);
            free(list);
            free(path);
            list = longer;
        }
    }
    return list;
}

static _Noreturn void no_such_library(const char *option, const char *text, uint16_t machine) {
    const char *names[16];
    size_t n = 0;
    for (; n < allocator_count && n < 16; n++) {
        names[n] = allocators[n].name;
    }
    const char *near = nearest(text, names, n);
    if (near && strcmp(near, text) != 0) {
        fail(STATUS_USAGE, "%s: no allocator \"%s\"; did you mean \"%s\"? Found here: %s; or give a path", option, text,
             near, names_found(machine));
    }
    fail(STATUS_USAGE, "%s: %s \"%s\"; found here: %s; or give a library's path", option,
         near ? "no library is installed for" : "no allocator", text, names_found(machine));
}

char *library_need(const char *option, const char *text, uint16_t machine) {
    if (strcmp(text, "libc") == 0 || strcmp(text, "glibc") == 0) {
        return xstrdup("");
    }
    char *path = NULL;
    if (!strchr(text, '/') && !strstr(text, ".so")) {
        const struct allocator *a = allocator_named(text);
        path = a ? library_find(a, machine) : NULL;
        if (!path) {
            no_such_library(option, text, machine);
        }
    }
    char *real = realpath(path ? path : text, NULL), *why = NULL;
    if (!real) {
        fail(STATUS_USAGE, "%s: library \"%s\": %s; give a readable shared library or a name (%s)", option, text,
             strerror(errno), names_found(machine));
    }
    if (!library_fits(real, machine, &why)) {
        fail(STATUS_USAGE, "%s: library \"%s\": %s; give a shared library that defines malloc, or a name (%s)", option,
             text, why, names_found(machine));
    }
    if (strpbrk(real, " :$")) {
        fail(STATUS_USAGE,
             "%s: library \"%s\": the loader cannot preload a path with a space, ':' or '$'; link or copy it elsewhere",
             option, real);
    }
    free(path);
    return real;
}

char *library_label(const char *path) {
    struct elf_file elf;
    if (!*path) {
        return xstrdup("libc");
    }
    const struct allocator *a = NULL;
    if (elf_open(&elf, path)) {
        a = allocator_in(&elf, path, false);
        elf_close(&elf);
    }
    const char *slash = strrchr(path, '/');
    return xstrdup(a ? a->name : slash ? slash + 1 : path);
}

char *tool_library(const char *file) {
    char *multiarch = xprintf("/../lib/%s/hakmem", triplet_of(elf_own_machine()));
    const char *const places[] = {"", multiarch, "/../lib/hakmem", "/../lib64/hakmem"};
    char *real = NULL;
    for (size_t i = 0; i < sizeof places / sizeof places[0] && !real; i++) {
        char *path = xprintf("%s%s/%s", tool_directory(), places[i], file);
        real = realpath(path, NULL);
        free(path);
    }
    free(multiarch);
    return real;
}

char *tool_library_need(const char *file) {
    char *path = tool_library(file);
    if (!path) {
        fail(STATUS_FAILED, "%s is not beside the tool (%s) nor in ../lib/hakmem; build or install it", file,
             tool_directory());
    }
    return path;
}
