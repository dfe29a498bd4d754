/* bench_walk.c : how near to each other the allocator puts what is built together: the time to walk a linked list
 * and a tree, in ns a node. Fresh: nothing was freed before. Aged: as many nodes were freed at random before, so
 * the free blocks' order is what is seen. Half: every second node of the aged heap is still alive. An op is one
 * node visited. */
#include "bench.h"

#include <stdlib.h>

struct node {
    struct node *left, *right;
    uint64_t key, payload[3];
};

static uint64_t nodes = 500000;
static struct node **old; /* the blocks that aged the heap */
static uint32_t *order;
static uint64_t rng;
static volatile uint64_t sink;

static struct node *node_new(uint64_t key) {
    struct node *n = bench_check(malloc(sizeof *n));
    n->left = n->right = NULL;
    n->key = key;
    return n;
}

/* Frees `share` of every four blocks in a random order; the others stay in old[]. */
static void age(unsigned share) {
    for (uint64_t i = 0; i < nodes; i++)
        old[i] = node_new(i);
    for (uint64_t i = 0; i < nodes; i++)
        if ((order[i] & 3) < share) {
            free(old[order[i]]);
            old[order[i]] = NULL;
        }
}

static void forget(void) {
    for (uint64_t i = 0; i < nodes; i++) {
        free(old[i]);
        old[i] = NULL;
    }
}

static struct node *list_build(void) {
    struct node *head = NULL, **tail = &head;
    for (uint64_t i = 0; i < nodes; i++) {
        *tail = node_new(i);
        tail = &(*tail)->right;
    }
    return head;
}

/* A search tree over random keys, with another short-lived block between any two nodes, as a parser has. */
static struct node *tree_build(void) {
    struct node *root = NULL;
    for (uint64_t i = 0; i < nodes; i++) {
        uint64_t key = bench_random(&rng);
        void *scratch = bench_check(malloc(64));
        struct node **at = &root;
        while (*at)
            at = key < (*at)->key ? &(*at)->left : &(*at)->right;
        *at = node_new(key);
        free(scratch);
    }
    return root;
}

static uint64_t list_walk(const struct node *n) {
    uint64_t sum = 0, count = 0;
    for (; n; n = n->right, count++)
        sum += n->key;
    sink = sum;
    return count;
}

static uint64_t tree_walk(const struct node *n) {
    uint64_t count = 0;
    for (; n; n = n->right) {
        count += 1 + tree_walk(n->left);
        sink += n->key;
    }
    return count;
}

static void tree_free(struct node *n) {
    while (n) {
        struct node *next = n->right;
        tree_free(n->left);
        free(n);
        n = next;
    }
}

static void measure(const char *name, unsigned share, struct node *(*build)(void),
                    uint64_t (*walk)(const struct node *)) {
    struct bench_case run;
    if (!bench_begin(&run, name))
        return;
    if (share)
        age(share);
    struct node *root = build();
    while (bench_more(&run)) {
        bench_start(&run);
        bench_stop(&run, walk(root));
    }
    bench_report(&run);
    tree_free(root);
    if (share)
        forget();
}

int main(int argc, char **argv) {
    static const struct bench_option options[] = {
        {"nodes", "nodes of 48 B", 1, 1 << 28, &nodes},
        {NULL, NULL, 0, 0, NULL},
    };
    static const struct bench_program program = {
        "bench_walk",
        "Walks a list and a tree of 48 B nodes in fresh and in aged heaps; ns a node, memory latency included.",
        "bench_walk 1000000 --case list-aged",
        options,
        NULL,
        1};
    bench_init(&program, argc, argv);
    if (bench_quick() && nodes > 2000)
        nodes = 2000;
    old = bench_array(nodes * sizeof(struct node *));
    order = bench_array(nodes * sizeof *order);
    rng = bench_seed();
    bench_shuffle(order, (uint32_t)nodes, &rng);
    measure("list-fresh", 0, list_build, list_walk);
    measure("list-half", 2, list_build, list_walk);
    measure("list-aged", 4, list_build, list_walk);
    measure("tree-fresh", 0, tree_build, tree_walk);
    measure("tree-aged", 4, tree_build, tree_walk);
    return bench_finish();
}
