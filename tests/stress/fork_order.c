/* fork_order.c : who registers fork handlers that take a lock, and allocates under that lock elsewhere, is not caught between it and ours,
 * whichever comes first; and a thread that never called the allocator forks while the first one is inside it. The child allocates each time. */
#include <pthread.h>
#include <pty.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FORKS = 100, HELD = 64 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_int stop, prepared, parents;

static void prepare(void) {
    pthread_mutex_lock(&lock);
    atomic_fetch_add(&prepared, 1);
}

static void parent(void) {
    atomic_fetch_add(&parents, 1);
    pthread_mutex_unlock(&lock);
}

static void child(void) { pthread_mutex_unlock(&lock); }

/* The first thread is inside the central allocator for a good part of its time. */
static void allocate(unsigned n) {
    char *held[HELD];
    for (unsigned i = 0; i < HELD; i++) {
        held[i] = malloc(i % 2 ? 140000 + (n + i * 977) % 400000 : (n + i * 977) % 60000 + 1);
        *held[i] = 1;
    }
    for (unsigned i = 0; i < HELD; i++) {
        free(held[i]);
    }
}

static void *under_lock(void *arg) {
    for (unsigned n = 0; !atomic_load(&stop); n++) {
        pthread_mutex_lock(&lock);
        allocate(n);
        pthread_mutex_unlock(&lock);
    }
    return arg;
}

static void in_child(void) {
    alarm(10); /* a lock that nobody will drop */
    allocate(7);
    _exit(0);
}

static int failures, bare;

static void *forker(void *arg) {
    for (int i = 0; i < FORKS && !failures; i++) {
        int terminal = -1, status = 1;
        pid_t pid = i % 8 == 7 && !bare ? forkpty(&terminal, 0, 0, 0) : fork(); /* forkpty() allocates in its caller */
        if (pid == 0) {
            in_child();
        }
        failures += pid < 0 || waitpid(pid, &status, 0) != pid || status != 0;
        if (terminal >= 0) {
            close(terminal);
        }
    }
    atomic_store(&stop, 1);
    return arg;
}

int main(int argc, char **argv) {
    pthread_t forks, allocates;
    bare = argc > 1 && strcmp(argv[1], "bare") == 0;
    allocate(0); /* before there is a second thread */
    if (!bare && pthread_atfork(prepare, parent, child)) {
        return 1;
    }
    alarm(100);
    if (pthread_create(&forks, 0, forker, 0)) {
        return 1;
    }
    if (!bare && pthread_create(&allocates, 0, under_lock, 0)) {
        return 1;
    }
    for (unsigned n = 0; !atomic_load(&stop); n++) {
        allocate(n);
    }
    pthread_join(forks, 0);
    if (!bare) {
        pthread_join(allocates, 0);
    }
    int seen = atomic_load(&prepared);
    printf("%d children failed, handlers ran %d times\n", failures, seen);
    return failures == 0 && seen == (bare ? 0 : FORKS) && atomic_load(&parents) == seen ? 0 : 1;
}
