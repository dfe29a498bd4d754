/* trace_summary.c : one pass over a recording's actions. */
#include "trace_summary.h"
#include "trace_schemes.h"
#include "util.h"

#include <stdlib.h>
#include <string.h>

enum {
    SIZE_STEPS = 4, /* histogram steps a doubling */
    SIZE_ROWS = 40 * SIZE_STEPS,
    LIFE_ROWS = 10, /* decades from 100 ns */
    TOP_ROWS = 16,  /* most frequent exact sizes */
    EXACT_BYTES = 8192,
    CURVE_ROWS = 256,
};

struct size_row {
    uint64_t births, bytes, live, peak_live; /* live: blocks now; peak_live: at the peak of live bytes */
};

struct summary {
    double ticks;
    uint64_t start;
    struct size_row size[SIZE_ROWS];
    uint64_t exact[EXACT_BYTES + 1];
    uint64_t life[LIFE_ROWS + 1], life_bytes[LIFE_ROWS + 1]; /* the last row: never freed */
    uint64_t mallocs, callocs, aligned, reallocs, realloc_grow;
    uint64_t cross, cross_bytes, freed_bytes;
    uint64_t taken[SCHEMES], live_taken[SCHEMES], peak_taken[SCHEMES]; /* by all births, now, at the peak */
    uint64_t touched_known, touched_size, untouched;
    uint64_t seen_peak, asked; /* asked: every birth and every new size */
    bool at_peak;
    unsigned char *thread_seen;
    /* Live bytes over time: the most in each of CURVE_ROWS spans, whose width doubles as the recording goes on. */
    uint64_t curve[CURVE_ROWS], curve_width;
    size_t curve_used;
};

/* Row of a size: 16-byte-exact up to 64 B, then SIZE_STEPS a doubling. */
static unsigned size_row(uint64_t n) {
    if (n <= 64)
        return n ? (unsigned)((n - 1) / 16) : 0;
    unsigned top = 63 - (unsigned)__builtin_clzll(n - 1);
    unsigned row = 4 + (top - 6) * SIZE_STEPS + (unsigned)((n - 1 - (1ull << top)) >> (top - 2));
    return row < SIZE_ROWS ? row : SIZE_ROWS - 1;
}

static uint64_t size_row_top(unsigned row) {
    if (row < 4)
        return (row + 1) * 16ull;
    unsigned top = 6 + (row - 4) / SIZE_STEPS;
    return (1ull << top) + ((uint64_t)((row - 4) % SIZE_STEPS + 1) << (top - 2));
}

static unsigned life_row(double seconds) {
    unsigned row = 0;
    for (double edge = 1e-7; row < LIFE_ROWS - 1 && seconds >= edge; edge *= 10)
        row++;
    return row;
}

static void size_takes(struct summary *m, uint64_t size, int sign, bool birth) {
    uint64_t takes[SCHEMES];
    scheme_sizes(size, takes);
    for (int i = 0; i < SCHEMES; i++) {
        m->live_taken[i] += sign > 0 ? takes[i] : 0 - takes[i];
        m->taken[i] += birth ? takes[i] : 0;
    }
    m->size[size_row(size)].live += (uint64_t)(int64_t)sign;
}

static void size_asked(struct summary *m, uint64_t size) {
    struct size_row *r = &m->size[size_row(size)];
    r->births++;
    r->bytes += size;
    m->asked += size;
    m->exact[size <= EXACT_BYTES ? size : EXACT_BYTES]++;
    size_takes(m, size, 1, true);
}

static void curve_add(struct summary *m, uint64_t stamp, uint64_t live) {
    uint64_t t = stamp > m->start ? stamp - m->start : 0;
    while (t / m->curve_width >= CURVE_ROWS) {
        for (size_t i = 0; i < CURVE_ROWS; i++) {
            uint64_t a = i < CURVE_ROWS / 2 ? m->curve[2 * i] : 0, b = i < CURVE_ROWS / 2 ? m->curve[2 * i + 1] : 0;
            m->curve[i] = a > b ? a : b;
        }
        m->curve_width *= 2;
        m->curve_used = (m->curve_used + 1) / 2;
    }
    size_t at = (size_t)(t / m->curve_width);
    for (; m->curve_used <= at; m->curve_used++)
        m->curve[m->curve_used] = m->curve_used ? m->curve[m->curve_used - 1] : 0;
    if (live > m->curve[at])
        m->curve[at] = live;
}

static void touched(struct summary *m, const struct trace_action *a) {
    uint64_t bytes = (uint64_t)(a->pages ? a->pages - 1 : 0) * 4096;
    if (!a->pages)
        return;
    m->touched_known++;
    m->touched_size += a->old_size;
    m->untouched += bytes < a->old_size ? a->old_size - bytes : 0;
}

static void on_birth(struct summary *m, const struct trace_action *a) {
    m->mallocs += !a->zeroed && !a->align_log2;
    m->callocs += a->zeroed;
    m->aligned += a->align_log2 > 0;
    size_asked(m, a->size);
}

static void on_death(struct summary *m, const struct trace_action *a) {
    unsigned row = life_row(a->stamp > a->born ? (double)(a->stamp - a->born) / m->ticks : 0);
    m->life[row]++;
    m->life_bytes[row] += a->size;
    m->freed_bytes += a->size;
    if (a->thread != a->birth_thread) {
        m->cross++;
        m->cross_bytes += a->size;
    }
    touched(m, a);
    size_takes(m, a->size, -1, false);
}

/* The peak is looked at when it is left, so that a growing heap is not copied at every step. */
static void peak_keep(struct summary *m) {
    memcpy(m->peak_taken, m->live_taken, sizeof m->peak_taken);
    for (size_t i = 0; i < SIZE_ROWS; i++)
        m->size[i].peak_live = m->size[i].live;
    m->at_peak = false;
}

static void on_action(void *context, const struct trace_action *a, const struct trace_counts *now) {
    struct summary *m = context;
    if (m->at_peak && now->live < now->peak)
        peak_keep(m);
    switch (a->act) {
    case ACT_BIRTH:
        on_birth(m, a);
        break;
    case ACT_DEATH:
        on_death(m, a);
        break;
    case ACT_RESIZE:
        m->reallocs++;
        m->realloc_grow += a->size > a->old_size;
        touched(m, a);
        size_takes(m, a->old_size, -1, false);
        size_asked(m, a->size);
        break;
    case ACT_PAGES:
    case ACT_THREAD_END:
        return;
    }
    m->thread_seen[a->thread] = 1;
    if (now->peak > m->seen_peak) {
        m->seen_peak = now->peak;
        m->at_peak = true;
    }
    curve_add(m, a->stamp, now->live);
}

static json_t *number(uint64_t n) { return json_integer((json_int_t)n); }

static json_t *sizes_json(const struct summary *m) {
    json_t *rows = json_array();
    for (unsigned i = 0; i < SIZE_ROWS; i++)
        if (m->size[i].births)
            json_array_append_new(rows,
                                  json_pack("{s:o,s:o,s:o,s:o,s:o}", "from", number(i ? size_row_top(i - 1) + 1 : 0),
                                            "to", number(size_row_top(i)), "blocks", number(m->size[i].births), "bytes",
                                            number(m->size[i].bytes), "live_at_peak", number(m->size[i].peak_live)));
    return rows;
}

static json_t *top_json(const struct summary *m) {
    json_t *rows = json_array();
    bool used[EXACT_BYTES + 1] = {false};
    for (int k = 0; k < TOP_ROWS; k++) {
        size_t best = EXACT_BYTES;
        for (size_t i = 0; i < EXACT_BYTES; i++)
            if (!used[i] && m->exact[i] && (best == EXACT_BYTES || m->exact[i] > m->exact[best]))
                best = i;
        if (best == EXACT_BYTES)
            break;
        used[best] = true;
        json_array_append_new(rows, json_pack("{s:o,s:o}", "size", number(best), "blocks", number(m->exact[best])));
    }
    return rows;
}

static json_t *lifetimes_json(const struct summary *m) {
    json_t *rows = json_array();
    double edge = 1e-7;
    for (unsigned i = 0; i < LIFE_ROWS; i++, edge *= 10)
        json_array_append_new(rows, json_pack("{s:o,s:o,s:o}", "below_seconds",
                                              i < LIFE_ROWS - 1 ? json_real(edge) : json_null(), "blocks",
                                              number(m->life[i]), "bytes", number(m->life_bytes[i])));
    return rows;
}

static json_t *schemes_json(const struct summary *m, const struct trace_counts *c) {
    json_t *rows = json_array();
    uint64_t asked = m->asked ? m->asked : 1, peak = c->peak ? c->peak : 1;
    for (int i = 0; i < SCHEMES; i++)
        json_array_append_new(rows, json_pack("{s:s,s:s,s:o,s:f,s:f}", "scheme", scheme_table[i].key, "text",
                                              scheme_table[i].text, "bytes_at_peak", number(m->peak_taken[i]),
                                              "waste_at_peak", (double)m->peak_taken[i] / (double)peak - 1,
                                              "waste_of_all", (double)m->taken[i] / (double)asked - 1));
    return rows;
}

static json_t *curve_json(const struct summary *m) {
    json_t *rows = json_array();
    for (size_t i = 0; i < m->curve_used; i++)
        json_array_append_new(rows,
                              json_pack("[f,o]", (double)i * (double)m->curve_width / m->ticks, number(m->curve[i])));
    return rows;
}

json_t *summary_make(const struct trace_file *f, const struct trace_stream *s) {
    struct summary *m = xmalloc(sizeof *m);
    struct trace_counts c;
    *m = (struct summary){.ticks = f->ticks, .start = s->start, .curve_width = 1 + (uint64_t)(f->ticks / 1e4)};
    m->thread_seen = xmalloc(s->threads + 1);
    memset(m->thread_seen, 0, s->threads + 1);
    bool whole = trace_walk(f, s, on_action, m, &c);
    if (m->at_peak)
        peak_keep(m);
    size_t threads = 0;
    for (size_t i = 0; i < s->threads; i++)
        threads += m->thread_seen[i];
    json_t *j = json_pack(
        "{s:i,s:s,s:O*,s:i,s:b,s:b,s:O*,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "hakmem_trace", 1,
        "program", trace_name(s), "args", json_object_get(s->meta, "args"), "pid", (int)s->pid, "forked",
        (int)s->forked, "whole", (int)(whole && f->end), "samples", s->samples, "threads", number(threads), "events",
        number(c.events), "blocks", number(c.births), "frees", number(c.deaths), "reallocs", number(m->reallocs),
        "reallocs_growing", number(m->realloc_grow), "callocs", number(m->callocs), "aligned", number(m->aligned),
        "requested_bytes", number(c.requested), "peak_live_bytes", number(c.peak), "peak_live_blocks",
        number(c.peak_blocks), "live_at_end_bytes", number(c.live), "live_at_end_blocks", number(c.blocks));
    double start = (double)(c.peak_stamp > s->start ? c.peak_stamp - s->start : 0) / f->ticks;
    json_object_set_new(j, "peak_at_seconds", json_real(start));
    json_object_set(j, "machine", json_object_get(f->end, "machine"));
    json_object_set_new(j, "inherited_blocks", number(c.inherited));
    json_object_set_new(j, "unknown_frees", number(c.unknown_frees));
    json_object_set_new(j, "missed_frees", number(c.missed_frees));
    json_object_set_new(j, "cross_thread",
                        json_pack("{s:o,s:o,s:f}", "blocks", number(m->cross), "bytes", number(m->cross_bytes), "share",
                                  c.deaths ? (double)m->cross / (double)c.deaths : 0));
    json_object_set_new(j, "large_blocks",
                        json_pack("{s:o,s:o,s:o}", "counted", number(m->touched_known), "bytes",
                                  number(m->touched_size), "untouched_bytes", number(m->untouched)));
    json_object_set_new(j, "sizes", sizes_json(m));
    json_object_set_new(j, "top_sizes", top_json(m));
    json_object_set_new(j, "lifetimes", lifetimes_json(m));
    json_object_set_new(j, "schemes", schemes_json(m, &c));
    json_object_set_new(j, "live_over_time", curve_json(m));
    free(m->thread_seen);
    free(m);
    return j;
}
