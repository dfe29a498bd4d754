/* family.c : every function of malloc.o that <malloc.h> declares. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

int main(void) {
    void *p = 0, *q[] = {malloc(1), calloc(2, 3), realloc(0, 4),        memalign(64, 5), aligned_alloc(64, 64),
                         valloc(6), pvalloc(7),   reallocarray(0, 8, 9)};
    int bad = posix_memalign(&p, 64, 10);
    for (unsigned i = 0; i < sizeof q / sizeof q[0]; i++) {
        bad += q[i] == 0 || malloc_usable_size(q[i]) == 0;
        free(q[i]);
    }
    free(p);
    bad += mallinfo2().arena == 0;
    bad += mallopt(M_ARENA_MAX, 2) != 1;
    malloc_trim(0);
    FILE *f = fopen("/dev/null", "w");
    bad += f == 0 || malloc_info(0, f) != 0;
    puts(bad ? "bad" : "ok");
    return bad;
}
