/* Blocks of libc's own malloc, as a plugin loaded with RTLD_DEEPBIND passes them on, are libc's: free, realloc and usable size work. */
#include "misuse.h"
#include <dlfcn.h>

static void *(*libc_malloc)(size_t);
static void *(*libc_memalign)(size_t, size_t);

static void each(size_t n) {
    unsigned char *p = libc_malloc(n), *q = libc_malloc(n), *r = libc_malloc(n);
    REQUIRE(p && q && r);
    memset(p, 1, n);
    memset(q, 2, n);
    CHECK(malloc_usable_size(p) >= n);
    errno = 4242;
    free(p);
    CHECK(errno == 4242);
    q = realloc(q, n * 3 + 100);
    REQUIRE(q != NULL);
    CHECK(q[0] == 2 && q[n - 1] == 2);
    q[n * 3 + 99] = 1;
    free(q);
    free_sized(r, n);
    p = libc_memalign(4096, n);
    REQUIRE(p != NULL);
    free(p);
    p = libc_malloc(n);
    CHECK(realloc(p, hide_size(0)) == NULL);
    p = libc_malloc(n);
    REQUIRE(p != NULL);
    memset(p, 3, n);
    errno = 0;
    CHECK(realloc(p, hide_size(SIZE_MAX / 2 + 1)) == NULL && errno == ENOMEM);
    CHECK(p[n - 1] == 3);
    free(p);
}

int main(void) {
    check_start();
    void *libc = dlopen("libc.so.6", RTLD_LAZY);
    REQUIRE(libc != NULL);
    *(void **)&libc_malloc = dlsym(libc, "malloc");
    *(void **)&libc_memalign = dlsym(libc, "memalign");
    REQUIRE(libc_malloc && libc_memalign);
    void *(*volatile ours)(size_t) = malloc;
    CHECK(libc_malloc != ours); /* else nothing was tested */
    for (size_t n = 1; n < 3000000; n = n * 3 + 5) {
        each(n);
        free(malloc(n));
    }
    each(200000000);
    return check_done();
}
