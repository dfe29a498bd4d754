/* fork_stdio.c : threads fork while others read lines (a stream's lock, and malloc under it) and flush all streams (the list's lock, and the
 * streams' under it). fork() takes the list's lock after its handlers: an allocator whose handler holds its own locks by then hangs
 * (glibc's bug 19431 seen from outside). alarm() ends a hang. */
#include "alloc.h"
#include <stdio.h>
#include <sys/wait.h>

enum { FORKERS = 3, READERS = 6, LINE = 50000 };

static int stop;
static char path[] = "/tmp/hakmem-fork-stdio-XXXXXX";

/* libc's locks are not fair: without a pause the forkers starve, under any allocator. */
static void nap(void) {
    struct timespec t = {0, 200000};
    nanosleep(&t, NULL);
}

static void *forker(void *arg) {
    for (size_t i = 0; i < *(size_t *)arg; i++) {
        pid_t pid = fork();
        REQUIRE(pid >= 0);
        if (pid == 0) {
            free(malloc(100));
            _exit(17);
        }
        int status = 0;
        CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 17);
    }
    return NULL;
}

static void *reader(void *arg) {
    (void)arg;
    FILE *f = fopen(path, "r");
    REQUIRE(f != NULL);
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        char *line = NULL;
        size_t room = 0;
        rewind(f);
        CHECK(getline(&line, &room, f) == LINE + 1);
        free(line);
        nap();
    }
    fclose(f);
    return NULL;
}

static void *flusher(void *arg) {
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        CHECK(fflush(NULL) == 0);
        nap();
    }
    return arg;
}

static void make_file(void) {
    int fd = mkstemp(path);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
    REQUIRE(f != NULL);
    for (int i = 0; i < LINE; i++) {
        fputc('x', f);
    }
    fputc('\n', f);
    fclose(f);
}

int main(void) {
    check_start();
    alarm(120);
    make_file();
    size_t rounds = stress_scale(300);
    pthread_t t[FORKERS + READERS + 1];
    for (int i = 0; i <= READERS; i++) {
        t[FORKERS + i] = stress_start(i < READERS ? reader : flusher, NULL);
    }
    for (int i = 0; i < FORKERS; i++) {
        t[i] = stress_start(forker, &rounds);
    }
    for (int i = 0; i < FORKERS; i++) {
        pthread_join(t[i], NULL);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i <= READERS; i++) {
        pthread_join(t[FORKERS + i], NULL);
    }
    unlink(path);
    return check_done();
}
