/* api/introspect.c : mallinfo, mallinfo2, malloc_stats, malloc_info, malloc_trim, mallopt, hak_stats_get.
 * Threads    any          Source  glibc's manual, 3.2.3; mallinfo(3), malloc_info(3), mallopt(3)          Test  conformance/info
 * Under HAKMEM_FORCE_LIBC libc answers. malloc_info() gathers first and prints then: stdio may allocate. */
#include "api/introspect.h"
#include "api/glibc_static.h"
#include "base/atomic.h"
#include "base/bits.h"
#include "base/print.h"
#include "cold/door.h"
#include "diag/libc.h"
#include "diag/sites.h"
#include "diag/stats.h"
#include "layout/size_class.h"
#include <errno.h>
#include <limits.h>
#include <string.h>

HAK_KEEP_TOGETHER;

static struct hak_mallinfo2 info_of(const struct stats *s) {
    size_t arena = ((s->units_used + s->units_dirty) << HAK_UNIT_SHIFT) + s->early.used;
    struct hak_mallinfo2 m = {.arena = arena, .hblks = s->huge, .hblkhd = s->huge_bytes};
    for (unsigned c = 0; c < HAK_CLASSES; c++) {
        m.ordblks += s->cls[c].avail;
    }
    m.smblks = s->cached_blocks;
    m.fsmblks = s->total.cached_thread;
    m.uordblks = s->total.allocated - s->huge_bytes;
    m.fordblks = m.arena > m.uordblks ? m.arena - m.uordblks : 0;
    m.keepcost = s->units_dirty << HAK_UNIT_SHIFT;
    return m;
}

static struct hak_mallinfo2 info_libc(void) {
    struct hak_mallinfo2 (*libc)(void);
    return libc_function("mallinfo2", &libc) ? libc() : (struct hak_mallinfo2){0};
}

HAK_EXPORT struct hak_mallinfo2 HAK_API(mallinfo2)(void) {
    struct stats s;
    if (door_libc_mode()) {
        return info_libc();
    }
    stats_get(&s);
    return info_of(&s);
}

static int clamp(size_t v) { return v > INT_MAX ? INT_MAX : (int)v; }

/* Where glibc's wraps around, ours stops at INT_MAX. */
HAK_EXPORT struct hak_mallinfo HAK_API(mallinfo)(void) {
    struct hak_mallinfo2 m = HAK_API(mallinfo2)();
    return (struct hak_mallinfo){clamp(m.arena),    clamp(m.ordblks), clamp(m.smblks),  clamp(m.hblks),
                                 clamp(m.hblkhd),   clamp(m.usmblks), clamp(m.fsmblks), clamp(m.uordblks),
                                 clamp(m.fordblks), clamp(m.keepcost)};
}

HAK_EXPORT void hak_stats_get(struct hak_stats *out) {
    struct stats s;
    bool ours = stats_get(&s);
    *out = s.total;
    if (!ours && door_libc_mode()) {
        struct hak_mallinfo2 m = info_libc();
        out->allocated = out->active = m.uordblks + m.hblkhd;
        out->mapped = out->resident = m.arena + m.hblkhd;
        out->cached_central = m.fordblks;
    }
}

struct word {
    const char *name;
    size_t value;
};
enum { WORDS = 11 };

static void words_of(const struct hak_stats *s, struct word w[WORDS]) {
    const struct word all[WORDS] = {{"allocated", s->allocated},
                                    {"active", s->active},
                                    {"metadata", s->metadata},
                                    {"resident", s->resident},
                                    {"mapped", s->mapped},
                                    {"retained", s->retained},
                                    {"cached_thread", s->cached_thread},
                                    {"cached_central", s->cached_central},
                                    {"fragmented", s->fragmented},
                                    {"dirty", s->dirty},
                                    {"lazyfree", s->lazyfree}};
    memcpy(w, all, sizeof all);
}

/* "64K 2048K", "none" */
static void sizes_of(size_t sum, char *out, size_t size) {
    size_t n = 0;
    hak_format(out, size, "none");
    for (size_t bytes = (size_t)16 << 10; bytes <= HAK_SUPER; bytes *= 2) {
        if (sum & bytes && n < size) {
            n += hak_format(out + n, size - n, "%s%zuK", n ? " " : "", bytes >> 10);
        }
    }
}

static const char *thp_source(const struct thp_stats *t) {
    return !t->read ? "not asked yet" : t->known ? "known" : "not told";
}

static void thp_print(const struct thp_stats *t) {
    char asked[64], always[64];
    sizes_of(t->asked, asked, sizeof asked);
    sizes_of(t->always, always, sizeof always);
    hak_warn("huge pages: the kernel gives on advice %s, everywhere %s (%s); advised for 2 MiB %zu, for less %zu",
             asked, always, thp_source(t), t->bytes[THP_HUGE], t->bytes[THP_SMALL]);
}

static void stats_print(const struct stats *s) {
    struct word w[WORDS];
    words_of(&s->total, w);
    for (int i = 0; i < WORDS; i++) {
        hak_warn("%s %zu", w[i].name, w[i].value);
    }
    hak_warn("large %zu blocks, %zu bytes; huge %zu blocks, %zu bytes; heaps %zu, idle %zu", s->large, s->large_bytes,
             s->huge, s->huge_bytes, s->heaps, s->idle_heaps);
    hak_warn("first blocks: live %zu bytes of %zu", s->early.live, s->early.used);
    thp_print(&s->thp);
    for (unsigned c = 0; c < HAK_CLASSES; c++) {
        const struct class_stats *k = &s->cls[c];
        if (k->slabs) {
            hak_warn("class %u: size %u, slabs %zu, live %zu, cached %zu, free %zu", c, hak_class[c].size, k->slabs,
                     k->blocks - k->avail - k->cached, k->cached, k->avail);
        }
    }
}

HAK_EXPORT void HAK_API(malloc_stats)(void) {
    void (*libc)(void);
    struct stats s;
    if (door_libc_mode()) {
        if (libc_function("malloc_stats", &libc)) {
            libc();
        }
        return;
    }
    stats_get(&s);
    hak_warn("hakmem: statistics, in bytes");
    stats_print(&s);
}

static void print(FILE *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void print(FILE *out, const char *fmt, ...) {
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    hak_vformat(text, sizeof text, fmt, ap);
    va_end(ap);
    libc_puts(out, text);
}

static void xml_classes(FILE *out, const struct stats *s) {
    libc_puts(out, "  <classes>\n");
    for (unsigned c = 0; c < HAK_CLASSES; c++) {
        const struct class_stats *k = &s->cls[c];
        if (k->slabs) {
            print(out, "    <class size=\"%u\" slabs=\"%zu\" live=\"%zu\" cached=\"%zu\" free=\"%zu\"/>\n",
                  hak_class[c].size, k->slabs, k->blocks - k->avail - k->cached, k->cached, k->avail);
        }
    }
    libc_puts(out, "  </classes>\n");
}

static void xml_thp(FILE *out, const struct thp_stats *t) {
    char asked[64], always[64];
    sizes_of(t->asked, asked, sizeof asked);
    sizes_of(t->always, always, sizeof always);
    print(out, "  <huge_pages kernel=\"%s\" advised=\"%s\" everywhere=\"%s\" size=\"%zu\" small_size=\"%zu\"/>\n",
          thp_source(t), asked, always, t->bytes[THP_HUGE], t->bytes[THP_SMALL]);
}

static void xml_sites(FILE *out) {
    struct hak_site s;
    size_t cursor = 0;
    if (!sites_next(&cursor, &s)) {
        return;
    }
    libc_puts(out, "  <sites>\n");
    do {
        print(out, "    <site at=\"%p\" allocs=\"%zu\" alloc_bytes=\"%zu\" frees=\"%zu\" free_bytes=\"%zu\"/>\n",
              s.site, s.allocs, s.alloc_bytes, s.frees, s.free_bytes);
    } while (sites_next(&cursor, &s));
    libc_puts(out, "  </sites>\n");
}

/* 0, or EINVAL when options is not 0. */
HAK_EXPORT int HAK_API(malloc_info)(int options, FILE *out) {
    int (*libc)(int, FILE *);
    struct stats s;
    struct word w[WORDS];
    if (door_libc_mode() && libc_function("malloc_info", &libc)) {
        return libc(options, out);
    }
    if (options != 0) {
        return EINVAL;
    }
    stats_get(&s);
    words_of(&s.total, w);
    libc_puts(out, "<malloc version=\"hakmem-1\">\n");
    for (int i = 0; i < WORDS; i++) {
        print(out, "  <total type=\"%s\" size=\"%zu\"/>\n", w[i].name, w[i].value);
    }
    print(out, "  <large count=\"%zu\" size=\"%zu\"/>\n  <huge count=\"%zu\" size=\"%zu\"/>\n", s.large, s.large_bytes,
          s.huge, s.huge_bytes);
    print(out, "  <first live=\"%zu\" size=\"%zu\"/>\n", s.early.live, s.early.used);
    print(out, "  <heaps count=\"%zu\" idle=\"%zu\"/>\n", s.heaps, s.idle_heaps);
    xml_thp(out, &s.thp);
    xml_classes(out, &s);
    xml_sites(out);
    libc_puts(out, "</malloc>\n");
    return 0;
}

HAK_EXPORT int HAK_API(malloc_trim)(size_t pad) {
    int (*libc)(size_t);
    if (door_libc_mode()) {
        return libc_function("malloc_trim", &libc) ? libc(pad) : 0;
    }
    return door_trim(pad) != 0;
}

/* glibc's numbers. */
enum {
    OPT_MXFAST = 1,
    OPT_TRIM_THRESHOLD = -1,
    OPT_TOP_PAD = -2,
    OPT_MMAP_THRESHOLD = -3,
    OPT_MMAP_MAX = -4,
    OPT_CHECK_ACTION = -5,
    OPT_PERTURB = -6,
    OPT_ARENA_TEST = -7,
    OPT_ARENA_MAX = -8
};

/* 1: what tunes another allocator's insides is accepted and changes nothing, M_PERTURB's fill bytes too. 0: unknown or out of range. */
static int option_verdict(int option, int value) {
    switch (option) {
    case OPT_MXFAST:
        return value >= 0 && value <= (int)(80 * sizeof(size_t) / 4);
    case OPT_TRIM_THRESHOLD:
    case OPT_TOP_PAD:
    case OPT_MMAP_THRESHOLD:
    case OPT_MMAP_MAX:
    case OPT_CHECK_ACTION:
    case OPT_PERTURB:
        return 1;
    case OPT_ARENA_TEST:
    case OPT_ARENA_MAX:
        return value > 0;
    default:
        return 0;
    }
}

HAK_EXPORT int HAK_API(mallopt)(int option, int value) {
    int (*libc)(int, int);
    if (door_libc_mode() && libc_function("mallopt", &libc)) {
        return libc(option, value);
    }
    return option_verdict(option, value);
}

HAK_ALIAS(struct hak_mallinfo2, __libc_mallinfo2, mallinfo2, void);
HAK_ALIAS(struct hak_mallinfo2, __mallinfo2, mallinfo2, void);
HAK_ALIAS(struct hak_mallinfo, __libc_mallinfo, mallinfo, void);
HAK_ALIAS(struct hak_mallinfo, __mallinfo, mallinfo, void);
HAK_ALIAS(int, __libc_mallopt, mallopt, int, int);
HAK_ALIAS(int, __mallopt, mallopt, int, int);
HAK_ALIAS(void, __malloc_stats, malloc_stats, void);
HAK_ALIAS(int, __malloc_info, malloc_info, int, FILE *);
HAK_ALIAS(int, __malloc_trim, malloc_trim, size_t);
