/* check.h : the tiny check macro of the conformance, misuse and stress programs. C11 and C++17; no allocation of its own.
 *
 * A program calls check_start() first and returns check_done() from main. A failed CHECK prints one line and the program goes on, so
 * that one run shows every failure. The same binary runs on any allocator: with HAK_TEST_EXPECT=hakmem in the environment it fails
 * unless hakmem really serves it, so that a library that was not loaded cannot pass. */
#ifndef HAK_TEST_CHECK_H
#define HAK_TEST_CHECK_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Symbols that not every allocator has are weak references; a static link against libhakmem.a (HAK_LINKED) needs strong ones, because
 * a weak reference does not pull a member out of an archive. */
#ifdef HAK_LINKED
#define CHECK_WEAK
#else
#define CHECK_WEAK __attribute__((weak))
#endif

#ifdef __cplusplus
extern "C" {
#endif
int hak_version(void) CHECK_WEAK;
#ifdef __cplusplus
}
#endif

enum { CHECK_SKIP = 77 };

#define CHECK(cond) check_one(!!(cond), #cond, __FILE__, __LINE__)
/* For a cond whose failure makes the rest meaningless. */
#define REQUIRE(cond) check_required(!!(cond), #cond, __FILE__, __LINE__)

static int check_failures;

static inline void check_one(bool ok, const char *text, const char *file, int line) {
    if (!ok) {
        int saved = errno;
        if (__atomic_add_fetch(&check_failures, 1, __ATOMIC_RELAXED) <= 50) {
            fprintf(stderr, "FAIL %s:%d: %s (errno %d)\n", file, line, text, saved);
        }
        errno = saved;
    }
}

static inline void check_required(bool ok, const char *text, const char *file, int line) {
    check_one(ok, text, file, line);
    if (!ok) {
        fflush(stdout);
        _Exit(1); /* not exit: the allocator may be in no state to run handlers, and other threads run on */
    }
}

/* True when hakmem serves this process. */
static inline bool check_is_hakmem(void) {
#ifdef HAK_LINKED
    return true;
#else
    int (*volatile version)(void) = hak_version;
    return version != NULL;
#endif
}

static inline void check_start(void) {
    const char *want = getenv("HAK_TEST_EXPECT");
    if (want && strcmp(want, "hakmem") == 0 && !check_is_hakmem()) {
        fprintf(stderr, "FAIL: hakmem does not serve this process\n");
        exit(1);
    }
}

/* The exit status for main. */
static inline int check_done(void) {
    int n = __atomic_load_n(&check_failures, __ATOMIC_RELAXED);
    if (n) {
        fprintf(stderr, "%d checks failed\n", n);
    }
    return n ? 1 : 0;
}

/* Ends the program as skipped, with the reason. */
static inline void check_skip(const char *why) {
    printf("SKIP: %s\n", why);
    exit(CHECK_SKIP);
}

/* Hides a value from the optimiser: it must not know that a size is absurd or a pointer was freed. */
static inline size_t hide_size(size_t n) {
    volatile size_t v = n;
    return v;
}
static inline void *hide(void *p) {
    void *volatile v = p;
    return v;
}

static inline bool is_aligned(const void *p, size_t alignment) { return ((uintptr_t)p & (alignment - 1)) == 0; }

/* xorshift64*: the seeded random numbers of every test (Vigna, 2016). State must not be 0. */
static inline uint64_t check_random(uint64_t *state) {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545F4914F6CDD1Dull;
}

/* A size of lo..hi, log-uniform, so that every magnitude is met. */
static inline size_t check_random_size(uint64_t *state, size_t lo, size_t hi) {
    unsigned top = 63u - (unsigned)__builtin_clzll((unsigned long long)hi | 1u);
    unsigned low = 63u - (unsigned)__builtin_clzll((unsigned long long)lo | 1u);
    unsigned bits = low + (unsigned)(check_random(state) % (top - low + 1));
    size_t n = ((size_t)1 << bits) + (size_t)(check_random(state) & (((size_t)1 << bits) - 1));
    return n < lo ? lo : n > hi ? hi : n;
}

static inline uint64_t check_seed(void) {
    const char *text = getenv("HAK_TEST_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 0) : 0;
    return seed ? seed : 0x9E3779B97F4A7C15ull;
}

#endif
