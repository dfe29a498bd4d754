/* hot/free_hot.h : the whole way of a free of this thread's own block.                                                 L1
 *   pointer -> unit -> map word ^ key == class -> push. NULL, foreign, large, remote and "no state yet" fail the same compare.
 * Test       golden/ pins its instructions */
#ifndef HAK_HOT_FREE_HOT_H
#define HAK_HOT_FREE_HOT_H

#include "base/atomic.h"
#include "base/rmw.h"
#include "hot/cold_entry.h"
#include "layout/arena.h"
#include "layout/magazine.h"
#include "layout/thread_cache.h"

HAK_INLINE void hak_free_hot(void *p) {
    /* What is outside the arena looks like unit 0, which nobody ever owns: its map word fails the compare below. */
    size_t u = hak_index_or(unit_of(p), &hak_arena.limit, &hak_arena.none);
    thread_cache_here t = hak_tls_here();
    size_t cls = hak_load_hot(&hak_load_hot(&hak_arena.map)[u]) ^ t->key;
    if (HAK_UNLIKELY(cls >= HAK_CLASSES)) {
        hak_free_away(p, cls);
        return;
    }
    uintptr_t *top = t->top[cls];
    if (HAK_UNLIKELY(((uintptr_t)top & (HAK_CHUNK_BYTES - 1)) == 0)) {
        hak_free_full(p, cls);
        return;
    }
    hak_ptr_advance(&t->top[cls], top);
    *top = (uintptr_t)p;
}

#endif
