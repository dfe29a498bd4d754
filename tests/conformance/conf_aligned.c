/* conf_aligned.c : posix_memalign, aligned_alloc, memalign, valloc, pvalloc: POSIX.1-2024, C23 7.24.3.1.
 *                                                                                                     runs on any allocator */
#include "conformance/family.h"
#include <stdint.h>
#include <unistd.h>

static size_t page_size(void) { return (size_t)sysconf(_SC_PAGESIZE); }

static void use(void *block, size_t alignment, size_t n) {
    unsigned char *p = block;
    REQUIRE(p != NULL);
    CHECK(is_aligned(p, alignment));
    size_t usable = malloc_usable_size(p);
    CHECK(usable >= n);
    if (n) {
        p[0] = 1;
        p[n - 1] = 2;
        p[usable - 1] = 3;
    }
}

static void every_alignment(void) {
    static const size_t sizes[] = {0, 1, 8, 24, 64, 100, 1000, 4096, 5000, 70000, 300000};
    for (size_t alignment = sizeof(void *); alignment <= (size_t)1 << 26; alignment *= 2) {
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            void *p = NULL;
            CHECK(posix_memalign(&p, alignment, sizes[i]) == 0);
            use(p, alignment, sizes[i]);
            void *q = memalign(alignment, sizes[i]);
            use(q, alignment, sizes[i]);
            void *r = aligned_alloc(alignment, sizes[i]);
            use(r, alignment, sizes[i]);
            CHECK(p != q && q != r && p != r);
            free(q);
            free(p);
            free(r);
        }
    }
}

static void a_gibibyte(void) {
    if (sizeof(void *) < 8) {
        return;
    }
    for (size_t alignment = (size_t)1 << 27; alignment <= (size_t)1 << 30; alignment *= 2) {
        void *p = NULL, *q = NULL;
        CHECK(posix_memalign(&p, alignment, 100) == 0);
        use(p, alignment, 100);
        q = aligned_alloc(alignment, 5000000);
        use(q, alignment, 5000000);
        free(p);
        free(q);
    }
}

static void many_at_once(void) {
    enum { COUNT = 300 };
    static void *block[COUNT];
    for (size_t alignment = 16; alignment <= 65536; alignment *= 2) {
        for (size_t i = 0; i < COUNT; i++) {
            block[i] = aligned_alloc(alignment, alignment + i * 8);
            use(block[i], alignment, alignment + i * 8);
            memset(block[i], (int)(i & 255), alignment + i * 8);
        }
        for (size_t i = 0; i < COUNT; i++) {
            unsigned char *p = block[i];
            CHECK(p[0] == (i & 255) && p[alignment + i * 8 - 1] == (i & 255));
            free(p);
        }
    }
}

/* Not a power of two multiple of sizeof(void *): EINVAL is the result, not errno, and *memptr stays. */
static void bad_alignments(void) {
    static const size_t bad[] = {0, 1, 2, 3, 4, 5, 7, 9, 12, 24, 48, 100, 4095, 4097, 65535, SIZE_MAX};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int marker;
        void *p = &marker;
        errno = 4242;
        CHECK(posix_memalign(&p, hide_size(bad[i]), 64) == EINVAL);
        CHECK(errno == 4242);
        CHECK(p == &marker);
    }
}

static void too_much(void) {
    static const size_t sizes[] = {SIZE_MAX, (size_t)PTRDIFF_MAX + 1, SIZE_MAX - 4096, SIZE_MAX - 64, PTRDIFF_MAX};
    static const size_t alignments[] = {16, 64, 4096, (size_t)1 << 21, (size_t)1 << 30};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (size_t k = 0; k < sizeof alignments / sizeof alignments[0]; k++) {
            int marker;
            void *p = &marker;
            CHECK(posix_memalign(&p, alignments[k], hide_size(sizes[i])) == ENOMEM);
            CHECK(p == &marker);
            errno = 0;
            CHECK(aligned_alloc(alignments[k], hide_size(sizes[i])) == NULL && errno == ENOMEM);
            errno = 0;
            CHECK(memalign(alignments[k], hide_size(sizes[i])) == NULL && errno == ENOMEM);
        }
    }
    errno = 0;
    CHECK(valloc(hide_size(SIZE_MAX)) == NULL && errno == ENOMEM);
    if (HAS(pvalloc)) {
        errno = 0;
        CHECK(pvalloc(hide_size(SIZE_MAX)) == NULL && errno == ENOMEM);
    }
}

/* Absurd alignments of memalign and aligned_alloc fail; others that are no power of two fail too (C23) or are rounded up (glibc
 * before 2.38): both are accepted, a misaligned block is not. */
static void odd_alignments(void) {
    static const size_t odd[] = {3, 5, 24, 48, 100, 4097};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        size_t up = 16;
        while (up < odd[i]) {
            up *= 2;
        }
        errno = 0;
        void *p = memalign(hide_size(odd[i]), 100), *q = aligned_alloc(hide_size(odd[i]), odd[i] * 2);
        CHECK(p ? is_aligned(p, up) : errno == EINVAL);
        CHECK(q ? is_aligned(q, up) : errno == EINVAL);
        free(p);
        free(q);
    }
    errno = 0;
    CHECK(memalign(hide_size(SIZE_MAX / 2 + 2), 1) == NULL && (errno == EINVAL || errno == ENOMEM));
    errno = 0;
    CHECK(memalign(hide_size(SIZE_MAX / 2 + 1), 1) == NULL && errno == ENOMEM); /* a power of two, but too large */
}

static void pages(void) {
    size_t page = page_size();
    static const size_t sizes[] = {0, 1, 100, 4096, 4097, 100000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        void *p = valloc(sizes[i]);
        use(p, page, sizes[i]);
        free(p);
        if (HAS(pvalloc)) {
            size_t whole = (sizes[i] + page - 1) / page * page;
            p = pvalloc(sizes[i]);
            use(p, page, whole);
            free(p);
        }
    }
}

static void success_keeps_errno(void) {
    void *p = NULL;
    errno = 4242;
    CHECK(posix_memalign(&p, 4096, 100) == 0 && errno == 4242);
    free(p);
    CHECK(posix_memalign(&p, (size_t)1 << 22, 100) == 0);
    free(p);
    CHECK(errno == 4242);
}

int main(void) {
    check_start();
    every_alignment();
    a_gibibyte();
    many_at_once();
    bad_alignments();
    too_much();
    odd_alignments();
    pages();
    success_keeps_errno();
    return check_done();
}
