/* fork_signal.c : a timer's signal handler forks while a program of one thread is in malloc, free or fork itself. glibc allows that to a
 * process of one thread (its bugs 19703, 24161); a handler that waits for what it interrupted hangs, and alarm() ends it. */
#include "alloc.h"
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

enum { SLOTS = 1009 };

static volatile sig_atomic_t forked, wrong;

static void reap(pid_t pid) {
    int status = -1;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    wrong += status != 0;
}

static void handler(int number) {
    (void)number;
    int saved = errno;
    pid_t pid = fork();
    if (pid == 0) {
        free(malloc(1000));
        _exit(0);
    }
    wrong += pid < 0;
    reap(pid);
    forked++;
    errno = saved;
}

int main(void) {
    check_start();
    alarm(120);
    struct sigaction action = {.sa_handler = handler};
    struct itimerval every = {{0, 700}, {0, 700}};
    REQUIRE(sigaction(SIGPROF, &action, NULL) == 0);
    REQUIRE(setitimer(ITIMER_PROF, &every, NULL) == 0);
    struct stress_block slot[SLOTS] = {{0}};
    uint64_t seed = check_seed();
    int enough = (int)stress_scale(300);
    for (size_t i = 0; forked < enough && i < 20000000; i++) {
        struct stress_block *b = &slot[check_random(&seed) % SLOTS];
        stress_free(b);
        size_t n = check_random(&seed) % 70000 + 1;
        *b = stress_take(malloc(n), n, check_random(&seed));
        if (i % 5000 == 0) {
            pid_t pid = fork();
            if (pid == 0) {
                _exit(0);
            }
            reap(pid);
        }
    }
    every = (struct itimerval){{0, 0}, {0, 0}};
    setitimer(ITIMER_PROF, &every, NULL);
    for (size_t i = 0; i < SLOTS; i++) {
        stress_free(&slot[i]);
    }
    CHECK(forked >= enough);
    CHECK(wrong == 0);
    return check_done();
}
