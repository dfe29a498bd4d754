/* routed.c : which way a class goes, looked up on every call although all go one way. routed: the notes' static table. bitted: Phase 19-4, a
 * bit a class in the thread.
 * Gate       HAKMEM_ROUTE_TABLE=static|tls          Decision  docs/decisions/027          Test  variants/ */
#include "front.h"
#include "hot/free_hot.h"
#include "hot/malloc_hot.h"
#include "layout/lookup.h"
#include <stdbool.h>

HAK_INLINE bool is_elsewhere(size_t cls) { return front_elsewhere[cls / 64] >> (cls % 64) & 1; }

void *routed_malloc(size_t n) {
    thread_cache_here t = hak_tls_here();
    if (HAK_LIKELY(n <= HAK_SMALL_MAX)) {
        size_t cls = t->bin[hak_class_index(n)];
        if (HAK_LIKELY(front_config.route[cls] <= ROUTE_DUALHOT)) {
            return hak_pop_hot(n, cls, t);
        }
    }
    return hakt_malloc(n);
}

void routed_free(void *p) {
    if (HAK_LIKELY(front_config.route[hak_word_class(hak_word_hot(p))] <= ROUTE_DUALHOT)) {
        hak_free_hot(p);
        return;
    }
    hakt_free(p);
}

void *bitted_malloc(size_t n) {
    thread_cache_here t = hak_tls_here();
    if (HAK_LIKELY(n <= HAK_SMALL_MAX)) {
        size_t cls = t->bin[hak_class_index(n)];
        if (HAK_LIKELY(!is_elsewhere(cls))) {
            return hak_pop_hot(n, cls, t);
        }
    }
    return hakt_malloc(n);
}

void bitted_free(void *p) {
    if (HAK_LIKELY(!is_elsewhere(hak_word_class(hak_word_hot(p)) % 128))) {
        hak_free_hot(p);
        return;
    }
    hakt_free(p);
}
