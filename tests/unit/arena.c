/* arena.c : placing and growing the arena under limits and refusals. Each case needs a fresh process. */
#include "cold/arena.h"
#include "cold/slab.h"
#include "gates/gates.h"
#include "layout/super.h"
#include "unit.h"
#include <errno.h>

static void check(bool ok, int line) {
    if (!ok) {
        fprintf(stderr, "arena.c:%d\n", line);
        _exit(1);
    }
}
#define CHECK(x) check((x), __LINE__)

static void side_arrays_work(void) {
    size_t last = hak_arena.limit - 1;
    hak_arena.map[last] = 1;
    hak_arena.slabs[last].next = 2;
    slab_bits((uint32_t)last)[0] = 3;
    *purged_at(last) = 4;
    super_at(last / HAK_SUPER_UNITS)->dirty = 6;
    CHECK(hak_arena.map[last] == 1 && hak_arena.slabs[last].next == 2 && *purged_at(last) == 4);
    memset(unit_address(last), 5, HAK_UNIT);
    CHECK(unit_of(unit_address(last)) == last && unit_of(unit_address(last) + HAK_UNIT - 1) == last);
    CHECK(arena_holds(unit_address(last)));
}

/* A small program has elements of the low units only: two pages hold those of four arrays. */
static void first_elements_share_pages(void) {
    uintptr_t page = SLAB_PAGE;
    CHECK((uintptr_t)&hak_arena.map[512] / page == (uintptr_t)super_at(15) / page);
    CHECK((uintptr_t)&hak_arena.slabs[100] / page == (uintptr_t)purged_at(100) / page);
}

static void grows(void) {
    CHECK(arena_init());
    CHECK(hak_arena.base % HAK_SUPER == 0);
    CHECK(hak_arena.limit == 0 && arena_retained() > 0);
    CHECK(!arena_holds(&hak_arena));
    size_t n = arena_grow(1);
    CHECK(n >= HAK_SUPER_UNITS && n % HAK_SUPER_UNITS == 0 && hak_arena.limit == n);
    side_arrays_work();
    first_elements_share_pages();
    n = arena_grow(1000);
    CHECK(n >= 1000);
    side_arrays_work();
    size_t before = arena_retained();
    CHECK(arena_grow(33) >= 33);
    CHECK(arena_retained() < before);
}

static void grows_until_full(void) {
    gates_read((char **)(const char *[]){"HAKMEM_ARENA_MAX=16M", 0});
    CHECK(arena_init());
    while (arena_grow(1)) {
        side_arrays_work();
    }
    CHECK(hak_arena.limit == 256);
    CHECK(arena_grow(1) == 0);
}

/* Nothing is reserved: what is not needed is not mapped. */
static void limited(void) {
    os_fault_limit_as((size_t)1 << 30);
    CHECK(arena_init());
    CHECK(arena_retained() == 0);
    CHECK(os_fault_mapped() == 0 && os_fault_count(OS_RESERVE) == 0);
    CHECK(arena_grow(1) > 0);
    side_arrays_work();
    CHECK(os_fault_mapped() < (size_t)16 << 20);
    CHECK(arena_grow(20000) == 0); /* over the limit */
}

/* The limit comes after the start: the reservation goes, and the arena grows on without it. */
static void limited_late(void) {
    CHECK(arena_init() && arena_grow(1) > 0);
    arena_shed();
    CHECK(arena_retained() > 0 && os_fault_count(OS_UNMAP) == 0); /* no limit, nothing to do */
    os_fault_limit_as((size_t)1 << 30);
    os_fault_break(OS_UNMAP, true);
    arena_shed();
    CHECK(arena_retained() > 0 && arena_grow(1) > 0); /* refused: all is as it was */
    os_fault_break(OS_UNMAP, false);
    CHECK(arena_grow(1) > 0);
    CHECK(arena_retained() == 0 && !arena_holds(unit_address(hak_arena.limit + 10 * HAK_SUPER_UNITS)));
    side_arrays_work();
    unsigned unmaps = os_fault_count(OS_UNMAP);
    for (int i = 0; i < 10; i++) {
        CHECK(arena_grow(100) >= 100);
        side_arrays_work();
    }
    arena_shed();
    CHECK(os_fault_count(OS_UNMAP) == unmaps);
}

static void shrinks_to_fit(void) {
    size_t wanted = hak_gates.arena_max ? hak_gates.arena_max : (size_t)1 << 40;
    os_fault_refuse(1, false);
    CHECK(arena_init());
    CHECK(arena_retained() < wanted && arena_retained() > wanted / 4);
}

static void nothing_fits(void) {
    os_fault_refuse(1, true);
    errno = 4242;
    CHECK(!arena_init());
    CHECK(arena_grow(1) == 0 && errno == 4242);
    CHECK(!arena_holds(&hak_arena));
}

/* Each mapping call of a growth refused in turn: nothing is added, and the next growth goes on. */
static void refused(void) {
    CHECK(arena_init());
    for (unsigned n = 1; n < 100; n++) {
        size_t limit = hak_arena.limit;
        os_fault_refuse(n, true);
        size_t got = arena_grow(1);
        bool hit = os_fault_refused();
        os_fault_refuse(0, false);
        CHECK(hak_arena.limit == limit + got);
        if (!hit) {
            CHECK(got > 0);
            side_arrays_work();
            return;
        }
        CHECK(got == 0);
    }
    CHECK(false);
}

/* A large step is refused, the small one is taken. */
static void small_step(void) {
    CHECK(arena_init());
    os_fault_refuse(1, false);
    CHECK(arena_grow(1) == HAK_SUPER_UNITS);
    side_arrays_work();
}

static void large_pages(void) {
    os_fault_page_size(65536);
    CHECK(arena_init() && arena_grow(1) > 0);
    side_arrays_work();
    CHECK(hak_arena.base % 65536 == 0 && (uintptr_t)slab_bits(0) % 512 == 0);
}

extern void __tsan_init(void)
    __attribute__((weak)); /* ThreadSanitizer keeps that part of the address space for itself */

static void test_limited(void **state) {
    (void)state;
    if (__tsan_init) {
        skip();
    }
    unit_child(limited, 0);
}

#define CASE(name)                          \
    static void test_##name(void **state) { \
        (void)state;                        \
        unit_child(name, 0);                \
    }
CASE(grows)
CASE(grows_until_full)
CASE(limited_late)
CASE(shrinks_to_fit)
CASE(nothing_fits)
CASE(refused)
CASE(small_step)
CASE(large_pages)

int main(void) {
    gates_read(os_environment()); /* an emulator's bound */
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_grows),        cmocka_unit_test(test_grows_until_full),
                                       cmocka_unit_test(test_limited),      cmocka_unit_test(test_shrinks_to_fit),
                                       cmocka_unit_test(test_limited_late), cmocka_unit_test(test_nothing_fits),
                                       cmocka_unit_test(test_refused),      cmocka_unit_test(test_small_step),
                                       cmocka_unit_test(test_large_pages)};
    return RUN(tests);
}
