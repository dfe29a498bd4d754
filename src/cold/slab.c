/* cold/slab.c : slabs of one size class: new, taken from, released; slab_settle.c has the way back into them.             L2
 * Owns       struct slab of units in use, bitmaps, the map words of slabs, heap.{current,partial,free_bytes,slab_bytes}
 * Never touches  magazines, blocks
 * Threads    any, under the heap's lock; spans come and go without it
 * Invariant  avail == popcount(bitmap) + (nobj - bump); a slab is released exactly when avail == nobj   (checked: diag/verify.c)
 * Test       unit/slab */
#include "cold/slab.h"
#include "base/bits.h"
#include "base/print.h"
#include "cold/purge.h"
#include "cold/remote.h"
#include "cold/slab_list.h"
#include "cold/span.h"
#include "cold/steal.h"
#include "cold/takeover.h"
#include "cold/thp.h"
#include "gates/gates.h"
#include "layout/lookup.h"
#include "os/os.h"

#include <string.h>

static void set_map(uint32_t u, unsigned units, uint32_t word) {
    for (unsigned i = 0; i < units; i++) {
        hak_store_rlx(&hak_arena.map[u + i], word);
    }
}

/* Heap lock held. zeroed: nobody has touched the span. A span that was a slab before may lack pages: its purged bits are left from then. */
static void slab_install(struct heap *h, unsigned cls, uint32_t u, bool zeroed) {
    const struct size_class *k = &hak_class[cls];
    size_t absent = 0;
    for (uint8_t i = 0; i < k->units; i++) {
        *slab_at(u + i) = (struct slab){.cls = (uint8_t)cls, .bucket = SLAB_UNLISTED, .head_off = i};
        absent += zeroed ? HAK_UNIT : (size_t)hak_popcount32(*purged_at(u + i)) * SLAB_PAGE;
        *purged_at(u + i) = 0;
    }
    struct slab *s = slab_at(u);
    s->nobj = s->mark = k->nobj; /* all of it is there: left is 0 */
    s->units = k->units;
    slab_touch(s);
    slab_own(h, u);
    set_map(u, k->units, h->id << 8 | cls);
    h->slab_bytes += (size_t)k->units << HAK_UNIT_SHIFT;
    slab_count(h, cls, 1);
    h->free_bytes += (size_t)k->nobj * k->size;
    h->fresh_bytes += (size_t)k->nobj * k->size;
    h->grown_bytes += absent;
}

/* A wholly free current slab starts over as a bump range. */
static void slab_restart(uint32_t u) {
    struct slab *s = slab_at(u);
    memset(slab_bits(u), 0, ((size_t)s->nobj + 63) / 64 * sizeof(uint64_t));
    s->bump = 0;
    slab_set_mark(s, s->nobj);
    slab_touch(s);
}

/* Heap lock held; the slab is in no list and holds no block that is not in its bitmap or bump range. The caller frees the span. */
static void slab_uninstall(struct heap *h, uint32_t u) {
    struct slab *s = slab_at(u);
    size_t size = hak_class[s->cls].size;
    set_map(u, s->units, 0);
    slab_disown(h, u);
    h->purged_bytes -= slab_purged(u);
    h->slab_bytes -= (size_t)s->units << HAK_UNIT_SHIFT;
    slab_count(h, s->cls, -1);
    h->free_bytes -= slab_avail(s) * size;
    h->fresh_bytes -= (size_t)(s->nobj - s->bump) * size;
    slab_restart(u);
}

/* Pages of blocks v[0..n), which are being handed out, will be touched. */
static void touch_purged(struct heap *h, uint32_t u, const uintptr_t *v, unsigned n) {
    size_t size = hak_class[slab_at(u)->cls].size, back = 0;
    for (unsigned i = 0; i < n; i++) {
        size_t off = v[i] - (uintptr_t)unit_address(u);
        for (size_t page = off / SLAB_PAGE; page <= (off + size - 1) / SLAB_PAGE; page++) {
            uint16_t *word = purged_at(u + page / 16), bit = (uint16_t)(1u << page % 16);
            back += *word & bit ? SLAB_PAGE : 0;
            *word = (uint16_t)(*word & ~bit);
        }
    }
    h->purged_bytes -= back;
    h->grown_bytes += back;
    purge_missed(back);
}

static bool has_purged(uint32_t u) {
    unsigned any = 0;
    for (unsigned i = 0; i < slab_at(u)->units; i++) {
        any |= *purged_at(u + i);
    }
    return any != 0;
}

/* Takes blocks of a word's bits that mask names, the lowest first, to to[room], to[room - 1], ... and to[1] at most; returns the room left. */
HAK_INLINE size_t take_word(uint64_t *word, uint64_t mask, uintptr_t at, size_t size, uintptr_t *to, size_t room) {
    uint64_t all = *word, b = all & mask;
    for (; b; b &= b - 1) {
        to[room] = at + hak_ctz_index(b) * size;
        if (--room == 0) {
            *word = (all & ~mask) | (b & (b - 1));
            return 0;
        }
    }
    *word = all & ~mask;
    return room;
}

/* A function of its own, so that its loops have all registers: words of a nearly full slab have few bits each. */
HAK_NOINLINE static unsigned take_bits(uint32_t u, uintptr_t *end, unsigned want) {
    const struct slab *s = slab_at(u);
    uint64_t *word = slab_bits(u), *stop = word + (s->bump + 63u) / 64;
    size_t size = hak_class[s->cls].size, room = want;
    for (uintptr_t at = (uintptr_t)unit_address(u); word < stop && room; word++, at += 64 * size) {
        room = take_word(word, ~UINT64_C(0), at, size, end - want - 1, room);
    }
    return want - (unsigned)room;
}

/* take_bits() of a slab some of whose pages were given back, but only what lies on the others. */
HAK_NOINLINE static unsigned take_present(uint32_t u, uintptr_t *end, unsigned want) {
    const struct slab *s = slab_at(u);
    uint64_t *bits = slab_bits(u), gone[2] = {0, 0};
    size_t size = hak_class[s->cls].size, room = want;
    unsigned pages = s->units * (unsigned)(HAK_UNIT / SLAB_PAGE), a, b;
    for (unsigned i = 0; i < s->units; i++) {
        gone[i / 4] |= (uint64_t)*purged_at(u + i) << (i % 4 * 16);
    }
    for (a = hak_next_bit(gone, 0, pages, false); a < pages && room; a = hak_next_bit(gone, b, pages, false)) {
        b = hak_next_bit(gone, a, pages, true);
        unsigned k = (unsigned)((a * SLAB_PAGE + size - 1) / size),
                 last = (unsigned)hak_min(b * SLAB_PAGE / size, s->bump);
        for (; k < last && room; k = (k | 63) + 1) {
            uint64_t mask = hak_ones64((unsigned)hak_min(last - (k & ~63u), 64)) & ~UINT64_C(0) << (k & 63);
            uintptr_t at = (uintptr_t)unit_address(u) + (k & ~63u) * size;
            room = take_word(&bits[k >> 6], mask, at, size, end - want - 1, room);
        }
    }
    return want - (unsigned)room;
}

typedef uint64_t pair __attribute__((vector_size(16)));

/* end[-1] gets the lowest address. Two addresses a store: a refill of small blocks is mostly this loop. */
static unsigned take_bump(uint32_t u, uintptr_t *end, unsigned want) {
    struct slab *s = slab_at(u);
    uint64_t size = hak_class[s->cls].size;
    unsigned n = (unsigned)hak_min(want, (size_t)(s->nobj - s->bump));
    uint64_t at = (uintptr_t)unit_address(u) + s->bump * size;
    s->bump = (uint16_t)(s->bump + n);
    pair v = {at + 3 * size, at + 2 * size}, w = {at + size, at}, step = {4 * size, 4 * size};
    unsigned i = 0;
    for (; i + 4 <= n; i += 4) {
        end -= 4;
        __builtin_memcpy(end, &v, sizeof v);
        __builtin_memcpy(end + 2, &w, sizeof w);
        v += step;
        w += step;
    }
    for (; i < n; i++) {
        *--end = at + i * size;
    }
    return n;
}

static unsigned take_from(struct heap *h, uint32_t u, uintptr_t *end, unsigned want) {
    struct slab *s = slab_at(u);
    bool in_bitmap = slab_avail(s) > (unsigned)(s->nobj - s->bump), gone = has_purged(u);
    unsigned n = gone && in_bitmap && s->bucket != SLAB_LEAN ? take_present(u, end, want) : 0;
    if (n == 0) {
        n = in_bitmap ? take_bits(u, end, want) : 0;
        if (n < want && s->bump < s->nobj) {
            unsigned fresh = take_bump(u, end - n, want - n);
            h->fresh_bytes -= (size_t)fresh * hak_class[s->cls].size;
            n += fresh;
        }
        if (HAK_UNLIKELY(gone)) { /* a slab that started over has its pages gone in the bump range, too */
            touch_purged(h, u, end - n, n);
        }
    }
    s->left = (uint16_t)(s->left + n);
    h->free_bytes -= (size_t)n * hak_class[s->cls].size;
    return n;
}

/* The fullest partial slab, or the current one. 0: the heap has none. */
static uint32_t best_slab(const struct heap *h, unsigned cls) {
    uint32_t u = slab_fullest(h, cls), current = h->current[cls];
    return u ? u : current && slab_avail(slab_at(current)) ? current : 0;
}

static unsigned take_locked(struct heap *h, unsigned cls, uintptr_t *end, unsigned want) {
    unsigned n = 0;
    while (n < want) {
        uint32_t u = best_slab(h, cls);
        if (!u || (n && (u == h->current[cls] || slab_at(u)->bucket == SLAB_LEAN))) {
            break; /* a batch from lists is not mixed with untouched memory */
        }
        n += take_from(h, u, end - n, want - n);
        slab_relist(h, u);
    }
    return n;
}

void slab_retire_locked(struct heap *h, uint32_t u) {
    slab_unlist(h, u);
    slab_uninstall(h, u);
}

void slab_free_released(const struct slab_released *r) {
    for (unsigned i = 0; i < r->n; i++) {
        span_free(r->unit[i], r->units[i], true);
    }
}

void slab_marked(struct heap *h, uint32_t u, struct slab_released *r) {
    struct slab *s = slab_at(u);
    if (slab_avail(s) < s->nobj) {
        slab_relist(h, u);
    } else if (h->current[s->cls] == u && s->units == 1) { /* a larger one would keep up to 512 KiB for one class */
        h->fresh_bytes += (size_t)s->bump * hak_class[s->cls].size;
        slab_restart(u);
    } else {
        h->current[s->cls] = h->current[s->cls] == u ? 0 : h->current[s->cls];
        slab_retire_locked(h, u);
        r->unit[r->n] = u;
        r->units[r->n++] = s->units;
    }
}

/* A class of so many slabs will soon touch all of one more: at most a 64th of its memory is made present too early. Who writes into a block
 * of up to two pages touches most of it; of longer ones it may be the start only, and the rest would be waste. */
enum { GROWS = 64, TOUCHED_WHOLE = 2 * SLAB_PAGE };

/* Gets a slab without the lock, then makes it the current one. */
static bool slab_new(struct heap *h, unsigned cls) {
    bool zeroed;
    uint32_t u = span_alloc(hak_class[cls].units, 1, &zeroed);
    if (!u) {
        return false;
    }
    hak_lock_take(&h->lock);
    slab_install(h, cls, u, zeroed);
    uint32_t old = h->current[cls];
    h->current[cls] = u;
    struct slab_released r;
    r.n = 0;
    if (old) { /* all of it may have come home meanwhile */
        slab_marked(h, old, &r);
    }
    bool whole = zeroed && hak_class[cls].size <= TOUCHED_WHOLE;
    bool grows = whole && h->nslabs[cls] > GROWS && hak_gates.populate;
    hak_lock_drop(&h->lock);
    if (whole) {
        thp_slab(h, u, hak_class[cls].units);
    }
    if (grows) {
        os_populate(unit_address(u), (size_t)hak_class[cls].units << HAK_UNIT_SHIFT);
    }
    slab_free_released(&r);
    hak_store_rlx(&h->new_slab, true);
    return true;
}

unsigned slab_take(struct heap *h, unsigned cls, uintptr_t *out, unsigned want) {
    for (;;) {
        hak_lock_take(&h->lock);
        unsigned n = take_locked(h, cls, out + want, want);
        size_t trade = purge_trade_due(h);
        hak_lock_drop(&h->lock);
        if (HAK_UNLIKELY(trade)) {
            purge_trade_pages(h, trade);
        }
        if (n) {
            if (n < want) {
                memmove(out, out + want - n, n * sizeof *out);
            }
            return n;
        }
        if (!steal_slab(h, cls) && !takeover_slab(h, cls) && !slab_new(h, cls)) {
            return 0;
        }
    }
}

bool slab_block_start(uint32_t u, const void *p) {
    uint32_t off = (uint32_t)((const char *)p - unit_address(u));
    const struct size_class *k = &hak_class[slab_at(u)->cls];
    uint32_t i = (uint32_t)(((uint64_t)off * k->recip) >> 32);
    return i * k->size == off && i < k->nobj;
}

bool slab_block_free(uint32_t u, const void *p) {
    uint32_t off = (uint32_t)((const char *)p - unit_address(u));
    const struct slab *s = slab_at(u);
    uint32_t i = (uint32_t)(((uint64_t)off * hak_class[s->cls].recip) >> 32);
    return i >= s->bump || (slab_bits(u)[i >> 6] >> (i & 63) & 1);
}
