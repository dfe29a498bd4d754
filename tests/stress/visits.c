/* visits.c : threads that allocate and free as fast as they can, and mostly on the hot path, while one empties their magazines over and over.
 * Policy would leave them alone (takeover.c visits sleepers only); cold/visit.c must be right with them, too. Each block is patterned, and
 * the heap is verified between rounds. A signal handler that allocates and frees another class runs in between. */
#include "alloc.h"

#include "cold/heap.h"
#include "cold/meta.h"
#include "cold/visit.h"
#include "hakmem/hakmem.h"
#include <signal.h>

enum { THREADS = 3, SLOTS = 48, ROUNDS = 10 };

static bool stop;
static size_t taken; /* visits that found a block or more */

/* A stack of few blocks of two classes: the tops move up and down inside a chunk. */
static void *worker(void *arg) {
    uint64_t seed = check_seed() * ((uintptr_t)arg * 2 + 1) + 1;
    struct stress_block b[SLOTS] = {{0}};
    size_t n = 0;
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        uint64_t r = check_random(&seed);
        size_t target = (size_t)(r >> 8) % SLOTS;
        while (n < target) {
            size_t size = r % 2 ? 40 : 100;
            b[n++] = stress_take(malloc(size), size, check_random(&seed));
        }
        while (n > target) {
            stress_free(&b[--n]);
        }
    }
    while (n) {
        stress_free(&b[--n]);
    }
    return NULL;
}

static void on_signal(int number) {
    (void)number;
    void *p = malloc(700);
    if (p) {
        memset(p, 7, 700);
        free(p);
    }
}

/* Visits each heap in turn, as a thread on its slow path. */
static void *visitor(void *arg) {
    free(malloc(1)); /* has a heap now */
    struct heap *own = hak_tls.heap;
    REQUIRE(own != NULL);
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        hak_tls.busy++;
        for (uint32_t id = 1; id <= heap_count(); id++) {
            struct heap *v = heap_by_id(id);
            if (v != own && v->kind == HEAP_THREAD) {
                visit_heap(own, v);
                for (unsigned c = 0; c < HAK_CLASSES; c++) {
                    taken += __atomic_load_n(&v->visit[c], __ATOMIC_RELAXED) != 0;
                }
            }
        }
        hak_tls.busy--;
    }
    return arg;
}

static void round_of(uintptr_t r) {
    pthread_t t[THREADS + 1];
    __atomic_store_n(&stop, false, __ATOMIC_RELAXED);
    for (uintptr_t i = 0; i < THREADS; i++) {
        t[i] = stress_start(worker, (void *)(r * 100 + i));
    }
    t[THREADS] = stress_start(visitor, NULL);
    for (size_t i = 0; i < stress_scale(200); i++) {
        stress_sleep(1e-3);
        pthread_kill(t[i % THREADS], SIGUSR1);
    }
    __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
    for (size_t i = 0; i <= THREADS; i++) {
        pthread_join(t[i], NULL);
    }
    stress_verify();
}

int main(void) {
    check_start();
    signal(SIGUSR1, on_signal);
    for (uintptr_t r = 0; r < ROUNDS; r++) {
        round_of(r);
    }
    printf("%zu magazines were emptied\n", taken);
    return check_done();
}
