/* trace_schemes.c : size-class schemes as functions of the request. What lies above a scheme's classes is rounded to 4 KiB pages. */
#include "trace_schemes.h"
#include "trace_file.h"

#include <stdlib.h>

const struct scheme scheme_table[SCHEMES] = {
    {"step16", "16 B steps"},
    {"four", "4 a doubling"},
    {"eight", "8 a doubling"},
    {"hakmem", "hakmem: 16 B steps to 256, 8 a doubling to 8 KiB, 4 to 128 KiB"},
    {"pow2", "powers of two"},
    {"jemalloc", "jemalloc: 4 a doubling, at every size"},
    {"mimalloc", "mimalloc: 4 a doubling from 64 B to 128 KiB"},
    {"glibc", "glibc: 8 B header, 16 B steps"},
};

enum { TABLE_BYTES = 131072, PAGE = 4096 };

static uint64_t up(uint64_t n, uint64_t step) { return (n + step - 1) / step * step; }

/* n rounded up to one of `steps` equal steps of the doubling that it lies in. */
static uint64_t geometric(uint64_t n, uint64_t steps) {
    uint64_t top = 1ull << (63 - __builtin_clzll(n - 1)); /* top < n <= 2 top */
    return up(n, top / steps);
}

static uint64_t size_step16(uint64_t n) { return n > TABLE_BYTES ? up(n, PAGE) : up(n, 16); }

static uint64_t size_four(uint64_t n) { return n <= 64 ? up(n, 16) : n > TABLE_BYTES ? up(n, PAGE) : geometric(n, 4); }

static uint64_t size_eight(uint64_t n) {
    return n <= 128 ? up(n, 16) : n > TABLE_BYTES ? up(n, PAGE) : geometric(n, 8);
}

static uint64_t size_hakmem(uint64_t n) {
    return n <= 256 ? up(n, 16) : n <= 8192 ? geometric(n, 8) : n <= TABLE_BYTES ? geometric(n, 4) : up(n, PAGE);
}

static uint64_t size_pow2(uint64_t n) { return n <= 16 ? 16 : geometric(n, 1); }

static uint64_t size_jemalloc(uint64_t n) { return n <= 8 ? 8 : n <= 128 ? up(n, 16) : geometric(n, 4); }

static uint64_t size_mimalloc(uint64_t n) {
    return n <= 8 ? 8 : n <= 64 ? up(n, 16) : n > TABLE_BYTES ? up(n, PAGE) : geometric(n, 4);
}

static uint64_t size_glibc(uint64_t n) { return n >= TABLE_BYTES ? up(n + 16, PAGE) : n <= 24 ? 32 : up(n + 8, 16); }

static uint64_t (*const rule[SCHEMES])(uint64_t) = {size_step16, size_four,     size_eight,    size_hakmem,
                                                    size_pow2,   size_jemalloc, size_mimalloc, size_glibc};

void scheme_sizes(uint64_t size, uint64_t takes[SCHEMES]) {
    static uint32_t(*table)[SCHEMES];
    if (!table) {
        table = trace_alloc(NULL, (TABLE_BYTES / 8 + 1) * sizeof *table);
        for (uint64_t i = 0; i <= TABLE_BYTES / 8; i++)
            for (int s = 0; s < SCHEMES; s++)
                table[i][s] = (uint32_t)rule[s](i ? i * 8 : 1);
    }
    for (int s = 0; s < SCHEMES; s++)
        takes[s] = size <= TABLE_BYTES ? table[(size + 7) / 8][s] : rule[s](size);
}
