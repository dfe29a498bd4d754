/* cold/slab_claim.c : the free pages of a partial slab, taken out of use while they go back to the kernel; slabs that go as a whole.  L2
 * Owns       nothing: bits move from the bitmap to a claim and back         Threads  any, under the heap's lock
 * Invariant  a claimed block is in no bitmap, so nobody can be handed it while its page is being given back
 * Test       unit/slab, stress/limits */
#include "base/bits.h"
#include "cold/heap.h"
#include "cold/slab.h"
#include "cold/slab_list.h"
#include "cold/span.h"
#include "os/os.h"

static bool page_purged(uint32_t unit, unsigned page) { return *purged_at(unit + page / 16) >> (page % 16) & 1; }

/* The whole OS pages in bytes [from, to), as bits of 4 KiB pages. Returns how many are not purged yet; none: nothing is added. */
static unsigned add_pages(struct slab_claim *c, size_t from, size_t to) {
    size_t os = os_page_size();
    unsigned first = (unsigned)(hak_align_up(from, os) / SLAB_PAGE),
             last = (unsigned)(hak_align_down(to, os) / SLAB_PAGE), n = 0;
    for (unsigned i = first; i < last; i++) {
        n += !page_purged(c->unit, i);
    }
    for (unsigned i = first; n && i < last; i++) {
        uint64_t *to_give = page_purged(c->unit, i) ? c->gone : c->pages;
        to_give[i / 64] |= UINT64_C(1) << (i % 64);
    }
    return n;
}

static uint16_t of_unit(const uint64_t *pages, unsigned i) { return (uint16_t)(pages[i / 4] >> (i % 4 * 16)); }

static size_t bytes_of(const uint64_t *pages) {
    return (size_t)(hak_popcount64(pages[0]) + hak_popcount64(pages[1])) * SLAB_PAGE;
}

static void move_bits(uint64_t *to, uint64_t *from, unsigned a, unsigned b) {
    for (; a < b; a = (a | 63) + 1) {
        unsigned len = (unsigned)hak_min(b - a, 64 - (a & 63));
        uint64_t m = hak_ones64(len) << (a & 63);
        to[a >> 6] |= from[a >> 6] & m;
        from[a >> 6] &= ~m;
    }
}

/* What was never handed out becomes bits: its pages may be there all the same, from the span's life before. Heap lock held. */
static void spend_bump(struct heap *h, struct slab *s, uint64_t *bits) {
    h->fresh_bytes -= (size_t)(s->nobj - s->bump) * hak_class[s->cls].size;
    for (unsigned a = s->bump; a < s->nobj; a = (a | 63) + 1) {
        bits[a >> 6] |= hak_ones64((unsigned)hak_min(s->nobj - a, 64 - (a & 63))) << (a & 63);
    }
    s->bump = s->nobj;
}

static unsigned claim_runs(struct slab_claim *c, struct slab *s, uint64_t *bits) {
    size_t size = hak_class[s->cls].size;
    unsigned claimed = 0;
    for (unsigned a = hak_next_bit(bits, 0, s->bump, true); a < s->bump; a = hak_next_bit(bits, a, s->bump, true)) {
        unsigned b = hak_next_bit(bits, a, s->bump, false);
        unsigned n = add_pages(c, a * size, b == s->nobj ? s->units * HAK_UNIT : b * size); /* the slab's tail, too */
        if (n) {
            move_bits(c->blocks, bits, a, b);
            claimed += b - a;
            c->npages += n;
        }
        a = b;
    }
    return claimed;
}

bool slab_claim_pages(struct heap *h, uint32_t unit, struct slab_claim *out) {
    *out = (struct slab_claim){.unit = unit};
    hak_lock_take(&h->lock);
    uint32_t word = hak_load_rlx(&hak_arena.map[unit]);
    if (word >> 8 == h->id && (word & 0xff) < HAK_CLASSES && slab_at(unit)->head_off == 0) {
        struct slab *s = slab_at(unit);
        spend_bump(h, s, slab_bits(unit));
        unsigned n = claim_runs(out, s, slab_bits(unit));
        for (unsigned i = 0; i < s->units; i++) {
            *purged_at(unit + i) &= (uint16_t)~of_unit(out->gone, i);
        }
        h->purged_bytes -= bytes_of(out->gone);
        s->left = (uint16_t)(s->left + n);
        h->free_bytes -= (size_t)n * hak_class[s->cls].size;
        slab_relist(h, unit);
        if (!out->npages) {
            slab_looked(s);
        }
    }
    hak_lock_drop(&h->lock);
    return out->npages != 0;
}

/* The heap that the slab belongs to by now, locked: whoever takes over an idle heap's slabs may take one that has a claim out. */
static struct heap *lock_owner(uint32_t unit) {
    for (;;) {
        struct heap *h = heap_by_id(hak_load_rlx(&hak_arena.map[unit]) >> 8);
        hak_lock_take(&h->lock);
        if (hak_load_rlx(&hak_arena.map[unit]) >> 8 == h->id) {
            return h;
        }
        hak_lock_drop(&h->lock);
    }
}

void slab_unclaim(const struct slab_claim *c, bool purged) {
    struct slab *s = slab_at(c->unit);
    uint64_t *bits = slab_bits(c->unit);
    unsigned n = 0;
    bool release = false;
    struct heap *h = lock_owner(c->unit);
    for (unsigned w = 0; w < SLAB_WORDS; w++) {
        if (c->blocks[w]) {
            bits[w] |= c->blocks[w];
            n += hak_popcount64(c->blocks[w]);
        }
    }
    for (unsigned i = 0; i < s->units; i++) {
        *purged_at(c->unit + i) |= (uint16_t)(of_unit(c->gone, i) | (purged ? of_unit(c->pages, i) : 0));
    }
    h->purged_bytes += bytes_of(c->gone) + (purged ? bytes_of(c->pages) : 0);
    s->left = (uint16_t)(s->left - n);
    h->free_bytes += (size_t)n * hak_class[s->cls].size;
    release = slab_avail(s) == s->nobj && h->current[s->cls] != c->unit;
    if (release) {
        slab_retire_locked(h, c->unit);
    } else {
        slab_relist(h, c->unit);
        slab_looked(s);
    }
    uint8_t units = s->units;
    hak_lock_drop(&h->lock);
    if (release) {
        span_free(c->unit, units, true);
    }
}

uint8_t slab_retire_current(struct heap *h, uint32_t unit) {
    uint8_t units = 0;
    hak_lock_take(&h->lock);
    uint32_t word = hak_load_rlx(&hak_arena.map[unit]);
    struct slab *s = slab_at(unit);
    if (word >> 8 == h->id && (word & 0xff) < HAK_CLASSES && h->current[word & 0xff] == unit &&
        slab_avail(s) == s->nobj) {
        units = s->units;
        h->current[s->cls] = 0;
        slab_retire_locked(h, unit);
    }
    hak_lock_drop(&h->lock);
    return units;
}

/* The current slab, if it is wholly free; partial: and if it is not, it becomes one of the partial slabs. */
static void give_up_current(struct heap *h, unsigned cls, bool partial) {
    uint8_t units = 0;
    hak_lock_take(&h->lock);
    uint32_t u = h->current[cls];
    bool whole = u && slab_avail(slab_at(u)) == slab_at(u)->nobj;
    if (u && (whole || partial)) {
        h->current[cls] = 0;
        if (whole) {
            units = slab_at(u)->units;
            slab_retire_locked(h, u);
        } else {
            slab_relist(h, u);
        }
    }
    hak_lock_drop(&h->lock);
    if (units) {
        span_free(u, units, true);
    }
}

void slab_drop_current(struct heap *h, unsigned cls) { give_up_current(h, cls, false); }

void slab_close(struct heap *h, unsigned cls) { give_up_current(h, cls, true); }

void slab_release_all(struct heap *h) {
    for (;;) {
        hak_lock_take(&h->lock);
        uint32_t u = h->own;
        uint8_t units = u ? slab_at(u)->units : 0;
        if (u) {
            slab_retire_locked(h, u);
        }
        hak_lock_drop(&h->lock);
        if (!u) {
            return;
        }
        span_free(u, units, true);
    }
}
