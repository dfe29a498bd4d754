/* fork.c : threads and forks in a static program, while other threads allocate. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int stop;

static void *work(void *arg) {
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        for (size_t n = 1; n < 100000; n *= 3) {
            char *p = malloc(n);
            memset(p, 1, n);
            free(p);
        }
    }
    return arg;
}

int main(void) {
    pthread_t t[3];
    int status, bad = 0;
    for (int i = 0; i < 3; i++) {
        bad += pthread_create(&t[i], 0, work, 0) != 0;
    }
    for (int i = 0; i < 50; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            free(calloc(100, 10));
            _exit(0);
        }
        bad += pid < 0 || waitpid(pid, &status, 0) != pid || status != 0;
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < 3; i++) {
        pthread_join(t[i], 0);
    }
    puts(bad ? "bad" : "ok");
    return bad;
}
