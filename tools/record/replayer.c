/* replayer.c : carries out a plan (replay_plan.h) against the malloc that this process was started with.
 * Memory     its own comes from mmap and is touched before the baseline is taken: what RSS grows by is the allocator's
 * Threads    those of the recording; pthread_create's own allocation (some hundred bytes a thread) is the only one not recorded
 * Test       lab/replay */
#include "replayer.h"
#include "replay_plan.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { STACK_BYTES = 131072 };

struct slot {
    void *_Atomic block; /* NULL: not born, or dead */
    uint64_t size;
};

/* One running thread. */
struct player {
    struct plan_op window[PLAN_WINDOW];
    const struct plan_thread *thread;
    pthread_t handle;
    uint32_t epoch;
    int64_t delta; /* live bytes not yet told */
    uint64_t due;  /* ns since the start, with timing */
    _Atomic uint32_t state;
    uint64_t failed;
    char *stack;
};
enum { PLAYER_SPARE, PLAYER_RUNS, PLAYER_ENDED };

static int plan_fd;
static struct plan_head head;
static struct plan_thread *thread;
static struct plan_epoch *epoch_plan;
static struct slot *slot;
static struct player *player;
static uint32_t players;
static _Atomic uint32_t *epoch_left; /* threads that have not finished their part of the epoch */
static _Atomic uint32_t epoch_now, epoch_waiters, threads_left, next_thread;
static _Atomic int64_t live, peak;
static int64_t tell_from; /* a thread tells its live bytes when they changed by this much */
static int timing;
static uint64_t begun;
static _Atomic uint64_t failed;

_Noreturn static void die(const char *what) {
    dprintf(2, "hakmem-replayer: %s: %s\n", what, strerror(errno));
    _exit(1);
}

static void *own_memory(uint64_t size) {
    void *p = mmap(NULL, size ? size : 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (p == MAP_FAILED)
        die("mmap");
    return p;
}

static void read_plan(void *to, uint64_t size, uint64_t at) {
    for (ssize_t n; size; size -= (uint64_t)n, at += (uint64_t)n, to = (char *)to + n)
        if ((n = pread(plan_fd, to, size, (off_t)at)) <= 0)
            die("plan");
}

static void live_tell(struct player *p) {
    int64_t now = atomic_fetch_add_explicit(&live, p->delta, memory_order_relaxed) + p->delta;
    p->delta = 0;
    int64_t top = atomic_load_explicit(&peak, memory_order_relaxed);
    while (now > top &&
           !atomic_compare_exchange_weak_explicit(&peak, &top, now, memory_order_relaxed, memory_order_relaxed))
        ;
}

static void live_add(struct player *p, int64_t bytes) {
    p->delta += bytes;
    if (p->delta > tell_from || p->delta < -tell_from)
        live_tell(p);
}

static void *play(void *player);

/* A player that does not run. A thread leaves its last epoch before it has ended, so there may be none at first; all but the caller and
 * those that the planner counted as alive end without waiting for anyone. */
static struct player *player_take(void) {
    for (unsigned round = 0;; round++) {
        for (struct player *p = player; p < player + players; p++) {
            uint32_t state = atomic_load_explicit(&p->state, memory_order_acquire); /* acq: pairs with play()'s end */
            if (state == PLAYER_ENDED)
                pthread_join(p->handle, NULL);
            if (state != PLAYER_RUNS)
                return p;
        }
        replay_backoff(round);
    }
}

static void thread_start(uint32_t n) {
    struct player *p = player_take();
    p->thread = &thread[n];
    atomic_store_explicit(&p->state, PLAYER_RUNS, memory_order_relaxed);
    pthread_attr_t a;
    pthread_attr_init(&a);
    pthread_attr_setstack(&a, p->stack, STACK_BYTES);
    errno = pthread_create(&p->handle, &a, play, p);
    if (errno)
        die("pthread_create");
    pthread_attr_destroy(&a);
}

/* Called by the one thread that finished an epoch last. */
static void epoch_next(void) {
    uint32_t e = atomic_load_explicit(&epoch_now, memory_order_relaxed) + 1;
    uint32_t starts = e < head.epochs ? epoch_plan[e].starts : 0, n = next_thread;
    next_thread = n + starts;
    atomic_store_explicit(
        &epoch_now, e, memory_order_seq_cst); /* rel: pairs with epoch_wait; ordered before the read of epoch_waiters */
    if (atomic_load_explicit(&epoch_waiters, memory_order_seq_cst))
        replay_wake(&epoch_now);
    for (uint32_t i = 0; i < starts; i++)
        thread_start(n + i);
}

static void epoch_leave(struct player *p) {
    live_tell(p);
    /* acq_rel: all that was done in the epoch is seen by whoever opens the next */
    if (atomic_fetch_sub_explicit(&epoch_left[p->epoch], 1, memory_order_acq_rel) == 1)
        epoch_next();
}

static void epoch_wait(uint32_t e) {
    uint32_t now;
    for (int spin = 0; (now = atomic_load_explicit(&epoch_now, memory_order_acquire)) < e;
         spin++) { /* acq: pairs with epoch_next */
        if (spin < 200) {
            replay_pause();
            continue;
        }
        atomic_fetch_add_explicit(&epoch_waiters, 1, memory_order_seq_cst);
        replay_sleep(&epoch_now, now);
        atomic_fetch_sub_explicit(&epoch_waiters, 1, memory_order_relaxed);
    }
}

/* The block of a slot that another thread fills in the same epoch. */
static void *slot_block(struct slot *s) {
    void *b;
    for (unsigned spin = 0; !(b = atomic_load_explicit(&s->block, memory_order_acquire));
         spin++) /* acq: pairs with slot_fill */
        replay_backoff(spin);
    return b;
}

static void slot_fill(struct player *p, struct slot *s, void *block, uint64_t size, uint64_t old) {
    if (!block) { /* the allocator failed: a stand-in that is never handed to it */
        block = &player;
        atomic_fetch_add_explicit(&failed, 1, memory_order_relaxed);
        size = 0;
    }
    s->size = size;
    atomic_store_explicit(&s->block, block, memory_order_release); /* rel: pairs with slot_block */
    live_add(p, (int64_t)size - (int64_t)old);
}

static void op_free(struct player *p, struct slot *s) {
    void *block = slot_block(s);
    uint64_t size = s->size;
    atomic_store_explicit(&s->block, NULL, memory_order_relaxed);
    live_add(p, -(int64_t)size);
    if (block != &player)
        free(block);
}

static void op_realloc(struct player *p, struct slot *s, uint64_t size, uint32_t pages) {
    void *block = slot_block(s), *to;
    uint64_t old = s->size;
    to = realloc(block == &player ? NULL : block, size);
    if (to)
        replay_touch(to, size, pages);
    else if (block != &player)
        free(block);
    slot_fill(p, s, to, size, old);
}

static void op_new(struct player *p, const struct plan_op *op, struct slot *s) {
    uint64_t size = op->what >> 10;
    size_t align = (size_t)1 << (op->what >> 4 & 63);
    void *block;
    switch (op->what & 15) {
    case PLAN_CALLOC:
        block = calloc(1, size);
        break;
    case PLAN_ALIGNED:
        if (posix_memalign(&block, align < sizeof(void *) ? sizeof(void *) : align, size) != 0)
            block = NULL;
        break;
    default:
        block = malloc(size);
        break;
    }
    if (block)
        replay_touch(block, size, op->pages);
    slot_fill(p, s, block, size, 0);
}

static void play_op(struct player *p, const struct plan_op *op) {
    struct slot *s = &slot[op->slot];
    if (op->epoch != p->epoch) {
        epoch_leave(p);
        p->epoch = op->epoch;
        epoch_wait(op->epoch);
    }
    if (timing) {
        p->due += (uint64_t)op->wait * PLAN_TIME_NS;
        replay_until(begun + p->due);
    }
    switch (op->what & 15) {
    case PLAN_FREE:
        op_free(p, s);
        break;
    case PLAN_REALLOC:
        op_realloc(p, s, op->what >> 10, op->pages);
        break;
    default:
        op_new(p, op, s);
        break;
    }
}

static void *play(void *arg) {
    struct player *p = arg;
    const struct plan_thread *t = p->thread;
    p->epoch = t->first_epoch;
    p->delta = 0;
    p->due = 0;
    for (uint64_t i = 0; i < t->ops; i += PLAN_WINDOW) {
        uint64_t n = t->ops - i < PLAN_WINDOW ? t->ops - i : PLAN_WINDOW;
        read_plan(p->window, n * sizeof *p->window, t->at + i * sizeof *p->window);
        for (uint64_t k = 0; k < n; k++)
            play_op(p, &p->window[k]);
    }
    epoch_leave(p);
    uint32_t exits = t->exits;
    if (atomic_fetch_sub_explicit(&threads_left, 1, memory_order_acq_rel) == 1)
        replay_wake(&threads_left);
    if (!exits)
        replay_await_zero(&threads_left);
    /* rel: pairs with player_take: the thread allocates no more but in its destructors, which join waits for */
    atomic_store_explicit(&p->state, PLAYER_ENDED, memory_order_release);
    return NULL;
}

static void plan_load(const char *path) {
    plan_fd = open(path, O_RDONLY | O_CLOEXEC);
    if (plan_fd < 0)
        die(path);
    read_plan(&head, sizeof head, 0);
    errno = EINVAL;
    if (head.magic != PLAN_MAGIC || !head.threads || !head.epochs)
        die("not a plan");
    thread = own_memory(head.threads * sizeof *thread);
    epoch_plan = own_memory(head.epochs * sizeof *epoch_plan);
    epoch_left = own_memory(head.epochs * sizeof *epoch_left);
    slot = own_memory((head.slots + 1ull) * sizeof *slot);
    players = head.together + 2; /* the caller of thread_start may have left its last epoch */
    player = own_memory(players * sizeof *player);
    char *stacks = own_memory((uint64_t)players * STACK_BYTES);
    for (uint32_t i = 0; i < players; i++)
        player[i].stack = stacks + (uint64_t)i * STACK_BYTES;
    read_plan(thread, head.threads * sizeof *thread, head.thread_at);
    read_plan(epoch_plan, head.epochs * sizeof *epoch_plan, head.epoch_at);
    for (uint32_t i = 0; i < head.epochs; i++)
        atomic_store_explicit(&epoch_left[i], epoch_plan[i].threads, memory_order_relaxed);
    atomic_store_explicit(&threads_left, head.threads, memory_order_relaxed);
    tell_from = head.threads > 1 ? (int64_t)(head.peak / 4096 / head.together) : 0;
}

static void result_send(struct replay_result *r, const struct rusage *before) {
    struct rusage u;
    Dl_info where;
    getrusage(RUSAGE_SELF, &u);
    r->magic = PLAN_MAGIC;
    r->begun_ns = begun;
    r->wall_ns = replay_clock() - begun;
    r->minor_faults = (uint64_t)(u.ru_minflt - before->ru_minflt);
    r->major_faults = (uint64_t)(u.ru_majflt - before->ru_majflt);
    r->user_us = replay_micros(&u.ru_utime) - replay_micros(&before->ru_utime);
    r->system_us = replay_micros(&u.ru_stime) - replay_micros(&before->ru_stime);
    r->peak_live = (uint64_t)atomic_load_explicit(&peak, memory_order_relaxed);
    r->peak_rss = replay_status("VmHWM:");
    r->end_rss = replay_status("VmRSS:");
    r->failed = atomic_load_explicit(&failed, memory_order_relaxed);
    r->ops = head.ops;
    void *(*function)(size_t) = malloc;
    void *address;
    memcpy(&address, &function, sizeof address);
    if (dladdr(address, &where) && where.dli_fname) {
        strncpy(r->served_by, where.dli_fname, sizeof r->served_by - 1);
        r->served_by[sizeof r->served_by - 1] = '\0';
    }
    if (write(3, r, sizeof *r) != sizeof *r)
        die("result");
}

int main(int argc, char **argv) {
    struct replay_result result = {0};
    struct rusage before;
    if (argc != 2) {
        dprintf(2, "usage: hakmem-replayer PLAN 3>RESULT (hakmem replay calls it)\n");
        return 2;
    }
    timing = getenv(PLAN_ENV_TIMING) != NULL;
    plan_load(argv[1]);
    replay_status("VmRSS:");
    int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        (void)!write(fd, "5", 1); /* the high-water mark starts anew */
        close(fd);
    }
    result.baseline_rss = replay_status("VmRSS:");
    getrusage(RUSAGE_SELF, &before);
    begun = replay_clock();
    if (getenv(PLAN_ENV_BASELINE)) {
        result_send(&result, &before);
        _exit(0);
    }
    next_thread = epoch_plan[0].starts;
    player[0].thread = &thread[0];
    atomic_store_explicit(&player[0].state, PLAYER_RUNS, memory_order_relaxed);
    for (uint32_t i = 1; i < epoch_plan[0].starts; i++)
        thread_start(i);
    play(&player[0]);
    replay_await_zero(&threads_left);
    result_send(&result, &before);
    _exit(0);
}
