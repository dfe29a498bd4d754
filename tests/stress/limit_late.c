/* limit_late.c : a program that limits its own address space after it has allocated, as scripts and judges of other programs' memory do: its
 * own mappings and threads work as without us, memory is served up to the limit, what lived before is whole.
 * usage: limit_late set|pr|unseen|clone      by setrlimit(), prlimit(), or the system call, which the library does not see;
 *        clone: children of the bare system call set it, in which other threads' locks stay held */
#include "alloc.h"
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { EARLY = 2000, BLOCKS = 300000, SIZE = 5000 };
static const size_t limit = (size_t)1 << 30;

static bool limited;
static struct stress_block early[EARLY], *block;

static int set_limit(const char *how) {
    const struct rlimit r = {limit, RLIM_INFINITY};
    return strcmp(how, "set") == 0  ? setrlimit(RLIMIT_AS, &r)
           : strcmp(how, "pr") == 0 ? prlimit(0, RLIMIT_AS, &r, NULL)
                                    : (int)syscall(SYS_prlimit64, 0, RLIMIT_AS, &r, NULL);
}

/* Blocks until there is no more; how many. */
static size_t fill(size_t size) {
    size_t n = 0;
    for (void *p; n < BLOCKS && n * size < 2 * limit && (p = malloc(size)) != NULL; n++) {
        block[n] = stress_take(p, size, n);
    }
    CHECK(!limited || errno == ENOMEM);
    CHECK(!limited || n * size < limit);
    return n;
}

static void empty(size_t n) {
    while (n) {
        stress_free(&block[--n]);
    }
}

static void *in_thread(void *arg) {
    (void)arg;
    size_t n = fill(SIZE);
    CHECK(n * SIZE > limit / 2);
    empty(n);
    return NULL;
}

/* The program's own. */
static void own_memory(void) {
    CHECK(stress_status("VmSize:") < limit);
    CHECK(mmap(NULL, (size_t)64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
    for (int i = 0; i < 2; i++) {
        pthread_join(stress_start(in_thread, NULL), NULL);
    }
}

static uint32_t stop; /* atomic */

static void *large_blocks(void *arg) {
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        void *p[16];
        for (size_t i = 0; i < 16; i++) {
            p[i] = malloc(200000 + i % 7 * 65536);
        }
        for (size_t i = 0; i < 16; i++) {
            free(p[i]);
        }
    }
    return arg;
}

static int children(void) {
    enum { THREADS = 3, CHILDREN = 40 };
    pthread_t t[THREADS];
    for (int i = 0; i < THREADS; i++) {
        t[i] = stress_start(large_blocks, NULL);
    }
    for (int i = 0; i < CHILDREN && check_failures == 0; i++) {
        pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
        if (pid == 0) {
            alarm(10);
            _exit(set_limit("set"));
        }
        int status = -1;
        CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(t[i], NULL);
    }
    return check_done();
}

int main(int argc, char **argv) {
    check_start();
    REQUIRE(argc == 2);
    if (strcmp(argv[1], "clone") == 0) {
        return children();
    }
    block = mmap(NULL, BLOCKS * sizeof *block, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(block != MAP_FAILED);
    uint64_t seed = 3;
    for (size_t i = 0; i < EARLY; i++) {
        size_t n = stress_size(&seed);
        early[i] = stress_take(malloc(n), n, i);
    }
    REQUIRE(set_limit(argv[1]) == 0);
    limited = true;
    if (strcmp(argv[1], "unseen") == 0) {
        /* Seen when the arena grows. What it has by then is no help to mappings. */
        empty(fill(SIZE));
    } else {
        own_memory();
    }
    void *large = malloc((size_t)200 << 20); /* the limit holds for the whole: caches give way */
    CHECK(large != NULL);
    free(large);
    empty(fill(3000000));
    CHECK(malloc(limit) == NULL && errno == ENOMEM);
    for (size_t i = 0; i < EARLY; i++) {
        stress_free(&early[i]);
    }
    struct rlimit back = {RLIM_INFINITY, RLIM_INFINITY};
    CHECK(setrlimit(RLIMIT_AS, &back) == 0);
    limited = false;
    large = malloc(limit);
    CHECK(large != NULL);
    free(large);
    size_t n = fill(SIZE);
    CHECK(n == BLOCKS);
    empty(n);
    return check_done();
}
