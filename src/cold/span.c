/* cold/span.c : the central allocator of units: first the super whose longest free run is the shortest that fits.      L2
 * Owns       super.{free,dirty,longest,next,prev,epoch}, the lists          Reads  the clock (by its caller)
 * Never touches  slabs, magazines, map words
 * Threads    any, one lock; growth of the arena is claimed and runs without it
 * Invariant  a unit is free, or in one span; dirty and free: it may be resident          (checked: diag/verify.c)
 * Test       unit/span           Decision  docs/decisions/005 */
#include "cold/span.h"
#include "base/bits.h"
#include "base/lock.h"
#include "cold/arena.h"
#include "cold/purge.h"
#include "layout/arena.h"
#include "layout/super.h"
#include "os/os.h"

enum { LISTS = HAK_SUPER_UNITS + 1, S = HAK_SUPER_UNITS };

static hak_lock lock = HAK_LOCK_INIT(HAK_RANK_CENTRAL);
static uint32_t head[LISTS];     /* lock: central   super + 1 */
static uint64_t nonempty;        /* lock: central   a bit per list */
static uint32_t nsupers;         /* lock: central */
static uint32_t growing;         /* lock: central; waited for without it */
static size_t used, dirty, peak; /* lock: central; read relaxed */

void span_lock(void) { hak_lock_take(&lock); }
void span_unlock(void) { hak_lock_drop(&lock); }

void span_child(void) {
    hak_lock_reset(&lock);
    growing = 0;
}

static struct super *super_at(uint32_t i) { return &hak_arena.supers[i]; }

static void list_remove(uint32_t i) {
    struct super *s = super_at(i);
    if (s->prev) {
        super_at(s->prev - 1)->next = s->next;
    } else {
        head[s->longest] = s->next;
        nonempty &= ~((uint64_t)(s->next == 0) << s->longest);
    }
    if (s->next) {
        super_at(s->next - 1)->prev = s->prev;
    }
}

static void list_add(uint32_t i) {
    struct super *s = super_at(i);
    s->prev = 0;
    s->next = head[s->longest];
    if (s->next) {
        super_at(s->next - 1)->prev = i + 1;
    }
    head[s->longest] = i + 1;
    nonempty |= UINT64_C(1) << s->longest;
}

/* Bits at which a run of k set bits starts. */
static uint32_t runs_of(uint32_t m, uint32_t k) {
    for (uint32_t have = 1; have < k && m;) {
        uint32_t step = k - have < have ? k - have : have;
        m &= m >> step;
        have += step;
    }
    return m;
}

static uint8_t longest_run(uint32_t m) {
    uint8_t n = 0;
    for (; m; m &= m << 1) {
        n++;
    }
    return n;
}

static void relist(uint32_t i) {
    uint8_t n = longest_run(super_at(i)->free);
    if (n != super_at(i)->longest) {
        list_remove(i);
        super_at(i)->longest = n;
        list_add(i);
    }
}

static uint32_t bits_of(uint32_t from, uint32_t n) { return hak_ones32(n) << from; }

static void claim(uint32_t i, uint32_t bits) {
    struct super *s = super_at(i);
    HAK_ASSERT((s->free & bits) == bits);
    s->free &= ~bits;
    used += hak_popcount32(bits);
    dirty -= hak_popcount32(bits & s->dirty);
    peak = hak_max(peak, used);
    relist(i);
}

static void release(uint32_t i, uint32_t bits, bool touched) {
    struct super *s = super_at(i);
    HAK_ASSERT((s->free & bits) == 0);
    s->free |= bits;
    s->dirty = touched ? s->dirty | bits : s->dirty & ~bits;
    used -= hak_popcount32(bits);
    dirty += hak_popcount32(bits & s->dirty);
    if (touched) {
        s->epoch = purge_epoch();
    }
    relist(i);
}

/* Starts whose number is a multiple of align. */
static uint32_t aligned_starts(uint32_t align) {
    static const uint32_t at[6] = {0xffffffff, 0x55555555, 0x11111111, 0x01010101, 0x00010001, 0x00000001};
    return at[hak_ctz32(align)];
}

static uint32_t fit_in(uint32_t i, uint32_t units, uint32_t align, bool *zeroed) {
    struct super *s = super_at(i);
    uint32_t at = runs_of(s->free, units) & aligned_starts(align);
    uint32_t warm = runs_of(s->free & s->dirty, units) & aligned_starts(align);
    if (!at) {
        return 0;
    }
    uint32_t from = hak_ctz32(warm ? warm : at);
    *zeroed = (s->dirty & bits_of(from, units)) == 0;
    claim(i, bits_of(from, units));
    return i * S + from;
}

static uint32_t alloc_within(uint32_t units, uint32_t align, bool *zeroed) {
    for (uint64_t lists = nonempty & ~hak_ones64(units); lists; lists &= lists - 1) {
        for (uint32_t i = head[hak_ctz64(lists)]; i; i = super_at(i - 1)->next) {
            uint32_t u = fit_in(i - 1, units, align, zeroed);
            if (u) {
                return u;
            }
        }
    }
    return 0;
}

/* Units that are usable from super i on without a gap, at most units; the last super may be used in part. */
static uint32_t run_at(uint32_t i, uint32_t units) {
    uint32_t n = 0;
    for (; i < nsupers && n < units; i++) {
        uint32_t m = super_at(i)->free;
        if (m != ~UINT32_C(0)) {
            return n + (~m ? hak_ctz32(~m) : S);
        }
        n += S;
    }
    return n;
}

static void claim_run(uint32_t i, uint32_t units, bool *zeroed) {
    *zeroed = true;
    for (; units; i++) {
        uint32_t n = units < S ? units : S;
        *zeroed = *zeroed && (super_at(i)->dirty & bits_of(0, n)) == 0;
        claim(i, bits_of(0, n));
        units -= n;
    }
}

/* Best fit over runs of free supers; *tail: units free at the arena's end, for growth to build on. */
static uint32_t alloc_across(uint32_t units, bool *zeroed, uint32_t *tail) {
    uint32_t best = 0, best_len = UINT32_MAX;
    bool found = false;
    *tail = 0;
    for (uint32_t i = 0; i < nsupers;) {
        uint32_t len = run_at(i, UINT32_MAX);
        if (len >= units && len < best_len) {
            best = i;
            best_len = len;
            found = true;
        }
        uint32_t whole = len / S;
        *tail = i + whole == nsupers ? whole * S : 0;
        i += whole + 1;
    }
    if (!found) {
        return 0;
    }
    claim_run(best, units, zeroed);
    return best * S;
}

static void add_supers(uint32_t units) {
    for (uint32_t i = nsupers; i < nsupers + units / S; i++) {
        struct super *s = super_at(i);
        *s = (struct super){.free = i ? ~UINT32_C(0) : ~UINT32_C(1)}; /* unit 0 is nobody's: 0 means none */
        s->longest = longest_run(s->free);
        list_add(i);
    }
    nsupers += units / S;
}

/* Central lock held, and again on return; given up in between. */
static bool grow_locked(uint32_t units) {
    if (growing) { /* somebody else's growth may be all we need */
        hak_lock_drop(&lock);
        os_wait(&growing, 1, 10);
        hak_lock_take(&lock);
        return true;
    }
    growing = 1;
    hak_lock_drop(&lock);
    size_t got = arena_grow(units);
    hak_lock_take(&lock);
    add_supers((uint32_t)got);
    growing = 0;
    hak_lock_drop(&lock);
    os_wake(&growing);
    hak_lock_take(&lock);
    return got != 0;
}

uint32_t span_alloc(uint32_t units, uint32_t align, bool *zeroed) {
    uint32_t u = 0, tail = 0;
    hak_lock_take(&lock);
    for (;;) {
        u = units <= S ? alloc_within(units, align, zeroed) : alloc_across(units, zeroed, &tail);
        if (u || !grow_locked(tail < units ? units - tail : 0)) {
            break;
        }
    }
    hak_lock_drop(&lock);
    return u;
}

void span_free(uint32_t unit, uint32_t units, bool touched) {
    hak_lock_take(&lock);
    while (units) {
        uint32_t from = unit % S, n = units < S - from ? units : S - from;
        release(unit / S, bits_of(from, n), touched);
        unit += n;
        units -= n;
    }
    hak_lock_drop(&lock);
}

static bool all_free(uint32_t unit, uint32_t units) {
    while (units) {
        uint32_t from = unit % S, n = units < S - from ? units : S - from;
        if (unit / S >= nsupers || (super_at(unit / S)->free & bits_of(from, n)) != bits_of(from, n)) {
            return false;
        }
        unit += n;
        units -= n;
    }
    return true;
}

bool span_extend(uint32_t unit, uint32_t units, uint32_t more) {
    hak_lock_take(&lock);
    uint32_t u = unit + units;
    bool ok = all_free(u, more);
    while (ok && more) {
        uint32_t from = u % S, n = more < S - from ? more : S - from;
        claim(u / S, bits_of(from, n));
        u += n;
        more -= n;
    }
    hak_lock_drop(&lock);
    return ok;
}

uint32_t span_claim_dirty(uint32_t *cursor, uint32_t epoch, uint32_t *units) {
    uint32_t unit = 0;
    hak_lock_take(&lock);
    for (; *cursor < nsupers && !unit; *cursor += !unit) {
        struct super *s = super_at(*cursor);
        uint32_t m = s->free & s->dirty;
        if (!m || (epoch != UINT32_MAX && (int32_t)(s->epoch - epoch) > 0)) {
            continue;
        }
        uint32_t from = hak_ctz32(m);
        uint32_t rest = ~(m >> from), n = rest ? hak_ctz32(rest) : S;
        n = n > S - from ? S - from : n;
        claim(*cursor, bits_of(from, n));
        unit = *cursor * S + from;
        *units = n;
    }
    hak_lock_drop(&lock);
    return unit;
}

void span_stats_get(struct span_stats *out) {
    hak_lock_take(&lock);
    *out = (struct span_stats){used, dirty, (size_t)nsupers * S - used - dirty - (nsupers > 0), peak};
    peak = used;
    hak_lock_drop(&lock);
}

size_t span_dirty(void) { return hak_load_rlx(&dirty); }
size_t span_used(void) { return hak_load_rlx(&used); }
