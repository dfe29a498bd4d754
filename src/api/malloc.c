/* api/malloc.c : malloc, calloc, realloc, free and their sized and checked forms.
 * Threads    any          Source  C23 7.24.3, POSIX.1-2024, glibc where they are silent          Test  conformance/, golden/ */
#include "api/family.h"
#include "base/bits.h"
#include "base/names.h"
#include "cold/door.h"
#include "cold/foreign.h"
#include "cold/large.h"
#include "hot/free_hot.h"
#include "hot/malloc_hot.h"
#include "layout/lookup.h"
#include <errno.h>
#include <stddef.h>
#include <string.h>

enum { APPEND_MIN = 128, APPEND_STEP = 16, APPEND_SHARE = 32, MOVABLE_STEP = 8 };

HAK_EXPORT void *HAK_API(malloc)(size_t n) { return hak_malloc_hot(n); }

HAK_EXPORT void HAK_API(free)(void *p) { hak_free_hot(p); }

HAK_COLD static void *no_memory(void) {
    errno = ENOMEM;
    return 0;
}

HAK_NOINLINE static void *calloc_large(size_t n) {
    bool zeroed = true;
    void *p = door_large(n, 1, &zeroed);
    if (!p) {
        return no_memory();
    }
    return zeroed ? p : large_zero(p, n);
}

HAK_EXPORT void *HAK_API(calloc)(size_t count, size_t size) {
    size_t n;
    if (HAK_UNLIKELY(!hak_mul(count, size, &n))) {
        return no_memory();
    }
    if (HAK_UNLIKELY(n > HAK_MEDIUM_MAX)) {
        return calloc_large(n);
    }
    void *p = hak_malloc_hot(n);
    return HAK_LIKELY(p != 0) ? memset(p, 0, n) : 0;
}

/* What grows step by step will grow on; what becomes many times as long at once was a place holder. */
static bool is_growing(size_t old, size_t n) { return n >= HAK_MOVABLE_MIN && old < n && old >= n / MOVABLE_STEP; }

static void *copy_to_new(void *p, size_t old, size_t n) {
    void *q = HAK_UNLIKELY(is_growing(old, n)) && !door_libc_mode() ? door_movable(n) : 0;
    q = q ? q : hak_malloc_hot(n);
    if (HAK_LIKELY(q != 0)) {
        memcpy(q, p, hak_min(old, n));
        hak_free_hot(p);
    }
    return q;
}

/* A copy of the wrong bytes cannot be undone. */
static void check_start(const void *p, const struct size_class *k) {
    uint64_t index = hak_small_index((uintptr_t)p, k->recip);
    if (HAK_UNLIKELY(k->units != 1 || (uint32_t)index >= HAK_INDEX_EXACT || index >> 32 >= k->nobj)) {
        door_check_start(p, "realloc");
    }
}

/* What grows by a little more than it has will do so again: it gets a fourth more, so that it is not copied for each class on its way. */
static bool is_append(size_t old, size_t n) {
    return old >= APPEND_MIN && n > old && n - old <= hak_max(APPEND_STEP, old / APPEND_SHARE);
}

/* Large, huge, libc's or nobody's. */
HAK_COLD static void *realloc_cold(void *p, size_t n) {
    if (n > PTRDIFF_MAX) {
        return no_memory();
    }
    if (door_libc_owns(p, "realloc")) {
        return hak_foreign.realloc(p, n);
    }
    void *q = door_resize(p, n);
    return q ? q : copy_to_new(p, door_size(p, "realloc"), n);
}

HAK_EXPORT void *HAK_API(realloc)(void *p, size_t n) {
    if (HAK_UNLIKELY(!p)) {
        return hak_malloc_hot(n);
    }
    if (HAK_UNLIKELY(n == 0)) { /* glibc: frees, and gives NULL without an error */
        hak_free_hot(p);
        return 0;
    }
    uint32_t word = hak_word_hot(p);
    unsigned cls = hak_word_class(word);
    if (HAK_UNLIKELY(cls >= HAK_CLASSES || word == 0)) {
        return realloc_cold(p, n);
    }
    size_t old = hak_class[cls].size;
    if (n <= old && n > old / 2) {
        return p;
    }
    check_start(p, &hak_class[cls]);
    void *q = HAK_UNLIKELY(is_append(old, n)) ? copy_to_new(p, old, old + old / 4) : 0;
    return q ? q : copy_to_new(p, old, n);
}

HAK_EXPORT void *HAK_API(reallocarray)(void *p, size_t count, size_t size) {
    size_t n;
    return hak_mul(count, size, &n) ? HAK_API(realloc)(p, n) : no_memory();
}

/* C23 7.24.3.4, 7.24.3.5. The size is the caller's claim; the map knows better. */
HAK_EXPORT void HAK_API(free_sized)(void *p, size_t n) {
    (void)n;
    hak_free_hot(p);
}

HAK_EXPORT void HAK_API(free_aligned_sized)(void *p, size_t align, size_t n) {
    (void)align;
    (void)n;
    hak_free_hot(p);
}

HAK_ALIAS(void *, __libc_malloc, malloc, size_t);
HAK_ALIAS(void, __libc_free, free, void *);
HAK_ALIAS(void *, __libc_calloc, calloc, size_t, size_t);
HAK_ALIAS(void *, __libc_realloc, realloc, void *, size_t);
HAK_ALIAS(void *, __libc_reallocarray, reallocarray, void *, size_t, size_t);
HAK_ALIAS(void, cfree, free, void *);
HAK_ALIAS(void, __libc_cfree, free, void *);
HAK_ALIAS(void *, __malloc, malloc, size_t);
HAK_ALIAS(void, __free, free, void *);
HAK_ALIAS(void *, __calloc, calloc, size_t, size_t);
HAK_ALIAS(void *, __realloc, realloc, void *, size_t);
