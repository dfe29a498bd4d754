/* probe.c : libhakmem-probe.so, which tells the command line what really ran inside a process.
 *
 * Preloaded beside an allocator, it appends one line of JSON to the file named by HAK_PROBE when a process starts and when it ends: which object
 * serves malloc and free, hakmem's effective options as the library itself reports them, the allocator's totals, the peak of resident memory.
 * A file and not a descriptor, for programs close the descriptors that they do not know; one write() to O_APPEND per line, so that lines
 * of processes do not mix. It allocates nothing, and does nothing at all when HAK_PROBE is not set.
 *
 * exit() and _exit() are seen, quick_exit() too; a process that is killed or replaced by exec leaves its first line only. The child of vfork() is
 * its parent's guest and stays silent until it execs. */
#include <dlfcn.h>
#include <fcntl.h>
#include <hakmem/hakmem.h>
#include <limits.h>
#include <link.h>
#include <malloc.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const char *const option_names[] = {
#define HAK_GATE(name, type, choices, def, min, max, kind, state, box, record, text) #name,
#include "gates/gates.def"
#define HAK_GATE(name, type, choices, def, min, max, kind, state, box, record, text) #name,
#include "variants.def"
};

enum { LIBC_TEST_BYTES = 40 << 20 }; /* beyond what libc ever keeps: mapped and given back */

struct line {
    char text[6144];
    size_t n;
};

static struct {
    char file[PATH_MAX], exe[PATH_MAX];
    const char *malloc_object, *free_object; /* dladdr's names: they live as long as their objects */
    int (*option_get)(const char *name, char *buf, size_t size);
    void (*stats_get)(struct hak_stats *out);
    struct mallinfo2 (*libc_info)(void); /* libc's own, whoever serves */
    void (*count_get)(uint64_t out[3]);
    int (*version)(void);
    double begun;
    pid_t pid;
    bool ended;
} probe;

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

__attribute__((format(printf, 2, 3))) static void put(struct line *l, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int k = vsnprintf(l->text + l->n, sizeof l->text - l->n, format, args);
    va_end(args);
    l->n = k > 0 && (size_t)k < sizeof l->text - l->n ? l->n + (size_t)k : l->n;
}

/* A JSON string; bytes that are not ASCII are escaped one by one. */
static void put_string(struct line *l, const char *name, const char *value) {
    put(l, "\"%s\":\"", name);
    for (const unsigned char *s = (const unsigned char *)value; *s; s++) {
        if (*s < 0x20 || *s >= 0x7f) {
            put(l, "\\u%04x", *s);
        } else {
            put(l, *s == '"' || *s == '\\' ? "\\%c" : "%c", *s);
        }
    }
    put(l, "\",");
}

/* The field of /proc/self/status in KiB. */
static long status_kib(const char *name) {
    char text[4096];
    int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0) {
        close(fd);
    }
    text[n > 0 ? n : 0] = 0;
    const char *field = strstr(text, name);
    return field ? strtol(field + strlen(name), NULL, 10) : 0;
}

static void put_options(struct line *l) {
    put(l, "\"options\":{");
    for (size_t i = 0; probe.option_get && i < sizeof option_names / sizeof option_names[0]; i++) {
        char value[80];
        int n = probe.option_get(option_names[i], value, sizeof value);
        if (n >= 0 && (size_t)n < sizeof value) {
            put_string(l, option_names[i], value);
        }
    }
    put(l, "\"\":\"\"},");
}

static void put_usage(struct line *l) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    put(l, "\"wall\":%.6f,\"user\":%.6f,\"sys\":%.6f,\"minor_faults\":%ld,\"major_faults\":%ld,\"switches\":%ld,",
        seconds() - probe.begun, (double)u.ru_utime.tv_sec + (double)u.ru_utime.tv_usec * 1e-6,
        (double)u.ru_stime.tv_sec + (double)u.ru_stime.tv_usec * 1e-6, u.ru_minflt, u.ru_majflt,
        u.ru_nvcsw + u.ru_nivcsw);
    put(l, "\"peak_rss\":%ld,", status_kib("VmHWM:") * 1024);
}

/* The allocator's totals. They take its locks, so they are not asked for on _exit(), which may come out of a signal handler. */
static void put_stats(struct line *l) {
    if (probe.stats_get) {
        struct hak_stats s;
        probe.stats_get(&s);
        put(l,
            "\"stats\":{\"allocated\":%zu,\"active\":%zu,\"metadata\":%zu,\"resident\":%zu,\"mapped\":%zu,\"cached_"
            "thread\":%zu},",
            s.allocated, s.active, s.metadata, s.resident, s.mapped, s.cached_thread);
    } else if (probe.libc_info && strstr(probe.malloc_object, "/libc.so")) {
        struct mallinfo2 m = probe.libc_info();
        put(l, "\"stats\":{\"allocated\":%zu,\"mapped\":%zu},", m.uordblks + m.hblkhd, m.arena + m.hblkhd);
    }
}

/* Does libc's heap grow by what malloc() gives? A switch that was read too late may report one thing and do another. Asked at the end, where it
 * cannot change what was measured; the block is untouched, and so large that threads which still run do not free as much meanwhile. */
static void put_libc_serves(struct line *l) {
    if (probe.libc_info) {
        struct mallinfo2 before = probe.libc_info();
        void *block = malloc(LIBC_TEST_BYTES);
        struct mallinfo2 after = probe.libc_info();
        bool grown = after.uordblks + after.hblkhd >= before.uordblks + before.hblkhd + LIBC_TEST_BYTES / 2;
        free(block);
        if (block) {
            put(l, "\"libc_serves\":%s,", grown ? "true" : "false");
        }
    }
}

static void put_counts(struct line *l) {
    if (probe.count_get) {
        uint64_t c[3];
        probe.count_get(c);
        put(l, "\"allocs\":%llu,\"bytes\":%llu,\"frees\":%llu,", (unsigned long long)c[0], (unsigned long long)c[1],
            (unsigned long long)c[2]);
    }
}

static void tell(const char *event, bool whole) {
    struct line l = {.n = 0};
    put(&l, "{");
    put_string(&l, "event", event);
    put_string(&l, "exe", probe.exe);
    put_string(&l, "malloc", probe.malloc_object);
    put_string(&l, "free", probe.free_object);
    char name[16] = ""; /* the kernel's, by which the tool knows whether a later exec took this program's place */
    prctl(PR_GET_NAME, name);
    put_string(&l, "name", name);
    put(&l, "\"version\":%d,", probe.version ? probe.version() : 0);
    put_options(&l);
    if (strcmp(event, "start") != 0) {
        put_usage(&l);
        put_counts(&l);
        if (whole) {
            put_stats(&l);
            put_libc_serves(&l);
        }
    }
    put(&l, "\"pid\":%d,\"ppid\":%d}\n", (int)getpid(), (int)getppid());
    int fd = open(probe.file, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY);
    if (fd >= 0) {
        ssize_t n = write(fd, l.text, l.n);
        (void)n; /* a line that cannot be written is a run that is not proven, and reported as that */
        close(fd);
    }
}

static void end(bool whole) {
    if (probe.file[0] && !probe.ended && probe.pid == getpid()) {
        probe.ended = true;
        tell("exit", whole);
    }
}

static void end_quick(void) { end(true); }

static void forked(void) {
    probe.pid = getpid();
    probe.ended = false;
    probe.begun = seconds();
}

static const char *object_of(void *function) {
    Dl_info info;
    if (!function || !dladdr(function, &info) || !info.dli_fname || !*info.dli_fname) {
        return "";
    }
    /* The program itself has no path of its own in the list of objects, only its argv[0]. */
    Dl_info program;
    const uintptr_t headers = getauxval(AT_PHDR);
    if (dladdr((const void *)headers, &program) && program.dli_fbase == info.dli_fbase) {
        return probe.exe;
    }
    return info.dli_fname;
}

/* Our own dynamic section: the linker's, in this library. */
extern ElfW(Dyn) _DYNAMIC[] __attribute__((visibility("hidden")));

struct relocations {
    const ElfW(Rela) * first;
    size_t count;
    const ElfW(Sym) * symbols;
    const char *names;
    uintptr_t base;
};

static struct relocations own_relocations(void) {
    struct relocations r = {0};
    Dl_info self;
    if (!dladdr((void *)_DYNAMIC, &self)) {
        return r;
    }
    r.base = (uintptr_t)self.dli_fbase;
    for (const ElfW(Dyn) *d = _DYNAMIC; d->d_tag != DT_NULL; d++) {
        /* Most loaders have put addresses here; some leave offsets. */
        uintptr_t at = (uintptr_t)d->d_un.d_ptr < r.base ? (uintptr_t)d->d_un.d_ptr + r.base : (uintptr_t)d->d_un.d_ptr;
        r.first = d->d_tag == DT_JMPREL ? (const void *)at : r.first;
        r.symbols = d->d_tag == DT_SYMTAB ? (const void *)at : r.symbols;
        r.names = d->d_tag == DT_STRTAB ? (const void *)at : r.names;
        r.count = d->d_tag == DT_PLTRELSZ ? d->d_un.d_val / sizeof(ElfW(Rela)) : r.count;
    }
    return r;
}

/* What a call of that name in this library is bound to, as the program's calls are. Neither dlsym() nor the function's address would tell: the
 * first does not heed versions of symbols, the second may be a stub in a program that is not position-independent. */
static void *bound(const char *name) {
    struct relocations r = own_relocations();
    for (size_t i = 0; r.first && r.symbols && r.names && i < r.count; i++) {
        if (strcmp(r.names + r.symbols[ELF64_R_SYM(r.first[i].r_info)].st_name, name) == 0) {
            return *(void **)(r.base + r.first[i].r_offset);
        }
    }
    return NULL;
}

static void look(void) {
    union {
        void *object;
        void *(*real)(const char *name);
        int (*option_get)(const char *name, char *buf, size_t size);
        void (*stats_get)(struct hak_stats *out);
        void (*count_get)(uint64_t out[3]);
        struct mallinfo2 (*libc_info)(void);
        int (*version)(void);
    } f;
    free(malloc(1)); /* the calls whose binding is looked up; volatile by -fno-builtin */
    /* Behind the counting library, when that is loaded too, stands the one that serves. */
    f.object = dlsym(RTLD_DEFAULT, "hak_count_real");
    void *(*real)(const char *name) = f.real;
    probe.malloc_object = object_of(real ? real("malloc") : bound("malloc"));
    probe.free_object = object_of(real ? real("free") : bound("free"));
    f.object = dlsym(RTLD_DEFAULT, "hak_count_get");
    probe.count_get = f.count_get;
    f.object = dlsym(RTLD_DEFAULT, "hak_option_get");
    probe.option_get = f.option_get;
    f.object = dlsym(RTLD_DEFAULT, "hak_stats_get");
    probe.stats_get = f.stats_get;
    f.object = dlsym(RTLD_DEFAULT, "hak_version");
    probe.version = f.version;
    void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
    f.object = libc ? dlsym(libc, "mallinfo2") : NULL;
    probe.libc_info = f.libc_info;
}

__attribute__((constructor)) static void begin(void) {
    const char *file = getenv("HAK_PROBE");
    if (!file || strlen(file) >= sizeof probe.file) {
        return;
    }
    probe.begun = seconds();
    probe.pid = getpid();
    strcpy(probe.file, file);
    ssize_t n = readlink("/proc/self/exe", probe.exe, sizeof probe.exe - 1);
    probe.exe[n > 0 ? n : 0] = 0;
    look();
    pthread_atfork(NULL, NULL, forked);
    at_quick_exit(end_quick);
    tell("start", false);
}

__attribute__((destructor)) static void finish(void) { end(true); }

/* Programs that end without exit(): children of shells and servers, os._exit() of Python. */
__attribute__((visibility("default"), noreturn)) void _exit(int status) {
    end(false);
    for (;;) {
        syscall(SYS_exit_group, status);
    }
}

__attribute__((visibility("default"), noreturn)) void _Exit(int status) { _exit(status); }
