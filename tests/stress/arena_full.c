/* arena_full.c : the arena's address space is used up (HAKMEM_ARENA_MAX) while the machine has memory: blocks become mappings of their own,
 * keep what they hold through realloc, go back when freed, and the arena serves again. */
#include "alloc.h"

enum { LIVE = 64 << 20, MOST = 20000 };
static struct stress_block block[MOST];

static size_t fill(size_t size) {
    size_t n = 0;
    for (size_t live = 0; live < LIVE && n < MOST; live += size, n++) {
        void *p = malloc(size);
        REQUIRE(p != NULL);
        CHECK(malloc_usable_size(p) >= size);
        block[n] = stress_take(p, size, n);
    }
    return n;
}

static void release(size_t n) {
    while (n) {
        stress_free(&block[--n]);
    }
}

static void grow(size_t n, size_t size) {
    for (size_t i = 0; i < n; i += 7) {
        unsigned char *p = realloc(block[i].at, size + size / 2);
        REQUIRE(p != NULL);
        block[i].at = p;
        CHECK(stress_intact(&block[i], size));
    }
}

/* Mappings keep the alignment that slabs would have given. */
static void aligned(void) {
    size_t n = 0;
    for (size_t live = 0; live < LIVE; n++) {
        size_t alignment = (size_t)1024 << n % 7, size = check_random_size(&(uint64_t){n + 1}, 1, 100000);
        void *p = memalign(alignment, size);
        REQUIRE(p != NULL);
        CHECK(is_aligned(p, alignment) && malloc_usable_size(p) >= size);
        block[n] = stress_take(p, size, n);
        live += size;
    }
    release(n);
}

static void *in_thread(void *arg) {
    release(*(size_t *)arg); /* the other thread's blocks, mappings among them */
    return NULL;
}

int main(void) {
    check_start();
    static const size_t sizes[] = {4000, 30000, 100000, 1000000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t n = fill(sizes[i]);
        CHECK(n * sizes[i] >= LIVE);
        size_t full = stress_status("VmRSS:");
        grow(n, sizes[i]);
        pthread_t t;
        REQUIRE(pthread_create(&t, NULL, in_thread, &n) == 0);
        pthread_join(t, NULL);
        size_t left = stress_status("VmRSS:");
        printf("%zu blocks of %zu: %zu MiB, %zu after\n", n, sizes[i], full >> 20, left >> 20);
        CHECK(left < full / 2); /* the mappings are gone; the arena's 16 MiB may stay */
    }
    aligned();
    int *zero = calloc(1000, 4);
    CHECK(zero && zero[0] == 0 && zero[999] == 0);
    free(zero);
    return check_done();
}
