/* clock_fork.c : the program's clock_gettime() takes a lock, as libraries that lie about the time do, and fork() knows nothing of it. A child
 * of a process whose threads allocate must not wait for that lock because it allocates. */
#include "alloc.h"
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { THREADS = 3, CHILDREN = 100 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint32_t stop, asked; /* atomic */

int clock_gettime(clockid_t id, struct timespec *t) {
    pthread_mutex_lock(&lock);
    __atomic_add_fetch(&asked, 1, __ATOMIC_RELAXED);
    int rc = (int)syscall(SYS_clock_gettime, id, t);
    pthread_mutex_unlock(&lock);
    return rc;
}

/* Large ones: each asks whether it is time to give memory back. */
static void some_blocks(void) {
    void *p[16];
    for (size_t i = 0; i < 16; i++) {
        p[i] = malloc(200000 + i % 7 * 65536);
    }
    for (size_t i = 0; i < 16; i++) {
        free(p[i]);
    }
}

static void *run(void *arg) {
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        some_blocks();
    }
    return arg;
}

int main(void) {
    check_start();
    if (!getauxval(AT_SYSINFO_EHDR)) {
        check_skip("the kernel has no clock for user space here");
    }
    pthread_t t[THREADS];
    for (int i = 0; i < THREADS; i++) {
        t[i] = stress_start(run, NULL);
    }
    for (int i = 0; i < CHILDREN && check_failures == 0; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            alarm(10);
            some_blocks();
            _exit(0);
        }
        int status = -1;
        CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(t[i], NULL);
    }
    struct timespec now;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0 && __atomic_load_n(&asked, __ATOMIC_RELAXED) == 1);
    return check_done();
}
