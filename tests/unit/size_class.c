/* size_class.c : every entry of the tables against a search. */
#include "layout/size_class.h"
#include "layout/thread_cache.h"
#include "unit.h"

static void sizes_rise(void **state) {
    (void)state;
    for (unsigned c = 0; c < HAK_CLASSES_FIXED; c++) {
        size_t size = hak_class[c].size;
        assert_true(size % 16 == 0 && size > (c ? hak_class[c - 1].size : 0));
    }
    assert_int_equal(hak_class[0].size, 16);
    assert_int_equal(hak_class[HAK_CLASSES_FIXED - 1].size, HAK_MEDIUM_MAX);
}

static unsigned search(size_t n) {
    unsigned c = 0;
    while (hak_class[c].size < n) {
        c++;
    }
    return c;
}

static void every_size(void **state) {
    (void)state;
    for (size_t n = 0; n <= HAK_MEDIUM_MAX; n++) {
        assert_int_equal(hak_class_of[hak_class_index(n)], search(n));
        if (n <= HAK_SMALL_MAX) {
            assert_int_equal(hak_tls.bin[hak_class_index(n)], search(n));
        }
    }
}

/* At most an eighth wasted above 256 bytes, a quarter above 8 KiB. */
static void waste(void **state) {
    (void)state;
    for (unsigned c = 17; c < HAK_CLASSES_FIXED; c++) {
        size_t below = hak_class[c - 1].size, size = hak_class[c].size;
        assert_true((size - below) * (size <= 8192 ? 8 : 4) <= below);
    }
}

static void slabs(void **state) {
    (void)state;
    for (unsigned c = 0; c < HAK_CLASSES_FIXED; c++) {
        const struct size_class *k = &hak_class[c];
        assert_true(k->nobj == k->units * HAK_UNIT / k->size && k->nobj >= 4 && k->nobj <= SLAB_WORDS * 64);
        assert_true(k->cap >= 2 && k->cap <= HAK_CHUNK_SLOTS - 2);
        assert_true(k->batch >= 1 && k->batch <= k->cap);
        assert_true(k->least >= 1 && k->least <= k->nobj);
    }
}

/* offset * recip >> 32 is the block whose start the offset is; no other offset looks like a start. */
static void reciprocals(void **state) {
    (void)state;
    for (unsigned c = 0; c < HAK_CLASSES_FIXED; c++) {
        const struct size_class *k = &hak_class[c];
        for (uint64_t off = 0; off < k->units * HAK_UNIT; off++) {
            uint64_t i = off * k->recip >> 32;
            if ((i * k->size == off) != (off % k->size == 0)) {
                fail_msg("class %u, offset %u", c, (unsigned)off);
            }
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(sizes_rise), cmocka_unit_test(every_size),
                                       cmocka_unit_test(waste), cmocka_unit_test(slabs), cmocka_unit_test(reciprocals)};
    return RUN(tests);
}
