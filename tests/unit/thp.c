/* thp.c : which growth of the arena is advised about, by gate and size. */
#include "cold/thp.h"
#include "gates/gates.h"
#include "unit.h"

enum { STEP = 64, SMALL = 1024, BIG = 8192 /* units: 64 MiB, 512 MiB */ };

/* Calls for one growth with the gate set to value. */
static unsigned advice(const char *value, size_t used) {
    char *env[] = {(char *)(uintptr_t)value, 0};
    unsigned before = os_fault_count(OS_HUGE);
    assert_int_equal(os_seal(&hak_gates_page, sizeof hak_gates_page, false), 0);
    gates_read(env);
    thp_grown(STEP, STEP, used);
    return os_fault_count(OS_HUGE) - before;
}

static void by_gate(void **state) {
    (void)state;
    unit_start();
    assert_int_equal(advice("HAKMEM_THP=default", SMALL), 0);
    assert_int_equal(advice("HAKMEM_THP=default", BIG), 1);
    assert_int_equal(advice("HAKMEM_THP=always", SMALL), 1);
    assert_int_equal(advice("HAKMEM_THP=never", BIG), 1); /* against, where the system's own default is always */
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(by_gate)};
    return RUN(tests);
}
