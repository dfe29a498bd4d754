/* record_hooks.c : the malloc family, above whichever allocator the loader finds next.
 * Owns       every exported C symbol of the recorder, and the early blocks
 * Threads    any; a hook writes only to its own thread's lane
 * Invariant  while lane.inside is set, calls from below (the allocator's own, a signal handler's) pass through unrecorded. The next free is
 *            not inside, having nothing to wait for: the one way down from there to the same block's death is __libc_free, which looks */
#include "record_hooks.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Blocks for those who allocate before the next allocator is known (dlsym itself does); never given back. */
static _Alignas(16) char early[65536];
static size_t early_used;
static int resolving, started, ready; /* ready: recording */
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

static int early_owns(const void *p) { return (uintptr_t)p - (uintptr_t)early < sizeof early; }

void record_find(void *to, const char *name) {
    void *p = dlsym(RTLD_NEXT, name);
    memcpy(to, &p, sizeof p);
}

/* The first call of a process may come before our constructor; and finding the next allocator may need memory, which is then early. */
static void *first_malloc(size_t size) {
    record_start();
    return resolving ? early_alloc(size, 16) : record_next.malloc(size);
}

static void *first_calloc(size_t n, size_t size) {
    record_start();
    return resolving ? early_alloc(n * size, 16) : record_next.calloc(n, size);
}

static void first_free(void *p) {
    record_start();
    if (!resolving)
        record_next.free(p);
}

static void *first_realloc(void *p, size_t size) {
    record_start();
    return resolving ? NULL : record_next.realloc(p, size);
}

static void *first_memalign(size_t align, size_t size) {
    record_start();
    return resolving ? early_alloc(size, align) : record_next.memalign(align, size);
}

static int first_posix_memalign(void **to, size_t align, size_t size) {
    *to = first_memalign(align, size);
    return *to ? 0 : ENOMEM;
}

struct record_next record_next = {.malloc = first_malloc,
                                  .calloc = first_calloc,
                                  .free = first_free,
                                  .realloc = first_realloc,
                                  .memalign = first_memalign,
                                  .aligned_alloc = first_memalign,
                                  .posix_memalign = first_posix_memalign};

static void thread_exits(void *lane) {
    struct lane *l = lane;
    if (++l->exits < PTHREAD_DESTRUCTOR_ITERATIONS) {
        pthread_setspecific(exit_key, l); /* the other destructors' frees still belong to this thread */
        return;
    }
    l->inside = 1;
    record_put_any(l, WIRE_THREAD_END, 0, 0, 0);
    record_lane_close(l);
    l->inside = 0;
}

void record_thread_begins(struct lane *l) {
    if (ready)
        pthread_setspecific(exit_key, l);
}

static void snapshot(void) {
    struct lane *l = &record_lane;
    if (!ready || l->inside)
        return;
    l->inside = 1;
    if (record_live->generation == l->generation)
        record_large_snapshot(l);
    l->inside = 0;
}

/* The child's events are its own from here on, and the parent's before here are what it inherits. */
static void fork_begins(void) {
    record_fork_stamp = wire_stamp();
    record_stamp_all();
}

static void fork_over(void) { record_fork_stamp = 0; }

static void next_find(void) {
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
}

__attribute__((constructor)) void record_start(void) {
    struct lane *l = &record_lane;
    int inside = l->inside;
    if (started || resolving)
        return;
    resolving = 1;
    l->inside = 1;
    next_find();
    record_file_start();
    if (record_on() && pthread_key_create(&exit_key, thread_exits) == 0) {
        atexit(snapshot);
        pthread_atfork(fork_begins, fork_over, NULL);
        ready = 1;
    }
    started = 1;
    resolving = 0;
    l->inside = inside;
}

/* What the common case is kept clear of, so that it saves few registers. */
__attribute__((noinline)) static void *malloc_more(struct lane *l, void *p, size_t size) {
    if (p)
        record_put_any(l, WIRE_MALLOC, (uintptr_t)p, size, 0);
    record_leave(l);
    return p;
}

__attribute__((noinline)) static void free_more(struct lane *l, void *p) {
    record_put_any(l, WIRE_FREE, (uintptr_t)p, 0, 0);
    record_leave(l);
    record_next.free(p);
}

void *malloc(size_t size) {
    struct lane *l = record_enter();
    if (UNLIKELY(!l))
        return record_next.malloc(size);
    void *p = record_next.malloc(size);
    if (UNLIKELY(!p || !record_put_birth(l, WIRE_MALLOC, (uintptr_t)p, size)))
        return malloc_more(l, p, size);
    record_leave(l);
    return p;
}

void *calloc(size_t n, size_t size) {
    struct lane *l = record_enter();
    void *p = record_next.calloc(n, size);
    record_born_as(l, WIRE_CALLOC, p, n * size);
    record_leave(l);
    return p;
}

void free(void *p) {
    if (UNLIKELY(!p || early_owns(p)))
        return;
    struct lane *l = record_enter();
    if (UNLIKELY(l && !record_put_free(l, (uintptr_t)p))) {
        free_more(l, p);
        return;
    }
    record_leave(l);
    record_next.free(p);
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
    uint32_t pages = 0;
    if (LIKELY(record_plain(l, (uintptr_t)p)))
        record_append(l, wire_word(WIRE_REALLOC_OLD, (uintptr_t)p, 0));
    else
        pages = record_put_any(l, WIRE_REALLOC_OLD, (uintptr_t)p, 0, 0);
    void *to = next(p, size);
    if (UNLIKELY(!to && size > 0 && pages))
        record_large_add((uintptr_t)p, WIRE_LARGE_BYTES);
    if (LIKELY(to != NULL))
        record_born_as(l, WIRE_REALLOC_NEW, to, size);
    else
        record_put_any(l, WIRE_REALLOC_NEW, 0, size > 0, 0);
    record_leave(l);
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
    void *p = record_next.memalign(align, size);
    record_born_aligned(l, p, size, align);
    record_leave(l);
    return p;
}

void *aligned_alloc(size_t align, size_t size) {
    struct lane *l = record_enter();
    void *p = record_next.aligned_alloc(align, size);
    record_born_aligned(l, p, size, align);
    record_leave(l);
    return p;
}

int posix_memalign(void **to, size_t align, size_t size) {
    struct lane *l = record_enter();
    int rc = record_next.posix_memalign(to, align, size);
    if (LIKELY(rc == 0))
        record_born_aligned(l, *to, size, align);
    record_leave(l);
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
