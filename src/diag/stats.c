/* diag/stats.c : one pass over the map, each slab under its heap's lock; then caches, spans, mappings.                 L3
 * Owns       nothing          Reads  everything; what another thread's owner writes without a lock is read as it is
 * Threads    any
 * resident is a bound from above: pages of a large block count though the program may not have touched them.
 * Test       unit/stats, conformance/ext_stats */
#include "diag/stats.h"
#include "base/atomic.h"
#include "base/bits.h"
#include "cold/arena.h"
#include "cold/door.h"
#include "cold/heap.h"
#include "cold/huge.h"
#include "cold/magazine.h"
#include "cold/meta.h"
#include "cold/remote.h"
#include "cold/slab.h"
#include "cold/span.h"
#include "layout/super.h"
#include "os/os.h"
#include <string.h>

enum { INBOX_CHUNKS_MAX = 1 << 16 };

/* Bytes of the side arrays for a unit: supers' share, map, purged, slab; and the bitmap words of a slab. */
enum { SIDE_BYTES = 1 + 4 + 2 + sizeof(struct slab), BITS_BYTES = SLAB_WORDS * sizeof(uint64_t) };

struct walk {
    struct stats *out;
    struct heap *held;
    size_t touched; /* bytes of used spans that are or may be resident */
    size_t last;    /* highest unit in use */
    size_t bits_units;
};

static void hold(struct walk *w, struct heap *h) {
    if (w->held != h) {
        if (w->held) {
            hak_lock_drop(&w->held->lock);
        }
        if (h) {
            hak_lock_take(&h->lock);
        }
        w->held = h;
    }
}

HAK_RACY static bool unit_dirty(size_t u) { return super_at(u / HAK_SUPER_UNITS)->dirty >> (u % HAK_SUPER_UNITS) & 1; }

static bool block_is_free(const uint64_t *bits, unsigned bump, size_t k) {
    return k >= bump || (bits[k >> 6] >> (k & 63) & 1);
}

/* Pages of the slab that may be resident: below the bump range, or left by an earlier span; not given back. */
static size_t touched_in(uint32_t u, const struct slab *s, size_t size) {
    size_t n = 0;
    for (unsigned i = 0; i < s->units * 16u; i++) {
        bool touched = (size_t)i * SLAB_PAGE < s->bump * size || unit_dirty(u + i / 16);
        n += touched && !(*purged_at(u + i / 16) >> (i % 16) & 1);
    }
    return n * SLAB_PAGE;
}

/* Free bytes of blocks [from, to) between the addresses a and b, offsets in the slab; *live: one of them is not free. */
static size_t free_bytes_between(const uint64_t *bits, const struct slab *s, size_t size, size_t a, size_t b,
                                 bool *live) {
    size_t n = 0;
    *live = false;
    for (size_t k = a / size; k < s->nobj && k * size < b; k++) {
        if (block_is_free(bits, s->bump, k)) {
            n += hak_min((k + 1) * size, b) - hak_max(k * size, a);
        } else {
            *live = true;
        }
    }
    return n;
}

/* Bytes of free blocks on pages that also hold a block in use. */
static size_t fragmented_in(uint32_t u, const struct slab *s, size_t size) {
    size_t page = os_page_size(), n = 0;
    for (size_t a = 0; a < (size_t)s->units * HAK_UNIT; a += page) {
        bool live;
        size_t bytes = free_bytes_between(slab_bits(u), s, size, a, a + page, &live);
        n += live ? bytes : 0;
    }
    return n;
}

/* Heap lock held. */
static void count_slab(struct walk *w, uint32_t u) {
    const struct slab *s = &hak_arena.slabs[u];
    struct hak_stats *t = &w->out->total;
    struct class_stats *c = &w->out->cls[s->cls];
    size_t size = hak_class[s->cls].size, touched = touched_in(u, s, size);
    c->slabs++;
    c->blocks += s->nobj;
    c->avail += slab_avail(s);
    w->bits_units += s->bump ? s->units : 0;
    w->touched += touched;
    if (slab_avail(s) == s->nobj) {
        t->dirty += touched; /* a heap's current slab without a block: as good as a free span */
        return;
    }
    t->active += (size_t)s->units * HAK_UNIT;
    if (slab_avail(s)) {
        t->cached_central += slab_avail(s) * size;
        t->fragmented += fragmented_in(u, s, size);
    }
}

HAK_RACY static uint32_t count_large(struct walk *w, uint32_t u) {
    const struct slab *s = &hak_arena.slabs[u];
    uint32_t units = s->large_units;
    size_t bytes = (size_t)s->large_pages * SLAB_PAGE;
    w->out->large++;
    w->out->large_bytes += bytes;
    w->out->total.active += (size_t)units * HAK_UNIT;
    w->touched += bytes;
    return units ? units : 1;
}

/* Returns the units to go on by. */
static uint32_t count_unit(struct walk *w, uint32_t u) {
    uint32_t word = hak_load_rlx(&hak_arena.map[u]);
    if (word == 0) {
        return 1;
    }
    uint32_t units = 1;
    if ((word & 0xff) >= HAK_CLASSES) {
        units = count_large(w, u);
    } else {
        hold(w, heap_by_id(word >> 8));
        if (hak_load_rlx(&hak_arena.map[u]) != word || hak_arena.slabs[u].head_off != 0) {
            return 1; /* given back, or given to somebody else, just now */
        }
        count_slab(w, u);
        units = hak_arena.slabs[u].units;
    }
    w->last = u + units;
    return units;
}

static void count_block(struct stats *out, const void *p) {
    size_t u = unit_of(p);
    uint32_t word = u < hak_load_rlx(&hak_arena.limit) ? hak_load_rlx(&hak_arena.map[u]) : 0;
    if (word && (word & 0xff) < HAK_CLASSES) {
        out->cls[(word & 0xff)].cached++;
    }
}

HAK_RACY static void count_chunk(struct stats *out, const struct chunk *k, uintptr_t n) {
    for (uintptr_t i = 0; k && i < n && remote_first() + i < HAK_CHUNK_SLOTS; i++) {
        count_block(out, (const void *)k->slot[remote_first() + i]);
    }
}

/* Chunks are never unmapped, so a list that is taken meanwhile is only counted wrongly. */
HAK_RACY static void count_transit(struct stats *out, struct heap *h) {
    int left = INBOX_CHUNKS_MAX;
    for (struct chunk *k = hak_load_acq(&h->inbox); k && left; k = chunk_prev(k), left--) { /* acq: pairs with a push */
        count_chunk(out, k, k->slot[1] >> 32);
    }
    for (int i = 0; i < HAK_OUTBOXES; i++) {
        uintptr_t *at = hak_load_rlx(&h->out[i].at);
        count_chunk(out, at ? chunk_of(at) : 0, outbox_count(at));
    }
    for (uint32_t i = 0; i < h->ndeferred && i < HEAP_DEFERRED; i++) {
        count_block(out, h->deferred[i]);
    }
}

/* Heap lock held: the thread's cache stays where it is. */
static void count_heap(struct stats *out, struct heap *h) {
    const struct thread_cache *t = h->cache;
    for (unsigned c = 0; t && c < HAK_CLASSES; c++) {
        out->cls[c].cached += magazine_count(t, h, c);
    }
    count_transit(out, h);
    out->heaps++;
    out->idle_heaps += hak_load_rlx(&h->idle);
}

static void add_classes(struct stats *out) {
    struct hak_stats *t = &out->total;
    for (unsigned c = 0; c < HAK_CLASSES; c++) {
        struct class_stats *k = &out->cls[c];
        size_t used = k->blocks - k->avail;
        k->cached = hak_min(k->cached, used); /* a racing owner may make it more */
        t->allocated += (used - k->cached) * hak_class[c].size;
        t->cached_thread += k->cached * hak_class[c].size;
        out->cached_blocks += k->cached;
    }
}

static size_t meta_total(void) {
    meta_lock();
    size_t n = meta_bytes();
    meta_unlock();
    return n;
}

static void add_spaces(struct walk *w, size_t limit) {
    struct stats *out = w->out;
    struct hak_stats *t = &out->total;
    struct span_stats spans;
    size_t live, kept, meta = meta_total();
    span_stats_get(&spans);
    huge_stats(&live, &out->huge, &kept);
    thp_stats_get(&out->thp);
    early_stats_get(&out->early);
    size_t early = hak_align_up(out->early.used, os_page_size());
    out->huge_bytes = live;
    out->units_used = spans.used;
    out->units_dirty = spans.dirty;
    out->units_clean = spans.clean;
    t->allocated += out->large_bytes + live + out->early.live;
    t->active += live + early;
    t->metadata = meta + w->bits_units * BITS_BYTES + w->last * SIDE_BYTES;
    t->dirty += (spans.dirty << HAK_UNIT_SHIFT) + kept;
    t->resident = w->touched + (spans.dirty << HAK_UNIT_SHIFT) + live + kept + early + t->metadata;
    t->mapped = limit * (HAK_UNIT + SIDE_BYTES + BITS_BYTES) + live + kept + out->early.room + meta;
    t->retained = arena_retained();
}

bool stats_get(struct stats *out) {
    memset(out, 0, sizeof *out);
    if (door_libc_mode() || hak_tls.busy) {
        return false;
    }
    hak_tls.busy++;
    struct walk w = {.out = out};
    size_t limit = hak_load_acq(&hak_arena.limit); /* acq: pairs with arena_grow() */
    for (uint32_t u = 1; u < limit;) {
        u += count_unit(&w, u);
    }
    hold(&w, 0);
    for (uint32_t id = 1; id <= heap_count(); id++) {
        hold(&w, heap_by_id(id));
        if (w.held) {
            count_heap(out, w.held);
        }
    }
    hold(&w, 0);
    add_classes(out);
    add_spaces(&w, limit);
    hak_tls.busy--;
    return true;
}
