/* replay_plan.h : what `hakmem replay` works out from a recording and hakmem-replayer carries out: one list of operations a thread.
 *
 * Order across threads is kept by epochs: an operation of epoch e begins when all operations of earlier epochs are done. Within an
 * epoch a thread that needs another's block waits until its slot is filled. The planner ends an epoch before the order inside it could
 * change live bytes by more than 1/256 of their peak, and wherever a filled slot would not be proof enough. */
#ifndef REPLAY_PLAN_H
#define REPLAY_PLAN_H

#include <stdint.h>

#define PLAN_MAGIC 0x316e616c706b6148ull       /* "Hakplan1" */
#define PLAN_ENV_BASELINE "HAKREPLAY_BASELINE" /* only say what the replayer itself takes */
#define PLAN_ENV_TIMING "HAKREPLAY_TIMING"

enum plan_what { PLAN_MALLOC = 1, PLAN_CALLOC, PLAN_ALIGNED, PLAN_FREE, PLAN_REALLOC };
enum {
    PLAN_TIME_NS = 64, /* unit of plan_op.wait */
    PLAN_WINDOW = 2048 /* operations that the replayer reads at once */
};

struct plan_op {
    uint64_t what; /* enum plan_what in bits 0-3, log2 of the alignment in 4-9, size in 10-63 */
    uint32_t slot, epoch;
    uint32_t pages; /* pages to touch, plus 1; 0: the whole block */
    uint32_t wait;  /* since the thread's last operation (the first: since the start), in PLAN_TIME_NS */
};
_Static_assert(sizeof(struct plan_op) == 24, "planned operation");

struct plan_thread {
    uint64_t at, ops; /* offset in the file, number */
    uint32_t first_epoch;
    uint32_t exits; /* 1: it ends where its operations end; 0: it stays until the process ends */
};

struct plan_epoch {
    uint32_t threads; /* that have operations in it */
    uint32_t starts;  /* threads whose first epoch it is; threads are sorted by first_epoch */
};

struct plan_head {
    uint64_t magic, peak, ops;
    uint32_t threads, epochs, slots, together; /* together: most threads alive at once */
    uint64_t thread_at, epoch_at;
};

/* What the replayer prints on descriptor 3: this struct. */
struct replay_result {
    uint64_t magic;
    uint64_t begun_ns; /* CLOCK_MONOTONIC */
    uint64_t wall_ns, peak_live, baseline_rss, peak_rss, end_rss, minor_faults, major_faults, user_us, system_us;
    uint64_t failed; /* allocations that returned NULL */
    uint64_t ops;
    char served_by[256]; /* the file that malloc comes from */
};

#endif
