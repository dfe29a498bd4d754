/* cold/slab_settle.c : blocks go back into their slabs' bitmaps, runs of them by whole words.                          L2
 * Owns       nothing: bits are set, what slab.c counts moves          Never touches  magazines, blocks
 * Threads    any, under the heap's lock; spans that become free go back without it
 * Invariant  a bit is set exactly while its block is settled free: a block whose bit is set already ends the program
 * Decision   docs/decisions/004           Test  unit/slab */
#include "base/bits.h"
#include "base/print.h"
#include "base/rmw.h"
#include "cold/remote.h"
#include "cold/slab.h"
#include "cold/slab_list.h"
#include "layout/lookup.h"

typedef uint64_t pair __attribute__((vector_size(16)));

static bool starts(uintptr_t p) { return slab_block_start(slab_head(unit_of((void *)p)), (void *)p); }

/* Of the blocks v[0..n): one that is no block's start, which may have taken the bit of another, or else v[i]. */
HAK_COLD HAK_NORETURN static void corrupt(const uintptr_t *v, unsigned n, unsigned i) {
    unsigned k = 0;
    while (k < n && starts(v[k])) {
        k++;
    }
    hak_die(k < n ? "hakmem: free(): invalid pointer %p" : "hakmem: free(): double free or corruption %p",
            (void *)v[k < n ? k : i]);
}

/* Marks block k of the slab s free; word holds its bit. False: it is free already, or never was handed out. */
HAK_INLINE bool settle_bit(struct heap *h, struct slab *s, uint64_t *word, uint64_t k, struct slab_released *r) {
    if (HAK_UNLIKELY(hak_set_bit(word, k)) || HAK_UNLIKELY((uint16_t)k >= s->bump)) {
        return false;
    }
    if (HAK_UNLIKELY(--s->left == 0)) {
        slab_marked(h, (uint32_t)(s - hak_arena.slabs), r);
    }
    return true;
}

/* The side arrays, from where they would lie if the arena began at address 0: so that an address is an index. */
struct sides {
    uintptr_t slabs;
    uint64_t *bits;
    const uint32_t *map;
};
enum { OF_SLAB = HAK_UNIT_SHIFT - 5, WORDS_OF_SLAB = SLAB_WORDS / (int)sizeof(struct slab) };
_Static_assert(sizeof(struct slab) == 1 << (HAK_UNIT_SHIFT - OF_SLAB), "one shift");
HAK_INLINE struct sides sides_here(void) {
    size_t first = hak_arena.base >> HAK_UNIT_SHIFT;
    return (struct sides){(uintptr_t)hak_arena.slabs - first * sizeof(struct slab),
                          (uint64_t *)((uintptr_t)slab_bits(0) + first * SLAB_WORDS * sizeof(uint64_t)),
                          (const uint32_t *)((uintptr_t)hak_arena.map - first * sizeof(uint32_t))};
}

HAK_INLINE bool settle_at(struct heap *h, const struct sides *d, uintptr_t p, uint64_t index, struct slab_released *r) {
    uintptr_t at = p >> OF_SLAB & ~(sizeof(struct slab) - 1);
    return settle_bit(h, (struct slab *)(d->slabs + at), d->bits + (ptrdiff_t)((index >> 38) - at * WORDS_OF_SLAB),
                      index >> 32, r);
}

static void settle_small(struct heap *h, uint64_t recip, const uintptr_t *v, unsigned n, struct slab_released *r) {
    const struct sides d = sides_here();
    const uintptr_t *end = v + n;
    uint64_t any = 0;
    ptrdiff_t i = -(ptrdiff_t)n;
    for (; i != 0; i++) {
        uint64_t index = hak_small_index(end[i], recip);
        any |= index;
        if (!settle_at(h, &d, end[i], index, r)) {
            break;
        }
    }
    if (HAK_UNLIKELY(i != 0 || (uint32_t)any >= HAK_INDEX_EXACT)) {
        corrupt(v, n, n + (unsigned)i);
    }
}

static void settle_wide(struct heap *h, uint32_t size, uint64_t recip, const uintptr_t *v, unsigned n,
                        struct slab_released *r) {
    for (unsigned i = 0; i < n; i++) {
        uint32_t u = slab_head(unit_of((void *)v[i]));
        uint32_t off = (uint32_t)(v[i] - (uintptr_t)unit_address(u)), k = (uint32_t)(off * recip >> 32);
        if (HAK_UNLIKELY(k * size != off) || !settle_bit(h, slab_at(u), slab_bits(u) + (k >> 6), k, r)) {
            corrupt(v, n, i);
        }
    }
}

static void set_bits(uint64_t *bits, unsigned from, unsigned n, uintptr_t p) {
    while (n) {
        unsigned at = from & 63, len = n < 64 - at ? n : 64 - at;
        uint64_t m = hak_ones64(len) << at;
        if (HAK_UNLIKELY(bits[from >> 6] & m)) {
            corrupt(&p, 1, 0);
        }
        bits[from >> 6] |= m;
        from += len;
        n -= len;
    }
}

/* Blocks after which a run is looked for again, and the shortest that is worth whole words. */
enum { RUN_LOOK = 32, RUN_MIN = 8 };

/* Zero when v[1] - v[0] and v[2] - v[1] are what step says. */
HAK_INLINE pair off_step(const uintptr_t *v, pair step) {
    pair a, b;
    __builtin_memcpy(&a, v, sizeof a);
    __builtin_memcpy(&b, v + 1, sizeof b);
    return (b - a) ^ step;
}

/* Length of the run v[0], v[0] + d, v[0] + 2d ...: what a program that frees in allocation order leaves. */
static unsigned run_length(const uintptr_t *v, unsigned n, uintptr_t d) {
    const uintptr_t *at = v, *end = v + n - 1;
    for (pair step = {d, d}; end - at >= 8; at += 8) {
        pair off = off_step(at, step) | off_step(at + 2, step) | off_step(at + 4, step) | off_step(at + 6, step);
        if (off[0] | off[1]) {
            break;
        }
    }
    while (at < end && at[1] - at[0] == d) {
        at++;
    }
    return (unsigned)(at - v) + 1;
}

/* Settles the longest run at v that lies in one slab; returns its length, or 0 when it is too short to bother. */
static unsigned settle_run(struct heap *h, uint32_t size, uint64_t recip, const uintptr_t *v, unsigned n,
                           struct slab_released *r) {
    uintptr_t d = v[1] - v[0];
    if (d != size && d != (uintptr_t)0 - size) {
        return 0;
    }
    unsigned len = run_length(v, n, d);
    uintptr_t low = d == size ? v[0] : v[len - 1];
    uint32_t u = slab_head(unit_of((void *)low));
    struct slab *s = slab_at(u);
    uint32_t off = (uint32_t)(low - (uintptr_t)unit_address(u)), k = (uint32_t)(off * recip >> 32);
    if (len < RUN_MIN || k * size != off || k + len > s->bump) {
        return 0; /* across two slabs, or corrupt: one at a time finds out */
    }
    set_bits(slab_bits(u), k, len, low);
    s->left = (uint16_t)(s->left - len);
    if ((int16_t)s->left <= 0) {
        slab_marked(h, u, r);
    }
    return len;
}

/* Heap lock held. Some of them lie in a slab that was taken over while they waited in a magazine. */
HAK_COLD static bool has_strangers(const struct heap *h, const uintptr_t *v, unsigned n) {
    uint32_t any = 0;
    for (unsigned i = 0; i < n; i++) {
        any |= hak_word_hot((void *)v[i]) >> 8 ^ h->id;
    }
    return any != 0;
}

void slab_settle(struct heap *h, unsigned cls, const uintptr_t *v, unsigned n) {
    struct slab_released r;
    r.n = 0;
    uint32_t size = hak_class[cls].size;
    uint64_t recip = hak_class[cls].recip;
    hak_lock_take(&h->lock);
    if (HAK_UNLIKELY(h->robbed) && has_strangers(h, v, n)) {
        hak_lock_drop(&h->lock);
        remote_settle(h, v, n);
        return;
    }
    h->free_bytes += (size_t)n * size;
    for (unsigned i = 0; i < n;) {
        unsigned len = n - i >= RUN_MIN ? settle_run(h, size, recip, v + i, n - i, &r) : 0;
        unsigned stop = len ? 0 : (unsigned)hak_min(n - i, RUN_LOOK);
        if (hak_class[cls].units == 1) {
            settle_small(h, recip, v + i, stop, &r);
        } else {
            settle_wide(h, size, recip, v + i, stop, &r);
        }
        i += len + stop;
    }
    hak_lock_drop(&h->lock);
    slab_free_released(&r);
}

unsigned slab_settle_mixed(struct heap *h, uintptr_t *v, unsigned n) {
    struct slab_released r;
    const struct sides d = sides_here();
    unsigned others = 0;
    uint32_t mine = h->id << 8;
    size_t bytes = 0;
    r.n = 0;
    hak_lock_take(&h->lock);
    for (unsigned i = 0; i < n; i++) {
        uintptr_t p = v[i]; /* its unit was looked up by the free, and units stay usable */
        uint32_t cls = hak_load_rlx(&d.map[p >> HAK_UNIT_SHIFT]) ^ mine;
        if (HAK_UNLIKELY(cls >= HAK_CLASSES)) {
            v[others++] = p;
            continue;
        }
        const struct size_class *k = &hak_class[cls];
        bytes += k->size;
        if (HAK_LIKELY(k->units == 1)) {
            uint64_t index = hak_small_index(p, k->recip);
            if (HAK_UNLIKELY((uint32_t)index >= HAK_INDEX_EXACT) || HAK_UNLIKELY(!settle_at(h, &d, p, index, &r))) {
                corrupt(&v[i], 1, 0);
            }
        } else {
            settle_wide(h, k->size, k->recip, &v[i], 1, &r);
        }
    }
    h->free_bytes += bytes;
    hak_lock_drop(&h->lock);
    slab_free_released(&r);
    return others;
}
