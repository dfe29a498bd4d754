/* bench_threads.c : what an idle thread keeps. N threads allocate and free blocks of 28 sizes, then wait; reported
 * is the growth of resident memory for each thread. bare: threads that allocate nothing (stack and thread
 * descriptor, to be subtracted in thought); touch: --touch blocks of each size, freed one size after the other;
 * hoard: --hoard bytes spread over the sizes, freed before the thread goes idle. */
#define _GNU_SOURCE
#include "bench.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SIZES = 28, MAX_THREADS = 30000 };

static uint64_t threads = 500, touch = 2, hoard = 1 << 20;
static uint64_t blocks_each[SIZES]; /* how many blocks of each size a thread takes in this case */
static pthread_barrier_t ready, leave;

static size_t size_of(unsigned i) {
    if (i < 16)
        return 16 * (size_t)(i + 1);
    size_t base = (size_t)256 << ((i - 16) / 4); /* four sizes a doubling up to 2 KiB */
    return base + base / 4 * ((i - 16) % 4 + 1);
}

static void *idle(void *argument) {
    (void)argument;
    for (unsigned i = 0; i < SIZES; i++) {
        /* A chain through the blocks: no table of pointers, whose memory would be counted. */
        char **head = NULL;
        for (uint64_t n = 0; n < blocks_each[i]; n++) {
            char **block = bench_check(malloc(size_of(i)));
            memset(block, 0, size_of(i));
            *block = (char *)head;
            head = block;
        }
        while (head) {
            char **next = (char **)(void *)*head;
            free(head);
            head = next;
        }
    }
    pthread_barrier_wait(&ready);
    pthread_barrier_wait(&leave);
    return NULL;
}

static void measure(const char *name) {
    struct bench_case run;
    if (!bench_begin_once(&run, name))
        return;
    pthread_t *id = bench_array(threads * sizeof *id);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 256 << 10);
    pthread_barrier_init(&ready, NULL, (unsigned)threads + 1);
    pthread_barrier_init(&leave, NULL, (unsigned)threads + 1);
    uint64_t before = bench_rss();
    bench_start(&run);
    for (uint64_t i = 0; i < threads; i++) {
        int error = pthread_create(&id[i], &attributes, idle, NULL);
        if (error)
            bench_die("cannot start thread %llu: %s", (unsigned long long)i, strerror(error));
    }
    pthread_barrier_wait(&ready);
    bench_stop(&run, threads);
    double each = ((double)bench_rss() - (double)before) / (double)threads / 1024;
    bench_extra(&run, "kib_per_thread", each, "KiB");
    pthread_barrier_wait(&leave);
    for (uint64_t i = 0; i < threads; i++)
        pthread_join(id[i], NULL);
    double left = ((double)bench_rss() - (double)before) / (double)threads / 1024;
    bench_extra(&run, "kib_per_thread_after_exit", left, "KiB");
    bench_report(&run);
    pthread_barrier_destroy(&ready);
    pthread_barrier_destroy(&leave);
    pthread_attr_destroy(&attributes);
    bench_array_free(id, threads * sizeof *id);
}

int main(int argc, char **argv) {
    static const struct bench_option options[] = {
        {"threads", "threads", 1, MAX_THREADS, &threads},
        {"touch", "blocks of each size in the case touch", 1, 1 << 20, &touch},
        {"hoard", "bytes that each thread of the case hoard allocates and frees", 1, 1 << 30, &hoard},
        {NULL, NULL, 0, 0, NULL},
    };
    static const struct bench_program program = {"bench_threads",
                                                 "Resident memory for each idle thread that has used 28 sizes (16 B to "
                                                 "2 KiB); an op is a thread's start and work.",
                                                 "bench_threads --threads 500 --case touch",
                                                 options,
                                                 NULL,
                                                 1};
    bench_init(&program, argc, argv);
    if (bench_quick())
        threads = threads < 8 ? threads : 8;
    measure("bare");
    for (unsigned i = 0; i < SIZES; i++)
        blocks_each[i] = touch;
    measure("touch");
    for (unsigned i = 0; i < SIZES; i++)
        blocks_each[i] = 1 + hoard / SIZES / size_of(i);
    measure("hoard");
    return bench_finish();
}
