/* cold/huge.c : a registry of mappings, an open-addressed table by address; the last one freed is kept for the next.    L2
 * Owns       the table, the cached mapping          Threads  any, one lock; maps and unmaps without it
 * Spare      a block that grows by realloc gets all of the cached mapping, and grows into what it does not need yet without a system call or a page
 *            fault; what it did not grow into for the decay time goes. One block at a time
 * Room       such a block is put where the address space above it is free, so that the kernel can grow it where it is
 * Invariant  each live huge block is in the table once          Decision  docs/decisions/011          Test  unit/huge, conformance/aligned */
#include "cold/huge.h"
#include "base/bits.h"
#include "base/lock.h"
#include "cold/purge.h"
#include "cold/thp.h"
#include "gates/build.h"
#include "os/os.h"
#include <errno.h>
#include <string.h>

struct record {
    uintptr_t at; /* the block; 0: never used, 1: removed */
    size_t size;  /* of the block; the spare pages and the mapping's end follow */
    size_t lead;  /* bytes of the mapping before the block */
    uint32_t heap, spare;
};
enum { REMOVED = 1, ROOM_TIMES = 7 };

static hak_lock lock = HAK_LOCK_INIT(HAK_RANK_HUGE);
static struct record *table;          /* lock: huge */
static size_t slots, filled;          /* lock: huge   filled counts removed ones too */
static size_t live_bytes, live_count; /* lock: huge */
static size_t out;                    /* lock: huge   records taken out by a resize, for which there will be room */
static struct {                       /* lock: huge */
    char *at;
    size_t size;
    uint32_t epoch;
} cached;
static struct { /* lock: huge   the block that has spare pages, 0 for none */
    uintptr_t at;
    size_t size;    /* of the spare pages */
    uint32_t epoch; /* when it last grew */
} spared;
static const size_t cache_max = (size_t)256 << 20;
static const size_t room_min = (size_t)64 << 20, room_max = (size_t)4 << 30;

void huge_lock(void) { hak_lock_take(&lock); }
void huge_unlock(void) { hak_lock_drop(&lock); }
void huge_child(void) { hak_lock_reset(&lock); }

static size_t hash_of(uintptr_t at) { return (size_t)((at >> 12) * UINT64_C(0x9e3779b97f4a7c15) >> 20); }

static struct record *find_locked(uintptr_t at) {
    if (!slots) {
        return 0;
    }
    for (size_t i = hash_of(at) & (slots - 1);; i = (i + 1) & (slots - 1)) {
        if (table[i].at == at) {
            return &table[i];
        }
        if (table[i].at == 0) {
            return 0;
        }
    }
}

static void insert_locked(struct record r) {
    size_t i = hash_of(r.at) & (slots - 1);
    while (table[i].at > REMOVED) {
        i = (i + 1) & (slots - 1);
    }
    filled += table[i].at == 0;
    table[i] = r;
}

/* Lock held on entry and return, given up to map a larger table. False when there is no memory for it. */
static bool room_locked(void) {
    while ((filled + out + 1) * 4 > slots * 3) {
        size_t n = hak_max(hak_align_up((live_count + out) * 4, 128), 128), had = slots;
        while (!hak_is_pow2(n)) {
            n += n & (0 - n);
        }
        void *fresh;
        size_t len = hak_align_up(n * sizeof *table, os_page_size());
        hak_lock_drop(&lock);
        int err = os_map(len, &fresh);
        hak_lock_take(&lock);
        if (err) {
            return false;
        }
        struct record *old = table;
        size_t old_slots = slots;
        bool use = old_slots == had && n > (live_count + out + 1) * 4 / 3;
        if (use) {
            table = fresh;
            slots = n;
            filled = 0;
            for (size_t i = 0; i < old_slots; i++) {
                if (old[i].at > REMOVED) {
                    insert_locked(old[i]);
                }
            }
        }
        hak_lock_drop(&lock);
        if (!use) {
            os_unmap(fresh, len);
        } else if (old) {
            os_unmap(old, hak_align_up(old_slots * sizeof *old, os_page_size()));
        }
        hak_lock_take(&lock);
    }
    return true;
}

static void enroll_locked(struct record r) {
    insert_locked(r);
    live_bytes += r.size;
    live_count++;
}

static void spare_note_locked(uintptr_t at, size_t size) {
    spared.at = at;
    hak_store_rlx(&spared.size, size);
    spared.epoch = purge_epoch();
}

static void spare_forget_locked(uintptr_t at) {
    if (spared.at == at) {
        spared.at = 0;
        hak_store_rlx(&spared.size, 0);
    }
}

static bool enroll(struct record r) {
    hak_lock_take(&lock);
    bool ok = room_locked();
    if (ok) {
        enroll_locked(r);
    } else {
        spare_forget_locked(r.at);
    }
    hak_lock_drop(&lock);
    return ok;
}

static bool strike_locked(const void *p, struct record *was) {
    struct record *r = find_locked((uintptr_t)p);
    bool found = r != 0 && (uintptr_t)p > REMOVED;
    if (found) {
        *was = *r;
        r->at = REMOVED;
        live_bytes -= r->size;
        live_count--;
        spare_forget_locked((uintptr_t)p);
    }
    return found;
}

static bool strike(const void *p, struct record *was) {
    hak_lock_take(&lock);
    bool found = strike_locked(p, was);
    hak_lock_drop(&lock);
    return found;
}

/* strike() and enroll() with the system call between them: what the one took out has its room in the table. */
static bool lend(const void *p, struct record *was) {
    hak_lock_take(&lock);
    bool found = find_locked((uintptr_t)p) && room_locked() && strike_locked(p, was);
    out += found;
    hak_lock_drop(&lock);
    return found;
}

static void restore(struct record r) {
    hak_lock_take(&lock);
    out--;
    enroll_locked(r);
    if (r.spare && !spared.at) {
        spare_note_locked(r.at, r.spare * os_page_size());
    }
    hak_lock_drop(&lock);
}

/* The cached mapping if it fits well, or all of it for a block that grows. */
static char *take_cached(struct record *r, bool grows) {
    char *at = 0;
    hak_lock_take(&lock);
    size_t more = cached.at && cached.size >= r->size ? cached.size - r->size : SIZE_MAX;
    bool fits = more <= r->size / 8;
    if (fits || (grows && more != SIZE_MAX && !spared.at)) {
        at = cached.at;
        if (fits) {
            r->size = cached.size;
        } else {
            r->spare = (uint32_t)(more / os_page_size());
            spare_note_locked((uintptr_t)at, more);
        }
        hak_store_rlx(&cached.at, 0);
    }
    hak_lock_drop(&lock);
    return at;
}

static size_t with_spare(const struct record *r) { return r->size + r->spare * os_page_size(); }

/* Moves the mapping, before anybody touches what is new in it, to where the address space above it is free, so that the kernel can grow it where it is:
 * pages that move are faulted in again where the kernel itself runs under another one. The space above is anybody's, but the kernel hands it out from
 * its far end. Returns where the mapping is. */
static void *place_roomy(void *p, size_t size) {
    size_t room = hak_max(hak_min(size, room_max) * ROOM_TIMES, room_min);
    void *to, *q;
    if (os_reserve(0, size + room, &to)) {
        return p;
    }
    os_unmap((char *)to + size, room);
    return os_remap(p, size, size, to, &q) == 0 ? q : p;
}

/* A mapping with the block aligned inside; what lies before the block stays mapped but untouched. */
static char *map_aligned(size_t *size, size_t align, size_t *lead) {
    void *at;
    size_t extra = align > os_page_size() ? align : 0;
    if (*size + extra < extra || os_map(*size + extra, &at)) {
        return 0;
    }
    char *block = (char *)hak_align_up((uintptr_t)at, align);
    *lead = (size_t)(block - (char *)at);
    if (extra > *lead) {
        os_unmap(block + *size, extra - *lead);
    }
    if (*lead && os_unmap(at, *lead) == 0) {
        *lead = 0;
    }
    return block;
}

static void *alloc(struct record r, size_t align, enum thp_filling filling, bool *zeroed) {
    bool grows = filling == THP_GROWING;
    char *p = align == os_page_size() ? take_cached(&r, grows) : 0;
    *zeroed = !p;
    if (!p) {
        p = map_aligned(&r.size, align, &r.lead);
        if (p && grows) {
            p = place_roomy(p, r.size);
        }
        if (p && r.size > HAK_HUGE_MIN) {
            thp_mapping(p, r.size, filling);
        }
    }
    r.at = (uintptr_t)p;
    if (p && !enroll(r)) {
        os_unmap(p - r.lead, r.lead + with_spare(&r));
        p = 0;
    }
    return p;
}

void *huge_alloc(size_t n, size_t align, uint32_t heap, bool *zeroed) {
    size_t page = os_page_size(), size = hak_align_up(n ? n : 1, page);
    enum thp_filling filling = *zeroed ? THP_ANYWHERE : THP_FROM_THE_START;
    return size < n ? 0 : alloc((struct record){.size = size, .heap = heap}, hak_max(align, page), filling, zeroed);
}

void *huge_alloc_growing(size_t n) {
    bool zeroed;
    size_t page = os_page_size(), size = hak_align_up(n, page);
    return size < n ? 0 : alloc((struct record){.size = size}, page, THP_GROWING, &zeroed);
}

size_t huge_size(const void *p) {
    hak_lock_take(&lock);
    struct record *r = find_locked((uintptr_t)p);
    size_t n = r && (uintptr_t)p > REMOVED ? r->size : 0;
    hak_lock_drop(&lock);
    return n;
}

/* Keeps the mapping for the next request; returns what is to be unmapped instead. */
static char *keep(char *at, size_t *size) {
    hak_lock_take(&lock);
    char *old = cached.at;
    size_t old_size = cached.size;
    hak_store_rlx(&cached.at, at);
    hak_store_rlx(&cached.size, *size);
    cached.epoch = purge_epoch();
    hak_lock_drop(&lock);
    *size = old_size;
    return old;
}

static bool give_up(void *p, bool to_keep) {
    struct record r;
    if (!strike(p, &r)) {
        return false;
    }
    char *at = p;
    thp_large_freed(p, r.size);
    size_t size = with_spare(&r);
    if (to_keep && r.lead == 0 && size >= HAK_MOVABLE_MIN && size <= cache_max) {
        at = keep(at, &size);
    }
    if (at) {
        os_unmap(at - r.lead, r.lead + size); /* a kernel out of mappings may refuse: then the memory stays, unused */
    }
    return true;
}

bool huge_free(void *p) { return give_up(p, true); }
bool huge_unmap(void *p) { return give_up(p, false); }

/* Into its spare pages, or not at all. */
static bool grow_in_place(const void *p, size_t size) {
    hak_lock_take(&lock);
    struct record *r = find_locked((uintptr_t)p);
    bool fits = r && (uintptr_t)p > REMOVED && size >= r->size && size <= with_spare(r);
    if (fits && size > r->size) {
        size_t more = size - r->size;
        r->spare -= (uint32_t)(more / os_page_size());
        r->size = size;
        live_bytes += more;
        if (spared.at == (uintptr_t)p) {
            spare_note_locked(spared.at, spared.size - more);
        }
    }
    hak_lock_drop(&lock);
    return fits;
}

/* NULL: unchanged. */
static void *remap(void *p, size_t had, size_t size) {
    void *q;
    int err = os_remap(p, had, size, 0, &q);
    if (err == -EFAULT) { /* to the kernel a mapping with huge pages in a part of it is two, which it does not move */
        os_huge(p, had, true);
        err = os_remap(p, had, size, 0, &q);
    }
    if (err) {
        return 0;
    }
    if (had <= HAK_HUGE_MIN && size > HAK_HUGE_MIN) {
        thp_mapping(q, size, THP_GROWING);
    }
    return q == p ? p : place_roomy(q, size);
}

void *huge_resize(void *p, size_t n) {
    struct record r;
    size_t size = hak_align_up(n, os_page_size());
    if (size < n) {
        return 0;
    }
    if (grow_in_place(p, size)) {
        return p;
    }
    if (!lend(p, &r)) {
        return 0;
    }
    void *q = r.lead ? 0 : remap(p, with_spare(&r), size);
    if (q) {
        r.at = (uintptr_t)q;
        r.size = size;
        r.spare = 0;
    }
    restore(r);
    return q;
}

/* One of the heap's blocks, from slot *at on; NULL at the table's end. */
static void *next_of_heap(uint32_t heap, size_t *at) {
    void *p = 0;
    hak_lock_take(&lock);
    for (; *at < slots && !p; ++*at) {
        if (table[*at].at > REMOVED && table[*at].heap == heap) {
            p = (void *)table[*at].at;
        }
    }
    hak_lock_drop(&lock);
    return p;
}

void huge_free_heap(uint32_t heap) {
    for (bool found = true; found;) { /* again, as the table may have been made anew meanwhile */
        found = false;
        size_t at = 0;
        for (void *p; (p = next_of_heap(heap, &at)) != 0; found = true) {
            huge_free(p);
        }
    }
}

static bool old_enough(uint32_t since, uint32_t epoch) { return epoch == UINT32_MAX || (int32_t)(since - epoch) <= 0; }

/* Takes the spare pages from the block that has some; 0: none. */
static char *take_spare_locked(uint32_t epoch, size_t *size) {
    struct record *r = spared.at && old_enough(spared.epoch, epoch) ? find_locked(spared.at) : 0;
    if (!r || !r->spare) {
        return 0;
    }
    *size = r->spare * os_page_size();
    r->spare = 0;
    spare_forget_locked(r->at);
    return (char *)r->at + r->size;
}

size_t huge_purge(uint32_t epoch) {
    char *at = 0;
    size_t size = 0, spare_size = 0;
    hak_lock_take(&lock);
    if (cached.at && old_enough(cached.epoch, epoch)) {
        at = cached.at;
        size = cached.size;
        hak_store_rlx(&cached.at, 0);
    }
    char *spare = take_spare_locked(epoch, &spare_size);
    hak_lock_drop(&lock);
    if (at) {
        os_unmap(at, size);
    }
    if (spare) {
        os_unmap(spare, spare_size);
    }
    return size + spare_size;
}

size_t huge_cached_units(void) {
    return ((hak_load_rlx(&cached.at) ? hak_load_rlx(&cached.size) : 0) + hak_load_rlx(&spared.size)) >> HAK_UNIT_SHIFT;
}

void huge_stats(size_t *live, size_t *count, size_t *kept) {
    hak_lock_take(&lock);
    *live = live_bytes;
    *count = live_count;
    *kept = (cached.at ? cached.size : 0) + spared.size;
    hak_lock_drop(&lock);
}
