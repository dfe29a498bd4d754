/* thp.c : which growth of the arena is advised about, by gate, size of the heap, and what the kernel gives. */
#include "cold/thp.h"
#include "api/prefixed.h"
#include "cold/large.h"
#include "gates/gates.h"
#include "hakmem/hakmem.h"
#include "layout/lookup.h"
#include "unit.h"

enum { STEP = 64, TINY = 32, SMALL = 512, BIG = 1024 /* units: 2 MiB, 32 MiB, 64 MiB */ };
static const size_t K64 = 64 << 10, K512 = 512 << 10, M2 = 2 << 20;

/* What the arena grew by before is filled: each page of it is there. */
static void fill(void) {
    for (volatile char *p = unit_address(0); p < unit_address(STEP); p += os_page_size()) {
        *p = *p;
    }
}

/* The kind of one growth with the gate set to value; *calls: how often the kernel was advised. */
static enum thp_kind growth(const char *value, size_t used, unsigned *calls) {
    char *env[] = {(char *)(uintptr_t)value, 0};
    unsigned before = os_fault_count(OS_HUGE);
    assert_int_equal(os_seal(&hak_gates_page, sizeof hak_gates_page, false), 0);
    gates_read(env);
    enum thp_kind kind = thp_grown(STEP, STEP, used);
    *calls = os_fault_count(OS_HUGE) - before;
    return kind;
}

static void expect(const char *value, size_t used, enum thp_kind kind, unsigned advised) {
    unsigned calls;
    assert_int_equal(growth(value, used, &calls), kind);
    assert_int_equal(calls, advised);
}

static void by_gate(void) {
    fill();
    expect("HAKMEM_THP=default", TINY, THP_NONE, 0);
    assert_int_equal(os_fault_count(OS_HUGE_SIZES), 0); /* a small program costs no file */
    expect("HAKMEM_THP=default", SMALL, THP_NONE, 0);
    expect("HAKMEM_THP=default", BIG, THP_HUGE, 1);
    expect("HAKMEM_THP=always", SMALL, THP_HUGE, 1);
    expect("HAKMEM_THP=never", BIG, THP_NONE, 1);       /* against, where the system's own default is always */
    assert_int_equal(os_fault_count(OS_HUGE_SIZES), 1); /* once */
    struct thp_stats s;
    thp_stats_get(&s);
    assert_true(s.read && s.known && s.asked == M2 && s.always == 0);
    assert_int_equal(s.bytes[THP_HUGE], 2 * STEP * HAK_UNIT);
    assert_int_equal(s.bytes[THP_SMALL], 0);
}

/* Pages of the slab's size cost nothing: from 4 MiB on. */
static void pages_of_64k(void) {
    os_fault_huge_sizes(K64, 0);
    expect("HAKMEM_THP=default", TINY, THP_NONE, 0);
    expect("HAKMEM_THP=default", 64, THP_SMALL, 1);
    expect("HAKMEM_THP=never", 64, THP_NONE, 1);
}

/* The larger the page, the larger the heap must be. */
static void pages_of_512k(void) {
    os_fault_huge_sizes(K64 + K512, 0);
    expect("HAKMEM_THP=default", 64, THP_NONE, 0);
    expect("HAKMEM_THP=default", 512, THP_SMALL, 1);
}

/* Where 2 MiB are given too, the kernel would take them: the floor of 64 MiB holds. */
static void both(void) {
    os_fault_huge_sizes(K64 + M2, 0);
    fill();
    expect("HAKMEM_THP=default", SMALL, THP_NONE, 0);
    expect("HAKMEM_THP=default", BIG, THP_HUGE, 1);
}

static void none_given(void) {
    os_fault_huge_sizes(0, 0);
    expect("HAKMEM_THP=default", BIG, THP_NONE, 0);
    struct thp_stats s;
    thp_stats_get(&s);
    assert_true(s.read && s.known && s.asked == 0);
}

/* Given everywhere, asked for or not: purge must know. */
static void given_always(void) {
    os_fault_huge_sizes(M2, M2);
    expect("HAKMEM_THP=default", SMALL, THP_HUGE, 0);
}

/* No answer (a container without /sys): advice from the floor on cannot harm much. */
static void unknown(void) {
    os_fault_break(OS_HUGE_SIZES, true);
    fill();
    expect("HAKMEM_THP=default", SMALL, THP_NONE, 0);
    expect("HAKMEM_THP=default", BIG, THP_HUGE, 1);
    struct thp_stats s;
    thp_stats_get(&s);
    assert_true(s.read && !s.known);
}

static void refused(void) {
    os_fault_break(OS_HUGE, true);
    fill();
    expect("HAKMEM_THP=default", BIG, THP_NONE, 1);
}

/* Large blocks taken at once, of which little is touched, are no large heap; a kernel that cannot say is trusted. */
static void not_filled(void) {
    expect("HAKMEM_THP=default", BIG, THP_NONE, 0);
    expect("HAKMEM_THP=always", BIG, THP_HUGE, 1);
    os_fault_break(OS_RESIDENT, true);
    expect("HAKMEM_THP=default", BIG, THP_HUGE, 1);
    os_fault_break(OS_RESIDENT, false);
    expect("HAKMEM_THP=default", BIG, THP_NONE, 0);
    fill();
    expect("HAKMEM_THP=default", BIG, THP_HUGE, 1);
}

/* Fills a large block, or hardly touches it, and frees it; how often the kernel was advised meanwhile. */
static unsigned large_round(bool filled) {
    unsigned before = os_fault_count(OS_HUGE);
    size_t n = 20 << 20;
    bool zeroed = false;
    char *p = large_alloc(n, 1, 0, &zeroed);
    assert_non_null(p);
    memset(p, 1, filled ? n : 4096);
    assert_true(large_free((uint32_t)unit_of(p)));
    return os_fault_count(OS_HUGE) - before;
}

/* The first large block tells how it is used; the next one gets huge pages. */
static void large_filled(void) {
    assert_int_equal(large_round(true), 0);
    assert_int_equal(large_round(true), 1);
    assert_int_equal(large_round(true), 0); /* the same supers: asked for by now */
    struct thp_stats s;
    thp_stats_get(&s);
    assert_true(s.bytes[THP_HUGE] >= 16 << 20);
    large_round(false); /* resident since before: says nothing */
}

static void large_sparse(void) {
    for (int i = 0; i < 20; i++) {
        assert_int_equal(large_round(false), 0);
    }
    assert_int_equal(large_round(true), 0);
    assert_int_equal(large_round(true), 0); /* one block that was filled does not outweigh them */
}

enum { MAPPING = 80 << 20 };

/* How often the kernel was advised about a block that is a mapping of its own; it is touched at its start, filled or not, and freed. */
static unsigned mapping_round(bool zeroes, bool filled) {
    unsigned before = os_fault_count(OS_HUGE);
    char *p = zeroes ? calloc(1, MAPPING) : malloc(MAPPING);
    assert_non_null(p);
    unsigned calls = os_fault_count(OS_HUGE) - before;
    memset(p, 1, filled ? MAPPING : 4096);
    free(p);
    hak_trim(0);
    return calls;
}

/* What malloc gives is written from one end, until blocks were seen that were not; what calloc gives may be a table. */
static void mapping_unknown(void) {
    assert_int_equal(mapping_round(true, false), 0); /* a vote against */
    assert_int_equal(mapping_round(false, false), 0);
}

static void mapping_of_malloc(void) {
    char *p = malloc(MAPPING);
    assert_int_equal(os_fault_count(OS_HUGE), 1);
    assert_ptr_equal(os_fault_huge_at(), p + (4 << 20));
    memset(p, 1, MAPPING);
    free(p);
    hak_trim(0);
    p = malloc(MAPPING); /* this program fills them */
    assert_int_equal(os_fault_count(OS_HUGE), 2);
    assert_ptr_equal(os_fault_huge_at(), p);
    assert_int_equal(mapping_round(true, true), 1);
}

static void mapping_of_calloc(void) { assert_int_equal(mapping_round(true, true), 0); }

static void mapping_that_grew(void) {
    char *p = malloc(MAPPING / 2);
    p = realloc(p, MAPPING - (20 << 20)); /* moves: a mapping of its own, no larger than others */
    assert_non_null(p);
    assert_int_equal(os_fault_count(OS_HUGE), 0);
    p = realloc(p, MAPPING);
    assert_ptr_equal(os_fault_huge_at(), p);
    assert_int_equal(os_fault_count(OS_HUGE), 1);
    p = realloc(p, 2 * MAPPING);
    assert_non_null(p);
    assert_int_equal(os_fault_count(OS_HUGE), 1);
}

static void mapping_by_gate(void) {
    unsigned calls;
    growth("HAKMEM_THP=never", TINY, &calls);
    assert_int_equal(mapping_round(false, true), 1); /* against, where the system's own default is always */
    growth("HAKMEM_THP=always", TINY, &calls);
    assert_int_equal(mapping_round(true, false), 1);
}

static void large_given_up(void) {
    unsigned calls;
    growth("HAKMEM_THP=never", SMALL, &calls);
    large_round(true);
    assert_int_equal(large_round(true), 0);
}

/* A dense heap of 24 MiB and more asks for each super that its slabs begin; a small one, or one with holes, does not. */
static unsigned slabs_until(size_t bytes) {
    static const size_t size = 1000;
    static void *block[1 << 16];
    static size_t n;
    unsigned before = os_fault_count(OS_HUGE);
    while (n * size < bytes) {
        block[n] = malloc(size);
        assert_non_null(block[n++]);
    }
    while (n * size > bytes) {
        free(block[--n]);
    }
    return os_fault_count(OS_HUGE) - before;
}

static void slabs_dense(void) {
    assert_int_equal(slabs_until(22 << 20), 0);
    assert_in_range(slabs_until(38 << 20), 5, 8);
    struct thp_stats s;
    thp_stats_get(&s);
    assert_in_range(s.bytes[THP_HUGE], 5 * HAK_SUPER, 8 * HAK_SUPER);
}

/* Of blocks of more than two pages nobody knows whether they will be filled. */
static void slabs_of_long_blocks(void) {
    unsigned before = os_fault_count(OS_HUGE);
    for (size_t bytes = 0; bytes < 50 << 20; bytes += 20000) {
        assert_non_null(malloc(20000));
    }
    assert_int_equal(os_fault_count(OS_HUGE) - before, 0);
}

/* What was never touched, or given back, is no hole: many classes of one block each, whose slabs were all claimed. */
static void slabs_untouched(void) {
    slabs_until(20 << 20);
    for (unsigned c = 0; c < HAK_CLASSES_FIXED; c++) {
        assert_non_null(malloc(hak_class[c].size));
    }
    unit_flush();
    hak_trim(0);
    assert_in_range(slabs_until(48 << 20), 5, 16);
}

static void slabs_with_holes(void) {
    slabs_until(15 << 20);
    void **kept = malloc(40000 * sizeof *kept);
    for (int i = 0; i < 40000; i++) {
        kept[i] = malloc(200);
    }
    for (int i = 0; i < 40000; i++) {
        if (i % 10) {
            free(kept[i]);
        }
    }
    unit_flush();
    assert_int_equal(slabs_until(28 << 20), 0);
    unit_verify();
}

static void slabs_never(void) {
    unsigned calls;
    growth("HAKMEM_THP=never", SMALL, &calls);
    unsigned before = os_fault_count(OS_HUGE);
    slabs_until(40 << 20);
    struct thp_stats s;
    thp_stats_get(&s);
    assert_int_equal(s.bytes[THP_HUGE], 0);
    assert_true(os_fault_count(OS_HUGE) >= before); /* against them, growth by growth */
}

/* Each in a process of its own: the kernel is asked once. */
static void each(void **state) {
    static void (*const body[])(void) = {not_filled,
                                         by_gate,
                                         pages_of_64k,
                                         pages_of_512k,
                                         both,
                                         none_given,
                                         given_always,
                                         unknown,
                                         refused,
                                         large_filled,
                                         large_sparse,
                                         large_given_up,
                                         slabs_dense,
                                         slabs_of_long_blocks,
                                         slabs_untouched,
                                         slabs_with_holes,
                                         slabs_never,
                                         mapping_unknown,
                                         mapping_of_malloc,
                                         mapping_of_calloc,
                                         mapping_that_grew,
                                         mapping_by_gate};
    (void)state;
    unit_start();
    for (size_t i = 0; i < COUNT(body); i++) {
        unit_child(body[i], 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(each)};
    return RUN(tests);
}
