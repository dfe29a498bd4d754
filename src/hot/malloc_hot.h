/* hot/malloc_hot.h : the whole way of a malloc that hits.                                                              L1
 *   size -> class -> top of the class's magazine -> block.  No gate, no initialisation check, no lock, no atomic instruction.
 * Test       golden/ pins its instructions */
#ifndef HAK_HOT_MALLOC_HOT_H
#define HAK_HOT_MALLOC_HOT_H

#include "base/rmw.h"
#include "hot/cold_entry.h"
#include "layout/magazine.h"
#include "layout/size_class.h"
#include "layout/thread_cache.h"

/* NULL: a miss. */
HAK_INLINE void *hak_hit_hot(size_t cls, thread_cache_here t) {
    uintptr_t *top = t->top[cls];
    uintptr_t block = top[-1];
    if (HAK_LIKELY(block != 0)) {
        hak_ptr_retreat(&t->top[cls], top);
    }
    return (void *)block;
}

HAK_INLINE void *hak_pop_hot(size_t n, size_t cls, thread_cache_here t) {
    void *p = hak_hit_hot(cls, t);
    return HAK_LIKELY(p != 0) ? p : hak_malloc_cold(n, cls);
}

HAK_INLINE void *hak_malloc_medium(size_t n, thread_cache_here t) {
    if (HAK_UNLIKELY(n > HAK_MEDIUM_MAX)) {
        return hak_malloc_large(n);
    }
    return hak_pop_hot(n, hak_load_hot(&hak_class_of[hak_class_index(n)]), t);
}

HAK_INLINE void *hak_malloc_hot(size_t n) {
    thread_cache_here t = hak_tls_here();
    if (HAK_UNLIKELY(n > HAK_SMALL_MAX)) {
        return hak_malloc_medium(n, t);
    }
    return hak_pop_hot(n, t->bin[hak_class_index(n)], t);
}

/* For who has more to do after a miss: NULL then, and for a size that is not small. */
HAK_INLINE void *hak_malloc_hit(size_t n) {
    thread_cache_here t = hak_tls_here();
    return HAK_LIKELY(n <= HAK_SMALL_MAX) ? hak_hit_hot(t->bin[hak_class_index(n)], t) : 0;
}

#endif
