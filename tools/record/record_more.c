/* record_more.c : other names of the malloc family: glibc's twins, hakmem's own calls (hakmem.h).
 * Owns       these symbols          Threads  any; as record_hooks.c
 * Blocks of first-class heaps pass unrecorded: they end all at once, which a trace of single blocks cannot say. */
#include "record_hooks.h"

#include <dlfcn.h>
#include <string.h>

#define TWIN(result, name, ...)        \
    result __libc_##name(__VA_ARGS__); \
    result __libc_##name(__VA_ARGS__)

TWIN(void *, malloc, size_t size) { return malloc(size); }
TWIN(void *, calloc, size_t n, size_t size) { return calloc(n, size); }
TWIN(void *, realloc, void *p, size_t size) { return realloc(p, size); }
TWIN(void *, reallocarray, void *p, size_t n, size_t size) { return reallocarray(p, n, size); }
TWIN(void *, memalign, size_t align, size_t size) { return memalign(align, size); }
TWIN(void *, valloc, size_t size) { return valloc(size); }
TWIN(void *, pvalloc, size_t size) { return pvalloc(size); }
TWIN(void, free, void *p) { free(p); }
TWIN(void, cfree, void *p) { free(p); }

void *hak_malloc_usable(size_t size, size_t *usable);
size_t hak_malloc_bulk(size_t size, size_t n, void **out);
void hak_free_bulk(void **blocks, size_t n);
void *hak_alloc_at(size_t size, const void *site);
void hak_free_at(void *block, const void *site);

static void *next_of(const char *name) { return dlsym(RTLD_NEXT, name); }

/* The library's function of the same name; only who links it calls these. */
#define NEXT(name)                          \
    static __typeof(&name) next;            \
    if (!next) {                            \
        void *found = next_of(#name);       \
        memcpy(&next, &found, sizeof next); \
    }

void *hak_malloc_usable(size_t size, size_t *usable) {
    NEXT(hak_malloc_usable)
    struct lane *l = record_enter();
    void *p = next(size, usable);
    record_born(l, p, size);
    return p;
}

size_t hak_malloc_bulk(size_t size, size_t n, void **out) {
    NEXT(hak_malloc_bulk)
    struct lane *l = record_enter();
    size_t got = next(size, n, out);
    if (l)
        l->inside = 0;
    for (size_t i = 0; l && i < got; i++)
        record_born(record_enter(), out[i], size);
    return got;
}

void hak_free_bulk(void **blocks, size_t n) {
    NEXT(hak_free_bulk)
    for (size_t i = 0; i < n; i++)
        record_dies(record_enter(), blocks[i]);
    struct lane *l = record_enter();
    next(blocks, n);
    if (l)
        l->inside = 0;
}

void *hak_alloc_at(size_t size, const void *site) {
    NEXT(hak_alloc_at)
    struct lane *l = record_enter();
    void *p = next(size, site);
    record_born(l, p, size);
    return p;
}

void hak_free_at(void *block, const void *site) {
    NEXT(hak_free_at)
    record_dies(record_enter(), block);
    struct lane *l = record_enter();
    next(block, site);
    if (l)
        l->inside = 0;
}
