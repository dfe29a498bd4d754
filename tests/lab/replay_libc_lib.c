/* replay_libc_lib.c : the C library's malloc as a library to preload: puts programs that link another allocator (Debian's redis-server links
 * jemalloc) back on the C library's. */
#include <errno.h>
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t align, size_t size);
void __libc_free(void *p);

void *malloc(size_t size) { return __libc_malloc(size); }
void *calloc(size_t n, size_t size) { return __libc_calloc(n, size); }
void *realloc(void *p, size_t size) { return __libc_realloc(p, size); }
void free(void *p) { __libc_free(p); }
void *memalign(size_t align, size_t size) { return __libc_memalign(align, size); }
void *aligned_alloc(size_t align, size_t size) { return __libc_memalign(align, size); }

int posix_memalign(void **to, size_t align, size_t size) {
    void *p = __libc_memalign(align, size);
    if (p)
        *to = p;
    return p ? 0 : ENOMEM;
}

/* glibc's chunk head: size with flag bits; 2: a mapping of its own. */
size_t malloc_usable_size(void *p) {
    uintptr_t head = p ? ((uintptr_t *)p)[-1] : 0;
    return p ? (head & ~(uintptr_t)7) - (head & 2 ? 16 : 8) : 0;
}
