/* count.c : libhakmem-count.so, which counts calls and bytes in front of whatever allocator is preloaded after it.
 *
 * For `hakmem run --stats` only: an allocator whose fast path has no counter cannot tell how many calls it served, so this wrapper counts and
 * passes on. A call costs one or two additions to a counter shared by few threads. Children of fork() count from zero. */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

enum { SLOTS = 64, EARLY_BYTES = 65536 };

static _Alignas(64) struct slot {
    _Atomic uint64_t allocs, bytes, frees;
    char pad[40];
} slots[SLOTS];

static __thread char anchor; /* its address tells threads apart */

static struct slot *slot_mine(void) { return &slots[((uintptr_t)&anchor >> 12) % SLOTS]; }

static void *counted(void *block, size_t bytes) {
    if (block) {
        struct slot *s = slot_mine();
        atomic_fetch_add_explicit(&s->allocs, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&s->bytes, bytes, memory_order_relaxed);
    }
    return block;
}

static void count_free(const void *block) {
    if (block) {
        atomic_fetch_add_explicit(&slot_mine()->frees, 1, memory_order_relaxed);
    }
}

/* Blocks for dlsym() itself, which may allocate before we know where to pass the call. Never given back. */
static _Alignas(16) char early[EARLY_BYTES];
static _Atomic size_t early_used;

static void *early_malloc(size_t size) {
    size_t at = atomic_fetch_add(&early_used, (size + 15) & ~(size_t)15);
    return at + size <= EARLY_BYTES ? early + at : NULL;
}

static bool is_early(const void *block) { return (uintptr_t)block - (uintptr_t)early < EARLY_BYTES; }

typedef void *(*next_malloc)(size_t);
typedef void *(*next_pair)(size_t, size_t);
typedef void *(*next_realloc)(void *, size_t);
typedef void *(*next_reallocarray)(void *, size_t, size_t);
typedef int (*next_posix)(void **, size_t, size_t);
typedef void (*next_free)(void *);

static struct {
    next_malloc malloc, valloc, pvalloc;
    next_pair calloc, aligned_alloc, memalign;
    next_realloc realloc;
    next_reallocarray reallocarray;
    next_posix posix_memalign;
    next_free free;
} next;
static _Atomic bool ready;
static __thread bool resolving;

static void reset(void) { memset(slots, 0, sizeof slots); }

/* dlsym's object pointer as a function pointer, the way POSIX allows. */
#define RESOLVE(name) (*(void **)&next.name = dlsym(RTLD_NEXT, #name))

static void resolve(void) {
    resolving = true;
    RESOLVE(malloc);
    RESOLVE(calloc);
    RESOLVE(realloc);
    RESOLVE(reallocarray);
    RESOLVE(free);
    RESOLVE(posix_memalign);
    RESOLVE(aligned_alloc);
    RESOLVE(memalign);
    RESOLVE(valloc);
    RESOLVE(pvalloc);
    pthread_atfork(NULL, NULL, reset);
    resolving = false;
    atomic_store(&ready, true);
}

/* True once calls can be passed on; false inside dlsym(). */
static bool can_pass(void) {
    if (!atomic_load_explicit(&ready, memory_order_acquire) && !resolving) {
        resolve();
    }
    return !resolving;
}

EXPORT void *malloc(size_t size) { return can_pass() ? counted(next.malloc(size), size) : early_malloc(size); }

EXPORT void *calloc(size_t n, size_t size) {
    size_t bytes = 0;
    bool fits = !__builtin_mul_overflow(n, size, &bytes);
    return can_pass() ? counted(next.calloc(n, size), bytes) : fits ? early_malloc(bytes) : NULL;
}

EXPORT void free(void *block) {
    if (!is_early(block) && can_pass()) {
        count_free(block);
        next.free(block);
    }
}

EXPORT void *realloc(void *block, size_t size) {
    if (is_early(block) || !can_pass()) {
        void *moved = malloc(size);
        size_t left = block ? (size_t)(early + EARLY_BYTES - (char *)block) : 0;
        return moved && block ? memcpy(moved, block, size < left ? size : left) : moved;
    }
    count_free(block);
    return counted(next.realloc(block, size), size);
}

EXPORT void *reallocarray(void *block, size_t n, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(block, bytes);
}

EXPORT int posix_memalign(void **out, size_t alignment, size_t size) {
    can_pass();
    int error = next.posix_memalign(out, alignment, size);
    if (!error) {
        counted(*out, size);
    }
    return error;
}

EXPORT void *aligned_alloc(size_t alignment, size_t size) {
    can_pass();
    return counted(next.aligned_alloc(alignment, size), size);
}

EXPORT void *memalign(size_t alignment, size_t size);
EXPORT void *memalign(size_t alignment, size_t size) {
    can_pass();
    return counted(next.memalign(alignment, size), size);
}

EXPORT void *valloc(size_t size) {
    can_pass();
    return counted(next.valloc(size), size);
}

EXPORT void *pvalloc(size_t size);
EXPORT void *pvalloc(size_t size) {
    can_pass();
    return counted(next.pvalloc(size), size);
}

/* What the probe asks: totals since start {allocations, bytes, frees}, and which function serves a name behind this wrapper. */
EXPORT void hak_count_get(uint64_t out[3]);
EXPORT void hak_count_get(uint64_t out[3]) {
    out[0] = out[1] = out[2] = 0;
    for (int i = 0; i < SLOTS; i++) {
        out[0] += slots[i].allocs;
        out[1] += slots[i].bytes;
        out[2] += slots[i].frees;
    }
}

EXPORT void *hak_count_real(const char *name);
EXPORT void *hak_count_real(const char *name) {
    can_pass();
    return strcmp(name, "malloc") == 0 ? *(void **)&next.malloc
           : strcmp(name, "free") == 0 ? *(void **)&next.free
                                       : NULL;
}

/* C++: operators new and delete. An allocator that defines them does not call malloc, so they are counted here; those of the C++ library do,
 * and are not counted twice. Mangled names as in the Itanium C++ ABI; std::align_val_t is a size_t, std::nothrow_t a reference. */
struct passed {
    void *function;
    bool counts, known;
};

static void *operator_next(struct passed *o, const char *name) {
    if (!o->known) {
        Dl_info info;
        o->function = dlsym(RTLD_NEXT, name);
        o->counts = o->function && dladdr(o->function, &info) && info.dli_fname &&
                    !strstr(info.dli_fname, "libstdc++") && !strstr(info.dli_fname, "libc++");
        o->known = true;
    }
    return o->function;
}

#define NEW(name, fallback, parameters, arguments)   \
    EXPORT void *name parameters;                    \
    EXPORT void *name parameters {                   \
        static struct passed o;                      \
        void *(*f)parameters;                        \
        *(void **)&f = operator_next(&o, #name);     \
        if (!f) {                                    \
            return fallback;                         \
        }                                            \
        void *block = f arguments;                   \
        return o.counts ? counted(block, n) : block; \
    }
#define DELETE(name, parameters, arguments)      \
    EXPORT void name parameters;                 \
    EXPORT void name parameters {                \
        static struct passed o;                  \
        void(*f) parameters;                     \
        *(void **)&f = operator_next(&o, #name); \
        if (!f) {                                \
            free(p);                             \
            return;                              \
        }                                        \
        if (o.counts) {                          \
            count_free(p);                       \
        }                                        \
        f arguments;                             \
    }

NEW(_Znwm, malloc(n), (size_t n), (n))
NEW(_Znam, malloc(n), (size_t n), (n))
NEW(_ZnwmRKSt9nothrow_t, malloc(n), (size_t n, const void *t), (n, t))
NEW(_ZnamRKSt9nothrow_t, malloc(n), (size_t n, const void *t), (n, t))
NEW(_ZnwmSt11align_val_t, memalign(a, n), (size_t n, size_t a), (n, a))
NEW(_ZnamSt11align_val_t, memalign(a, n), (size_t n, size_t a), (n, a))
NEW(_ZnwmSt11align_val_tRKSt9nothrow_t, memalign(a, n), (size_t n, size_t a, const void *t), (n, a, t))
NEW(_ZnamSt11align_val_tRKSt9nothrow_t, memalign(a, n), (size_t n, size_t a, const void *t), (n, a, t))
DELETE(_ZdlPv, (void *p), (p))
DELETE(_ZdaPv, (void *p), (p))
DELETE(_ZdlPvm, (void *p, size_t n), (p, n))
DELETE(_ZdaPvm, (void *p, size_t n), (p, n))
DELETE(_ZdlPvRKSt9nothrow_t, (void *p, const void *t), (p, t))
DELETE(_ZdaPvRKSt9nothrow_t, (void *p, const void *t), (p, t))
DELETE(_ZdlPvSt11align_val_t, (void *p, size_t a), (p, a))
DELETE(_ZdaPvSt11align_val_t, (void *p, size_t a), (p, a))
DELETE(_ZdlPvmSt11align_val_t, (void *p, size_t n, size_t a), (p, n, a))
DELETE(_ZdaPvmSt11align_val_t, (void *p, size_t n, size_t a), (p, n, a))
DELETE(_ZdlPvSt11align_val_tRKSt9nothrow_t, (void *p, size_t a, const void *t), (p, a, t))
DELETE(_ZdaPvSt11align_val_tRKSt9nothrow_t, (void *p, size_t a, const void *t), (p, a, t))
