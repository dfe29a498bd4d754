/* planted.c : libc's allocator with one planted defect (PLANTED=name), to prove that the tests see it. Preloaded under the conformance,
 * stress and fuzz programs by planted.sh; each of them must fail. */
#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);
extern void *__libc_memalign(size_t alignment, size_t n);
extern void __libc_free(void *p);

static bool planted(const char *name) {
    extern char **environ;
    for (char **e = environ; e && *e; e++) {
        if (strncmp(*e, "PLANTED=", 8) == 0) {
            return strcmp(*e + 8, name) == 0;
        }
    }
    return false;
}

void *malloc(size_t n) {
    static unsigned calls;
    static void *last;
    static size_t last_size;
    if (n > PTRDIFF_MAX && planted("huge_granted")) {
        return __libc_malloc(64);
    }
    if (n > PTRDIFF_MAX && planted("no_enomem")) {
        return NULL;
    }
    if (n == 0 && planted("zero_is_null")) {
        return NULL;
    }
    if (n >= 64 && n <= last_size && ++calls % 1000 == 0 && planted("twice")) {
        return last;
    }
    void *p = __libc_malloc(n);
    if (n >= 64 && p) {
        last = p;
        last_size = n;
    }
    return p;
}

void free(void *p) {
    __libc_free(p);
    if (planted("free_errno")) {
        errno = 0;
    }
}

void *calloc(size_t n, size_t size) {
    if (planted("dirty_calloc") && n && size < 4096 / n) {
        return __libc_malloc(n * size);
    }
    if (planted("calloc_overflow")) {
        return __libc_calloc(1, n * size % 4096);
    }
    return __libc_calloc(n, size);
}

void *realloc(void *p, size_t n) {
    if (n == 0 && p && planted("realloc_zero")) {
        return __libc_realloc(p, 1);
    }
    if (n > PTRDIFF_MAX && planted("realloc_frees")) {
        __libc_free(p);
        errno = ENOMEM;
        return NULL;
    }
    if (p && n > 3000 && planted("realloc_tail")) {
        void *q = __libc_malloc(n);
        size_t had = malloc_usable_size(p);
        if (q) {
            memcpy(q, p, (had < n ? had : n) / 2);
            __libc_free(p);
        }
        return q;
    }
    return __libc_realloc(p, n);
}

static void *aligned(size_t alignment, size_t n) {
    if (alignment == 64 && planted("misaligned")) {
        return __libc_malloc(n);
    }
    return __libc_memalign(alignment, n);
}

void *memalign(size_t alignment, size_t n) { return aligned(alignment, n); }
void *aligned_alloc(size_t alignment, size_t n) { return aligned(alignment, n); }

int posix_memalign(void **out, size_t alignment, size_t n) {
    if (alignment % sizeof(void *) || (alignment & (alignment - 1)) || !alignment) {
        if (!planted("bad_alignment")) {
            return EINVAL;
        }
        alignment = 16;
    }
    int saved = errno;
    void *p = aligned(alignment, n);
    errno = planted("memalign_errno") ? EINVAL : saved;
    if (!p) {
        return ENOMEM;
    }
    *out = p;
    return 0;
}
