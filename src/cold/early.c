/* cold/early.c : what a program allocates first. Many end before that are 64 KiB in all. They get them from one small mapping, packed as they
 * come: no arena with its page tables and side arrays, no heap, and not a page for each size.                           L2
 *   header | block | header | block | ...        used ->
 * A block that is freed is not used again, but for the last one. Whoever has allocated enough starts in earnest (init.c), keeps these blocks,
 * and pays a way through the cold path for each that it frees.
 * Owns       the mapping          Never touches  anything else          Threads  any, lock-free, async-signal-safe
 * Gate       early          Decision  docs/decisions/035          Test  unit/early, stress/early, misuse/ */
#include "cold/early.h"
#include "base/atomic.h"
#include "base/bits.h"
#include "base/print.h"
#include "cold/meta.h"
#include "gates/gates.h"
#include <stdint.h>

enum { IN_USE = 0x5a17e000, FREED = 0x0dead000 }; /* that a block's own bytes look like it is unlikely */

struct header {
    uint32_t size;  /* const while in use: usable bytes of the block */
    uint32_t state; /* atomic: IN_USE or FREED */
};

enum { CALLS = 1024, MAPPING = CALLS / 8, ALIGN = 16, HEADER = sizeof(struct header), FIRST = ALIGN - HEADER };

static char *pool;     /* meta_map_once() */
static uint64_t state; /* atomic: calls << 32 | bytes used: every call makes it another one */

static size_t usable_of(size_t n) { return hak_align_up(n + HEADER, ALIGN) - HEADER; }
static uint64_t used_of(uint64_t s) { return s & UINT32_MAX; }
static size_t room_of(void) { return (size_t)hak_gates.early; }

/* The new state with `more` calls; 0: enough. */
static uint64_t counted(uint64_t s, unsigned more, uint64_t used) {
    uint64_t calls = (s >> 32) + more;
    return calls <= CALLS && used <= room_of() ? calls << 32 | used : 0;
}

static struct header *write_header(char *at, char *to, uint32_t in_use) {
    struct header *h = (struct header *)at;
    h->size = (uint32_t)(to - at) - HEADER;
    hak_store_rel(&h->state, in_use); /* rel: pairs with early_stats_get() */
    return h;
}

/* A gap before an aligned block is one that was freed. */
void *early_alloc(size_t n, size_t align) {
    size_t room = room_of();
    char *start = n < room && align < room ? meta_map_once(&pool, room) : 0;
    if (!start) {
        return 0;
    }
    uint64_t old = hak_load_rlx(&state), from, at, end, now;
    do {
        from = old ? used_of(old) : FIRST;
        at = hak_align_up((uintptr_t)start + from + HEADER, hak_max(align, ALIGN)) - (uintptr_t)start - HEADER;
        end = at + HEADER + usable_of(n);
        if ((now = counted(old, 1, end)) == 0) {
            return 0;
        }
    } while (!hak_cas_ar(&state, &old, now)); /* ar: pairs with move_end() */
    if (at > from) {
        write_header(start + from, start + at, FREED);
    }
    return write_header(start + at, start + end, IN_USE) + 1;
}

bool early_count(void) {
    uint64_t old = hak_load_rlx(&state), now;
    do {
        if ((now = counted(old, MAPPING, old ? used_of(old) : FIRST)) == 0) {
            return false;
        }
    } while (!hak_cas_ar(&state, &old, now)); /* ar: as in early_alloc() */
    return true;
}

bool early_holds(const void *p) {
    const char *start = hak_load_rlx(&pool);
    return start && (uintptr_t)p - (uintptr_t)start < room_of();
}

static struct header *in_use(const void *p, const char *function) {
    struct header *h = (struct header *)(uintptr_t)p - 1;
    uint32_t now = (uintptr_t)p % ALIGN == 0 && p != pool ? hak_load_rlx(&h->state) : 0;
    if (HAK_UNLIKELY(now != IN_USE)) {
        hak_die(now == FREED ? "hakmem: %s(): double free or corruption %p" : "hakmem: %s(): invalid pointer %p",
                function, p);
    }
    return h;
}

size_t early_size(const void *p, const char *function) { return in_use(p, function)->size; }

/* Moves the end of what is used from `from` to `to`, if it is there. */
static bool move_end(const char *from, const char *to) {
    uint64_t old = hak_load_rlx(&state);
    return used_of(old) == (uint64_t)(from - pool) &&
           hak_cas_ar(&state, &old, ((old >> 32) + 1) << 32 | (uint64_t)(to - pool)); /* ar: pairs with early_alloc() */
}

void early_free(void *p) {
    struct header *h = in_use(p, "free");
    uint32_t now = IN_USE;
    if (HAK_UNLIKELY(!hak_cas_ar(&h->state, &now, FREED))) { /* ar: the block's last use comes before its next */
        hak_die("hakmem: free(): double free or corruption %p", p);
    }
    move_end((char *)p + h->size, (char *)h);
}

bool early_resize(void *p, size_t n, const char *function) {
    struct header *h = in_use(p, function);
    if (n <= h->size) {
        return true;
    }
    size_t size = usable_of(n), left = room_of() - (size_t)((char *)p - pool);
    if (n > left || size > left || !move_end((char *)p + h->size, (char *)p + size)) {
        return false;
    }
    h->size = (uint32_t)size;
    return true;
}

void early_stats_get(struct early_stats *out) {
    const char *start = hak_load_acq(&pool);      /* acq: pairs with meta_map_once() */
    uint64_t end = used_of(hak_load_acq(&state)); /* acq: pairs with early_alloc() */
    *out = (struct early_stats){.room = start ? room_of() : 0, .used = start ? end : 0};
    for (uint64_t at = FIRST; start && at < end;) {
        const struct header *h = (const struct header *)(start + at);
        uint32_t now = hak_load_acq(&h->state); /* acq: pairs with early_alloc() */
        if (now != IN_USE && now != FREED) {
            return; /* another thread is about to write it */
        }
        out->live += now == IN_USE ? h->size : 0;
        at += sizeof *h + h->size;
    }
}
