/* held.c : what the variants hold back comes home: queues of frees and prepared chunks, when their thread ends, and in the child of a fork
 * that the thread does not survive; and a lost worker is started again. usage: held queue|worker... */
#include "conformance/check.h"
#include <dirent.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HELD = 200, SIZE = 512, MANY = 4000, SLACK = 20000 };
static pthread_barrier_t met;

static size_t in_use(void) {
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

static bool comes_down_to(size_t bytes) {
    for (int i = 0; i < 200 && in_use() > bytes; i++) {
        usleep(10000);
    }
    return in_use() <= bytes;
}

static void at(void) { pthread_barrier_wait(&met); }

static void *freer(void *blocks) {
    void **block = blocks, *own[HELD];
    free(malloc(SIZE)); /* the first free sets the queue up */
    for (int i = 0; i < HELD / 4; i++) {
        own[i] = malloc(SIZE);
    }
    void *large = malloc(3 << 20);
    free(large);
    for (int i = 0; i < HELD / 4; i++) {
        free(block[i]);
        free(own[i]);
    }
    usleep(200000);
    at();
    at();
    return NULL;
}

/* Blocks of both threads, and a large one. What the thread held back is free after its end. */
static void thread_end(bool fork_first) {
    static void *block[HELD / 4];
    pthread_t t;
    for (int i = 0; i < HELD / 4; i++) {
        block[i] = malloc(SIZE);
    }
    usleep(200000); /* a worker has prepared what was asked for */
    size_t before = in_use() - HELD / 4 * SIZE;
    pthread_create(&t, NULL, freer, block);
    at();
    CHECK(in_use() >= before + (3 << 20) + HELD / 2 * SIZE);
    if (fork_first) {
        pid_t child = fork();
        if (child == 0) {
            CHECK(in_use() <= before + SLACK);
            _exit(check_done());
        }
        int status = -1;
        waitpid(child, &status, 0);
        CHECK(status == 0);
    }
    at();
    pthread_join(t, NULL);
    CHECK(comes_down_to(before + SLACK));
}

static void queue(void) {
    free(malloc(SIZE));
    void *p = malloc(SIZE);
    free(p);
    void *q = malloc(SIZE);
    CHECK(p != q); /* the magazine would give the same */
    free(q);
    thread_end(false);
    thread_end(true);
}

static bool worker_runs(void) {
    bool found = false;
    DIR *dir = opendir("/proc/self/task");
    REQUIRE(dir != NULL);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        char path[300], name[32] = "";
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", e->d_name);
        FILE *f = fopen(path, "r");
        found |= f && fgets(name, sizeof name, f) && strcmp(name, "hakmem-refill\n") == 0;
        if (f) {
            fclose(f);
        }
    }
    closedir(dir);
    return found;
}

/* Asks the kernel without allocating, which might start the worker. */
static int threads(void) {
    struct stat st;
    REQUIRE(stat("/proc/self/task", &st) == 0);
    return (int)st.st_nlink - 2;
}

/* What is in use rises while nobody else allocates, within the worker's longest sleep and some. It may fall before, by what the worker sorts out. */
static bool rises(void) {
    size_t least = in_use();
    for (int i = 0; i < 20; i++) {
        usleep(5000);
        size_t now = in_use();
        if (now > least) {
            return true;
        }
        least = now;
    }
    return false;
}

/* Misses, so that chunks are asked for, of which the worker prepares one. */
static bool prepared(void) {
    static void *block[MANY];
    int n = 0;
    bool rose = false;
    while (n < MANY && !rose) {
        for (int i = 0; i < MANY / 40; i++) {
            block[n++] = malloc(64);
        }
        rose = rises();
    }
    while (n) {
        free(block[--n]);
    }
    return rose;
}

static void *asker(void *arg) {
    CHECK(prepared());
    return arg;
}

static void worker(void) {
    pthread_t t;
    pthread_create(&t, NULL, asker, NULL);
    pthread_join(t, NULL);
    CHECK(worker_runs());
    size_t before = in_use();
    for (int i = 0; i < 8; i++) {
        pthread_create(&t, NULL, asker, NULL);
        pthread_join(t, NULL);
    }
    CHECK(comes_down_to(before + SLACK));
    pid_t child = fork();
    if (child == 0) {
        CHECK(threads() == 1);
        CHECK(prepared());
        CHECK(worker_runs());
        _exit(check_done());
    }
    int status = -1;
    waitpid(child, &status, 0);
    CHECK(status == 0);
}

int main(int argc, char **argv) {
    check_start();
    pthread_barrier_init(&met, NULL, 2);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "queue") == 0) {
            queue();
        } else {
            worker();
        }
    }
    return check_done();
}
