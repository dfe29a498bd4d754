/* diag/sites.c : a fixed open-addressed table of call sites, twice as large as it is ever filled.                     L3
 * Owns       the table          Never touches  heaps, blocks
 * Threads    any, lock-free: a key is claimed by one CAS and never leaves
 * Invariant  keys <= SITES_MAX; what finds no place is counted under the site NULL
 * Test       unit/sites, conformance/ext_stats */
#include "diag/sites.h"
#include "base/atomic.h"
#include "base/bits.h"
#include "cold/meta.h"
#include <stdint.h>

enum { SLOTS = 2 * SITES_MAX };

struct slot {
    uintptr_t key;                                 /* atomic: the site, 0 for none yet */
    size_t allocs, alloc_bytes, frees, free_bytes; /* atomic */
};

static struct slot *table;   /* atomic: set once */
static uint32_t keys;        /* atomic: claimed, or about to be */
static struct slot overflow; /* the site NULL */

static struct slot *table_here(void) {
    struct slot *t = hak_load_acq(&table); /* acq: pairs with the exchange below */
    if (HAK_LIKELY(t != 0)) {
        return t;
    }
    struct slot *fresh = meta_alloc(SLOTS * sizeof *fresh, HAK_CACHE_LINE), *none = 0;
    if (fresh && hak_cas_ar(&table, &none, fresh)) { /* ar: pairs with the load above; a loser's table is lost */
        return fresh;
    }
    return fresh ? none : 0;
}

static bool key_reserve(void) {
    uint32_t n = hak_load_rlx(&keys);
    while (n < SITES_MAX) {
        if (hak_cas_ar(&keys, &n, n + 1)) { /* ar: nothing but the count is published */
            return true;
        }
    }
    return false;
}

static struct slot *slot_of(const void *site) {
    struct slot *t = site ? table_here() : 0;
    if (!t) {
        return &overflow;
    }
    uintptr_t key = (uintptr_t)site;
    size_t i = (size_t)((uint64_t)key * UINT64_C(0x9e3779b97f4a7c15) >> 40) % SLOTS;
    bool reserved = false;
    for (;; i = (i + 1) % SLOTS) {
        uintptr_t now = hak_load_rlx(&t[i].key);
        if (now == 0) {
            if (!reserved && !key_reserve()) {
                return &overflow;
            }
            reserved = true;
            if (hak_cas_ar(&t[i].key, &now, key)) { /* ar: the counters beside it start at zero anyway */
                return &t[i];
            }
        }
        if (now == key) {
            if (reserved) {
                hak_sub_rlx(&keys, 1); /* another thread claimed the same site first */
            }
            return &t[i];
        }
    }
}

void sites_count_alloc(const void *site, size_t n) {
    struct slot *s = slot_of(site);
    hak_add_rlx(&s->allocs, 1);
    hak_add_rlx(&s->alloc_bytes, n);
}

void sites_count_free(const void *site, size_t n) {
    struct slot *s = slot_of(site);
    hak_add_rlx(&s->frees, 1);
    hak_add_rlx(&s->free_bytes, n);
}

static void slot_read(const struct slot *s, struct hak_site *out) {
    *out = (struct hak_site){(const void *)hak_load_rlx(&s->key), hak_load_rlx(&s->allocs),
                             hak_load_rlx(&s->alloc_bytes), hak_load_rlx(&s->frees), hak_load_rlx(&s->free_bytes)};
}

bool sites_next(size_t *cursor, struct hak_site *out) {
    const struct slot *t = hak_load_acq(&table); /* acq: pairs with table_here() */
    for (; t && *cursor < SLOTS; ++*cursor) {
        if (hak_load_rlx(&t[*cursor].key) != 0) {
            slot_read(&t[(*cursor)++], out);
            return true;
        }
    }
    slot_read(&overflow, out);
    bool more = *cursor <= SLOTS && (out->allocs || out->frees);
    *cursor = SLOTS + 1;
    return more;
}

size_t sites_copy(struct hak_site *out, size_t n) {
    struct hak_site s;
    size_t count = 0;
    for (size_t cursor = 0; sites_next(&cursor, &s); count++) {
        if (count < n) {
            out[count] = s;
        }
    }
    return count;
}
