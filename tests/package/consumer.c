/* consumer.c : a program as a user of the installed library would write it; fails unless hakmem serves its malloc. */
#include <hakmem/hakmem.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BIG = 20000000 };

/* How many bytes hakmem says are live. */
static size_t live(void) {
    struct hak_stats stats;
    hak_stats_get(&stats);
    return stats.allocated;
}

int main(void) {
    int header = HAKMEM_VERSION_MAJOR * 10000 + HAKMEM_VERSION_MINOR * 100 + HAKMEM_VERSION_PATCH;
    if (hak_version() != header) {
        printf("header %d, library %d\n", header, hak_version());
        return 1;
    }
    size_t before = live(), usable = 0;
    char *block = malloc(BIG);
    char *small = hak_malloc_usable(100, &usable);
    if (!block || !small || usable < 100 || malloc_usable_size(small) != usable) {
        puts("no memory, or no usable size");
        return 1;
    }
    memset(block, 1, BIG);
    size_t with = live();
    printf("hakmem %d: %zu bytes live, then %zu\n", hak_version(), before, with);
    free(small);
    free(block);
    return with < before + BIG;
}
