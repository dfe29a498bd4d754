/* forks.c : the parent forks while 8 threads are inside the allocator; children allocate, free blocks of every thread, start a thread
 * of their own, fork again, and exit normally. A lock that was held at the fork makes a child hang: alarm() ends it, and that is seen. */
#include "alloc.h"
#include <sys/wait.h>

enum { THREADS = 8, SLOTS = 100, CHILD_OPERATIONS = 1000, SECONDS = 45 };

static struct stress_block inherited[SLOTS];
static int stop, running;

static void busy_once(uint64_t *seed, struct stress_block *slot) {
    struct stress_block *b = &slot[check_random(seed) % SLOTS];
    stress_free(b);
    size_t n = stress_size(seed);
    *b = stress_take(malloc(n), n, check_random(seed));
}

static void *busy(void *arg) {
    uint64_t seed = check_seed() * ((uintptr_t)arg * 2 + 1) + 1;
    struct stress_block slot[SLOTS] = {{0}};
    __atomic_fetch_add(&running, 1, __ATOMIC_RELAXED);
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        busy_once(&seed, slot);
    }
    for (size_t i = 0; i < SLOTS; i++) {
        stress_free(&slot[i]);
    }
    return NULL;
}

static void *in_child_thread(void *arg) {
    uint64_t seed = check_seed() + (uintptr_t)arg;
    struct stress_block slot[SLOTS] = {{0}};
    for (int i = 0; i < CHILD_OPERATIONS / 4; i++) {
        busy_once(&seed, slot);
    }
    for (size_t i = 0; i < SLOTS; i++) {
        stress_free(&slot[i]);
    }
    return NULL;
}

/* Waits for a child that must exit with status 0. */
static void reap(pid_t pid) {
    int status = 0;
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* What every child does: its own blocks, those that it inherited, a thread. */
static void child_work(uint64_t seed) {
    alarm(60);
    struct stress_block slot[SLOTS] = {{0}};
    for (int i = 0; i < CHILD_OPERATIONS; i++) {
        busy_once(&seed, slot);
    }
    for (size_t i = 0; i < SLOTS; i++) {
        stress_free(&slot[i]);
        stress_free(&inherited[i]); /* blocks of the parent, and of its threads, are the child's copies */
    }
    pthread_join(stress_start(in_child_thread, (void *)(uintptr_t)seed), NULL);
}

static void child(uint64_t seed) {
    child_work(seed);
    pid_t pid = fork();
    if (pid == 0) {
        child_work(seed + 1);
        exit(check_done());
    }
    reap(pid);
    exit(check_done());
}

static void *allocate_inherited(void *arg) {
    (void)arg;
    uint64_t seed = check_seed();
    for (size_t i = 0; i < SLOTS; i++) {
        size_t n = stress_size(&seed);
        inherited[i] = stress_take(malloc(n), n, check_random(&seed));
    }
    return NULL;
}

int main(void) {
    check_start();
    pthread_join(stress_start(allocate_inherited, NULL), NULL);
    pthread_t t[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) {
        t[i] = stress_start(busy, (void *)i);
    }
    while (__atomic_load_n(&running, __ATOMIC_RELAXED) <
           THREADS) { /* a thread's start allocates from ASan, which a fork would catch at it */
    }
    size_t forks = stress_scale(60);
    double end = stress_now() + SECONDS; /* a busy machine forks a tenth as often */
    for (size_t i = 0; i < forks && stress_now() < end; i++) {
        pid_t pid = fork();
        REQUIRE(pid >= 0);
        if (pid == 0) {
            child(check_seed() + i);
        }
        reap(pid);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(t[i], NULL);
    }
    for (size_t i = 0; i < SLOTS; i++) {
        stress_free(&inherited[i]);
    }
    stress_verify(); /* not in a child: what its lost threads were about to link is lost there, too */
    return check_done();
}
