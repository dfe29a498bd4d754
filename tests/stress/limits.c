/* limits.c : address space or data limited before the program starts: hakmem starts, serves until memory is truly out, reports ENOMEM
 * without harm, and serves again after frees. usage: limits as|data|mlock MEBIBYTES     (starts itself again under the limit) */
#include "alloc.h"
#include <sys/mman.h>
#include <sys/resource.h>

enum { MAX_BLOCKS = 1 << 20 };

static struct stress_block *block; /* in memory that is not the allocator's */
static size_t blocks, live;
static size_t beyond; /* more than the limit lets anyone have */

static void restart(char **argv, __rlimit_resource_t resource) {
    rlim_t bytes = (rlim_t)strtoull(argv[2], NULL, 10) << 20;
    struct rlimit limit = {bytes, bytes};
    REQUIRE(setrlimit(resource, &limit) == 0);
    setenv("HAK_TEST_LIMITED", "1", 1);
    execv("/proc/self/exe", argv);
    perror("execv");
    _exit(1);
}

/* Takes blocks until malloc says no or limit bytes are live. */
static void fill(size_t size, size_t limit) {
    while (blocks < MAX_BLOCKS && live < limit) {
        errno = 0;
        void *p = malloc(size);
        if (!p) {
            CHECK(errno == ENOMEM);
            return;
        }
        block[blocks] = stress_take(p, size, blocks);
        blocks++;
        live += size;
    }
}

static void release(size_t keep) {
    while (blocks > keep) {
        live -= block[--blocks].size;
        stress_free(&block[blocks]);
    }
}

/* Every other block goes: small holes everywhere. */
static void release_half(void) {
    size_t kept = 0;
    for (size_t i = 0; i < blocks; i++) {
        if (i % 2) {
            block[kept++] = block[i];
        } else {
            live -= block[i].size;
            stress_free(&block[i]);
        }
    }
    blocks = kept;
}

static void one_size(size_t size, size_t budget) {
    fill(size, budget * 4);
    size_t first = live;
    printf("blocks of %zu: %zu MiB of %zu\n", size, live >> 20, budget >> 20);
    CHECK(live >= budget / 2); /* it serves: at least half of what there is */
    errno = 0;
    CHECK(malloc(beyond) == NULL && errno == ENOMEM);
    CHECK(realloc(NULL, beyond) == NULL && calloc(2, beyond / 2) == NULL);
    if (blocks) { /* growth fails, and the block is as it was */
        CHECK(realloc(block[blocks - 1].at, beyond) == NULL);
        CHECK(stress_intact(&block[blocks - 1], size));
    }
    release_half();
    fill(size, first);
    CHECK(live >= first - first / 8); /* what was freed can be had again */
    release(0);
    void *small = malloc(100);
    CHECK(small != NULL);
    free(small);
}

/* A block that grows until it may not, and is refused again and again: it stays as it is, and nothing is left of the attempts. */
static void growing(void) {
    size_t n = 1000, more = n;
    char *p = malloc(n), *q = p;
    REQUIRE(p != NULL);
    for (; q; more = n * 3 / 2) {
        memset(q, 1, more);
        p = q;
        n = more;
        q = n < beyond && n < (size_t)512 << 20 ? realloc(p, n * 3 / 2) : NULL;
    }
    printf("a block grown to %zu MiB\n", n >> 20);
    CHECK(n >= (size_t)1 << 20);
    CHECK(realloc(p, beyond) == NULL && errno == ENOMEM); /* it may be what the program needs an arena for */
    size_t before = stress_status("VmSize:");
    for (int i = 0; i < 200; i++) {
        CHECK(realloc(p, beyond) == NULL && errno == ENOMEM);
    }
    CHECK(p[0] == 1 && p[n - 1] == 1);
    CHECK(stress_status("VmSize:") <= before + ((size_t)1 << 20));
    free(p);
}

static void *in_thread(void *arg) {
    size_t budget = *(size_t *)arg;
    one_size(200, budget / 4 < ((size_t)100 << 20) ? budget / 4 : (size_t)100 << 20);
    return NULL;
}

static void run(size_t limit, bool address_space) {
    block = mmap(NULL, MAX_BLOCKS * sizeof *block, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                 -1, 0);
    REQUIRE(block != MAP_FAILED);
    /* Under RLIMIT_AS: what the program and its libraries map is not for blocks; nor is what the test keeps its notes in. */
    size_t used = stress_status(address_space ? "VmSize:" : "VmData:");
    size_t budget = limit > used + ((size_t)16 << 20) ? limit - used : limit / 3;
    if (budget > limit / 2 + limit / 4) {
        budget = limit / 2 + limit / 4;
    }
    printf("limit %zu MiB, in use at start %zu MiB\n", limit >> 20, used >> 20);
    beyond = limit + 4096;
    size_t some = budget < ((size_t)256 << 20) ? budget : (size_t)256 << 20;
    growing();
    one_size(5000, some);
    one_size(3000000, budget);
    one_size(300000, some * 2 < budget ? some * 2 : budget);
    one_size(30000, some);
    pthread_t t;
    if (pthread_create(&t, NULL, in_thread, &budget) == 0) {
        pthread_join(t, NULL);
    }
}

int main(int argc, char **argv) {
    check_start();
    REQUIRE(argc == 3);
    bool as = strcmp(argv[1], "as") == 0;
    if (!getenv("HAK_TEST_LIMITED")) {
        restart(argv, as ? RLIMIT_AS : RLIMIT_DATA);
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    run((size_t)strtoull(argv[2], NULL, 10) << 20, as);
    return check_done();
}
