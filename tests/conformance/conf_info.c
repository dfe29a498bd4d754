/* conf_info.c : malloc_trim, mallopt, mallinfo, mallinfo2, malloc_stats, malloc_info: glibc's manual, chapter 3.2.3.
 *                                                  runs on any allocator; stricter where hakmem.h promises more */
#include "conformance/family.h"
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

static size_t resident(void) {
    FILE *f = fopen("/proc/self/statm", "r");
    unsigned long pages = 0, size = 0;
    if (!f || fscanf(f, "%lu %lu", &size, &pages) != 2) {
        pages = 0;
    }
    if (f) {
        fclose(f);
    }
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* "Returns 1 if memory was actually released back to the system, or 0 if not." */
static void trim(void) {
    enum { COUNT = 20000, SIZE = 2000 };
    static void *block[COUNT];
    for (int i = 0; i < COUNT; i++) {
        block[i] = malloc(SIZE);
        REQUIRE(block[i] != NULL);
        memset(block[i], 1, SIZE);
    }
    size_t peak = resident();
    for (int i = 0; i < COUNT; i++) {
        free(block[i]);
    }
    errno = 4242;
    int released = malloc_trim(0);
    CHECK(released == 0 || released == 1);
    CHECK(errno == 4242);
    if (check_is_hakmem()) {
        CHECK(released == 1 || resident() < peak / 2);
        CHECK(peak == 0 || resident() < peak / 2);
        malloc_trim(0);
        CHECK(malloc_trim(0) == 0); /* nothing is left to release */
    }
}

static void options(void) {
    CHECK(mallopt(M_TRIM_THRESHOLD, 1 << 20) == 1);
    CHECK(mallopt(M_ARENA_MAX, 4) == 1);
    CHECK(mallopt(M_PERTURB, 0) == 1);
    void *p = malloc(1000000);
    CHECK(p != NULL);
    free(p);
}

/* uordblks + hblkhd, the bytes in use in both places, moves with the program. */
static size_t in_use(void) {
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

static void info2(void) {
    if (!HAS(mallinfo2)) {
        CHECK(!check_is_hakmem());
        return;
    }
    enum { COUNT = 5000 };
    static void *small[COUNT];
    size_t before = in_use();
    for (int i = 0; i < COUNT; i++) {
        small[i] = malloc(512);
    }
    void *large = malloc(50000000);
    size_t mid = in_use();
    CHECK(mid >= before + COUNT * 512 + 50000000 - 200000);
    CHECK(mid <= before + (COUNT * 512 + 50000000) * 5 / 4 + 1000000);
    struct mallinfo2 m = mallinfo2();
    CHECK(m.arena + m.hblkhd >= m.uordblks);
    CHECK(m.arena >= m.uordblks || m.hblkhd > 0);
    free(large);
    for (int i = 0; i < COUNT; i++) {
        free(small[i]);
    }
    size_t after = in_use();
    CHECK(after + 50000000 <= mid);
    CHECK(after <= before + 500000);
    if (check_is_hakmem()) {
        CHECK(mallinfo2().fordblks > 0 || mallinfo2().arena == mallinfo2().uordblks);
    }
}

/* The int twin: the same numbers where they fit. */
static void info(void) {
    void *p = malloc(3000000);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    struct mallinfo m = mallinfo();
#pragma GCC diagnostic pop
    CHECK(m.uordblks + m.hblkhd >= 3000000 || m.uordblks < 0);
    free(p);
}

static void xml(void) {
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    REQUIRE(f != NULL);
    CHECK(malloc_info(0, f) == 0);
    fclose(f);
    CHECK(n > 20);
    CHECK(strncmp(text, "<malloc version=\"", 17) == 0 || strncmp(text, "<?xml", 5) == 0);
    CHECK(strstr(text, "</malloc>") != NULL);
    if (check_is_hakmem()) {
        CHECK(strstr(text, "<malloc version=\"hakmem-1\"") != NULL);
    }
    free(text);
    errno = 0;
    CHECK(malloc_info(1, stderr) != 0); /* glibc: options must be 0; EINVAL is its result */
}

static void stats(void) {
    FILE *keep = stderr;
    fflush(keep);
    int saved = dup(2), sink = memfd_create("stats", 0);
    if (saved < 0 || sink < 0) {
        return;
    }
    dup2(sink, 2);
    malloc_stats();
    dup2(saved, 2);
    CHECK(lseek(sink, 0, SEEK_CUR) > 20);
    close(sink);
    close(saved);
}

int main(void) {
    check_start();
    trim();
    options();
    info2();
    info();
    xml();
    stats();
    return check_done();
}
