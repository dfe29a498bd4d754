/* cold/learn.c : one exact size often fills a class and wastes a part of each of its blocks (4368 of 4608 B in sqlite). A spare class of that
 * size takes over the class's table entries up to it.                                                                  L2
 * Owns       hak_class[] from HAK_CLASSES_FIXED on, hak_class_parent[]; changes hak_class_of[], the caller's bin[]
 * Threads    any: a class is learned from once, by whoever wins its flag
 * How        the size that makes a heap take a new slab is a fair sample of what the class grows by. One candidate a class (Boyer and Moore's
 *            majority vote, 1981); when it is ahead by LEARN_BYTES of slabs and a block of its own class would take LEARN_GAIN less, it gets one.
 * Invariant  a unit's class never changes: slabs and magazines of the old class stay as they are. A row is complete before a table entry names
 *            it; a reader reaches the row through the entry, so his loads are ordered by their addresses. A class once named is for ever
 * Gate       HAKMEM_LEARN          Decision  docs/decisions/014          Test  unit/learn */
#include "cold/learn.h"
#include "base/atomic.h"
#include "base/bits.h"
#include "gates/gates.h"
#include "layout/size_class.h"

enum { LEARN_BYTES = 1 << 20, LEARN_GAIN = 25 /* a 25th: 4 % */, SPARES = HAK_CLASSES - HAK_CLASSES_FIXED };
enum {
    ONE_UNIT_MAX = 16384,
    UNITS_MAX = 8
}; /* one-unit slabs of larger blocks: slab.c's test of interior pointers needs a long reciprocal */

static struct {
    uint32_t size;    /* atomic: the candidate */
    uint32_t bytes;   /* atomic: by how much it is ahead */
    uint32_t decided; /* atomic: 1 when the class was learned from, or no spare was left */
} vote[HAK_CLASSES_FIXED];
static uint32_t spares; /* atomic: used up so far */

static size_t slab_bytes(unsigned units) { return units * HAK_UNIT; }

/* The fewest units whose tail wastes under a 32nd. */
static unsigned units_for(size_t size) {
    unsigned units = size <= ONE_UNIT_MAX ? 1 : 2;
    while (units < UNITS_MAX && (slab_bytes(units) < size || slab_bytes(units) % size * 32 > slab_bytes(units))) {
        units *= 2;
    }
    return units;
}

struct size_class learn_row(size_t size) {
    unsigned units = units_for(size);
    size_t nobj = slab_bytes(units) / size;
    return (struct size_class){
        .size = (uint32_t)size,
        .recip = (uint32_t)(((UINT64_C(1) << 32) + size - 1) / size),
        .nobj = (uint16_t)nobj,
        .units = (uint8_t)units,
        .cap = (uint8_t)hak_min(hak_max(HAK_MEDIUM_MAX / size, 2), 126),
        .batch = (uint16_t)hak_min(hak_max(8192 / size, 1), 126),
        .least = (uint16_t)hak_min(hak_max(nobj / 8, 1), 8),
    };
}

/* Bytes of slab that a block costs. */
static size_t cost(const struct size_class *k) { return slab_bytes(k->units) / k->nobj; }

static void name_class(struct thread_cache *t, size_t size, unsigned cls, unsigned spare) {
    for (size_t i = size / 16; i > 0 && hak_load_rlx(&hak_class_of[i]) == cls; i--) {
        hak_store_rel(&hak_class_of[i], (uint8_t)spare); /* rel: pairs with the address that a reader takes from it */
    }
    learn_inherit(t);
}

/* Nobody knows the class yet: name_class() makes it known, and who learns of it there reads the row at an address made of what was read. That
 * order holds on every machine, but no sanitizer sees it. */
HAK_RACY static void fill_row(uint32_t n, struct size_class row, unsigned parent) {
    hak_class[HAK_CLASSES_FIXED + n] = row;
    hak_class_parent[n] = (uint8_t)parent;
}

static void learn(struct thread_cache *t, size_t size, unsigned cls) {
    struct size_class row = learn_row(size);
    size_t old = cost(&hak_class[cls]);
    uint32_t no = 0;
    if (cost(&row) + old / LEARN_GAIN > old || !hak_cas_ar(&vote[cls].decided, &no, 1)) {
        return; /* ar: one thread wins */
    }
    uint32_t n = hak_add_rlx(&spares, 1);
    if (n >= SPARES) {
        hak_store_rlx(&spares, SPARES);
        return;
    }
    fill_row(n, row, cls);
    name_class(t, size, cls, HAK_CLASSES_FIXED + n);
}

void learn_see(struct thread_cache *t, size_t n, unsigned cls) {
    size_t size = hak_align_up(hak_max(n, 1), 16);
    if (!hak_gates.learn || cls >= HAK_CLASSES_FIXED || hak_load_rlx(&vote[cls].decided)) {
        return;
    }
    uint32_t bytes = (uint32_t)slab_bytes(hak_class[cls].units), ahead = hak_load_rlx(&vote[cls].bytes);
    if (hak_load_rlx(&vote[cls].size) == size) {
        ahead += bytes;
    } else if (ahead < bytes) {
        hak_store_rlx(&vote[cls].size, (uint32_t)size);
        ahead = bytes;
    } else {
        ahead -= bytes;
    }
    hak_store_rlx(&vote[cls].bytes, ahead);
    if (ahead >= LEARN_BYTES) {
        hak_store_rlx(&vote[cls].bytes, 0);
        learn(t, size, cls);
    }
}

void learn_inherit(struct thread_cache *t) {
    for (size_t i = 0; hak_load_rlx(&spares) && i < sizeof t->bin; i++) {
        t->bin[i] = hak_load_rlx(&hak_class_of[i]);
    }
}
