/* inlined.c : where the magazine's test is. called: behind a call of the core, in a function of its own. inlined: in the wrapper, before that
 * call, so that a hit makes no call and a miss tests twice.
 * Gate       HAKMEM_INLINE_FRONT=call|wrapper          Decision  docs/decisions/022          Test  variants/ */
#include "base/rmw.h"
#include "front.h"
#include "hot/malloc_hot.h"
#include "layout/arena.h"
#include "layout/magazine.h"
#include "layout/thread_cache.h"

/* A call and not a jump, as from a wrapper that has something left to do. */
void *called_malloc(size_t n) {
    void *p = hakt_malloc(n);
    __asm__ volatile("" : "+r"(p));
    return p;
}

void called_free(void *p) {
    hakt_free(p);
    __asm__ volatile("" : : : "memory");
}

void *inlined_malloc(size_t n) {
    void *p = hak_malloc_hit(n);
    return HAK_LIKELY(p != 0) ? p : called_malloc(n);
}

void inlined_free(void *p) {
    size_t u = hak_index_or(unit_of(p), &hak_arena.limit, &hak_arena.none);
    thread_cache_here t = hak_tls_here();
    size_t cls = hak_load_hot(&hak_load_hot(&hak_arena.map)[u]) ^ t->key;
    if (HAK_LIKELY(cls < HAK_CLASSES)) {
        uintptr_t *top = t->top[cls];
        if (HAK_LIKELY(((uintptr_t)top & (HAK_CHUNK_BYTES - 1)) != 0)) {
            hak_ptr_advance(&t->top[cls], top);
            *top = (uintptr_t)p;
            return;
        }
    }
    called_free(p);
}
