/* commit.c : what vm.overcommit_memory=2 counts. That setting is the whole machine's, so a test must not change it; but the kernel marks
 * the mappings that it would count ("ac" among VmFlags, and every writable private mapping, MAP_NORESERVE or not). Their sum must stay
 * near what is live: an allocator that maps its arena writable in advance could not start. */
#include "alloc.h"

/* Bytes of private writable mappings, and of those at most that are not stacks of threads. Allocates nothing. */
static size_t charged(void) {
    FILE *f = fopen("/proc/self/maps", "r");
    static char line[4096];
    size_t sum = 0;
    while (f && fgets(line, sizeof line, f)) {
        unsigned long long from = 0, to = 0;
        char mode[8] = "";
        if (sscanf(line, "%llx-%llx %7s", &from, &to, mode) == 3 && mode[1] == 'w' && mode[3] == 'p') {
            sum += (size_t)(to - from);
        }
    }
    if (f) {
        fclose(f);
    }
    return sum;
}

int main(void) {
    check_start();
    static char buffer[1 << 16];
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    free(malloc(100));
    size_t start = charged();
    enum { COUNT = 25000, SIZE = 4000 };
    static void *block[COUNT];
    for (int i = 0; i < COUNT; i++) {
        block[i] = malloc(SIZE);
        REQUIRE(block[i] != NULL);
        memset(block[i], 1, SIZE);
    }
    size_t full = charged();
    for (int i = 0; i < COUNT; i++) {
        free(block[i]);
    }
    printf("charged at start %zu KiB, with %d KiB live %zu KiB\n", start >> 10, COUNT * (SIZE >> 3) >> 7, full >> 10);
    CHECK(start < (size_t)24 << 20);
    CHECK(full < start + (size_t)COUNT * SIZE * 5 / 4 + ((size_t)66 << 20));
    return check_done();
}
