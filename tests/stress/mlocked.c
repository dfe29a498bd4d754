/* mlocked.c : mlockall(MCL_FUTURE): every mapping made from now on is locked, so an allocator that maps far more than it needs makes it
 * all resident. Locked bytes stay near the live ones, and frees are given back to the limit. */
#include "alloc.h"
#include <sys/mman.h>

enum { LIVE = 40 << 20, SIZE = 4000 };

int main(void) {
    check_start();
    if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0) {
        check_skip("mlockall(MCL_FUTURE) is not permitted here");
    }
    size_t start = stress_status("VmRSS:");
    static void *block[LIVE / SIZE];
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < LIVE / SIZE; i++) {
            block[i] = malloc(SIZE);
            REQUIRE(block[i] != NULL);
            memset(block[i], 1, SIZE);
        }
        size_t full = stress_status("VmRSS:");
        printf("RSS at start %zu KiB, with %d KiB live %zu KiB\n", start >> 10, LIVE >> 10, full >> 10);
        CHECK(start < (size_t)64 << 20);
        CHECK(full < start + LIVE + ((size_t)72 << 20));
        for (size_t i = 0; i < LIVE / SIZE; i++) {
            free(block[i]);
        }
    }
    void *large = malloc(100 << 20);
    if (large) {
        memset(large, 1, 100 << 20);
    }
    free(large);
    malloc_trim(0);
    return check_done();
}
