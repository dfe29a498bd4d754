/* cold/meta.c : a bump allocator for heaps and chunks, and the common list of chunks.                                  L2
 * Owns       the block being bumped, the common chunk list         Threads  any, one lock; no system call under it
 * Test       unit/meta */
#include "cold/meta.h"
#include "base/bits.h"
#include "base/lock.h"
#include "cold/arena.h"
#include "layout/heap.h"
#include "layout/magazine.h"
#include "os/os.h"

enum { BLOCK = 256 << 10, SPARES = 24, GROUP = 4 };

static hak_lock lock = HAK_LOCK_INIT(HAK_RANK_META);
static char *at, *end;       /* lock: meta */
static struct chunk *common; /* lock: meta */
static size_t total;         /* lock: meta */

static void *bump_locked(size_t size, size_t align) {
    char *p = (char *)hak_align_up((uintptr_t)at, align);
    if (!at || p > end || (size_t)(end - p) < size) {
        return 0;
    }
    at = p + size;
    hak_store_rlx(&total, total + size);
    return p;
}

void *meta_alloc(size_t size, size_t align) {
    for (;;) {
        hak_lock_take(&lock);
        void *p = bump_locked(size, align);
        hak_lock_drop(&lock);
        if (p) {
            return p;
        }
        void *block;
        size_t len;
        if (!(block = arena_spare(&len))) {
            len = hak_align_up(hak_max(size + align, BLOCK), os_page_size());
            if (os_map(len, &block)) {
                return 0;
            }
        }
        hak_lock_take(&lock);
        at = block; /* what is left of the old block is lost: less than one object, or never touched */
        end = (char *)block + len;
        hak_lock_drop(&lock);
    }
}

static struct chunk *common_take(void) {
    hak_lock_take(&lock);
    struct chunk *k = common;
    if (k) {
        common = chunk_prev(k);
    }
    hak_lock_drop(&lock);
    return k;
}

struct chunk *chunk_get(struct heap *h) {
    struct chunk *k = h->spare;
    if (HAK_LIKELY(k != 0)) {
        h->spare = chunk_prev(k);
        h->nspare--;
        return k;
    }
    k = common_take();
    if (k) {
        return k;
    }
    k = meta_alloc(GROUP * sizeof *k, GROUP * sizeof *k);
    for (int i = GROUP - 1; k && i > 0; i--) {
        chunk_put(h, &k[i]);
    }
    return k;
}

static void common_add(struct chunk *first, struct chunk *last) {
    hak_lock_take(&lock);
    chunk_set_prev(last, common);
    common = first;
    hak_lock_drop(&lock);
}

void chunk_put(struct heap *h, struct chunk *k) {
    chunk_set_prev(k, h->spare);
    h->spare = k;
    if (++h->nspare < SPARES) {
        return;
    }
    struct chunk *last = k;
    for (int i = 1; i < SPARES / 2; i++) {
        last = chunk_prev(last);
    }
    h->spare = chunk_prev(last);
    h->nspare -= SPARES / 2;
    common_add(k, last);
}

void chunk_put_all(struct heap *h) {
    struct chunk *first = h->spare, *last = first;
    if (!first) {
        return;
    }
    while (chunk_prev(last)) {
        last = chunk_prev(last);
    }
    h->spare = 0;
    h->nspare = 0;
    common_add(first, last);
}

char *meta_map_once(char **where, size_t len) {
    char *p = hak_load_acq(where); /* acq: pairs with the exchange below */
    void *fresh;
    if (HAK_LIKELY(p != 0) || os_map(len, &fresh)) {
        return p;
    }
    if (hak_cas_ar(where, &p, (char *)fresh)) { /* ar: pairs with the load above */
        return fresh;
    }
    os_unmap(fresh, len);
    return p;
}

size_t meta_bytes(void) { return hak_load_rlx(&total); }
void meta_lock(void) { hak_lock_take(&lock); }
void meta_unlock(void) { hak_lock_drop(&lock); }
void meta_child(void) { hak_lock_reset(&lock); }
