/* bench_bulk.c : builds many small nodes, then frees them all: in the order of their birth, backwards, or at
 * random. An op is one malloc or one free. What a batch of refills and settles costs, where the magazines cannot
 * help. */
#include "bench.h"

#include <stdlib.h>

static uint64_t nodes = 200000, size = 48;
static void **node;
static uint32_t *order;

static uint64_t build(void) {
    for (uint64_t i = 0; i < nodes; i++) {
        node[i] = bench_check(malloc(size));
        *(volatile char *)node[i] = 1;
    }
    return nodes;
}

static uint64_t run_in_order(void) {
    uint64_t n = build();
    for (uint64_t i = 0; i < n; i++)
        free(node[i]);
    return 2 * n;
}

static uint64_t run_reverse(void) {
    uint64_t n = build();
    for (uint64_t i = n; i-- > 0;)
        free(node[i]);
    return 2 * n;
}

static uint64_t run_random(void) {
    uint64_t n = build();
    for (uint64_t i = 0; i < n; i++)
        free(node[order[i]]);
    return 2 * n;
}

int main(int argc, char **argv) {
    static const struct bench_option options[] = {
        {"nodes", "nodes to build", 1, 1 << 28, &nodes},
        {"size", "bytes a node", 1, 1 << 20, &size},
        {NULL, NULL, 0, 0, NULL},
    };
    static const struct bench_program program = {
        "bench_bulk",
        "Builds --nodes nodes of --size bytes and frees them all; an op is one malloc or one free.",
        "bench_bulk 1000000 48",
        options,
        NULL,
        2};
    static const struct {
        const char *name;
        uint64_t (*run)(void);
    } cases[] = {{"in-order", run_in_order}, {"reverse", run_reverse}, {"random", run_random}};

    bench_init(&program, argc, argv);
    if (bench_quick() && nodes > 2000)
        nodes = 2000;
    node = bench_array(nodes * sizeof *node);
    order = bench_array(nodes * sizeof *order);
    uint64_t rng = bench_seed();
    bench_shuffle(order, (uint32_t)nodes, &rng);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bench_case run;
        if (bench_begin(&run, cases[i].name))
            bench_windows(&run, cases[i].run);
    }
    return bench_finish();
}
