/* ops.c : the loops whose instructions the golden tests count under callgrind. `ops NAME N` does N rounds of loop
 * NAME, and prints how many ops that were and which file's malloc served; the difference of two N is free of
 * start-up and warm-up. The wrappers are functions of their own and end with an instruction after the call, so
 * that a count of "what malloc cost when called from call_malloc" is exact. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIVE = 100, SLOTS = 400 };

static void *slot[SLOTS];

__attribute__((noinline)) static void *call_malloc(size_t size) {
    void *p = malloc(size);
    __asm__ volatile("" : : "r"(p) : "memory");
    return p;
}

__attribute__((noinline)) static void call_free(void *p) {
    free(p);
    __asm__ volatile("" : : : "memory");
}

static void *take(size_t size) {
    void *p = call_malloc(size);
    if (!p)
        exit(3);
    *(volatile char *)p = 1;
    return p;
}

static uint64_t run_pair32(uint64_t rounds) {
    for (uint64_t i = 0; i < rounds; i++)
        call_free(take(32));
    return 2 * rounds;
}

static uint64_t run_lifo(uint64_t rounds, size_t size) {
    for (uint64_t r = 0; r < rounds; r++) {
        for (int i = 0; i < LIVE; i++)
            slot[i] = take(size);
        for (int i = LIVE; i-- > 0;)
            call_free(slot[i]);
    }
    return 2 * LIVE * rounds;
}

static uint64_t run_lifo100(uint64_t rounds) { return run_lifo(rounds, 64); }

static uint64_t run_fifo100(uint64_t rounds) {
    for (uint64_t r = 0; r < rounds; r++) {
        for (int i = 0; i < LIVE; i++)
            slot[i] = take(64);
        for (int i = 0; i < LIVE; i++)
            call_free(slot[i]);
    }
    return 2 * LIVE * rounds;
}

/* 400 slots of 16 to 1024 B: an op takes a random slot and fills or empties it. */
static uint64_t run_mix400(uint64_t rounds) {
    uint64_t state = 88172645463325252u;
    for (uint64_t i = 0; i < rounds * SLOTS; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        uint64_t at = (state >> 40) % SLOTS;
        if (slot[at]) {
            call_free(slot[at]);
            slot[at] = NULL;
        } else {
            slot[at] = take(16 + (state & 0xffff) % 1009);
        }
    }
    return rounds * SLOTS;
}

__attribute__((noinline)) static void *call_memalign(size_t size) {
    void *p = NULL;
    if (posix_memalign(&p, 64, size))
        exit(3);
    __asm__ volatile("" : : "r"(p) : "memory");
    return p;
}

/* A size whose own class has not the alignment. */
static uint64_t run_aligned(uint64_t rounds) {
    volatile size_t size = 200; /* or the wrapper would be cloned for it, under another name */
    for (uint64_t r = 0; r < rounds; r++) {
        for (int i = 0; i < LIVE; i++)
            slot[i] = call_memalign(size);
        for (int i = LIVE; i-- > 0;)
            call_free(slot[i]);
    }
    return 2 * LIVE * rounds;
}

/* Programs free what they never allocated all the time. */
static uint64_t run_null(uint64_t rounds) {
    for (uint64_t i = 0; i < rounds; i++)
        call_free(NULL);
    return rounds;
}

/* The file whose malloc our calls are bound to; the program must be position-independent. */
static const char *server(void) {
    Dl_info info;
    void *(*volatile bound)(size_t) = malloc;
    void *address;
    memcpy(&address, (void *)&bound, sizeof address);
    return dladdr(address, &info) && info.dli_fname ? info.dli_fname : "unknown";
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        uint64_t (*run)(uint64_t);
    } loops[] = {{"pair32", run_pair32}, {"lifo100", run_lifo100}, {"fifo100", run_fifo100},
                 {"mix400", run_mix400}, {"aligned", run_aligned}, {"null", run_null}};
    uint64_t rounds = argc == 3 ? strtoull(argv[2], NULL, 10) : 0;
    for (size_t i = 0; rounds && i < sizeof loops / sizeof *loops; i++)
        if (!strcmp(argv[1], loops[i].name)) {
            printf("ops %llu by %s\n", (unsigned long long)loops[i].run(rounds), server());
            return 0;
        }
    fprintf(stderr, "usage: ops pair32|lifo100|fifo100|mix400|aligned|null ROUNDS\n");
    return 2;
}
