/* hashed.c : the notes' registry: free finds a block's owner in a hash of 1024 entries on address >> 16, probed up to 8 places on.
 * Owns       registry          Threads  any: entries are single words
 * Invariant  an entry is put in by a thread that holds a block of its unit, and taken out before the unit is given back; units change hands in no other way: it is never stale.
 * Gate       HAKMEM_TINY_USE_SUPERSLAB=0          Decision  docs/decisions/024          Test  variants/ */
#include "base/rmw.h"
#include "front.h"
#include "hot/malloc_hot.h"
#include "judge.h"
#include "layout/arena.h"
#include "layout/lookup.h"
#include <stdbool.h>

struct heap;
enum { ENTRIES = 1024, PROBES = 8, GONE = 1 /* nobody's tag is 0 */ };
static uint64_t registry[ENTRIES]; /* atomic: address >> 16 << 32 | map word */

HAK_INLINE uint64_t tag_of(uintptr_t address) { return address >> HAK_UNIT_SHIFT & 0xffffffff; }
HAK_INLINE uint64_t *place_of(uint64_t tag, unsigned probe) { return &registry[(tag + probe) % ENTRIES]; }

HAK_INLINE uint32_t registry_find(uint64_t tag) {
    for (unsigned i = 0; i < PROBES; i++) {
        uint64_t e = hak_load_rlx(place_of(tag, i));
        if (HAK_LIKELY(e >> 32 == tag)) {
            return (uint32_t)e;
        }
        if (e == 0) {
            break;
        }
    }
    return 0;
}

HAK_COLD static void registry_add(uint64_t tag, uint32_t word) {
    for (unsigned i = 0; i < PROBES; i++) {
        uint64_t e = hak_load_rlx(place_of(tag, i));
        if (e <= GONE &&
            hak_cas_rel(place_of(tag, i), &e, tag << 32 | word)) { /* rel: nobody's; the entry is all there is to see */
            return;
        }
    }
}

static void registry_remove(uint64_t tag) {
    for (unsigned i = 0; i < PROBES; i++) {
        if (hak_load_rlx(place_of(tag, i)) >> 32 == tag) {
            hak_store_rlx(place_of(tag, i), GONE);
        }
    }
}

/* The linker puts this before the span allocator's. */
HAK_HIDDEN void __wrap_span_free(uint32_t unit, uint32_t units, bool touched);
HAK_HIDDEN void __real_span_free(uint32_t unit, uint32_t units, bool touched);
void __wrap_span_free(uint32_t unit, uint32_t units, bool touched) {
    for (uint32_t u = unit; hak_front_chosen == FRONT_hashed && u < unit + units; u++) {
        registry_remove(tag_of((uintptr_t)unit_address(u)));
    }
    __real_span_free(unit, units, touched);
}

/* A slab that changed hands would leave entries that are stale: none does. */
HAK_HIDDEN bool __wrap_steal_slab(struct heap *h, unsigned cls);
HAK_HIDDEN bool __real_steal_slab(struct heap *h, unsigned cls);
bool __wrap_steal_slab(struct heap *h, unsigned cls) {
    return hak_front_chosen != FRONT_hashed && __real_steal_slab(h, cls);
}

HAK_COLD static void free_unknown(void *p) {
    uint32_t word = hak_word_hot(p);
    if (word && hak_word_class(word) < HAK_CLASSES) {
        registry_add(tag_of((uintptr_t)p), word);
    }
    hakt_free(p);
}

void *hashed_malloc(size_t n) { return hak_malloc_hot(n); }

void hashed_free(void *p) {
    uint32_t word = registry_find(tag_of((uintptr_t)p));
    if (HAK_UNLIKELY(word == 0)) {
        free_unknown(p);
        return;
    }
    thread_cache_here t = hak_tls_here();
    size_t cls = word ^ t->key;
    uintptr_t *top = cls < HAK_CLASSES ? t->top[cls] : 0;
    if (HAK_UNLIKELY(((uintptr_t)top & (HAK_CHUNK_BYTES - 1)) == 0)) {
        hakt_free(p);
        return;
    }
    hak_ptr_advance(&t->top[cls], top);
    *top = (uintptr_t)p;
}
