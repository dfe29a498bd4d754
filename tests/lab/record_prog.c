/* record_prog.c : a program whose every allocation is known, for the tests of record, trace and replay.
 * record_prog MODE N [END]: MODE is what it does N times, END how it ends (exit, _exit, abort, segv, kill). */
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { RING = 256, BLOCK = 100 };

static _Atomic(void *) ring[RING];
static long turns;

/* N blocks of 100 bytes, all live at once, then freed in order. */
static void mode_stack(void) {
    void **block = calloc((size_t)turns, sizeof *block);
    for (long i = 0; i < turns; i++)
        block[i] = malloc(BLOCK);
    for (long i = 0; i < turns; i++)
        free(block[i]);
    free(block);
}

/* One thread allocates, another frees. */
static void *producer(void *unused) {
    for (long i = 0; i < turns; i++) {
        void *p = malloc((size_t)(BLOCK + i % 1000));
        while (atomic_load(&ring[i % RING]))
            sched_yield();
        atomic_store(&ring[i % RING], p);
    }
    return unused;
}

static void *consumer(void *unused) {
    for (long i = 0; i < turns; i++) {
        void *p;
        while (!(p = atomic_load(&ring[i % RING])))
            sched_yield();
        atomic_store(&ring[i % RING], NULL);
        free(i % 4 ? p : realloc(p, 3000));
    }
    return unused;
}

static void mode_pair(void) {
    pthread_t t[2];
    pthread_create(&t[0], NULL, producer, NULL);
    pthread_create(&t[1], NULL, consumer, NULL);
    pthread_join(t[0], NULL);
    pthread_join(t[1], NULL);
}

static pthread_barrier_t all_there;

/* Four threads that mostly use their own blocks, and now and then exchange one for another's: who frees it is anybody. */
static void *swapper(void *seed) {
    void *own[16] = {NULL};
    uint64_t r = (uintptr_t)seed * 0x9e3779b97f4a7c15u + 1;
    pthread_barrier_wait(&all_there);
    for (long i = 0; i < turns; i++) {
        r = r * 6364136223846793005u + 1442695040888963407u;
        void **at = &own[r >> 60];
        free(*at);
        *at = malloc(r >> 40 & 1 ? BLOCK : (size_t)(r >> 50 & 511));
        if ((r >> 32 & 15) == 0)
            *at = atomic_exchange(&ring[r >> 36 & 15], *at);
        if ((r >> 24 & 127) == 0)
            sched_yield();
    }
    for (int i = 0; i < 16; i++)
        free(own[i]);
    return NULL;
}

static void mode_swap(void) {
    pthread_t t[4];
    pthread_barrier_init(&all_there, NULL, 4);
    for (uintptr_t i = 0; i < 4; i++)
        pthread_create(&t[i], NULL, swapper, (void *)(i + 1));
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
}

static double cpu_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Nothing but malloc and free: one block again and again; 400 slots of 16 to 1024 bytes at random. Processor seconds go to stdout. */
static void mode_brief(void) {
    double from = cpu_now();
    for (long i = 0; i < turns; i++) {
        char *volatile p = malloc(64);
        *p = 1;
        free(p);
    }
    printf("cpu %f\n", cpu_now() - from);
}

static void mode_slots(void) {
    static char *slot[400];
    uint64_t r = 88172645463325252u;
    double from = cpu_now();
    for (long i = 0; i < turns; i++) {
        r = r * 6364136223846793005u + 1442695040888963407u;
        char **at = &slot[(r >> 33) % 400];
        size_t size = 16 + (r >> 20) % 1009;
        free(*at);
        *at = malloc(size);
        **at = (*at)[size - 1] = 1;
    }
    printf("cpu %f\n", cpu_now() - from);
}

/* Threads that come and go, each with its own blocks, some of which the main thread frees. */
static void *visitor(void *slot) {
    void *keep = malloc(5000);
    for (int i = 0; i < 50; i++)
        free(malloc((size_t)(16 + i)));
    *(void **)slot = keep;
    return NULL;
}

static void mode_churn(void) {
    for (long i = 0; i < turns; i++) {
        pthread_t t[4];
        void *left[4];
        for (int k = 0; k < 4; k++)
            pthread_create(&t[k], NULL, visitor, &left[k]);
        for (int k = 0; k < 4; k++)
            pthread_join(t[k], NULL);
        for (int k = 0; k < 4; k++)
            free(left[k]);
    }
}

/* Every kind of call, once a turn. */
static void mode_kinds(void) {
    for (long i = 0; i < turns; i++) {
        void *p = malloc(10), *q = calloc(3, 7), *r = NULL;
        p = realloc(p, 2000);
        r = aligned_alloc(64, 128);
        free(r);
        if (posix_memalign(&r, 4096, 100) == 0)
            free(r);
        r = memalign(32, 50);
        free(r);
        r = valloc(1);
        free(r);
        r = reallocarray(NULL, 5, 8);
        free(r);
        r = realloc(malloc(1), 0);
        free(NULL);
        free(q);
        free(p);
    }
}

/* A large block of which a part is touched, and one that is live at the end. */
static void mode_large(void) {
    for (long i = 0; i < turns; i++) {
        char *p = malloc(8 << 20);
        memset(p, 1, 1 << 20);
        free(p);
    }
    char *last = malloc(16 << 20);
    memset(last, 1, 2 << 20);
}

/* The child frees what it inherited and allocates; by fork(), and by the bare system call that no handler sees. */
static void mode_fork(void) {
    void **block = calloc((size_t)turns, sizeof *block);
    for (long i = 0; i < turns; i++)
        block[i] = malloc(BLOCK);
    for (int bare = 0; bare < 2; bare++) {
        pid_t pid = bare ? (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) : fork();
        if (pid == 0) {
            for (long i = 0; i < turns; i++)
                free(block[i]);
            for (long i = 0; i < turns; i++)
                block[i] = malloc(200);
            _exit(0);
        }
        waitpid(pid, NULL, 0);
    }
}

/* The parent goes on at once after a fork, and later its child ends what it inherited. */
static void mode_forkon(void) {
    void **block = calloc((size_t)turns, sizeof *block);
    for (long i = 0; i < turns; i++)
        block[i] = malloc(BLOCK);
    pid_t pid = fork();
    if (pid == 0)
        usleep(20000);
    for (long i = 0; i < turns; i++)
        free(block[i]);
    for (long i = 0; pid && i < turns; i++)
        block[i] = malloc(300);
    if (pid == 0)
        _exit(0);
    waitpid(pid, NULL, 0);
}

/* Blocks of BLOCK + i bytes, for those who must say which part of a program was recorded. */
static void mark_work(size_t i) {
    void **block = calloc((size_t)turns, sizeof *block);
    for (long k = 0; k < turns; k++)
        block[k] = malloc(BLOCK + i);
    for (long k = 0; k < turns; k++)
        free(block[k]);
    free(block);
}

/* Threads that never end. */
static _Atomic long asleep;
static void *sleeper(void *unused) {
    mark_work(1);
    asleep++;
    for (;;)
        pause();
    return unused;
}

static void mode_asleep(void) {
    pthread_t t;
    for (int i = 0; i < 4; i++)
        pthread_create(&t, NULL, sleeper, NULL);
    while (asleep < 4)
        usleep(1000);
    mark_work(0);
}

static void *hundred(void *unused) {
    for (int i = 0; i < 100; i++)
        free(malloc(BLOCK + 1));
    return unused;
}

/* N threads at once. */
static void mode_crowd(void) {
    pthread_t *t = calloc((size_t)turns, sizeof *t);
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 65536);
    for (long i = 0; i < turns; i++)
        if (pthread_create(&t[i], &small, hundred, NULL) != 0)
            _exit(9);
    for (long i = 0; i < turns; i++)
        pthread_join(t[i], NULL);
    free(t);
}

/* Blocks of N sizes, all live; what their allocator really took for them goes to standard output. */
static void mode_sweep(void) {
    void **block = calloc((size_t)turns, sizeof *block);
    size_t taken = 0;
    for (long i = 0; i < turns; i++) {
        block[i] = malloc((size_t)(1 + i * 37));
        taken += malloc_usable_size(block[i]);
    }
    for (long i = 0; i < turns; i++)
        free(block[i]);
    free(block);
    printf("%zu\n", taken);
}

/* N blocks each that live for no time, for 20 ms, and for 200 ms. */
static void mode_lives(void) {
    static const useconds_t life[] = {0, 20000, 200000};
    size_t n = (size_t)turns & 0xffffff;
    for (int k = 0; k < 3; k++) {
        for (long i = 0; k == 0 && i < turns; i++)
            free(malloc(BLOCK));
        void **block = calloc(n, sizeof *block);
        for (long i = 0; k && i < turns; i++)
            block[i] = malloc(BLOCK);
        usleep(life[k]);
        for (long i = 0; i < turns; i++)
            free(block[i]);
        free(block);
    }
}

/* Whatever a daemon does: it forks twice, closes every descriptor, changes its folder; if it may, its root or its user. */
static void mode_daemon(int leave) {
    mark_work(0);
    if (fork() != 0)
        _exit(0);
    setsid();
    mark_work(1);
    if (leave == 'r' && (chroot("/proc/self/fdinfo") != 0 || chdir("/") != 0))
        _exit(9);
    if (leave == 'u' && (setgid(65534) != 0 || setuid(65534) != 0))
        _exit(9);
    if (fork() != 0)
        _exit(0);
    for (int fd = 0; fd < 1024; fd++)
        close(fd);
    (void)!chdir("/");
    if (leave == 'r')
        usleep(300000); /* until the recorder has seen that its parent ended */
    mark_work(2);
}
static void mode_plain_daemon(void) { mode_daemon(0); }
static void mode_user_daemon(void) { mode_daemon('u'); }
static void mode_root_daemon(void) { mode_daemon('r'); }

static void end(const char *how) {
    if (strcmp(how, "_exit") == 0)
        _exit(3);
    if (strcmp(how, "abort") == 0)
        abort();
    if (strcmp(how, "segv") == 0)
        raise(SIGSEGV);
    if (strcmp(how, "kill") == 0) {
        usleep(300000); /* the sampling of large blocks comes every 100 ms */
        kill(getpid(), SIGKILL);
    }
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*run)(void);
    } mode[] = {{"stack", mode_stack},        {"pair", mode_pair},           {"churn", mode_churn},
                {"kinds", mode_kinds},        {"large", mode_large},         {"fork", mode_fork},
                {"asleep", mode_asleep},      {"crowd", mode_crowd},         {"sweep", mode_sweep},
                {"lives", mode_lives},        {"daemon", mode_plain_daemon}, {"user", mode_user_daemon},
                {"chroot", mode_root_daemon}, {"swap", mode_swap},           {"brief", mode_brief},
                {"slots", mode_slots},        {"forkon", mode_forkon}};
    if (argc < 3)
        return 2;
    turns = strtol(argv[2], NULL, 10);
    for (size_t i = 0; i < sizeof mode / sizeof *mode; i++)
        if (strcmp(argv[1], mode[i].name) == 0)
            mode[i].run();
    end(argc > 3 ? argv[3] : "exit");
    return 0;
}
