/* os/libc_late.c : in libhakmem.so, functions of libc that few programs ever need of us: found when they are first asked for, so that the
 * loader does not look them up at each start. libc_linked.c is its other half.
 * Owns       nothing but what it found          Threads  any: who finds again finds the same
 * Not by dlsym(), which waits while another thread is inside dlopen(), whose constructors may wait for us; and which may allocate.
 * dl_iterate_phdr() waits only while an object is put on the list or taken off it.
 * Source     gABI, "Symbol Table"; GNU hash: binutils' bfd/elflink.c          Test  conformance/, stress/fork, stress/worker */
#include "base/atomic.h"
#include "os/os.h"
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>

struct search {
    const char *name;
    bool behind; /* only objects behind ours in the loader's list, which is the order of its search */
    bool passed; /* ours */
    void *found;
};

/* The loader of glibc has made the addresses absolute, but not those of the kernel's object. */
static const void *table(const struct dl_phdr_info *o, const ElfW(Dyn) * d, ElfW(Sxword) tag) {
    for (; d->d_tag != DT_NULL; d++) {
        if (d->d_tag == tag) {
            return (const void *)(d->d_un.d_ptr < o->dlpi_addr ? d->d_un.d_ptr + o->dlpi_addr : d->d_un.d_ptr);
        }
    }
    return 0;
}

static bool same(const char *a, const char *b) {
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

static uint32_t hash_of(const char *name) {
    uint32_t h = 5381;
    for (; *name; name++) {
        h = h * 33 + (unsigned char)*name;
    }
    return h;
}

static void *symbol_of(const struct dl_phdr_info *o, const ElfW(Dyn) * d, const char *name) {
    const ElfW(Sym) *symbols = table(o, d, DT_SYMTAB);
    const char *names = table(o, d, DT_STRTAB);
    const uint16_t *versions = table(o, d, DT_VERSYM);
    const uint32_t *head = table(o, d, DT_GNU_HASH); /* buckets, first symbol, words of the filter, shift */
    if (!symbols || !names || !head || !head[0]) {
        return 0;
    }
    const uint32_t *buckets = (const uint32_t *)((const ElfW(Addr) *)(head + 4) + head[2]);
    uint32_t hash = hash_of(name), i = buckets[hash % head[0]], other;
    if (i < head[1]) {
        return 0;
    }
    do {
        const ElfW(Sym) *s = &symbols[i];
        bool old = versions && (versions[i] & 0x8000); /* not the version that a new program gets */
        other = buckets[head[0] + i - head[1]];
        if ((other | 1) == (hash | 1) && !old && s->st_shndx != SHN_UNDEF && (s->st_info & 15) == STT_FUNC &&
            same(names + s->st_name, name)) {
            return (void *)(o->dlpi_addr + s->st_value);
        }
        i++;
    } while (!(other & 1));
    return 0;
}

static int look(struct dl_phdr_info *o, size_t size, void *arg) {
    struct search *s = arg;
    const ElfW(Dyn) *dynamic = 0;
    bool ours = false;
    (void)size;
    for (int i = 0; i < o->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &o->dlpi_phdr[i];
        uintptr_t start = o->dlpi_addr + p->p_vaddr;
        if (p->p_type == PT_DYNAMIC) {
            dynamic = (const ElfW(Dyn) *)start;
        }
        ours = ours || (p->p_type == PT_LOAD && (uintptr_t)&look - start < p->p_memsz);
    }
    s->passed = s->passed || ours;
    if (!ours && dynamic && (s->passed || !s->behind)) {
        s->found = symbol_of(o, dynamic, s->name);
    }
    return s->found != 0;
}

/* A library that was opened late has libc before it. */
void *os_symbol(const char *name) {
    struct search s = {.name = name, .behind = true};
    if (!dl_iterate_phdr(look, &s)) {
        s.behind = false;
        dl_iterate_phdr(look, &s);
    }
    return s.found;
}

/* A pointer to a function and its name in one place; 0 when there is none. */
#define LATE(fn) ((__typeof(&(fn)))os_symbol(#fn))

bool os_atfork_waits(void) { return true; }

typedef void handler(void);
static handler *stdio_lock, *stdio_unlock, *stdio_reset; /* const after os_atfork() */

int os_atfork(handler *prepare, handler *parent, handler *child) {
    int (*add)(handler *, handler *, handler *, void *) =
        (int (*)(handler *, handler *, handler *, void *))os_symbol("__register_atfork");
    stdio_lock = (handler *)os_symbol("_IO_list_lock");
    stdio_unlock = (handler *)os_symbol("_IO_list_unlock");
    stdio_reset = (handler *)os_symbol("_IO_list_resetlock");
    return add ? -add(prepare, parent, child, 0) : -ENOSYS;
}

void os_stdio_lock(void) {
    if (stdio_lock) {
        stdio_lock();
    }
}

void os_stdio_unlock(void) {
    if (stdio_unlock) {
        stdio_unlock();
    }
}

void os_stdio_reset(void) {
    if (stdio_reset) {
        stdio_reset();
    }
}

int os_thread(void *(*run)(void *), size_t stack) {
    pthread_attr_t attr;
    pthread_t id;
    __typeof(&pthread_attr_init) init = LATE(pthread_attr_init);
    __typeof(&pthread_attr_setstacksize) set_stack = LATE(pthread_attr_setstacksize);
    __typeof(&pthread_attr_setdetachstate) set_detached = LATE(pthread_attr_setdetachstate);
    __typeof(&pthread_create) create = LATE(pthread_create);
    __typeof(&pthread_attr_destroy) destroy = LATE(pthread_attr_destroy);
    if (!init || !set_stack || !set_detached || !create || !destroy || init(&attr)) {
        return -ENOSYS;
    }
    set_stack(&attr, stack);
    set_detached(&attr, PTHREAD_CREATE_DETACHED);
    int err = create(&id, &attr, run, 0);
    destroy(&attr);
    return -err;
}

void os_puts(void *stream, const char *text) {
    __typeof(&fputs) put = LATE(fputs);
    if (put) {
        put(text, stream);
    }
}
