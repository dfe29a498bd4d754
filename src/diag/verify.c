/* diag/verify.c : walks units and supers, then each heap, and checks what must always be so.                          L3
 * Owns       nothing; maps a bit per block for the walk's time          Reads  everything
 * Threads    one, the others stopped; all heaps are locked, for what they did before is to be seen
 * Test       unit/verify plants each kind of corruption */
#include "diag/verify.h"
#include "base/atomic.h"
#include "base/print.h"
#include "cold/heap.h"
#include "cold/slab.h"
#include "cold/slab_list.h"
#include "cold/span.h"
#include "cold/worker.h"
#include "diag/verify_walk.h"
#include "layout/super.h"
#include "os/os.h"
#include <stdarg.h>

void verify_fail(struct verify *v, const char *fmt, ...) {
    char line[256];
    va_list ap;
    v->bad++;
    va_start(ap, fmt);
    hak_vformat(line, sizeof line, fmt, ap);
    va_end(ap);
    if (v->report) {
        v->report(line, v->context);
    }
}

static bool all_zero(const uint64_t *bits, unsigned words) {
    uint64_t any = 0;
    for (unsigned i = 0; i < words; i++) {
        any |= bits[i];
    }
    return any == 0;
}

/* avail == popcount(bitmap) + (nobj - bump), no bit from bump on. */
static void check_count(struct verify *v, uint32_t u, const struct slab *s) {
    const uint64_t *bits = slab_bits(u);
    unsigned n = 0, past = 0;
    for (unsigned w = 0; w < SLAB_WORDS; w++) {
        unsigned below = s->bump > w * 64 ? s->bump - w * 64 : 0;
        n += hak_popcount64(bits[w] & hak_ones64(below));
        past += hak_popcount64(bits[w] & ~hak_ones64(below));
    }
    VERIFY(v, s->bump <= s->nobj, "slab %u: bump %u is over nobj %u", u, s->bump, s->nobj);
    VERIFY(v, past == 0, "slab %u: %u bits set at or after bump %u", u, past, s->bump);
    VERIFY(v, slab_avail(s) == n + s->nobj - s->bump, "slab %u: avail %u, bitmap %u, nobj %u, bump %u", u,
           slab_avail(s), n, s->nobj, s->bump);
}

/* The bucket and the mark are what slab_relist() would choose now. */
static void check_bucket(struct verify *v, uint32_t u, const struct slab *s, const struct heap *h) {
    uint8_t want = SLAB_UNLISTED;
    unsigned mark = bucket_floor(s, 0);
    bool current = h->current[s->cls] == u;
    for (uint8_t b = 0; b < SLAB_LEAN && slab_avail(s) >= bucket_floor(s, b); b++) {
        want = b;
        mark = b + 1 < SLAB_LEAN ? bucket_floor(s, b + 1u) : s->nobj;
    }
    unsigned needs = slab_absent(u) + bucket_floor(s, 0);
    if (want != SLAB_UNLISTED && slab_avail(s) < needs) {
        want = SLAB_LEAN;
        mark = needs < s->nobj ? needs : s->nobj;
    }
    want = current ? SLAB_UNLISTED : want;
    mark = current ? s->nobj : mark;
    VERIFY(v, s->bucket == want, "slab %u: in bucket %u, avail %u of %u belongs to %u", u, s->bucket, slab_avail(s),
           s->nobj, want);
    bool looked = s->epoch == 0; /* slab_looked(): the next settle asks at once */
    mark = looked ? slab_avail(s) + 1u : mark;
    VERIFY(v, s->mark == mark, "slab %u: mark %u, not %u", u, s->mark, mark);
    VERIFY(v, current || slab_avail(s) < s->nobj, "slab %u: wholly free, not current, not released", u);
}

static bool range_free(uint32_t u, const struct slab *s, size_t a, size_t b) {
    size_t size = hak_class[s->cls].size;
    for (size_t k = a / size; k < s->nobj && k * size < b; k++) {
        if (k < s->bump && !(slab_bits(u)[k >> 6] >> (k & 63) & 1)) {
            return false;
        }
    }
    return true;
}

/* A page that was given back holds no block in use. */
static void check_purged(struct verify *v, uint32_t u, const struct slab *s) {
    for (unsigned i = 0; i < s->units * 16u; i++) {
        if (*purged_at(u + i / 16) >> (i % 16) & 1) {
            size_t at = (size_t)i * SLAB_PAGE;
            VERIFY(v, range_free(u, s, at, at + SLAB_PAGE), "slab %u: page %u was given back with a block in use", u,
                   i);
        }
    }
}

static uint32_t check_slab(struct verify *v, uint32_t u, uint32_t word) {
    const struct slab *s = &hak_arena.slabs[u];
    unsigned cls = word & 0xff;
    uint32_t id = word >> 8;
    if (id == 0 || id > v->heaps || cls >= HAK_CLASSES) {
        verify_fail(v, "unit %u: map word %x names no heap or class", u, word);
        return 1;
    }
    const struct size_class *k = &hak_class[cls];
    if (s->head_off != 0 || s->cls != cls || s->units != k->units || s->nobj != k->nobj || u + s->units > v->limit) {
        verify_fail(v, "unit %u: word says class %u, slab says class %u, units %u, nobj %u, head %u back", u, cls,
                    s->cls, s->units, s->nobj, s->head_off);
        return 1;
    }
    for (uint32_t i = 1; i < s->units; i++) {
        VERIFY(v, hak_arena.map[u + i] == word, "unit %u: word %x, its slab's is %x", u + i, hak_arena.map[u + i],
               word);
        VERIFY(v, hak_arena.slabs[u + i].head_off == i, "unit %u: %u back to its slab's head, not %u", u + i,
               hak_arena.slabs[u + i].head_off, i);
    }
    const struct heap *h = heap_by_id(id);
    check_count(v, u, s);
    check_bucket(v, u, s, h);
    check_purged(v, u, s);
    struct verify_sum *sum = &v->sum[id];
    sum->slabs++;
    sum->slab_bytes += (size_t)s->units << HAK_UNIT_SHIFT;
    sum->free_bytes += (size_t)slab_avail(s) * k->size;
    sum->fresh_bytes += (size_t)(s->nobj - s->bump) * k->size;
    for (uint32_t i = 0; i < s->units; i++) {
        sum->purged_bytes += (size_t)hak_popcount32(*purged_at(u + i)) * SLAB_PAGE;
    }
    sum->listed += s->bucket != SLAB_UNLISTED;
    return s->units;
}

static uint32_t check_large(struct verify *v, uint32_t u, uint32_t word) {
    const struct slab *s = &hak_arena.slabs[u];
    uint32_t id = word >> 8;
    size_t bytes = (size_t)s->large_pages * SLAB_PAGE;
    VERIFY(v, id == 0 || (id <= v->heaps && heap_by_id(id)->kind == HEAP_FIRST_CLASS),
           "large block at %u: heap %u is no first-class heap", u, id);
    if (s->large_units == 0 || u + s->large_units > v->limit) {
        verify_fail(v, "large block at %u: %u units", u, s->large_units);
        return 1;
    }
    VERIFY(v, bytes <= (size_t)s->large_units << HAK_UNIT_SHIFT, "large block at %u: %zu bytes in %u units", u, bytes,
           s->large_units);
    for (uint32_t i = 1; i < s->large_units; i++) {
        VERIFY(v, hak_arena.map[u + i] == 0, "unit %u: word %x inside a large block", u + i, hak_arena.map[u + i]);
    }
    return s->large_units;
}

/* Units from `from` on are held by a span: none may be free in its super. */
static void check_held(struct verify *v, uint32_t from, uint32_t units) {
    v->used += units;
    for (uint32_t u = from; u < from + units; u++) {
        VERIFY(v, !(super_at(u / HAK_SUPER_UNITS)->free >> (u % HAK_SUPER_UNITS) & 1),
               "unit %u: in use, and free in its super", u);
    }
}

/* A unit in no span: free in its super, its bitmap clear for the next slab. */
static void check_unheld(struct verify *v, uint32_t u) {
    VERIFY(v, super_at(u / HAK_SUPER_UNITS)->free >> (u % HAK_SUPER_UNITS) & 1,
           "unit %u: in no span, and not free in its super", u);
    VERIFY(v, all_zero(slab_bits(u), SLAB_WORDS), "unit %u: free, its bitmap is not clear", u);
}

static uint32_t longest_of(uint32_t m) {
    uint32_t n = 0;
    for (; m; m &= m << 1) {
        n++;
    }
    return n;
}

/* kind: the lists by dirty runs, 0, or by free runs, 1. */
static void check_super(struct verify *v, uint32_t i, uint32_t n, int kind) {
    const struct super *s = super_at(i);
    uint32_t longest = longest_of(kind ? s->free : s->free & s->dirty), next = s->next[kind], prev = s->prev[kind];
    VERIFY(v, s->run[kind] == longest, "super %u: longest run %u, mask says %u", i, s->run[kind], longest);
    VERIFY(v, next <= n && prev <= n, "super %u: links %u and %u, of %u supers", i, next, prev, n);
    if (next && next <= n) {
        const struct super *after = super_at(next - 1);
        VERIFY(v, after->prev[kind] == i + 1 && after->run[kind] == s->run[kind],
               "super %u: the next one, %u, does not agree", i, next - 1);
    }
}

static void check_supers(struct verify *v) {
    struct span_stats spans;
    size_t dirty = 0, n = v->limit / HAK_SUPER_UNITS;
    span_stats_get(&spans);
    for (uint32_t i = 0; i < n; i++) {
        check_super(v, i, (uint32_t)n, 0);
        check_super(v, i, (uint32_t)n, 1);
        dirty += hak_popcount32(super_at(i)->free & super_at(i)->dirty);
    }
    VERIFY(v, spans.used == v->used, "spans: %zu units in use, the map has %zu", spans.used, v->used);
    VERIFY(v, spans.dirty == dirty, "spans: %zu dirty units, the masks have %zu", spans.dirty, dirty);
    VERIFY(v, n == 0 || spans.used + spans.dirty + spans.clean + 1 == v->limit, "spans: %zu units in all, limit is %zu",
           spans.used + spans.dirty + spans.clean + 1, v->limit);
}

void verify_units(struct verify *v) {
    for (uint32_t u = 1; u < v->limit;) {
        uint32_t word = hak_arena.map[u], units = 1;
        if (word == 0) {
            check_unheld(v, u);
        } else {
            units = (word & 0xff) == HAK_CLASS_LARGE ? check_large(v, u, word) : check_slab(v, u, word);
            check_held(v, u, units);
        }
        u += units;
    }
    check_supers(v);
}

static void check_sum(struct verify *v, const struct heap *h, const char *what, size_t says, size_t is) {
    VERIFY(v, says == is, "heap %u: %s %zu, its slabs have %zu", h->id, what, says, is);
}

static void check_sums(struct verify *v, const struct heap *h) {
    const struct verify_sum *sum = &v->sum[h->id];
    check_sum(v, h, "free_bytes", h->free_bytes, sum->free_bytes);
    check_sum(v, h, "slab_bytes", h->slab_bytes, sum->slab_bytes);
    check_sum(v, h, "fresh_bytes", h->fresh_bytes, sum->fresh_bytes);
    check_sum(v, h, "purged_bytes", h->purged_bytes, sum->purged_bytes);
}

size_t verify_heap_all(void (*report)(const char *, void *), void *context) {
    struct verify v = {.report = report, .context = context};
    v.limit = hak_load_acq(&hak_arena.limit); /* acq: pairs with arena_grow() */
    v.heaps = heap_count();
    size_t bits = v.limit * SLAB_WORDS * sizeof(uint64_t), sums = (v.heaps + 1) * sizeof *v.sum;
    size_t len = hak_align_up(bits + sums, os_page_size());
    void *map;
    if (os_map(len, &map)) {
        verify_fail(&v, "no memory for the walk");
        return v.bad;
    }
    v.seen = map;
    v.sum = (struct verify_sum *)(v.seen + v.limit * SLAB_WORDS);
    worker_hold();
    hak_tls.busy++;
    heap_lock_all();
    verify_units(&v);
    for (uint32_t id = 1; id <= v.heaps; id++) {
        verify_heap(&v, heap_by_id(id));
        check_sums(&v, heap_by_id(id));
    }
    heap_unlock_all();
    hak_tls.busy--;
    worker_go_on();
    os_unmap(map, len);
    return v.bad;
}

static void print_line(const char *line, void *context) {
    (void)context;
    hak_warn("hakmem: verify: %s", line);
}

size_t hak_verify(void) { return verify_heap_all(print_line, 0); }
