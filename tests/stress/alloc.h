/* alloc.h : what the stress programs share: the allocator's names, blocks with a pattern, amounts of work, /proc readings.
 *
 * The same source runs preloaded (malloc is whoever serves the process) and with HAK_PREFIX, where malloc is hakt_malloc and so runs
 * beside a sanitizer's. Work is bounded by counts, seeded (HAK_TEST_SEED), and scaled by HAK_TEST_SCALE percent. */
#ifndef HAK_TEST_STRESS_ALLOC_H
#define HAK_TEST_STRESS_ALLOC_H

#include "conformance/check.h"
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#ifdef HAK_PREFIX
#include "api/prefixed.h"
#include "diag/verify.h"
#endif

/* STRESS_SLOW: under a sanitizer or an emulator (which defines it): a tenth of the work, and resident sizes are not the allocator's. */
#ifndef STRESS_SLOW
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define STRESS_SLOW 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define STRESS_SLOW 1
#endif
#endif
#endif
#ifndef STRESS_SLOW
#define STRESS_SLOW 0
#endif

/* n units of work, scaled; at least 1. */
static inline size_t stress_scale(size_t n) {
    const char *text = getenv("HAK_TEST_SCALE");
    size_t percent = text ? strtoull(text, NULL, 10) : STRESS_SLOW ? 10 : 100;
    return n * percent / 100 + 1;
}

/* A block of n >= 1 bytes carries its size and a seed-dependent word at its start, spread over every 1024 bytes and at its end, so that
 * a block given out twice, cut short or moved without its content is seen. */
struct stress_block {
    unsigned char *at;
    size_t size;
    uint64_t mark;
};

static inline unsigned char stress_byte(uint64_t mark, size_t i) { return (unsigned char)(mark >> (i % 7 * 8) ^ i); }

static inline void stress_fill(struct stress_block *b) {
    size_t head = b->size < 64 ? b->size : 64;
    for (size_t i = 0; i < head; i++) {
        b->at[i] = stress_byte(b->mark, i);
    }
    for (size_t i = 1024; i < b->size; i += 1024) {
        b->at[i] = stress_byte(b->mark, i);
    }
    b->at[b->size - 1] = stress_byte(b->mark, b->size - 1);
}

/* True when the first n bytes' marks are right (n <= size); with n == size the last byte is looked at, too. */
static inline bool stress_intact(const struct stress_block *b, size_t n) {
    size_t head = n < 64 ? n : 64;
    for (size_t i = 0; i < head; i++) {
        if (b->at[i] != stress_byte(b->mark, i)) {
            return false;
        }
    }
    for (size_t i = 1024; i < n; i += 1024) {
        if (b->at[i] != stress_byte(b->mark, i)) {
            return false;
        }
    }
    return n < b->size || b->at[n - 1] == stress_byte(b->mark, n - 1);
}

static inline struct stress_block stress_take(void *at, size_t size, uint64_t mark) {
    struct stress_block b = {(unsigned char *)at, size, mark};
    REQUIRE(at != NULL);
    stress_fill(&b);
    return b;
}

static inline void stress_free(struct stress_block *b) {
    if (b->at) {
        CHECK(stress_intact(b, b->size));
        b->at[0] ^= 0xFF; /* a second check of the same block fails */
        free(b->at);
        b->at = NULL;
    }
}

/* A size as programs have them: mostly small, now and then pages, rarely megabytes. */
static inline size_t stress_size(uint64_t *seed) {
    uint64_t r = check_random(seed) % 1000;
    return r < 800   ? check_random_size(seed, 1, 1024)
           : r < 985 ? check_random_size(seed, 1024, 40000)
           : r < 998 ? check_random_size(seed, 40000, 400000)
                     : check_random_size(seed, 400000, 4000000);
}

/* A field of /proc/self/status in bytes ("VmRSS:"), 0 when it cannot be read. Allocates nothing. */
static inline size_t stress_status(const char *field) {
    FILE *f = fopen("/proc/self/status", "r");
    char line[256];
    size_t kib = 0, n = strlen(field);
    while (f && fgets(line, sizeof line, f)) {
        if (strncmp(line, field, n) == 0) {
            kib = strtoull(line + n, NULL, 10);
            break;
        }
    }
    if (f) {
        fclose(f);
    }
    return kib << 10;
}

static inline double stress_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static inline void stress_sleep(double seconds) {
    struct timespec t = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    while (nanosleep(&t, &t) != 0 && errno == EINTR) {
    }
}

/* The whole heap against its invariants, where the core is linked in. All other threads must be outside the allocator. */
static inline void stress_verify(void) {
#ifdef HAK_PREFIX
    CHECK(hak_verify() == 0);
#endif
}

static inline pthread_t stress_start(void *(*run)(void *), void *arg) {
    pthread_t t;
    REQUIRE(pthread_create(&t, NULL, run, arg) == 0);
    return t;
}

#endif
