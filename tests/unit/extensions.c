/* extensions.c : hakmem.h in one process: bulk, first-class heaps, trim, idle, options, sites; refusals; and under FORCE_LIBC. */
#include "api/prefixed.h"
#include "cold/foreign.h"
#include "cold/magazine.h"
#include "diag/stats.h"
#include "gates/gates.h"
#include "unit.h"
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>

enum { MANY = 3000 };
static void *block[MANY];

static int setup(void **state) {
    (void)state;
    unit_start();
    return 0;
}

static size_t allocated(void) {
    struct hak_stats s;
    hak_stats_get(&s);
    return s.allocated;
}

static void bulk(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 16, 100, 1025, 9000, 131072, 140000};
    size_t before = allocated();
    for (unsigned i = 0; i < COUNT(sizes); i++) {
        size_t n = sizes[i] > 5000 ? 50 : MANY;
        assert_int_equal(hak_malloc_bulk(sizes[i], n, block), n);
        size_t sum = 0;
        for (size_t k = 0; k < n; k++) {
            assert_non_null(block[k]);
            sum += malloc_usable_size(block[k]);
            if (sizes[i]) {
                memset(block[k], (int)k, sizes[i]);
            }
        }
        for (size_t k = 0; k < n && sizes[i]; k++) {
            assert_int_equal(((unsigned char *)block[k])[sizes[i] - 1], k & 0xff); /* nobody's twice */
        }
        assert_int_equal(allocated(), before + sum);
        unit_verify();
        block[n / 2] = (free(block[n / 2]), (void *)0);
        errno = 4242;
        hak_free_bulk(block, n);
        assert_int_equal(errno, 4242);
    }
    assert_int_equal(allocated(), before);
}

static size_t bulk_got;

static void bulk_attempt(void) {
    errno = 0;
    bulk_got = hak_malloc_bulk(60000, 2000, block);
    assert_true(bulk_got == 2000 || errno == ENOMEM);
    hak_free_bulk(block, bulk_got);
    hak_thread_idle();
    hak_trim(0);
}

static void bulk_refusals(void **state) {
    (void)state;
    size_t before = allocated();
    unit_sweep(bulk_attempt, true);
    assert_int_equal(bulk_got, 2000);
    assert_int_equal(allocated(), before);
}

static void use_heap(hak_heap *h) {
    for (size_t n = 0; n < 90000000; n = n * 2 + 1) {
        char *p = hak_heap_malloc(h, n);
        if (p) {
            assert_int_equal((uintptr_t)p % 16, 0);
            memset(p, 1, n < 5000000 ? n : 5000000);
        }
        char *z = hak_heap_calloc(h, 1, n < 5000000 ? n : 10);
        assert_true(!z || n == 0 || z[0] == 0);
        if (p && n % 3 == 0) {
            free(p);
        }
    }
}

static void heaps(void **state) {
    (void)state;
    size_t before = allocated();
    for (int i = 0; i < 5; i++) {
        hak_heap *a = hak_heap_create(), *b = hak_heap_create();
        assert_true(a && b && a != b);
        use_heap(a);
        use_heap(b);
        unit_verify();
        void *moved = realloc(hak_heap_malloc(a, 100), 5000); /* out of the heap */
        assert_non_null(moved);
        hak_heap_destroy(a);
        unit_verify();
        use_heap(b);
        hak_heap_destroy(b);
        memset(moved, 1, 5000);
        free(moved);
        unit_verify();
    }
    assert_int_equal(allocated(), before);
    errno = 0;
    hak_heap *h = hak_heap_create();
    assert_null(hak_heap_malloc(h, SIZE_MAX));
    assert_int_equal(errno, ENOMEM);
    errno = 0;
    assert_null(hak_heap_calloc(h, SIZE_MAX / 4, 5));
    assert_int_equal(errno, ENOMEM);
    hak_heap_destroy(h);
}

static void heap_attempt(void) {
    hak_heap *h = hak_heap_create();
    if (h) {
        use_heap(h);
        hak_heap_destroy(h);
    }
    hak_trim(0);
}

static void heap_refusals(void **state) {
    (void)state;
    size_t before = allocated(), mapped = os_fault_mapped();
    unit_sweep(heap_attempt, false);
    unit_sweep(heap_attempt, true);
    assert_int_equal(allocated(), before);
    assert_true(os_fault_mapped() < mapped + ((size_t)1 << 20)); /* the allocator's own tables alone */
}

static void idle(void **state) {
    (void)state;
    hak_free_bulk(block, hak_malloc_bulk(48, MANY, block));
    struct stats s;
    stats_get(&s);
    assert_true(s.total.cached_thread > 0);
    hak_thread_idle();
    stats_get(&s);
    assert_int_equal(s.total.cached_thread, 0);
    unit_verify();
}

static void options(void **state) {
    (void)state;
    char text[16];
    assert_int_equal(hak_option_set("decay", "321"), 0);
    assert_int_equal(hak_option_get("decay", text, sizeof text), 3);
    assert_string_equal(text, "321");
    errno = 0;
    assert_int_equal(hak_option_set("thp", "never"), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(hak_option_get("nothing", text, sizeof text), -1);
    assert_int_equal(errno, ENOENT);
    os_fault_break(OS_SEAL, true);
    assert_int_equal(hak_option_set("decay", "5"), -1);
    os_fault_break(OS_SEAL, false);
    assert_int_equal(hak_option_set("decay", "10000"), 0);
}

static void write_gate(void) { ((struct gates *)(uintptr_t)&hak_gates)->decay = 1; }

static void *set_many(void *arg) {
    for (int i = 0; i < 300; i++) {
        if (hak_option_set("decay", i % 2 ? "10000" : "9999") != 0) {
            return arg;
        }
    }
    return 0;
}

/* Setters of several threads never meet a sealed page; afterwards it is sealed. */
static void setters(void **state) {
    (void)state;
    pthread_t t[4];
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&t[i], 0, set_many, &t), 0);
    }
    for (int i = 0; i < 4; i++) {
        void *wrong;
        pthread_join(t[i], &wrong);
        assert_null(wrong);
    }
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGSEGV, SIG_DFL);
        write_gate();
        _exit(0);
    }
    waitpid(pid, &status, 0);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSEGV);
}

static void *from_libc(const char *name) { return dlsym(RTLD_DEFAULT, name); }

static void require(bool ok, int line) {
    if (!ok) {
        fprintf(stderr, "extensions.c:%d\n", line);
        _exit(1);
    }
}
#define REQUIRE(x) require((x), __LINE__)

/* In a fresh process: libc serves, heaps are ours all the same. */
static void under_libc(void) {
    os_fault_symbols(from_libc);
    os_fault_environment((char **)(const char *[]){"HAKMEM_FORCE_LIBC=1", 0});
    void *p = malloc(100);
    REQUIRE(hak_mode == HAK_MODE_LIBC && p && malloc_usable_size(p) >= 100);
    p = realloc(p, 100000);
    free(p);
    free(malloc((size_t)80 << 20));
    REQUIRE(hak_malloc_bulk(32, 100, block) == 100);
    hak_free_bulk(block, 100);
    hak_free_at(hak_alloc_at(10, "here"), "here");
    REQUIRE(hak_sites(0, 0) == 1);
    hak_heap *h = hak_heap_create();
    REQUIRE(h != 0);
    for (size_t n = 1; n < 5000000; n = n * 2 + 3) {
        char *a = hak_heap_malloc(h, n), *b = hak_heap_calloc(h, 1, n);
        REQUIRE(a && b && b[n - 1] == 0 && malloc_usable_size(a) >= n);
        memset(a, 1, n);
        REQUIRE(n % 5 || n > HAK_MEDIUM_MAX || (b = realloc(b, n * 3)) != 0);
        if (n % 5 == 0 || n % 3 == 0) {
            free(b);
        }
    }
    REQUIRE(hak_heap_malloc(h, (size_t)80 << 20) == 0);
    REQUIRE(verify_heap_all(unit_print, 0) == 0);
    hak_heap_destroy(h);
    hak_thread_idle();
    hak_trim(0);
    struct hak_stats s;
    hak_stats_get(&s);
    char text[8];
    REQUIRE(hak_option_get("force_libc", text, sizeof text) == 1 && text[0] == '1');
}

static void force_libc(void **state) {
    (void)state;
    unit_child(under_libc, 0);
}

int main(void) {
    const struct CMUnitTest first[] = {cmocka_unit_test(force_libc)};
    const struct CMUnitTest tests[] = {cmocka_unit_test(bulk),   cmocka_unit_test(bulk_refusals),
                                       cmocka_unit_test(heaps),  cmocka_unit_test(heap_refusals),
                                       cmocka_unit_test(idle),   cmocka_unit_test(options),
                                       cmocka_unit_test(setters)};
    int failed = RUN(first); /* before this process' own start */
    return failed + cmocka_run_group_tests(tests, setup, 0);
}
