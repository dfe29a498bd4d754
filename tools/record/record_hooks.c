/* record_hooks.c : the malloc family, above whichever allocator the loader finds next.
 * Owns       every exported C symbol of the recorder, and the early blocks
 * Threads    any; a hook writes only to its own thread's lane
 * Invariant  while lane.inside is set, calls from below (the allocator's own, a signal handler's) pass through unrecorded */
#include "record_hooks.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct record_next record_next;
int record_ready;

/* Blocks for those who allocate before the next allocator is known (dlsym itself does); never given back. */
static _Alignas(16) char early[65536];
static size_t early_used;
static int resolving;
static pthread_key_t exit_key;

static void *early_alloc(size_t size, size_t align) {
    size_t at = (early_used + align - 1 + 16) & ~(align - 1);
    if (size > sizeof early || at + size > sizeof early) {
        errno = ENOMEM;
        return NULL;
    }
    early_used = at + size;
    memcpy(early + at - sizeof size, &size, sizeof size);
    return early + at;
}

static int early_owns(const void *p) { return (const char *)p >= early && (const char *)p < early + sizeof early; }

void record_find(void *to, const char *name) {
    void *p = dlsym(RTLD_NEXT, name);
    memcpy(to, &p, sizeof p);
}

static void thread_exits(void *lane) {
    struct lane *l = lane;
    if (++l->exits < PTHREAD_DESTRUCTOR_ITERATIONS) {
        pthread_setspecific(exit_key, l); /* the other destructors' frees still belong to this thread */
        return;
    }
    l->inside = 1;
    record_put(l, record_word(WIRE_THREAD_END, 0, 0), 0, wire_stamp());
    record_lane_close(l);
    l->inside = 0;
}

static void snapshot(void) {
    struct lane *l = &record_lane;
    if (!record_ready || l->inside)
        return;
    l->inside = 1;
    if (record_live->generation == l->generation)
        record_large_snapshot(l);
    l->inside = 0;
}

__attribute__((constructor)) void record_start(void) {
    if (record_ready || resolving)
        return;
    resolving = 1;
    record_twins_find(); /* first: the next library's functions may be made of them */
    record_find(&record_next.calloc, "calloc");
    record_find(&record_next.malloc, "malloc");
    record_find(&record_next.free, "free");
    record_find(&record_next.realloc, "realloc");
    record_find(&record_next.memalign, "memalign");
    record_find(&record_next.aligned_alloc, "aligned_alloc");
    record_find(&record_next.posix_memalign, "posix_memalign");
    record_find(&record_next.usable, "malloc_usable_size");
    record_find(&record_next.leave, "_exit");
    record_file_start();
    if (record_on() && pthread_key_create(&exit_key, thread_exits) == 0)
        atexit(snapshot);
    record_ready = 1;
    resolving = 0;
}

struct lane *record_enter_first(struct lane *l) {
    if (!record_ready)
        record_start();
    if (!record_ready || !record_on())
        return NULL;
    l->inside = 1;
    if (record_lane_room(l) && l->seq == 1)
        pthread_setspecific(exit_key, l);
    if (record_on())
        return l;
    l->inside = 0;
    return NULL;
}

void record_put_wide(struct lane *l, uint64_t head, uint64_t size, uint64_t now) {
    if (!record_lane_room(l))
        return;
    uint64_t dt = now > l->last ? now - l->last : 0;
    if ((size | dt) >> 32)
        record_store(l, WIRE_EXTEND, (dt >> 32) << 32 | size >> 32);
    l->last += dt;
    record_store(l, head, (dt & UINT32_MAX) << 32 | (size & UINT32_MAX));
}

static inline void block_born(struct lane *l, enum wire_op op, void *p, size_t size, size_t align) {
    uint64_t now = wire_stamp();
    if (UNLIKELY(size >= WIRE_LARGE_BYTES))
        record_large_add((uintptr_t)p, size);
    record_put(l, record_word(op, (uintptr_t)p, align ? (unsigned)__builtin_ctzl(align) : 0), size, now);
}

static inline uint32_t block_pages(void *p) {
    return UNLIKELY(record_filter[record_hash((uintptr_t)p)]) ? record_large_remove((uintptr_t)p) : 0;
}

void record_born(struct lane *l, void *p, size_t size) {
    if (l && p)
        block_born(l, WIRE_MALLOC, p, size, 0);
}

void record_dies(struct lane *l, void *p) {
    if (l && p) {
        uint32_t pages = block_pages(p);
        record_put(l, record_word(WIRE_FREE, (uintptr_t)p, 0), pages, wire_stamp());
    }
}

void *malloc(size_t size) {
    struct lane *l = record_enter();
    if (UNLIKELY(!l))
        return resolving ? early_alloc(size, 16) : record_next.malloc(size);
    void *p = record_next.malloc(size);
    if (LIKELY(p != NULL))
        block_born(l, WIRE_MALLOC, p, size, 0);
    l->inside = 0;
    return p;
}

void *calloc(size_t n, size_t size) {
    struct lane *l = record_enter();
    if (UNLIKELY(!l))
        return resolving ? early_alloc(n * size, 16) : record_next.calloc(n, size);
    void *p = record_next.calloc(n, size);
    if (LIKELY(p != NULL))
        block_born(l, WIRE_CALLOC, p, n * size, 0);
    l->inside = 0;
    return p;
}

void free(void *p) {
    if (UNLIKELY(!p || early_owns(p)))
        return;
    struct lane *l = record_enter();
    if (LIKELY(l != NULL)) {
        uint32_t pages = block_pages(p);
        record_put(l, record_word(WIRE_FREE, (uintptr_t)p, 0), pages, wire_stamp());
        record_next.free(p);
        l->inside = 0;
    } else if (record_next.free) {
        record_next.free(p);
    }
}

/* Moves an early block to the real allocator. */
static void *early_move(void *p, size_t size) {
    size_t had;
    memcpy(&had, (char *)p - sizeof had, sizeof had);
    void *to = malloc(size);
    if (to)
        memcpy(to, p, had < size ? had : size);
    return to;
}

void *record_realloc(void *(*next)(void *, size_t), void *p, size_t size) {
    struct lane *l = record_enter();
    if (UNLIKELY(!l))
        return next(p, size);
    uint32_t pages = block_pages(p);
    record_put(l, record_word(WIRE_REALLOC_OLD, (uintptr_t)p, 0), pages, wire_stamp());
    void *to = next(p, size);
    uint64_t now = wire_stamp();
    if (UNLIKELY(to && size >= WIRE_LARGE_BYTES))
        record_large_add((uintptr_t)to, size);
    else if (UNLIKELY(!to && size > 0 && pages))
        record_large_add((uintptr_t)p, WIRE_LARGE_BYTES);
    record_put(l, record_word(WIRE_REALLOC_NEW, (uintptr_t)to, 0), size, now);
    l->inside = 0;
    return to;
}

void *realloc(void *p, size_t size) {
    if (UNLIKELY(!p))
        return malloc(size);
    if (UNLIKELY(early_owns(p)))
        return early_move(p, size);
    return record_realloc(record_next.realloc, p, size);
}

void *reallocarray(void *p, size_t n, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(p, bytes);
}

void *memalign(size_t align, size_t size) {
    struct lane *l = record_enter();
    if (UNLIKELY(!l))
        return resolving ? early_alloc(size, align) : record_next.memalign(align, size);
    void *p = record_next.memalign(align, size);
    if (LIKELY(p != NULL))
        block_born(l, WIRE_ALIGNED, p, size, align);
    l->inside = 0;
    return p;
}

void *aligned_alloc(size_t align, size_t size) {
    struct lane *l = record_enter();
    if (UNLIKELY(!l))
        return resolving ? early_alloc(size, align) : record_next.aligned_alloc(align, size);
    void *p = record_next.aligned_alloc(align, size);
    if (LIKELY(p != NULL))
        block_born(l, WIRE_ALIGNED, p, size, align);
    l->inside = 0;
    return p;
}

int posix_memalign(void **to, size_t align, size_t size) {
    struct lane *l = record_enter();
    if (UNLIKELY(!l)) {
        if (!resolving)
            return record_next.posix_memalign(to, align, size);
        *to = early_alloc(size, align);
        return *to ? 0 : ENOMEM;
    }
    int rc = record_next.posix_memalign(to, align, size);
    if (LIKELY(rc == 0 && *to))
        block_born(l, WIRE_ALIGNED, *to, size, align);
    l->inside = 0;
    return rc;
}

void *valloc(size_t size) { return memalign((size_t)sysconf(_SC_PAGESIZE), size); }

void *pvalloc(size_t size) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), up;
    if (__builtin_add_overflow(size, page - 1, &up)) {
        errno = ENOMEM;
        return NULL;
    }
    return memalign(page, up & ~(page - 1));
}

void cfree(void *p) { free(p); }

void free_sized(void *p, size_t size) {
    (void)size;
    free(p);
}

void free_aligned_sized(void *p, size_t align, size_t size) {
    (void)align;
    (void)size;
    free(p);
}

size_t malloc_usable_size(void *p) {
    size_t size = 0;
    if (p && early_owns(p))
        memcpy(&size, (char *)p - sizeof size, sizeof size);
    else if (p && record_next.usable)
        size = record_next.usable(p);
    return size;
}

/* A program that leaves without exit handlers still has its live blocks looked at. */
void _exit(int status) {
    snapshot();
    if (record_next.leave)
        record_next.leave(status);
    for (;;)
        _Exit(status);
}
