/* verify.c : a sound heap passes; each planted corruption is found, and the heap passes again once it is undone. */
#include "api/prefixed.h"
#include "cold/remote.h"
#include "cold/slab.h"
#include "cold/slab_list.h"
#include "layout/super.h"
#include "unit.h"

static char last[512];
static unsigned lines;

static void keep_line(const char *line, void *context) {
    (void)context;
    lines++;
    if (lines == 1) {
        snprintf(last, sizeof last, "%s", line);
    }
}

/* Some line was reported; the heap is sound again after undo. */
static void found(const char *text) {
    lines = 0;
    last[0] = 0;
    size_t bad = verify_heap_all(keep_line, 0);
    assert_true(bad > 0 && bad == lines);
    if (!strstr(last, text)) {
        fail_msg("\"%s\" does not say \"%s\"", last, text);
    }
}

/* Plants a value for the time of one verification. */
#define PLANT(place, value, text)             \
    do {                                      \
        __typeof__(place) was = (place);      \
        (place) = (__typeof__(place))(value); \
        found(text);                          \
        (place) = was;                        \
        unit_verify();                        \
    } while (0)

enum { MANY = 4000 };
static void *block[MANY];
static void *large;
static struct heap *heap;

static int setup(void **state) {
    (void)state;
    heap = unit_start();
    for (int i = 0; i < MANY; i++) {
        block[i] = malloc(16 + (size_t)(i % 40) * 24);
        assert_non_null(block[i]);
    }
    large = malloc(1000000);
    assert_non_null(large);
    for (int i = 0; i < MANY; i += 3) {
        free(block[i]);
        block[i] = 0;
    }
    unit_verify();
    return 0;
}

static uint32_t unit_with_bits(void) {
    for (uint32_t u = 1; u < hak_arena.limit; u++) {
        uint32_t word = hak_arena.map[u];
        const struct slab *s = slab_at(u);
        if (word && (word & 0xff) < HAK_CLASSES && s->head_off == 0 && slab_avail(s) > (unsigned)(s->nobj - s->bump) &&
            s->bump < s->nobj) {
            return u;
        }
    }
    fail_msg("no slab has bits set");
    return 0;
}

static void slabs(void **state) {
    (void)state;
    for (unsigned c = 0; c < HAK_CLASSES; c++) {
        unit_flush();
    }
    uint32_t u = unit_with_bits();
    struct slab *s = slab_at(u);
    PLANT(s->left, s->left + 1, "avail");
    PLANT(s->bump, s->nobj + 1, "bump");
    PLANT(s->nobj, s->nobj + 1, "slab says");
    PLANT(s->cls, s->cls + 1, "slab says");
    PLANT(s->bucket, s->bucket == 1 ? 2 : 1, "bucket");
    slab_set_mark(s, s->mark + 1u);
    found("mark");
    slab_set_mark(s, s->mark - 1u);
    PLANT(slab_bits(u)[s->bump >> 6], slab_bits(u)[s->bump >> 6] | UINT64_C(1) << (s->bump & 63), "at or after bump");
    PLANT(*purged_at(u), 1, "given back");
}

static void words(void **state) {
    (void)state;
    uint32_t u = unit_with_bits(), l = (uint32_t)unit_of(large);
    PLANT(hak_arena.map[u], hak_arena.map[u] + 1, "slab says");
    PLANT(hak_arena.map[u], 0, "in no span");
    PLANT(hak_arena.map[u], UINT32_C(0xabcdef) << 8, "names no heap");
    PLANT(hak_arena.map[l], heap->id << 8 | HAK_CLASS_LARGE, "no first-class heap");
    PLANT(hak_arena.map[l + 1], HAK_CLASS_LARGE, "inside a large block");
    PLANT(hak_arena.slabs[l].large_units, 0, "0 units");
    PLANT(hak_arena.slabs[l].large_pages, 100000, "bytes in");
}

static void supers(void **state) {
    (void)state;
    uint32_t u = unit_with_bits();
    struct super *s = super_at(u / HAK_SUPER_UNITS);
    PLANT(s->free, s->free | 1u << (u % HAK_SUPER_UNITS), "free in its super");
    u = (uint32_t)(hak_arena.limit - 1);
    s = super_at(u / HAK_SUPER_UNITS);
    PLANT(s->run[0], s->run[0] + 1, "longest");
    PLANT(s->run[1], s->run[1] + 1, "longest");
    PLANT(s->dirty, s->dirty ^ (s->free & (0 - s->free)), "mask says");
    PLANT(s->next[0], 1u << 30, "links");
    PLANT(s->prev[1], 1u << 30, "links");
    PLANT(slab_bits(u)[3], 1, "not clear");
}

static void lists(void **state) {
    (void)state;
    uint32_t u = 0;
    unsigned cls = 0, b = 0;
    for (unsigned c = 0; c < HAK_CLASSES; c++) {
        for (unsigned k = 0; k < SLAB_LEAN; k++) {
            if (heap->partial[c][k]) {
                u = heap->partial[c][cls = c, b = k];
            }
        }
    }
    assert_true(u != 0);
    PLANT(heap->partial[cls][b], 0, "starts at 0");
    PLANT(heap->listed[cls], 0, "starts at");
    PLANT(slab_at(u)->next, slab_at(u)->next ? 0 : u, " list");
    PLANT(heap->partial[cls][b], 0x7fffffff, "leads to");
    PLANT(slab_at(u)->prev, 12345, "prev is");
    PLANT(heap->free_bytes, heap->free_bytes + 1, "free_bytes");
    PLANT(heap->fresh_bytes, heap->fresh_bytes + 16, "fresh_bytes");
    PLANT(heap->purged_bytes, heap->purged_bytes + 4096, "purged_bytes");
    PLANT(heap->slab_bytes, heap->slab_bytes - 65536, "slab_bytes");
}

static void magazines(void **state) {
    (void)state;
    void *a = malloc(48), *b = malloc(48), *other = malloc(64);
    assert_true(a && b && other);
    free(a);
    free(b);
    unsigned cls = 2;
    uintptr_t *top = hak_tls.top[cls];
    assert_true(top[-1] == (uintptr_t)b && top[-2] == (uintptr_t)a);
    PLANT(top[-1], a, "waits elsewhere too");
    PLANT(top[-1], (char *)b + 16, "no block's start");
    PLANT(top[-1], other, "has word");
    PLANT(top[-1], &lines, "in no slab");
    PLANT(heap->nchunks[cls], 7, "chunks, counted");
    PLANT(hak_tls.key, 0x500, "has key");
    uint32_t u = slab_head(unit_of(b));
    size_t k = (size_t)((char *)b - unit_address(u)) / 48;
    struct slab *s = slab_at(u);
    s->left--; /* the block is in its bitmap, all sums agree, and it is in the magazine too */
    heap->free_bytes += 48;
    slab_bits(u)[k >> 6] |= UINT64_C(1) << (k & 63);
    found("free in its slab too");
    slab_bits(u)[k >> 6] &= ~(UINT64_C(1) << (k & 63));
    heap->free_bytes -= 48;
    s->left++;
    unit_verify();
    free(other);
    unit_verify();
}

static void transit(void **state) {
    (void)state;
    struct heap *shared = heap_shared();
    assert_non_null(shared);
    struct heap *h = heap_acquire(HEAP_THREAD);
    assert_non_null(h);
    uintptr_t v[2];
    assert_int_equal(slab_take(h, 3, v, 2), 2);
    hak_tls.busy++;
    remote_push(heap, (void *)v[0], h->id << 8 | 3);
    hak_tls.busy--;
    struct outbox *o = &heap->out[h->id % HAK_OUTBOXES];
    assert_int_equal(outbox_count(o->at), 1);
    unit_verify();
    PLANT(o->left, 1, "in an outbox");
    PLANT(o->key, heap->id << 8, "an outbox for heap");
    PLANT(o->at[-1], v[0] + 8, "no block's start");
    hak_tls.busy++;
    remote_flush(heap);
    hak_tls.busy--;
    assert_non_null(h->inbox);
    unit_verify();
    PLANT(h->inbox->slot[1], h->inbox->slot[1] + 1, "in an inbox chunk");
    PLANT(h->inbox->slot[2], 64, "in no slab");
    PLANT(heap->nspare, heap->nspare + 1, "spare chunks");
    PLANT(heap->ndeferred, HEAP_DEFERRED + 1, "deferred");
    remote_help(heap, h);
    slab_settle(h, 3, v + 1, 1);
    heap_release(h);
    unit_verify();
}

static int teardown(void **state) {
    (void)state;
    for (int i = 0; i < MANY; i++) {
        free(block[i]);
    }
    free(large);
    unit_verify();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(slabs), cmocka_unit_test(words),     cmocka_unit_test(supers),
                                       cmocka_unit_test(lists), cmocka_unit_test(magazines), cmocka_unit_test(transit)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
