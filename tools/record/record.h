/* record.h : the parts of the recorder library. Nothing here allocates; all memory comes from mmap. */
#ifndef RECORD_H
#define RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "record_wire.h"

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

enum {
    RECORD_REGIONS = 16384, /* entries, a power of two, of which each region of this many bytes of addresses has one: */
    RECORD_REGION_SHIFT = 12,
};

/* A thread's place to write. It fills words while next < *limit; whatever else there is to do happens when that is over. */
struct lane {
    _Atomic uint64_t *next,
        *limit;              /* limit: that of the slot, which the parent may set to 0; of no slot: a constant 0 */
    uint32_t tag;            /* regions whose last event was of this lane; of no slot: what no region has */
    int inside;              /* a hook is running: calls from below pass through */
    _Atomic uint64_t *end;   /* room for one event of any kind is left here */
    _Atomic uint64_t *start; /* the first word after the last stamp */
    uint64_t last;           /* stamp */
    uint32_t near;           /* words that may follow a stamp */
    uint32_t generation;     /* of the process image that next points into */
    uint32_t thread, tid, seq, slot;
    int exits; /* rounds of thread-exit destructors seen */
};

/* Pages that the kernel clears in a forked child, however it was forked: no region is anybody's there, and so the child's first event
 * takes the slow path, which sees that the generation is not the lane's. */
struct record_live {
    _Atomic uint32_t region[RECORD_REGIONS]; /* record_region.c */
    uint32_t generation;
};
extern struct record_live *record_live __attribute__((visibility("hidden")));
extern __thread struct lane record_lane __attribute__((tls_model("initial-exec"), visibility("hidden")));

#pragma GCC visibility push(hidden)

/* record_file.c : the process file. */
void record_file_start(void);
int record_on(void);
/* Makes pages of the file exist; 0 if there is no room for them. */
int record_populate(void *at, size_t size);
/* Makes room for one event in the lane: a new slot, and a new file after a fork. 0 if there is none: the event is lost. */
int record_lane_room(struct lane *l);
void record_lane_close(struct lane *l);
struct wire_head *record_head(void);
/* Each thread's next event gets a stamp of its own. */
void record_stamp_all(void);
/* The stamp of the fork that is under way, for the child; 0: of none. */
extern uint64_t record_fork_stamp;

/* record_region.c : whose event was the last one in a region. */
enum { REGION_NOBODY = 0, REGION_BUSY = 0xffffff, REGION_NO_TAG = 0xfffffe, REGION_LARGES = 255 };
/* Makes the region of addr the lane's. A stamp, after those of all events before in that region; 0: it was the lane's already. */
uint64_t record_region_claim(const struct lane *l, uintptr_t addr);
/* Counts a large block that begins in the region (by 1, or less by -1). */
void record_region_larges(uintptr_t addr, int by);
/* All regions are nobody's: what comes after has stamps from now on. */
void record_regions_forget(void);

/* record_large.c : live blocks of WIRE_LARGE_BYTES and more. */
void record_large_add(uintptr_t addr, size_t size);
/* Forgets the block; pages touched + 1, or 0 if it is not in the table. */
uint32_t record_large_remove(uintptr_t addr);
void record_large_reset(struct wire_large *table);
void record_large_snapshot(struct lane *l);

/* record_lane.c : appends an event of any kind. Returns, for a death, the pages touched + 1; 0: not counted. */
uint32_t record_put_any(struct lane *l, enum wire_op op, uintptr_t addr, size_t size, unsigned align_log2);
/* Is the free of this block the lane's last event? */
int record_freed_last(const struct lane *l, uintptr_t addr);

/* record_hooks.c : a thread has its first lane. */
void record_thread_begins(struct lane *l);

#pragma GCC visibility pop

static inline _Atomic uint32_t *record_region(uintptr_t addr) {
    return &record_live->region[addr >> RECORD_REGION_SHIFT & (RECORD_REGIONS - 1)];
}

/* May the lane just append a word that names this address? (A region with large blocks in it, too, has another value than the tag.) */
static inline int record_plain(const struct lane *l, uintptr_t addr) {
    return LIKELY(atomic_load_explicit(record_region(addr), memory_order_relaxed) == l->tag) &&
           LIKELY((addr & 7) == 0) &&
           LIKELY((uint64_t)(uintptr_t)l->next < atomic_load_explicit(l->limit, memory_order_relaxed));
}

static inline void record_append(struct lane *l, uint64_t word) {
    atomic_store_explicit(l->next, word, memory_order_release); /* rel: pairs with the parent's read of a slot */
    l->next++;
}

/* A block of size bytes was given out: 1 if a word was enough, 0 if record_put_any has to tell it. */
static inline int record_put_birth(struct lane *l, enum wire_op op, uintptr_t addr, size_t size) {
    if (UNLIKELY(size >= WIRE_SIZE_END) || !record_plain(l, addr))
        return 0;
    record_append(l, wire_word(op, addr, size));
    return 1;
}

/* The block is about to be freed; as record_put_birth. If its birth is the lane's last word, that one word tells of both. */
static inline int record_put_free(struct lane *l, uintptr_t addr) {
    if (!record_plain(l, addr))
        return 0;
    uint64_t last = atomic_load_explicit(l->next - 1, memory_order_relaxed),
             apart = last ^ wire_word(WIRE_MALLOC, addr, 0);
    if ((apart >> 4 | apart << 60) < WIRE_SIZE_END)
        atomic_store_explicit(l->next - 1, last + (WIRE_BRIEF - WIRE_MALLOC), memory_order_relaxed);
    else
        record_append(l, wire_word(WIRE_FREE, addr, 0));
    return 1;
}

#endif
