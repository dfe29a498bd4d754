/* rss_back.c : 1 GiB is freed; at most 5 % of it stays resident.
 *   rss_back quiet   no call at all follows; the worker must do it within 2 s   (HAKMEM_WORKER=on)
 *   rss_back calls   no worker: the next calls do it once the decay is over      (HAKMEM_DECAY=200)
 *   rss_back trim    malloc_trim(0) does it at once
 *   rss_back child   quiet, in a fork of a process that has a worker: the child must get one, too
 * rss_back ... few: all blocks are small and one in a thousand lives on, so that most slabs stay in use and their pages must go. */
#include "alloc.h"
#include <sys/wait.h>

enum { PARTS = 3 };
static const size_t mixed[PARTS] = {700, 30000, 3000000}, small[PARTS] = {200, 700, 3000};
enum { LIVES_ON = 1000 };

static struct {
    void **block;
    size_t count;
} part[PARTS];

/* A third of the gibibyte in each of three sizes; freed in an order that is not the one of allocation. */
static void up_and_down(bool few) {
    const size_t *size = few ? small : mixed;
    size_t total = ((size_t)1 << 30) / 100 * stress_scale(99);
    for (int i = 0; i < PARTS; i++) {
        part[i].count = total / PARTS / size[i];
        part[i].block = malloc(part[i].count * sizeof(void *));
        REQUIRE(part[i].block != NULL);
        for (size_t k = 0; k < part[i].count; k++) {
            part[i].block[k] = malloc(size[i]);
            REQUIRE(part[i].block[k] != NULL);
            memset(part[i].block[k], 1, size[i]);
        }
    }
    for (int i = 0; i < PARTS; i++) {
        for (size_t start = 0; start < 7; start++) {
            for (size_t k = start; k < part[i].count; k += 7) {
                if (!few || k % LIVES_ON) {
                    free(part[i].block[k]);
                }
            }
        }
        free(part[i].block);
    }
}

/* Programs go on with small things: these reach the slow path now and then. */
static void some_calls(void) {
    void *p[200];
    for (int round = 0; round < 50; round++) {
        for (size_t i = 0; i < 200; i++) {
            p[i] = malloc(100 + i * 40);
            REQUIRE(p[i] != NULL);
        }
        for (size_t i = 0; i < 200; i++) {
            free(p[i]);
        }
    }
}

/* Returns in a child; the parent ends as it does. */
static void in_child(void) {
    pid_t pid = fork();
    int status = -1;
    REQUIRE(pid >= 0);
    if (pid) {
        REQUIRE(waitpid(pid, &status, 0) == pid);
        exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
    }
}

int main(int argc, char **argv) {
    check_start();
    const char *what = argc > 1 ? argv[1] : "trim";
    bool child = strcmp(what, "child") == 0, quiet = child || strcmp(what, "quiet") == 0,
         calls = strcmp(what, "calls") == 0;
    static char buffer[4096];
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    size_t start = stress_status("VmRSS:");
    if (quiet) { /* the worker starts in programs with threads, or when it is told to */
        pthread_join(stress_start((void *(*)(void *))(void (*)(void))pthread_self, NULL), NULL);
    }
    if (child) {
        free(malloc(1 << 20)); /* the parent's worker runs by now */
        in_child();
    }
    up_and_down(argc > 2 && strcmp(argv[2], "few") == 0);
    size_t peak = stress_status("VmHWM:"), limit = start + peak / 20;
    double freed = stress_now(), patience = quiet ? 4 : calls ? 6 : 0; /* 2 s, and what a busy machine may add */
    if (!quiet && !calls) {
        malloc_trim(0);
    }
    size_t rss = stress_status("VmRSS:");
    while (rss > limit && stress_now() - freed < patience) {
        stress_sleep(0.1);
        if (calls) {
            some_calls();
        }
        rss = stress_status("VmRSS:");
    }
    printf("peak %zu KiB, left %zu KiB after %.1f s\n", peak >> 10, rss >> 10, stress_now() - freed);
    CHECK(rss <= limit);
    return check_done();
}
