/* conf_family.c : the rest of the family: cfree, C23's sized frees, glibc's __libc_ twins, and that all mix freely.
 *                                    runs on any allocator; on hakmem none of the functions may be missing */
#include "conformance/family.h"
#include <stdint.h>

static void old_free(void) {
    if (!HAS(cfree)) {
        CHECK(!check_is_hakmem());
        return;
    }
    errno = 4242;
    cfree(hide(malloc(100)));
    cfree(NULL);
    CHECK(errno == 4242);
}

static void sized_frees(void) {
    if (!HAS(free_sized) || !HAS(free_aligned_sized)) {
        CHECK(!check_is_hakmem());
        return;
    }
    uint64_t seed = check_seed();
    errno = 4242;
    free_sized(NULL, 0);
    free_aligned_sized(NULL, 64, 0);
    for (int round = 0; round < 2000; round++) {
        size_t n = check_random_size(&seed, 1, 400000), alignment = (size_t)8 << (check_random(&seed) % 12);
        void *p = malloc(n), *q = calloc(1, n), *r = realloc(malloc(1), n), *a = aligned_alloc(alignment, n);
        REQUIRE(p && q && r && a);
        memset(a, 1, n);
        free_sized(p, n);
        free_sized(q, n);
        free_sized(r, n);
        free_aligned_sized(a, alignment, n);
    }
    void *zero = malloc(0);
    free_sized(zero, 0);
    CHECK(errno == 4242);
}

#ifdef __GLIBC__
static void libc_twins(void) {
    if (!HAS(__libc_malloc) || !HAS(__libc_calloc) || !HAS(__libc_realloc) || !HAS(__libc_free) ||
        !HAS(__libc_memalign) || !HAS(__libc_valloc) || !HAS(__libc_pvalloc)) {
        CHECK(!check_is_hakmem());
        return;
    }
    for (size_t n = 1; n < 4000000; n = n * 3 + 1) {
        char *p = __libc_malloc(n);
        REQUIRE(p != NULL);
        memset(p, 7, n);
        CHECK(malloc_usable_size(p) >= n);
        p = __libc_realloc(p, n * 2);
        REQUIRE(p != NULL);
        CHECK(p[0] == 7 && p[n - 1] == 7);
        p = realloc(p, n);
        REQUIRE(p != NULL);
        free(p);
        p = __libc_calloc(n, 2);
        REQUIRE(p != NULL);
        CHECK(p[0] == 0 && p[2 * n - 1] == 0);
        free(p);
        p = __libc_memalign(256, n);
        REQUIRE(p != NULL);
        CHECK(is_aligned(p, 256));
        __libc_free(p);
        p = malloc(n);
        __libc_free(p);
        p = __libc_valloc(n);
        CHECK(is_aligned(p, 4096));
        free(p);
        p = __libc_pvalloc(n);
        CHECK(is_aligned(p, 4096) && malloc_usable_size(p) >= 4096);
        free(p);
    }
}
#endif

/* Which allocator serves the twins: a block of __libc_malloc must come from the same one. Sizes of the same class are neighbours in
 * any allocator only by accident, so ask the statistics. */
static void twins_are_ours(void) {
#ifdef __GLIBC__
    if (!check_is_hakmem() || !HAS(__libc_malloc)) {
        return;
    }
    size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    char *p = __libc_malloc(8000000);
    REQUIRE(p != NULL);
    p[0] = 1;
    size_t after = mallinfo2().uordblks + mallinfo2().hblkhd;
    CHECK(after >= before + 8000000 - 100000);
    __libc_free(p);
#endif
}

/* C functions that allocate for the caller give blocks of our malloc. */
static void libc_allocates_with_us(void) {
    char *s = strdup("a text of some length that does not fit into a small buffer");
    REQUIRE(s != NULL);
    CHECK(malloc_usable_size(s) >= 60);
    s = realloc(s, 1000);
    REQUIRE(s != NULL);
    free(s);
    char *line = NULL;
    size_t cap = 0;
    FILE *f = fopen("/proc/self/status", "r");
    if (f) {
        while (getline(&line, &cap, f) > 0) {
        }
        CHECK(line != NULL && malloc_usable_size(line) >= cap);
        free(line);
        fclose(f);
    }
    char *text = NULL;
    CHECK(asprintf(&text, "%05000d", 1) == 5000);
    CHECK(malloc_usable_size(text) >= 5001);
    free(text);
}

int main(void) {
    check_start();
    old_free();
    sized_frees();
#ifdef __GLIBC__
    libc_twins();
#endif
    twins_are_ours();
    libc_allocates_with_us();
    return check_done();
}
