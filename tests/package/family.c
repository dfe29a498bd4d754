/* family.c : uses every function of the malloc family, so that a static link would pull in libc's malloc if one were missing. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

int main(void) {
    void *p[8];
    p[0] = malloc(10);
    p[1] = calloc(2, 10);
    p[2] = realloc(NULL, 10);
    p[3] = reallocarray(NULL, 2, 10);
    p[4] = memalign(64, 10);
    p[5] = aligned_alloc(64, 64);
    p[6] = valloc(10);
    if (posix_memalign(&p[7], 64, 10) != 0) {
        return 1;
    }
    pvalloc(1);
    mallopt(M_TRIM_THRESHOLD, 1);
    struct mallinfo2 info = mallinfo2();
    malloc_trim(0);
    malloc_info(0, stdout);
    malloc_stats();
    for (int i = 0; i < 8; i++) {
        if (malloc_usable_size(p[i]) < 10) {
            return 1;
        }
        free(p[i]);
    }
    return info.uordblks == 0;
}
