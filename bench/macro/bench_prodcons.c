/* bench_prodcons.c : one thread allocates, another frees. stream: both run, through a ring. asleep: the owner
 * allocates a burst and sleeps while a thread that only frees takes it all, again and again: memory must not grow
 * beyond one burst. rotate: every burst comes from another owner, all earlier owners sleep: what they were given
 * back must serve the next. An op is one block allocated and freed. */
#include "bench.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { RING = 4096, MAX_OWNERS = 256 };

static uint64_t burst_bytes = 24 << 20, bursts = 12, stream_blocks = 400000;

static struct {
    _Alignas(64) _Atomic uint64_t head; /* written by the producer */
    _Alignas(64) _Atomic uint64_t tail; /* written by the consumer */
    _Alignas(64) void *slot[RING];
} ring;

static void ring_put(void *block) {
    uint64_t at = atomic_load_explicit(&ring.head, memory_order_relaxed);
    while (at - atomic_load_explicit(&ring.tail, memory_order_acquire) == RING)
        sched_yield();
    ring.slot[at % RING] = block;
    atomic_store_explicit(&ring.head, at + 1, memory_order_release);
}

static void *ring_get(void) {
    uint64_t at = atomic_load_explicit(&ring.tail, memory_order_relaxed);
    while (atomic_load_explicit(&ring.head, memory_order_acquire) == at)
        sched_yield();
    void *block = ring.slot[at % RING];
    atomic_store_explicit(&ring.tail, at + 1, memory_order_release);
    return block;
}

static void *stream_consumer(void *argument) {
    (void)argument;
    for (uint64_t i = 0; i < stream_blocks; i++)
        free(ring_get());
    return NULL;
}

static void start(pthread_t *id, void *(*body)(void *), void *argument) {
    int error = pthread_create(id, NULL, body, argument);
    if (error)
        bench_die("cannot start a thread: %s", strerror(error));
}

static void measure_stream(void) {
    struct bench_case run;
    if (!bench_begin(&run, "stream"))
        return;
    uint64_t rng = bench_seed();
    while (bench_more(&run)) {
        pthread_t consumer;
        bench_start(&run);
        start(&consumer, stream_consumer, NULL);
        for (uint64_t i = 0; i < stream_blocks; i++) {
            char *p = bench_check(malloc(bench_between(&rng, 16, 512)));
            p[0] = 1;
            ring_put(p);
        }
        pthread_join(consumer, NULL);
        bench_stop(&run, stream_blocks);
    }
    bench_report(&run);
}

/* A burst on its way from its owner to the thread that frees. */
struct burst {
    void **block;
    uint64_t blocks, bytes;
    sem_t full, empty;
    bool last;
};
static struct burst burst;

static void burst_fill(uint64_t *rng) {
    burst.blocks = burst.bytes = 0;
    while (burst.bytes < burst_bytes) {
        size_t size = bench_between(rng, 64, 512);
        char *p = bench_check(malloc(size));
        memset(p, 1, size);
        burst.block[burst.blocks++] = p;
        burst.bytes += size;
    }
}

static void wait_for(sem_t *s) {
    while (sem_wait(s) != 0)
        continue;
}

static void *free_only(void *argument) {
    uint64_t *blocks = argument;
    for (;;) {
        wait_for(&burst.full);
        for (uint64_t i = 0; i < burst.blocks; i++)
            free(burst.block[i]);
        *blocks += burst.blocks;
        bool last = burst.last;
        sem_post(&burst.empty);
        if (last)
            return NULL;
    }
}

/* Owner: fills `turns` bursts, sleeps while each is freed, and stays asleep until all owners are done. */
struct owner {
    pthread_t id;
    uint64_t turns, rng;
    sem_t wake, done, leave;
};
static struct owner owners[MAX_OWNERS];

static void *own(void *argument) {
    struct owner *o = argument;
    wait_for(&o->wake);
    for (uint64_t i = 0; i < o->turns; i++) {
        burst_fill(&o->rng);
        sem_post(&burst.full);
        wait_for(&burst.empty);
    }
    sem_post(&o->done);
    wait_for(&o->leave);
    return NULL;
}

/* The thread that frees leaves after one burst more, an empty one from the main thread. */
static void dismiss(pthread_t consumer) {
    burst.last = true;
    burst.blocks = 0;
    sem_post(&burst.full);
    pthread_join(consumer, NULL);
    wait_for(&burst.empty);
}

static void measure_bursts(const char *name, uint64_t n, uint64_t turns) {
    struct bench_case run;
    if (!bench_begin_once(&run, name))
        return;
    size_t room = (burst_bytes / 64 + 16) * sizeof(void *);
    burst.block = bench_array(room);
    burst.last = false;
    uint64_t blocks = 0, before = bench_rss();
    pthread_t consumer;
    start(&consumer, free_only, &blocks);
    for (uint64_t i = 0; i < n; i++) {
        owners[i].turns = turns;
        owners[i].rng = bench_seed() + i;
        sem_init(&owners[i].wake, 0, 0);
        sem_init(&owners[i].done, 0, 0);
        sem_init(&owners[i].leave, 0, 0);
        start(&owners[i].id, own, &owners[i]);
    }
    bench_start(&run);
    for (uint64_t i = 0; i < n; i++) {
        sem_post(&owners[i].wake);
        wait_for(&owners[i].done);
    }
    dismiss(consumer);
    bench_stop(&run, blocks);
    double peak = (double)bench_peak_rss() - (double)before;
    bench_extra(&run, "peak_over_live", peak / (double)burst_bytes, "x");
    bench_extra(&run, "left_mib", ((double)bench_rss() - (double)before) / (1 << 20), "MiB");
    for (uint64_t i = 0; i < n; i++) {
        sem_post(&owners[i].leave);
        pthread_join(owners[i].id, NULL);
    }
    bench_report(&run);
    bench_array_free(burst.block, room);
}

int main(int argc, char **argv) {
    static const struct bench_option options[] = {
        {"burst", "bytes of one burst", 4096, (uint64_t)1 << 34, &burst_bytes},
        {"bursts", "bursts (asleep) and owners (rotate)", 1, MAX_OWNERS, &bursts},
        {"blocks", "blocks in one window of stream", 1, 1 << 30, &stream_blocks},
        {NULL, NULL, 0, 0, NULL},
    };
    static const struct bench_program program = {
        "bench_prodcons",
        "One thread allocates, another frees: a stream, bursts of a sleeping owner, bursts of owners in turn; an op is "
        "one block.\n"
        "peak_over_live: the most resident memory, less that at the start, over the bytes of one burst.",
        "bench_prodcons --case asleep --burst 64M",
        options,
        NULL,
        0};
    bench_init(&program, argc, argv);
    if (bench_quick()) {
        burst_bytes = burst_bytes < 1 << 18 ? burst_bytes : 1 << 18;
        bursts = bursts < 3 ? bursts : 3;
        stream_blocks = stream_blocks < 2000 ? stream_blocks : 2000;
    }
    sem_init(&burst.full, 0, 0);
    sem_init(&burst.empty, 0, 0);
    measure_stream();
    measure_bursts("asleep", 1, bursts);
    measure_bursts("rotate", bursts, 1);
    return bench_finish();
}
