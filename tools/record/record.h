/* record.h : the parts of the recorder library. Nothing here allocates; all memory comes from mmap. */
#ifndef RECORD_H
#define RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "record_wire.h"

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

/* A thread's place to write. `live` mirrors record_live->generation; a fork clears that page in the child and so the two differ. */
struct lane {
    struct wire_event *next, *end;
    uint64_t last;       /* stamp of the last event */
    uint32_t generation; /* of the process image that next points into */
    uint32_t thread, seq;
    int inside; /* a hook is running: calls from below pass through */
    uint32_t slot;
    int exits; /* rounds of thread-exit destructors seen */
};

/* One page that the kernel clears in a forked child: the child notices at its first event, however it was forked. */
struct record_live {
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

/* record_large.c : live blocks of WIRE_LARGE_BYTES and more. */
enum { LARGE_FILTER = 16384 };
extern uint8_t record_filter[LARGE_FILTER];
void record_large_add(uintptr_t addr, size_t size);
/* Forgets the block; pages touched + 1, or 0 if it is not in the table. */
uint32_t record_large_remove(uintptr_t addr);
void record_large_reset(struct wire_large *table);
void record_large_snapshot(struct lane *l);

/* record_hooks.c */
void record_put_wide(struct lane *l, uint64_t head, uint64_t size, uint64_t now);

#pragma GCC visibility pop

static inline unsigned record_hash(uintptr_t addr) {
    return (unsigned)(((uint64_t)addr >> 4) * 0x9e3779b97f4a7c15ull >> 50); /* 14 bits */
}

static inline uint64_t record_word(enum wire_op op, uintptr_t addr, unsigned align_log2) {
    return (uint64_t)addr << 16 | (uint64_t)align_log2 << 4 | (uint64_t)op;
}

static inline void record_store(struct lane *l, uint64_t head, uint64_t tail) {
    l->next->tail = tail;
    atomic_store_explicit(&l->next->head, head, memory_order_release); /* rel: pairs with the parent's read of a slot */
    l->next++;
}

/* Appends an event stamped `now`. */
static inline void record_put(struct lane *l, uint64_t head, uint64_t size, uint64_t now) {
    uint64_t dt = now - l->last;
    if (UNLIKELY(l->next + 1 >= l->end || l->generation != record_live->generation || (size | dt) >> 32)) {
        record_put_wide(l, head, size, now);
        return;
    }
    l->last = now;
    record_store(l, head, dt << 32 | size);
}

#endif
