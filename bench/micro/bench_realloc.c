/* bench_realloc.c : blocks that grow, as vectors and string buffers do. An op is one realloc. bench_large holds
 * the growth beyond 64 KiB. */
#include "bench.h"

#include <stdlib.h>

enum { VECTORS = 64 };

/* One buffer grows by doubling from 16 B to 64 KiB. */
static uint64_t run_double(void) {
    uint64_t ops = 0;
    for (int r = 0; r < 200; r++) {
        char *p = NULL;
        for (size_t n = 16; n <= 65536; n *= 2, ops++) {
            p = bench_check(realloc(p, n));
            p[n - 1] = 1;
        }
        free(p);
    }
    return ops;
}

/* A string grows by 16 bytes at a time to 4 KiB. */
static uint64_t run_append(void) {
    uint64_t ops = 0;
    for (int r = 0; r < 20; r++) {
        char *p = NULL;
        for (size_t n = 16; n <= 4096; n += 16, ops++) {
            p = bench_check(realloc(p, n));
            p[n - 1] = 1;
        }
        free(p);
    }
    return ops;
}

/* Many vectors grow by half in turns, so that none has free room behind it. */
static uint64_t run_vectors(void) {
    static char *vector[VECTORS];
    uint64_t ops = 0;
    for (size_t n = 16; n <= 32768; n += n / 2)
        for (int i = 0; i < VECTORS; i++, ops++) {
            vector[i] = bench_check(realloc(vector[i], n));
            vector[i][n - 1] = 1;
        }
    for (int i = 0; i < VECTORS; i++) {
        free(vector[i]);
        vector[i] = NULL;
    }
    return ops;
}

/* A generous buffer is cut to its final size, again and again. */
static uint64_t run_shrink(void) {
    enum { N = 20000 };
    for (int i = 0; i < N; i++) {
        char *p = bench_check(malloc(4096));
        p[4095] = 1;
        p = bench_check(realloc(p, 100));
        p[99] = 1;
        free(p);
    }
    return N;
}

int main(int argc, char **argv) {
    static const struct bench_program program = {
        "bench_realloc",
        "Growing and shrinking blocks up to 64 KiB; an op is one realloc, the copying included.",
        "bench_realloc --case append",
        NULL,
        NULL,
        0};
    static const struct {
        const char *name;
        uint64_t (*run)(void);
    } cases[] = {{"double", run_double}, {"append", run_append}, {"vectors", run_vectors}, {"shrink", run_shrink}};
    bench_init(&program, argc, argv);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bench_case run;
        if (bench_begin(&run, cases[i].name))
            bench_windows(&run, cases[i].run);
    }
    return bench_finish();
}
