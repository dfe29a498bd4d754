/* cold/span.c : the central allocator of units: first where memory is resident, then the shortest run that fits.      L2
 * Owns       super.{free,dirty,run,next,prev,epoch}, the lists          Reads  the clock (by its caller)
 * Never touches  slabs, magazines, map words
 * Threads    any, one lock; growth of the arena is claimed and runs without it
 * Invariant  a unit is free, or in one span; dirty and free: it may be resident          (checked: diag/verify.c)
 * Test       unit/span           Decision  docs/decisions/005 */
#include "cold/span.h"
#include "base/bits.h"
#include "base/lock.h"
#include "cold/arena.h"
#include "cold/huge.h"
#include "cold/purge.h"
#include "cold/thp.h"
#include "layout/arena.h"
#include "layout/super.h"
#include "os/os.h"

enum { LISTS = HAK_SUPER_UNITS + 1, S = HAK_SUPER_UNITS };
enum { SHED_TRIES = 100 }; /* milliseconds */
enum {
    TRADE_MIN = 8,
    TRADE_SHARE = 32,
    TRADE_SHARE_LARGE = 4,
    TRADE_SHARE_HUGE = 16
}; /* units; parts of what is used */

static hak_lock lock = HAK_LOCK_INIT(HAK_RANK_CENTRAL);
enum { WARM, ANY, KINDS };          /* by the longest run of dirty units, which cost no page fault, and of any */
static uint32_t head[KINDS][LISTS]; /* lock: central   super + 1 */
static uint64_t nonempty[KINDS];    /* lock: central   a bit per list */
static uint32_t nsupers;            /* lock: central */
static uint32_t growing;            /* lock: central; 1, or 2 when somebody waits, without the lock */
static size_t used, dirty;          /* lock: central; read relaxed */
static size_t peak[2]; /* lock: central; read relaxed: most of used in the present window, and in the one before */

void span_lock(void) { hak_lock_take(&lock); }
void span_unlock(void) { hak_lock_drop(&lock); }

void span_child(void) {
    hak_lock_reset(&lock);
    growing = 0;
}

static void list_remove(int kind, uint32_t i) {
    struct super *s = super_at(i);
    uint32_t next = s->next[kind], prev = s->prev[kind];
    if (prev) {
        super_at(prev - 1)->next[kind] = next;
    } else {
        head[kind][s->run[kind]] = next;
        nonempty[kind] &= ~((uint64_t)(next == 0) << s->run[kind]);
    }
    if (next) {
        super_at(next - 1)->prev[kind] = prev;
    }
}

static void list_add(int kind, uint32_t i) {
    struct super *s = super_at(i);
    uint32_t *first = &head[kind][s->run[kind]];
    s->prev[kind] = 0;
    s->next[kind] = *first;
    if (*first) {
        super_at(*first - 1)->prev[kind] = i + 1;
    }
    *first = i + 1;
    nonempty[kind] |= UINT64_C(1) << s->run[kind];
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
    struct super *s = super_at(i);
    uint8_t run[KINDS] = {longest_run(s->free & s->dirty), longest_run(s->free)};
    for (int kind = 0; kind < KINDS; kind++) {
        if (run[kind] != s->run[kind]) {
            list_remove(kind, i);
            s->run[kind] = run[kind];
            list_add(kind, i);
        }
    }
}

static uint32_t bits_of(uint32_t from, uint32_t n) { return hak_ones32(n) << from; }

static void claim(uint32_t i, uint32_t bits) {
    struct super *s = super_at(i);
    HAK_ASSERT((s->free & bits) == bits);
    s->free &= ~bits;
    hak_store_rlx(&used, used + hak_popcount32(bits));
    hak_store_rlx(&dirty, dirty - hak_popcount32(bits & s->dirty));
    hak_store_rlx(&peak[0], hak_max(peak[0], used));
    relist(i);
}

static void release(uint32_t i, uint32_t bits, bool touched) {
    struct super *s = super_at(i);
    HAK_ASSERT((s->free & bits) == 0);
    s->free |= bits;
    s->dirty = touched ? s->dirty | bits : s->dirty & ~bits;
    hak_store_rlx(&used, used - hak_popcount32(bits));
    hak_store_rlx(&dirty, dirty + hak_popcount32(bits & s->dirty));
    if (touched) {
        s->epoch = purge_epoch();
    }
    relist(i);
}

/* Starts whose number is a multiple of align, a power of two: every align'th bit. No table: a page of constants less to touch. */
static uint32_t aligned_starts(uint32_t align) { return ~UINT32_C(0) / hak_ones32(align); }

static uint32_t fit_in(uint32_t i, int kind, uint32_t units, uint32_t align, bool *zeroed) {
    struct super *s = super_at(i);
    uint32_t at = runs_of(kind == WARM ? s->free & s->dirty : s->free, units) & aligned_starts(align);
    if (!at) {
        return 0;
    }
    uint32_t from = hak_ctz32(at);
    *zeroed = (s->dirty & bits_of(from, units)) == 0;
    claim(i, bits_of(from, units));
    return i * S + from;
}

static uint32_t alloc_kind(int kind, uint32_t units, uint32_t align, bool *zeroed) {
    for (uint64_t lists = nonempty[kind] & ~hak_ones64(units); lists; lists &= lists - 1) {
        for (uint32_t i = head[kind][hak_ctz64(lists)]; i; i = super_at(i - 1)->next[kind]) {
            uint32_t u = fit_in(i - 1, kind, units, align, zeroed);
            if (u) {
                return u;
            }
        }
    }
    return 0;
}

/* Memory that is resident already comes first: reuse before new. */
static uint32_t alloc_within(uint32_t units, uint32_t align, bool *zeroed) {
    uint32_t u = alloc_kind(WARM, units, align, zeroed);
    return u ? u : alloc_kind(ANY, units, align, zeroed);
}

/* A run of units, super by super: the next super's number and bits. False at the run's end. */
static bool next_piece(uint32_t *unit, uint32_t *units, uint32_t *super, uint32_t *bits) {
    uint32_t from = *unit % S, n = *units < S - from ? *units : S - from;
    *super = *unit / S;
    *bits = bits_of(from, n);
    *unit += n;
    *units -= n;
    return n != 0;
}

static uint32_t count_clean(uint32_t unit, uint32_t units) {
    uint32_t i, bits, n = 0;
    while (next_piece(&unit, &units, &i, &bits)) {
        n += hak_popcount32(bits & ~super_at(i)->dirty);
    }
    return n;
}

static void claim_run(uint32_t unit, uint32_t units) {
    uint32_t i, bits;
    while (next_piece(&unit, &units, &i, &bits)) {
        claim(i, bits);
    }
}

struct fit {
    uint32_t at, len, clean;
};

/* The free run [from, end) as a place for units: the fewest clean units win, then the tightest run. */
static void consider(struct fit *best, uint32_t from, uint32_t end, uint32_t units, uint32_t align) {
    from = (uint32_t)hak_align_up(from, align);
    if (end < from || end - from < units) {
        return;
    }
    struct fit f = {from, end - from, count_clean(from, units)};
    if (!best->at || f.clean < best->clean || (f.clean == best->clean && f.len < best->len)) {
        *best = f;
    }
}

/* Over all free runs that cross supers; *tail: units free at the arena's end, for growth to build on. */
static uint32_t alloc_across(uint32_t units, uint32_t align, bool *zeroed, uint32_t *tail) {
    struct fit best = {0, 0, 0};
    uint32_t start = 1;
    for (uint32_t i = 0; i < nsupers; i++) {
        uint32_t taken = ~super_at(i)->free;
        if (taken && i) {
            consider(&best, start, i * S + hak_ctz32(taken), units, align);
        }
        start = taken ? i * S + S - hak_clz32(taken) : start;
    }
    consider(&best, start, nsupers * S, units, align);
    *tail = nsupers ? nsupers * S - start : 0;
    if (best.at) {
        *zeroed = best.clean == units;
        claim_run(best.at, units);
    }
    return best.at;
}

static void add_supers(uint32_t units, enum thp_kind huge) {
    for (uint32_t i = nsupers; i < nsupers + units / S; i++) {
        struct super *s = super_at(i);
        *s = (struct super){.free = i ? ~UINT32_C(0) : ~UINT32_C(1),
                            .huge = (uint8_t)huge}; /* unit 0 is nobody's: 0 means none */
        s->run[ANY] = longest_run(s->free);
        list_add(WARM, i);
        list_add(ANY, i);
    }
    nsupers += units / S;
}

/* Central lock held, and again on return; given up in between. False: somebody else has the claim, or had it. */
static bool claim_growth_locked(void) {
    if (growing) {
        growing = 2; /* somebody waits */
        hak_lock_drop(&lock);
        os_wait(&growing, 2, 10);
        hak_lock_take(&lock);
        return false;
    }
    growing = 1;
    return true;
}

static void end_growth_locked(void) {
    bool waited = growing == 2;
    growing = 0;
    hak_lock_drop(&lock);
    if (waited) {
        os_wake(&growing);
    }
    hak_lock_take(&lock);
}

/* Central lock held, and again on return; given up in between. */
static bool grow_locked(uint32_t units) {
    if (!claim_growth_locked()) { /* somebody else's growth may be all we need */
        return true;
    }
    hak_lock_drop(&lock);
    enum thp_kind huge = THP_NONE;
    size_t first = hak_arena.limit, got = arena_grow(units);
    if (got) {
        huge = thp_grown(first, got, span_used());
    }
    hak_lock_take(&lock);
    add_supers((uint32_t)got, huge);
    end_growth_locked();
    return got != 0;
}

static bool claim_growth_tried(void) {
    bool mine = false;
    if (hak_lock_try(&lock)) {
        mine = growing == 0;
        growing = mine ? 1 : growing;
        hak_lock_drop_tried(&lock);
    }
    return mine;
}

/* setrlimit() may be called in the child of a bare clone(), where a lock's holder is gone: it gives up after a while. */
void span_shed(void) {
    static const uint32_t never = 0;
    for (int tries = 0; !claim_growth_tried(); tries++) {
        if (tries == SHED_TRIES) {
            return;
        }
        os_wait(&never, 0, 1);
    }
    arena_shed();
    hak_lock_take(&lock);
    end_growth_locked();
    hak_lock_drop(&lock);
}

/* Large blocks that come and go leave much, and soon fit again: what they leave is more before it is too much. */
static bool too_much_unused(uint32_t units) {
    size_t huge = huge_cached_units(), share = units > S ? TRADE_SHARE_LARGE : TRADE_SHARE;
    return (dirty > TRADE_MIN && dirty * share > used && dirty > purge_slack()) ||
           (huge > TRADE_MIN && huge * TRADE_SHARE_HUGE > used);
}

uint32_t span_alloc(uint32_t units, uint32_t align, bool *zeroed) {
    uint32_t u = 0, tail = 0;
    hak_lock_take(&lock);
    size_t before;
    for (;;) {
        before = dirty;
        u = units <= S ? alloc_within(units, align, zeroed) : alloc_across(units, align, zeroed, &tail);
        if (u || !grow_locked(tail < units ? units - tail : 0)) {
            break;
        }
    }
    size_t clean = u ? units - (before - dirty) : 0;
    bool trade = clean != 0 && too_much_unused(units);
    hak_lock_drop(&lock);
    if (trade) { /* new pages will be touched while old ones lie idle where nothing fits: give as many back */
        purge_trade((uint32_t)clean);
    }
    return u;
}

void span_free(uint32_t unit, uint32_t units, bool touched) {
    uint32_t i, bits;
    hak_lock_take(&lock);
    while (next_piece(&unit, &units, &i, &bits)) {
        release(i, bits, touched);
    }
    hak_lock_drop(&lock);
}

uint32_t span_mark_huge(uint32_t unit, uint32_t units, uint32_t *super) {
    uint32_t i = (unit + S - 1) / S, end = (unit + units) / S, n = 0;
    hak_lock_take(&lock);
    while (i < end && super_at(i)->huge != THP_NONE) {
        i++;
    }
    for (*super = i; i < end && super_at(i)->huge == THP_NONE; i++, n++) {
        super_at(i)->huge = THP_HUGE;
    }
    hak_lock_drop(&lock);
    return n;
}

uint32_t span_mark_first(uint32_t unit, uint32_t units) {
    uint32_t i = unit / S, bits = bits_of(unit % S, units);
    hak_lock_take(&lock);
    struct super *s = super_at(i);
    bool first = s->huge == THP_NONE && s->dirty == 0 && s->free == ~bits;
    if (first) {
        s->huge = THP_HUGE;
    }
    hak_lock_drop(&lock);
    return first ? i : 0;
}

static bool all_free(uint32_t unit, uint32_t units) {
    uint32_t i, bits;
    while (next_piece(&unit, &units, &i, &bits)) {
        if (i >= nsupers || (super_at(i)->free & bits) != bits) {
            return false;
        }
    }
    return true;
}

bool span_extend(uint32_t unit, uint32_t units, uint32_t more) {
    hak_lock_take(&lock);
    bool ok = all_free(unit + units, more);
    if (ok) {
        claim_run(unit + units, more);
    }
    hak_lock_drop(&lock);
    return ok;
}

/* Used lately, or a huge page that is used to over three quarters: to split it would cost more than its rest is worth. */
static bool spared(const struct super *s, uint32_t epoch) {
    return (int32_t)(s->epoch - epoch) > 0 || (s->huge == THP_HUGE && hak_popcount32(s->free) < S / 4);
}

uint32_t span_claim_dirty(uint32_t *cursor, uint32_t epoch, uint32_t *units) {
    uint32_t unit = 0;
    hak_lock_take(&lock);
    for (; *cursor < nsupers && !unit; *cursor += !unit) {
        struct super *s = super_at(*cursor);
        uint32_t m = s->free & s->dirty;
        if (!m || (epoch != UINT32_MAX && spared(s, epoch))) {
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
    *out =
        (struct span_stats){used, dirty, (size_t)nsupers * S - used - dirty - (nsupers > 0), hak_max(peak[0], peak[1])};
    hak_lock_drop(&lock);
}

void span_next_window(void) {
    hak_lock_take(&lock);
    hak_store_rlx(&peak[1], peak[0]);
    hak_store_rlx(&peak[0], used);
    hak_lock_drop(&lock);
}

size_t span_demand(void) { return hak_max(hak_load_rlx(&peak[0]), hak_load_rlx(&peak[1])); }
size_t span_dirty(void) { return hak_load_rlx(&dirty); }
size_t span_used(void) { return hak_load_rlx(&used); }
