/* prodcons.c : producers only allocate, consumers only free; then a ring in which each thread frees what its neighbour allocated. The
 * live set is bounded by the queues, so the resident size must be too. */
#include "alloc.h"

enum { PAIRS = 2, DEPTH = 512, RING = 4 };

struct queue {
    struct stress_block item[DEPTH];
    size_t head, tail;
    size_t count;
    uint64_t seed;
};

static void put(struct queue *q, struct stress_block b) {
    size_t head = __atomic_load_n(&q->head, __ATOMIC_RELAXED);
    while (head - __atomic_load_n(&q->tail, __ATOMIC_ACQUIRE) == DEPTH) {
        sched_yield();
    }
    q->item[head % DEPTH] = b;
    __atomic_store_n(&q->head, head + 1, __ATOMIC_RELEASE);
}

static struct stress_block get(struct queue *q) {
    size_t tail = __atomic_load_n(&q->tail, __ATOMIC_RELAXED);
    while (__atomic_load_n(&q->head, __ATOMIC_ACQUIRE) == tail) {
        sched_yield();
    }
    struct stress_block b = q->item[tail % DEPTH];
    __atomic_store_n(&q->tail, tail + 1, __ATOMIC_RELEASE);
    return b;
}

static struct stress_block make(uint64_t *seed) {
    size_t n = check_random_size(seed, 1, check_random(seed) % 50 ? 2000 : 60000);
    return stress_take(malloc(n), n, check_random(seed));
}

static void *produce(void *arg) {
    struct queue *q = arg;
    for (size_t i = 0; i < q->count; i++) {
        put(q, make(&q->seed));
    }
    return NULL;
}

static void *consume(void *arg) {
    struct queue *q = arg;
    for (size_t i = 0; i < q->count; i++) {
        struct stress_block b = get(q);
        stress_free(&b);
    }
    return NULL;
}

static struct queue pair[PAIRS], ring[RING];

static void *pass_on(void *arg) {
    uintptr_t me = (uintptr_t)arg;
    struct queue *in = &ring[me], *out = &ring[(me + 1) % RING];
    for (size_t i = 0; i < in->count; i++) {
        put(out, make(&in->seed));
        struct stress_block b = get(in);
        stress_free(&b);
    }
    return NULL;
}

static void start_queue(struct queue *q, size_t count, uint64_t seed) {
    memset(q, 0, sizeof *q);
    q->count = count;
    q->seed = check_seed() * (seed * 2 + 1) + 1;
}

static void pairs(void) {
    pthread_t from[PAIRS], to[PAIRS];
    for (size_t i = 0; i < PAIRS; i++) {
        start_queue(&pair[i], stress_scale(400000), i);
        from[i] = stress_start(produce, &pair[i]);
        to[i] = stress_start(consume, &pair[i]);
    }
    for (size_t i = 0; i < PAIRS; i++) {
        pthread_join(from[i], NULL);
        pthread_join(to[i], NULL);
    }
}

static void in_a_ring(void) {
    pthread_t t[RING];
    for (size_t i = 0; i < RING; i++) {
        start_queue(&ring[i], stress_scale(150000), i + 100);
    }
    for (uintptr_t i = 0; i < RING; i++) {
        t[i] = stress_start(pass_on, (void *)i);
    }
    for (size_t i = 0; i < RING; i++) {
        pthread_join(t[i], NULL);
    }
}

int main(void) {
    check_start();
    pairs();
    in_a_ring();
    size_t peak = stress_status("VmHWM:");
    printf("peak RSS %zu KiB\n", peak >> 10);
    CHECK(STRESS_SLOW || peak < (size_t)64 << 20); /* at most 8 MB live */
    stress_verify();
    return check_done();
}
