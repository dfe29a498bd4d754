/* api/aligned.c : memalign and its relatives, malloc_usable_size.
 * A block of a class is aligned to every power of two, up to a unit, that divides the class's size, because slabs start at units: so an
 * aligned block is one of the next class whose size the alignment divides. There are no interior pointers.
 * Threads    any          Source  POSIX.1-2024 posix_memalign, C23 7.24.3.1          Test  conformance/aligned */
#include "api/aligned.h"
#include "api/family.h"
#include "base/bits.h"
#include "base/names.h"
#include "cold/door.h"
#include "cold/foreign.h"
#include "hot/free_hot.h"
#include "hot/malloc_hot.h"
#include "layout/lookup.h"
#include <errno.h>

/* The class for n bytes at a multiple of align: that of n rounded up to one. Its size is a multiple as well: a step between classes is a multiple of
 * align, or align is one of the step, and then what was rounded up is a class's size itself. But a learned class may have any size, and so
 * the one that it was cut out of is taken. HAK_CLASSES: too large. */
static unsigned aligned_class(size_t align, size_t n) {
    size_t whole = hak_align_up(n ? n : 1, align);
    if (whole > HAK_MEDIUM_MAX) {
        return HAK_CLASSES;
    }
    unsigned c = hak_load_rlx(&hak_class_of[hak_class_index(whole)]);
    return (hak_class[c].size & (align - 1)) == 0 ? c : hak_class_parent[c - HAK_CLASSES_FIXED];
}

/* The same where it takes one look, if the class's magazine has a block; otherwise NULL. errno stays as it is. */
HAK_INLINE void *aligned_hot(size_t align, size_t n) {
    if (HAK_UNLIKELY(n > HAK_MEDIUM_MAX - HAK_UNIT || align > HAK_UNIT)) {
        return 0;
    }
    thread_cache_here t = hak_tls_here();
    size_t c = hak_load_hot(&hak_class_of[hak_class_index(hak_align_up(n, align))]);
    return HAK_LIKELY((hak_class[c].size & (align - 1)) == 0) ? hak_hit_hot(c, t) : 0;
}

HAK_NOINLINE static void *aligned_cold(size_t align, size_t n) {
    int saved = errno;
    bool zeroed = false;
    void *p = door_early(n, align, &zeroed);
    if (p) {
        return p;
    }
    if (door_libc_mode()) {
        return hak_foreign.memalign(align, n);
    }
    if (align <= 16) {
        p = hak_malloc_hot(n);
    } else if (n <= HAK_MEDIUM_MAX && align <= HAK_UNIT) {
        unsigned c = aligned_class(align, n);
        p = c < HAK_CLASSES ? hak_pop_hot(hak_class[c].size, c, hak_tls_here()) : 0;
        if (HAK_UNLIKELY(((uintptr_t)p & (align - 1)) != 0)) { /* of no slab: a mapping, or the emergency pool's */
            hak_free_hot(p);
            p = 0;
        }
    }
    if (!p) {
        p = door_large(n, align, &zeroed);
    }
    errno = saved;
    return p;
}

void *aligned_new(size_t align, size_t n) {
    void *p = aligned_hot(align, n);
    return HAK_LIKELY(p != 0) ? p : aligned_cold(align, n);
}

static void *or_errno(void *p) {
    if (HAK_UNLIKELY(!p)) {
        errno = ENOMEM;
    }
    return p;
}

/* glibc rounds the alignment up to a power of two where the standard leaves it open. */
HAK_EXPORT void *HAK_API(memalign)(size_t align, size_t n) {
    if (HAK_LIKELY(hak_is_pow2(align))) {
        return or_errno(aligned_new(align, n));
    }
    if (align > SIZE_MAX / 2 + 1) {
        errno = EINVAL;
        return 0;
    }
    size_t a = 16;
    while (a < align) {
        a *= 2;
    }
    return or_errno(aligned_new(a, n));
}

HAK_EXPORT void *HAK_API(aligned_alloc)(size_t align, size_t n) {
    if (!hak_is_pow2(align)) {
        errno = EINVAL;
        return 0;
    }
    return or_errno(aligned_new(align, n));
}

HAK_EXPORT int HAK_API(posix_memalign)(void **out, size_t align, size_t n) {
    if (!hak_is_pow2(align) || align % sizeof(void *) != 0) {
        return EINVAL;
    }
    void *p = aligned_new(align, n);
    if (!p) {
        return ENOMEM;
    }
    *out = p;
    return 0;
}

HAK_EXPORT void *HAK_API(valloc)(size_t n) { return or_errno(aligned_new(door_page_size(), n)); }

HAK_EXPORT void *HAK_API(pvalloc)(size_t n) {
    size_t page = door_page_size(), whole = hak_align_up(n ? n : 1, page);
    if (whole < n) {
        errno = ENOMEM;
        return 0;
    }
    return or_errno(aligned_new(page, whole));
}

HAK_EXPORT size_t HAK_API(malloc_usable_size)(void *p) {
    uint32_t word = hak_word_hot(p);
    if (HAK_LIKELY(word && hak_word_class(word) < HAK_CLASSES)) {
        return hak_class[hak_word_class(word)].size;
    }
    int saved = errno;
    size_t n = door_size(p, "malloc_usable_size");
    errno = saved;
    return n;
}

/* An alias would have to repeat the attributes that libc's header gives posix_memalign. */
HAK_EXPORT int hak_alias_posix_memalign(void **out, size_t align, size_t n) __asm__(HAK_SYMBOL("__posix_memalign"));
int hak_alias_posix_memalign(void **out, size_t align, size_t n) { return HAK_API(posix_memalign)(out, align, n); }

HAK_ALIAS(void *, __libc_memalign, memalign, size_t, size_t);
HAK_ALIAS(void *, __libc_valloc, valloc, size_t);
HAK_ALIAS(void *, __libc_pvalloc, pvalloc, size_t);
HAK_ALIAS(void *, __memalign, memalign, size_t, size_t);
HAK_ALIAS(void *, __valloc, valloc, size_t);
HAK_ALIAS(void *, __pvalloc, pvalloc, size_t);
HAK_ALIAS(size_t, __malloc_usable_size, malloc_usable_size, void *);
