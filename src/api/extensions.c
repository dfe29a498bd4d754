/* api/extensions.c : include/hakmem/hakmem.h, but for hak_stats_get() (introspect.c).
 * Threads    any          Test  conformance/ext_*, unit/extensions
 * Under HAKMEM_FORCE_LIBC blocks are libc's; first-class heaps, which libc has not, are ours all the same. */
#include "api/family.h"
#include "base/atomic.h"
#include "base/bits.h"
#include "cold/arena.h"
#include "cold/door.h"
#include "cold/foreign.h"
#include "cold/fork.h"
#include "cold/heap.h"
#include "cold/large.h"
#include "cold/purge.h"
#include "cold/shared.h"
#include "cold/slab.h"
#include "diag/libc.h"
#include "diag/option.h"
#include "diag/sites.h"
#include "hakmem/hakmem.h"
#include "hot/free_hot.h"
#include "hot/malloc_hot.h"
#include "layout/lookup.h"
#include <errno.h>
#include <string.h>

HAK_EXPORT int hak_version(void) {
    return HAKMEM_VERSION_MAJOR * 10000 + HAKMEM_VERSION_MINOR * 100 + HAKMEM_VERSION_PATCH;
}

HAK_EXPORT void *hak_malloc_usable(size_t size, size_t *usable) {
    void *p = hak_malloc_hot(size);
    if (p && usable) {
        *usable = HAK_API(malloc_usable_size)(p);
    }
    return p;
}

/* The chunk on top is copied in one go; each miss is one ordinary call, which refills. */
static size_t bulk_of_class(size_t size, unsigned cls, size_t n, void **out) {
    struct thread_cache *t = &hak_tls;
    size_t done = 0;
    while (done < n) {
        uintptr_t *top = t->top[cls];
        for (; done < n && top[-1] != 0; top--) {
            out[done++] = (void *)top[-1];
        }
        hak_store_rlx(&t->top[cls], top);
        if (done < n) {
            void *p = hak_malloc_cold(size, cls);
            if (!p) {
                break;
            }
            out[done++] = p;
        }
    }
    return done;
}

HAK_EXPORT size_t hak_malloc_bulk(size_t size, size_t n, void **out) {
    if (HAK_LIKELY(size <= HAK_MEDIUM_MAX)) {
        return bulk_of_class(size, hak_load_rlx(&hak_class_of[hak_class_index(size)]), n, out);
    }
    size_t done = 0;
    for (void *p; done < n && (p = hak_malloc_large(size)) != 0; done++) {
        out[done] = p;
    }
    return done;
}

HAK_EXPORT void hak_free_bulk(void **blocks, size_t n) {
    for (size_t i = 0; i < n; i++) {
        hak_free_hot(blocks[i]);
    }
}

/* Start-up leaves the arena out when libc serves the process. */
static bool heaps_ready(void) {
    if (!door_libc_mode()) {
        return true;
    }
    seldom_lock();
    if (!hak_arena.base && arena_init()) {
        fork_init();
    }
    bool ready = hak_arena.base != 0;
    seldom_unlock();
    return ready;
}

static void *or_enomem(void *p) {
    if (HAK_UNLIKELY(!p)) {
        errno = ENOMEM;
    }
    return p;
}

HAK_EXPORT hak_heap *hak_heap_create(void) {
    struct heap *h = 0;
    bool ready = heaps_ready();
    hak_tls.busy++;
    h = ready ? heap_acquire(HEAP_FIRST_CLASS) : 0;
    hak_tls.busy--;
    return or_enomem(h);
}

static void *heap_try(struct heap *h, size_t size, bool *zeroed) {
    if (size > HAK_MEDIUM_MAX) {
        return large_alloc(size, 1, h->id, zeroed);
    }
    *zeroed = false;
    return shared_take(h, hak_load_rlx(&hak_class_of[hak_class_index(size)]));
}

/* A signal handler that interrupted the allocator gets nothing: the heap's lock may be held. */
static void *heap_alloc(struct heap *h, size_t size, bool *zeroed) {
    size_t max = door_libc_mode() ? HAK_HUGE_MIN : PTRDIFF_MAX; /* a mapping of its own would be taken for libc's */
    if (size > max || hak_tls.busy) {
        return 0;
    }
    hak_tls.busy++;
    void *p = heap_try(h, size, zeroed);
    if (HAK_UNLIKELY(!p)) {
        purge_all(0);
        p = heap_try(h, size, zeroed);
    }
    purge_tick();
    hak_tls.busy--;
    return p;
}

HAK_EXPORT void *hak_heap_malloc(hak_heap *heap, size_t size) {
    bool zeroed = false;
    return or_enomem(heap_alloc((struct heap *)heap, size, &zeroed));
}

HAK_EXPORT void *hak_heap_calloc(hak_heap *heap, size_t n, size_t size) {
    bool zeroed = true;
    size_t bytes;
    void *p = hak_mul(n, size, &bytes) ? heap_alloc((struct heap *)heap, bytes, &zeroed) : 0;
    if (!p || zeroed) {
        return or_enomem(p);
    }
    return bytes > HAK_MEDIUM_MAX ? large_zero(p, bytes) : memset(p, 0, bytes);
}

HAK_EXPORT void hak_heap_destroy(hak_heap *heap) {
    struct heap *h = (struct heap *)heap;
    if (!h) {
        return;
    }
    hak_tls.busy++;
    slab_release_all(h);
    hak_lock_take(&h->lock);
    memset(h->current, 0, sizeof h->current);
    hak_lock_drop(&h->lock);
    large_free_heap(h);
    heap_release(h);
    hak_tls.busy--;
}

HAK_EXPORT size_t hak_trim(size_t keep) { return door_libc_mode() ? libc_trim(keep) : door_trim(keep); }

HAK_EXPORT void hak_thread_idle(void) { door_flush(); }

static int or_minus_one(int result) {
    if (result < 0) {
        errno = -result;
        return -1;
    }
    return result;
}

HAK_EXPORT int hak_option_get(const char *name, char *buf, size_t size) {
    return or_minus_one(option_get(name, buf, size));
}

HAK_EXPORT int hak_option_set(const char *name, const char *value) { return or_minus_one(option_set(name, value)); }

HAK_EXPORT void *hak_alloc_at(size_t size, const void *site) {
    void *p = hak_malloc_hot(size);
    if (HAK_LIKELY(p != 0)) {
        sites_count_alloc(site, size);
    }
    return p;
}

HAK_EXPORT void hak_free_at(void *block, const void *site) {
    if (block) {
        sites_count_free(site, HAK_API(malloc_usable_size)(block));
        hak_free_hot(block);
    }
}

HAK_EXPORT size_t hak_sites(struct hak_site *out, size_t n) { return sites_copy(out, n); }
