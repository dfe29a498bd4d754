/* record_lane.c : the events that are more than one word at the place where the lane stands.
 * Owns       the stamps: when a lane reads the clock
 * Threads    any; each writes to its own lane */
#include "record.h"

enum { LONG = 16 }; /* so many times wire_sparse() is long for words without a stamp between them */

/* Puts a stamp before the next word, and decides how many words may follow it: few where they are far apart. */
static void lane_stamp(struct lane *l, uint64_t now) {
    uint64_t dt = now > l->last ? now - l->last : 0, words = (uint64_t)(l->next - l->start), sparse = wire_sparse();
    if (dt > sparse * (words < LONG ? words : LONG))
        l->near = l->near > 1 ? l->near / 2 : 1;
    else if (dt < sparse * LONG / 2 && l->near < WIRE_NEAR_MOST)
        l->near *= 2;
    record_append(l, dt << 4 | WIRE_TIME);
    l->last += dt;
    l->start = l->next;
    _Atomic uint64_t *limit = l->end - l->next > (ptrdiff_t)l->near ? l->next + l->near : l->end;
    atomic_store_explicit(l->limit, (uint64_t)(uintptr_t)limit, memory_order_relaxed);
}

static uint64_t stamp_now(void) {
    uint64_t now = wire_stamp();
    wire_fence(); /* the next look at a region must not come before: see the invariant of record_region.c */
    return now;
}

static void lane_wide(struct lane *l, enum wire_op op, uint64_t addr, uint64_t size, unsigned align_log2) {
    atomic_store_explicit(l->next + 1, addr, memory_order_relaxed);
    atomic_store_explicit(l->next + 2, ~size, memory_order_relaxed); /* record_put_free must not take it for a birth */
    record_append(l, (uint64_t)align_log2 << 8 | (uint64_t)op << 4 | WIRE_WIDE);
    l->next += WIRE_WIDE_WORDS - 1;
}

/* What the table of large blocks has to do with the event; returns what is to be recorded as its size. */
static uint64_t event_size(enum wire_op op, uintptr_t addr, size_t size) {
    if (op == WIRE_FREE || op == WIRE_REALLOC_OLD)
        return atomic_load_explicit(record_region(addr), memory_order_relaxed) & REGION_LARGES
                   ? record_large_remove(addr)
                   : 0;
    if (size >= WIRE_LARGE_BYTES && addr && op != WIRE_PAGES)
        record_large_add(addr, size);
    return size;
}

static int op_of_block(enum wire_op op) {
    return op == WIRE_MALLOC || op == WIRE_CALLOC || op == WIRE_ALIGNED || op == WIRE_FREE || op == WIRE_REALLOC_OLD ||
           op == WIRE_REALLOC_NEW;
}

uint32_t record_put_any(struct lane *l, enum wire_op op, uintptr_t addr, size_t size, unsigned align_log2) {
    if (!record_lane_room(l))
        return 0;
    size = event_size(op, addr, size);
    int block = op_of_block(op), dies = op == WIRE_FREE || op == WIRE_REALLOC_OLD;
    int wide = align_log2 || size >= WIRE_SIZE_END || (dies && size) || addr & 7 || addr >> 48;
    uint64_t now = block ? record_region_claim(l, addr) : 0;
    if (now == 0 &&
        (wide || !block || (uint64_t)(uintptr_t)l->next >= atomic_load_explicit(l->limit, memory_order_relaxed)))
        now = stamp_now();
    if (now)
        lane_stamp(l, now);
    if (wide)
        lane_wide(l, op, addr, size, align_log2);
    else
        record_append(l, wire_word(op, addr, size));
    return dies ? (uint32_t)size : 0;
}

int record_freed_last(const struct lane *l, uintptr_t addr) {
    if (!l->next || l->generation != record_live->generation || l->next == l->start)
        return 0;
    uint64_t word = atomic_load_explicit(l->next - 1, memory_order_relaxed), op = word & 15;
    if ((op == WIRE_FREE || op == WIRE_BRIEF) && wire_addr(word) == addr)
        return 1;
    return l->next - l->start >= WIRE_WIDE_WORDS &&
           atomic_load_explicit(l->next - WIRE_WIDE_WORDS, memory_order_relaxed) == (WIRE_FREE << 4 | WIRE_WIDE) &&
           atomic_load_explicit(l->next - WIRE_WIDE_WORDS + 1, memory_order_relaxed) == addr;
}
