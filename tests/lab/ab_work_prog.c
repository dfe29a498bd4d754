/* ab_work_prog.c : work for comparisons: OPS times malloc, free and TURNS turns of a chain that no compiler can shorten. Prints a rate.
 *
 *   ab_work_prog [OPS [TURNS]]     WORK_CRASH=FILE,N: counts its runs in FILE and aborts in the N-th
 *                                  WORK_SET=NAME,VALUE: calls hak_option_set() as a program may, after start
 *                                  WORK_SLEEP=SECONDS: sleeps first
 *                                  WORK_THREADS=N: N threads allocate and free all the while, also at the end */
#include "ab_chain.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void maybe_crash(char *text) {
    char *comma = strchr(text, ',');
    int runs = 0;
    *comma = 0;
    FILE *f = fopen(text, "r+");
    if (f && fscanf(f, "%d", &runs) == 1) {
        rewind(f);
    }
    if (f) {
        fprintf(f, "%d\n", ++runs);
        fclose(f);
    }
    if (runs == atoi(comma + 1)) {
        fputs("the planted crash\n", stderr);
        abort();
    }
}

static void set_late(char *text) {
    char *comma = strchr(text, ',');
    int (*set)(const char *name, const char *value);
    *comma = 0;
    *(void **)&set = dlsym(RTLD_DEFAULT, "hak_option_set");
    if (!set || set(text, comma + 1) != 0) {
        fputs("hak_option_set failed\n", stderr);
        exit(3);
    }
}

static void *churn(void *unused) {
    enum { BLOCKS = 64, BYTES = 30000 };
    void *block[BLOCKS];
    for (;;) {
        for (int i = 0; i < BLOCKS; i++) {
            block[i] = malloc(BYTES);
        }
        for (int i = 0; i < BLOCKS; i++) {
            free(block[i]);
        }
    }
    return unused;
}

static void start_threads(int n) {
    pthread_t thread;
    while (n-- > 0) {
        if (pthread_create(&thread, NULL, churn, NULL) != 0) {
            exit(3);
        }
    }
}

int main(int argc, char **argv) {
    long ops = argc > 1 ? atol(argv[1]) : 20000, turns = argc > 2 ? atol(argv[2]) : 300;
    unsigned long chain = 1;
    if (getenv("WORK_CRASH")) {
        maybe_crash(strdup(getenv("WORK_CRASH")));
    }
    if (getenv("WORK_SET")) {
        set_late(strdup(getenv("WORK_SET")));
    }
    if (getenv("WORK_SLEEP")) {
        sleep((unsigned)atoi(getenv("WORK_SLEEP")));
    }
    if (getenv("WORK_THREADS")) {
        start_threads(atoi(getenv("WORK_THREADS")));
    }
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    for (long i = 0; i < ops; i++) {
        void *p = malloc(64 + chain_nothing(chain));
        chain = chain_turn(chain + (unsigned long)(size_t)p % 2, turns);
        free(p);
    }
    clock_gettime(CLOCK_MONOTONIC, &b);
    double seconds = (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) * 1e-9;
    printf("chain %lu\nops/s: %.1f\nns: %.1f\n", chain, (double)ops / seconds, seconds * 1e9 / (double)ops);
    return 0;
}
