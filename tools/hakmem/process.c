/* process.c : reads the loader's list of objects out of a live process, without stopping it. */
#include "process.h"
#include "util.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_OBJECTS = 4096 };

static void objects_add(struct objects *o, char *name, char *file, uint64_t bias) {
    o->item = xrealloc(o->item, (o->count + 1) * sizeof *o->item);
    o->item[o->count++] = (struct object){name, file, bias};
}

bool process_read(pid_t pid, uint64_t address, void *out, size_t size) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool good = fd >= 0 && pread(fd, out, size, (off_t)address) == (ssize_t)size;
    if (fd >= 0) {
        close(fd);
    }
    return good;
}

static bool read_text(pid_t pid, uint64_t address, char *out, size_t size) {
    size_t n = 0;
    for (; n + 1 < size && process_read(pid, address + n, out + n, 1) && out[n]; n++) {
    }
    out[n] = 0;
    return n > 0;
}

/* A value of the auxiliary vector. */
static uint64_t auxiliary(pid_t pid, uint64_t type) {
    char path[64];
    size_t size;
    snprintf(path, sizeof path, "/proc/%d/auxv", (int)pid);
    char *bytes = read_file(path, &size);
    uint64_t value = 0;
    for (size_t at = 0; bytes && at + sizeof(Elf64_auxv_t) <= size; at += sizeof(Elf64_auxv_t)) {
        Elf64_auxv_t a;
        memcpy(&a, bytes + at, sizeof a);
        if (a.a_type == type) {
            value = a.a_un.a_val;
        }
    }
    free(bytes);
    return value;
}

/* The program's DT_DEBUG, which the loader fills with the address of its list; *bias is where the program lies. */
static uint64_t loader_list(pid_t pid, uint64_t *bias) {
    uint64_t headers = auxiliary(pid, AT_PHDR), count = auxiliary(pid, AT_PHNUM), dynamic = 0;
    for (uint64_t i = 0; headers && i < count && i < 64; i++) {
        Elf64_Phdr p;
        if (!process_read(pid, headers + i * sizeof p, &p, sizeof p)) {
            return 0;
        }
        if (p.p_type == PT_PHDR) {
            *bias = headers - p.p_vaddr;
        }
        if (p.p_type == PT_DYNAMIC) {
            dynamic = p.p_vaddr;
        }
    }
    for (uint64_t at = dynamic + *bias; dynamic; at += sizeof(Elf64_Dyn)) {
        Elf64_Dyn d;
        if (!process_read(pid, at, &d, sizeof d) || d.d_tag == DT_NULL) {
            return 0;
        }
        if (d.d_tag == DT_DEBUG) {
            return d.d_un.d_val;
        }
    }
    return 0;
}

static bool from_loader(struct objects *o, pid_t pid, const char *exe) {
    uint64_t bias = 0, list = loader_list(pid, &bias);
    struct r_debug debug;
    if (!list || !process_read(pid, list, &debug, sizeof debug)) {
        return false;
    }
    uint64_t at = (uint64_t)(uintptr_t)debug.r_map;
    for (int i = 0; at && i < MOST_OBJECTS; i++) {
        struct link_map map;
        char name[PATH_MAX];
        if (!process_read(pid, at, &map, sizeof map)) {
            return o->count > 0;
        }
        bool named = read_text(pid, (uint64_t)(uintptr_t)map.l_name, name, sizeof name);
        if (i == 0) {
            objects_add(o, xstrdup(exe), xprintf("/proc/%d/exe", (int)pid), map.l_addr);
        } else if (named && name[0] == '/') {
            objects_add(o, xstrdup(name), xprintf("/proc/%d/root%s", (int)pid, name), map.l_addr);
        }
        at = (uint64_t)(uintptr_t)map.l_next;
    }
    return o->count > 0;
}

static bool known(const struct objects *o, const char *name) {
    for (size_t i = 0; i < o->count; i++) {
        if (strcmp(o->item[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Files mapped at offset 0 are objects; libc last, for whatever else defines malloc is most likely there to replace it. */
static bool from_maps(struct objects *o, pid_t pid, const char *exe) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    char *text = read_file(path, NULL);
    if (!text) {
        return false;
    }
    objects_add(o, xstrdup(exe), xprintf("/proc/%d/exe", (int)pid), 0);
    for (int libc = 0; libc < 2; libc++) {
        char *copy = xstrdup(text);
        for (char *save, *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
            char *slash = strchr(line, '/');
            bool is_libc = slash && (strstr(slash, "/libc.so") || strstr(slash, "/libc-"));
            if (slash && is_libc == (libc == 1) && strstr(line, ".so") && !known(o, slash)) {
                objects_add(o, xstrdup(slash), xprintf("/proc/%d/root%s", (int)pid, slash), strtoull(line, NULL, 16));
            }
        }
        free(copy);
    }
    free(text);
    return true;
}

bool objects_of_process(struct objects *o, pid_t pid) {
    char path[64], exe[PATH_MAX];
    snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
    ssize_t n = readlink(path, exe, sizeof exe - 1);
    if (n <= 0) {
        return false;
    }
    exe[n] = 0;
    *o = (struct objects){.exact = true};
    if (from_loader(o, pid, exe)) {
        return true;
    }
    *o = (struct objects){.exact = false};
    return from_maps(o, pid, exe);
}

bool objects_of_command(struct objects *o, const char *interpreter, const char *program) {
    *o = (struct objects){.exact = true};
    objects_add(o, xstrdup(program), xstrdup(program), 0);
    char *command = xprintf("exec '%s' --list '%s' 2>/dev/null", interpreter, program);
    if (strchr(interpreter, '\'') || strchr(program, '\'')) {
        free(command);
        errno = EINVAL;
        return false;
    }
    FILE *list = popen(command, "re");
    char line[PATH_MAX + 128];
    while (list && fgets(line, sizeof line, list)) {
        char *arrow = strstr(line, "=> "), *file = arrow ? arrow + 3 : line + strspn(line, " \t");
        file[strcspn(file, " \n")] = 0;
        if (*file == '/') {
            objects_add(o, xstrdup(file), xstrdup(file), 0);
        }
    }
    free(command);
    return list && pclose(list) == 0;
}

char **process_environment(pid_t pid) {
    char path[64];
    size_t size, n = 0;
    snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
    char *text = read_file(path, &size);
    if (!text) {
        return NULL;
    }
    char **env = xmalloc((size + 2) * sizeof *env);
    for (size_t at = 0; at < size; at += strlen(text + at) + 1) {
        env[n++] = text + at;
    }
    return env;
}
