/* counted.c : statistics on every call. counted: calls and bytes, in all and of each class, in the thread. sampled: Phase 19-3, one call in
 * 4096, drawn by an xorshift, counts for all.
 * Gate       HAKMEM_OP_COUNTERS=all|sampled          Decision  docs/decisions/026          Test  variants/ */
#include "front.h"
#include "hot/free_hot.h"
#include "hot/malloc_hot.h"
#include "layout/lookup.h"

enum { EVERY = 4096, KINDS = 256 /* a map word's class */ };

static HAK_TLS struct {
    uint64_t allocs, bytes, frees;
    uint32_t allocs_of[KINDS], frees_of[KINDS];
    uint32_t random;
} count = {.random = 2463534242u};

static unsigned class_of(size_t n) { return n <= HAK_MEDIUM_MAX ? hak_class_of[hak_class_index(n)] : HAK_CLASS_LARGE; }

void *counted_malloc(size_t n) {
    count.allocs++;
    count.bytes += n;
    count.allocs_of[class_of(n)]++;
    return hak_malloc_hot(n);
}

void counted_free(void *p) {
    count.frees++;
    count.frees_of[hak_word_class(hak_word_hot(p))]++;
    hak_free_hot(p);
}

/* Marsaglia, Xorshift RNGs, 2003: 13, 17, 5. */
HAK_INLINE unsigned drawn(void) {
    uint32_t x = count.random;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    count.random = x;
    return x % EVERY == 0;
}

/* The whole call, so that the other 4095 save no register for it. */
HAK_COLD static void *sample_malloc(size_t n) {
    count.allocs += EVERY;
    count.bytes += EVERY * n;
    count.allocs_of[class_of(n)] += EVERY;
    return hakt_malloc(n);
}

HAK_COLD static void sample_free(void *p) {
    count.frees += EVERY;
    count.frees_of[hak_word_class(hak_word_hot(p))] += EVERY;
    hakt_free(p);
}

void *sampled_malloc(size_t n) {
    if (HAK_UNLIKELY(drawn())) {
        return sample_malloc(n);
    }
    return hak_malloc_hot(n);
}

void sampled_free(void *p) {
    if (HAK_UNLIKELY(drawn())) {
        sample_free(p);
        return;
    }
    hak_free_hot(p);
}
