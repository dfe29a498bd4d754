/* record_more.c : other names of the malloc family: glibc's twins, hakmem's own calls (hakmem.h).
 * Owns       these symbols          Threads  any; as record_hooks.c
 * A block of a first-class heap is an event that names the heap, then one as of malloc; the heap's end is the death of those that are
 * left. Their touched pages are not counted: nobody here knows them when they end. */
#include "record_hooks.h"

#include <errno.h>

/* A twin calls the next twin, not our malloc: the next allocator's malloc may itself be made of twins. */
static struct {
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void *(*memalign)(size_t, size_t);
    void *(*valloc)(size_t);
    void *(*pvalloc)(size_t);
    void (*free)(void *);
} twin;

void record_twins_find(void) {
    record_find(&twin.malloc, "__libc_malloc");
    record_find(&twin.calloc, "__libc_calloc");
    record_find(&twin.realloc, "__libc_realloc");
    record_find(&twin.memalign, "__libc_memalign");
    record_find(&twin.valloc, "__libc_valloc");
    record_find(&twin.pvalloc, "__libc_pvalloc");
    record_find(&twin.free, "__libc_free");
}

#define TWIN(result, name, ...)        \
    result __libc_##name(__VA_ARGS__); \
    result __libc_##name(__VA_ARGS__)

/* A block of size bytes, given out by call. */
#define GIVEN(size, call)                \
    do {                                 \
        struct lane *l = record_enter(); \
        void *given = (call);            \
        record_born(l, given, (size));   \
        record_leave(l);                 \
        return given;                    \
    } while (0)

TWIN(void *, malloc, size_t size) { GIVEN(size, twin.malloc(size)); }
TWIN(void *, calloc, size_t n, size_t size) { GIVEN(n * size, twin.calloc(n, size)); }
TWIN(void *, memalign, size_t align, size_t size) { GIVEN(size, twin.memalign(align, size)); }
TWIN(void *, valloc, size_t size) { GIVEN(size, twin.valloc(size)); }
TWIN(void *, pvalloc, size_t size) { GIVEN(size, twin.pvalloc(size)); }
TWIN(void *, realloc, void *p, size_t size) { return p ? record_realloc(twin.realloc, p, size) : __libc_malloc(size); }

TWIN(void *, reallocarray, void *p, size_t n, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return __libc_realloc(p, bytes);
}

/* May be what the next free is made of: that has told of the block already. */
TWIN(void, free, void *p) {
    struct lane *l = record_enter();
    if (l && !record_freed_last(l, (uintptr_t)p))
        record_dies(l, p);
    twin.free(p);
    record_leave(l);
}

TWIN(void, cfree, void *p) { __libc_free(p); }

void *hak_malloc_usable(size_t size, size_t *usable);
size_t hak_malloc_bulk(size_t size, size_t n, void **out);
void hak_free_bulk(void **blocks, size_t n);
void *hak_alloc_at(size_t size, const void *site);
void hak_free_at(void *block, const void *site);
typedef struct hak_heap hak_heap;
void *hak_heap_malloc(hak_heap *heap, size_t size);
void *hak_heap_calloc(hak_heap *heap, size_t n, size_t size);
void hak_heap_destroy(hak_heap *heap);

/* The library's function of the same name; only who links it calls these. */
#define NEXT(name)               \
    static __typeof(&name) next; \
    if (!next)                   \
        record_find(&next, #name);

void *hak_malloc_usable(size_t size, size_t *usable) {
    NEXT(hak_malloc_usable)
    struct lane *l = record_enter();
    void *p = next(size, usable);
    record_born(l, p, size);
    record_leave(l);
    return p;
}

size_t hak_malloc_bulk(size_t size, size_t n, void **out) {
    NEXT(hak_malloc_bulk)
    struct lane *l = record_enter();
    size_t got = next(size, n, out);
    for (size_t i = 0; i < got; i++)
        record_born(l, out[i], size);
    record_leave(l);
    return got;
}

void hak_free_bulk(void **blocks, size_t n) {
    NEXT(hak_free_bulk)
    struct lane *l = record_enter();
    for (size_t i = 0; i < n; i++)
        record_dies(l, blocks[i]);
    next(blocks, n);
    record_leave(l);
}

void *hak_alloc_at(size_t size, const void *site) {
    NEXT(hak_alloc_at)
    struct lane *l = record_enter();
    void *p = next(size, site);
    record_born(l, p, size);
    record_leave(l);
    return p;
}

void hak_free_at(void *block, const void *site) {
    NEXT(hak_free_at)
    struct lane *l = record_enter();
    record_dies(l, block);
    next(block, site);
    record_leave(l);
}

static void heap_born(struct lane *l, const hak_heap *heap, enum wire_op op, void *p, size_t size) {
    if (!l || !p)
        return;
    record_put_any(l, WIRE_HEAP, (uintptr_t)heap, 0, 0);
    record_born_as(l, op, p, size);
}

void *hak_heap_malloc(hak_heap *heap, size_t size) {
    NEXT(hak_heap_malloc)
    struct lane *l = record_enter();
    void *p = next(heap, size);
    heap_born(l, heap, WIRE_MALLOC, p, size);
    record_leave(l);
    return p;
}

void *hak_heap_calloc(hak_heap *heap, size_t n, size_t size) {
    NEXT(hak_heap_calloc)
    struct lane *l = record_enter();
    void *p = next(heap, n, size);
    heap_born(l, heap, WIRE_CALLOC, p, n * size);
    record_leave(l);
    return p;
}

void hak_heap_destroy(hak_heap *heap) {
    NEXT(hak_heap_destroy)
    struct lane *l = record_enter();
    if (l && heap) {
        record_put_any(l, WIRE_HEAP_END, (uintptr_t)heap, 0, 0);
        record_regions_forget(); /* its blocks' addresses may come again, in whichever thread */
    }
    next(heap);
    record_leave(l);
}
