/* record_large.c : live blocks whose touched pages are counted when they die.
 * Owns       the table in the process file, the filter that keeps small frees of a region with large blocks away from it
 * Threads    any, under one spinlock that is held for a few dozen instructions
 * Invariant  filter[h] == number of tabled blocks that hash to h, or 255 for ever */
#include "record.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { FILTER = 16384 };
static uint8_t filter[FILTER];
static struct wire_large *table;
static _Atomic uint32_t lock;
static uint64_t page = 4096;
static int populated;
static uint32_t used; /* entries that hold or held a block */

static unsigned large_hash(uintptr_t addr) {
    return (unsigned)(((uint64_t)addr >> 4) * 0x9e3779b97f4a7c15ull >> 50); /* 14 bits */
}

void record_large_reset(struct wire_large *t) {
    table = t;
    populated = 0;
    used = 0;
    memset(filter, 0, sizeof filter);
    atomic_store_explicit(&lock, 0, memory_order_relaxed);
    page = (uint64_t)sysconf(_SC_PAGESIZE);
}

static void table_lock(void) {
    while (atomic_exchange_explicit(&lock, 1, memory_order_acquire)) /* acq: pairs with table_unlock */
        sched_yield();
}

static void table_unlock(void) {
    atomic_store_explicit(&lock, 0, memory_order_release); /* rel: pairs with table_lock */
}

static struct wire_large *table_find(uintptr_t addr) {
    for (unsigned i = large_hash(addr), n = 0; n < WIRE_LARGE_MAX; i++, n++) {
        struct wire_large *e = &table[i % WIRE_LARGE_MAX];
        uint64_t at = atomic_load_explicit(&e->addr, memory_order_relaxed);
        if (at == addr)
            return e;
        if (at == 0)
            return NULL;
    }
    return NULL;
}

void record_large_add(uintptr_t addr, size_t size) {
    table_lock();
    struct wire_large *e = NULL;
    if (!used && !populated)
        populated = record_populate(table, WIRE_LARGE_MAX * sizeof *table);
    for (unsigned i = large_hash(addr), n = 0; n < WIRE_LARGE_MAX && populated && !e; i++, n++)
        if (atomic_load_explicit(&table[i % WIRE_LARGE_MAX].addr, memory_order_relaxed) <= 1)
            e = &table[i % WIRE_LARGE_MAX];
    int fresh = e && atomic_load_explicit(&e->addr, memory_order_relaxed) == 0;
    if (e && (!fresh || used < WIRE_LARGE_MAX * 3 / 4)) {
        used += (uint32_t)fresh;
        atomic_store_explicit(&record_head()->larges, used, memory_order_relaxed);
        e->size = size;
        atomic_store_explicit(&e->pages, 0, memory_order_relaxed);
        /* rel: pairs with the parent's sampling */
        atomic_store_explicit(&e->addr, addr, memory_order_release);
        uint8_t *f = &filter[large_hash(addr)];
        *f = (uint8_t)(*f + (*f != 255));
        record_region_larges(addr, 1);
    } else {
        atomic_fetch_add_explicit(&record_head()->untracked, 1, memory_order_relaxed);
    }
    table_unlock();
}

/* Pages, of 4 KiB, of [addr, addr + size) that are in memory, plus 1; 0 if the kernel does not say. */
static uint32_t pages_present(uintptr_t addr, size_t size) {
    unsigned char seen[4096];
    uintptr_t at = addr & ~(uintptr_t)(page - 1), end = (addr + size + page - 1) & ~(uintptr_t)(page - 1);
    uint64_t n = 0;
    while (at < end) {
        size_t span = end - at < sizeof seen * page ? end - at : sizeof seen * page;
        if (mincore((void *)at, span, seen) != 0)
            return 0;
        for (size_t i = 0; i < span / page; i++)
            n += seen[i] & 1;
        at += span;
    }
    n *= page / 4096;
    return (uint32_t)(n < UINT32_MAX - 1 ? n + 1 : UINT32_MAX);
}

uint32_t record_large_remove(uintptr_t addr) {
    int saved = errno;
    uint64_t size = 0;
    if (!filter[large_hash(addr)])
        return 0;
    table_lock();
    struct wire_large *e = populated ? table_find(addr) : NULL;
    if (e) {
        size = e->size;
        atomic_store_explicit(&e->addr, 1, memory_order_relaxed);
        uint8_t *f = &filter[large_hash(addr)];
        *f = (uint8_t)(*f - (*f != 255));
        record_region_larges(addr, -1);
        if (atomic_load_explicit(&table[(size_t)(e - table + 1) % WIRE_LARGE_MAX].addr, memory_order_relaxed) == 0) {
            atomic_store_explicit(&e->addr, 0, memory_order_relaxed); /* the end of its chain: no mark needed */
            used--;
        }
    }
    table_unlock();
    uint32_t pages = e ? pages_present(addr, size) : 0;
    errno = saved;
    return pages;
}

void record_large_snapshot(struct lane *l) {
    for (unsigned i = 0; i < WIRE_LARGE_MAX && used; i++) {
        if (atomic_load_explicit(&table[i].addr, memory_order_relaxed) <= 1)
            continue;
        table_lock();
        uint64_t addr = atomic_load_explicit(&table[i].addr, memory_order_relaxed), size = table[i].size;
        table_unlock();
        if (addr > 1)
            record_put_any(l, WIRE_PAGES, addr, pages_present(addr, size), 0);
    }
}
