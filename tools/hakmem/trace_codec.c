/* trace_codec.c : a slot's words (record_wire.h) to columns of bytes and back; zstd does the rest.
 * A block is five columns, each preceded by its length in four bytes:
 *   codes   2 bytes a word: kind in bits 0-3 (enum code), 4-15 as it says; for a plain word: bits 4-15 of the address
 *   highs   4 bytes: bits 16-47 of the address, for each plain word whose CODE_HIGH is set; otherwise they are those of the last word
 *           of the block with the same bits 4-15: what is freed was mostly allocated lately
 *   sizes   2 bytes for each plain word whose op has one
 *   times   4 bytes for each CODE_TIME: bits 12-43
 *   words   8 bytes for each CODE_WORD, and 16 for each CODE_WIDE */
#include "trace_file.h"

#include <string.h>

enum column { CODES, HIGHS, SIZES, TIMES, WORDS, COLUMNS };
enum code {
    CODE_PLAIN = 7,      /* bits 0-2, when not 0: the op of a plain word */
    CODE_HIGH = 8,       /* plain: with an entry of highs */
    CODE_TIME = 8,       /* bits 0-3: WIRE_TIME, its bits 0-11 in 4-15 */
    CODE_WORD = 0,       /* the whole code: any word, in words */
    CODE_WIDE = 1 << 15, /* and bits 0-3 are 0: WIRE_WIDE, its op and alignment in bits 4-13, its two words in words */
};
enum { LOWS = 4096 };
/* Bytes of sizes that a plain word has, by op: a look at memory is quicker than a shift by a number that is not known before. */
static const uint8_t size_bytes[8] = {[WIRE_MALLOC] = 2, [WIRE_CALLOC] = 2, [WIRE_REALLOC_NEW] = 2, [WIRE_BRIEF] = 2};
static const size_t column_most[COLUMNS] = {2, 4, 2, 4, 8}; /* bytes that a word may take there; none takes all */

struct columns {
    unsigned char *at[COLUMNS];
};

static inline void put16(unsigned char **at, uint64_t v) {
    uint16_t x = (uint16_t)v;
    memcpy(*at, &x, 2);
}

static inline void put32(unsigned char **at, uint64_t v) {
    uint32_t x = (uint32_t)v;
    memcpy(*at, &x, 4);
}

static inline void put64(unsigned char **at, uint64_t v) {
    memcpy(*at, &v, 8);
    *at += 8;
}

size_t trace_encode_room(size_t n) {
    size_t room = 0;
    for (int c = 0; c < COLUMNS; c++)
        room += 4 + (n + 1) * column_most[c];
    return room;
}

/* Closes the gaps between the columns, which were written room for n words apart, and puts each one's length before it. */
static size_t columns_close(unsigned char *out, const struct columns *col, size_t n) {
    unsigned char *to = out, *from = out;
    for (int c = 0; c < COLUMNS; c++) {
        uint32_t bytes = (uint32_t)(col->at[c] - (from + 4));
        memmove(to + 4, from + 4, bytes);
        memcpy(to, &bytes, 4);
        to += 4 + bytes;
        from += 4 + (n + 1) * column_most[c];
    }
    return (size_t)(to - out);
}

/* A word that is no address with a size. Returns the words that it takes. */
static size_t special_encode(struct columns *col, _Atomic uint64_t *word, uint64_t w) {
    unsigned op = w & 15;
    size_t words = 1;
    if (op == WIRE_TIME && w >> 48 == 0) {
        put16(&col->at[CODES], (w & 0xfff0) | CODE_TIME);
        put32(&col->at[TIMES], w >> 16);
        col->at[TIMES] += 4;
    } else if (op == WIRE_WIDE) {
        put16(&col->at[CODES], (w & 0x3ff0) | CODE_WIDE);
        for (; words < WIRE_WIDE_WORDS; words++) {
            put64(&col->at[WORDS], atomic_load_explicit(&word[words], memory_order_relaxed));
            atomic_store_explicit(&word[words], 0, memory_order_relaxed);
        }
    } else {
        put16(&col->at[CODES], CODE_WORD);
        put64(&col->at[WORDS], w);
    }
    col->at[CODES] += 2;
    return words;
}

/* One pass without a branch that data decide: this runs beside the recorded program, and what it takes bounds how fast that can go. */
size_t trace_encode(_Atomic uint64_t *word, size_t n, unsigned char *out, uint32_t *count) {
    uint32_t high_of[LOWS] = {0}, twice = 0, times = 0;
    struct columns col;
    unsigned char *to = out;
    size_t words = 0;
    for (int c = 0; c < COLUMNS; c++) {
        col.at[c] = to + 4;
        to += 4 + (n + 1) * column_most[c];
    }
    unsigned char *codes = col.at[CODES], *highs = col.at[HIGHS], *sizes = col.at[SIZES];
    for (size_t i = 0; i < n;) {
        uint64_t w = atomic_load_explicit(&word[i], memory_order_acquire); /* acq: pairs with record_append */
        unsigned op = w & 15;
        if (op == WIRE_NONE)
            break;
        atomic_store_explicit(&word[i], 0, memory_order_relaxed);
        words++;
        if (__builtin_expect(op > CODE_PLAIN || w & 1 << 19, 0)) {
            col.at[CODES] = codes;
            i += special_encode(&col, &word[i], w);
            codes = col.at[CODES];
            times += op == WIRE_TIME;
            twice += op == WIRE_BRIEF;
            continue;
        }
        uint32_t high = (uint32_t)(w >> 32), low = w >> 20 & (LOWS - 1);
        uint32_t fresh = high_of[low] != high;
        put16(&codes, low << 4 | fresh * CODE_HIGH | op);
        codes += 2;
        put32(&highs, high);
        highs += fresh * 4;
        high_of[low] = high;
        put16(&sizes, w >> 4 & (WIRE_SIZE_END - 1));
        sizes += size_bytes[op];
        twice += op == WIRE_BRIEF;
        i++;
    }
    col.at[CODES] = codes;
    col.at[HIGHS] = highs;
    col.at[SIZES] = sizes;
    *count = (uint32_t)words - times + twice;
    return columns_close(out, &col, n);
}

struct reader {
    const unsigned char *at[COLUMNS], *end[COLUMNS];
    uint32_t high_of[LOWS];
    bool bad;
};

static uint64_t take(struct reader *r, enum column c, size_t bytes) {
    uint64_t v = 0;
    if (bytes > (size_t)(r->end[c] - r->at[c])) {
        r->bad = true;
        return 0;
    }
    memcpy(&v, r->at[c], bytes); /* little-endian */
    r->at[c] += bytes;
    return v;
}

static bool reader_open(struct reader *r, const unsigned char *in, size_t size) {
    memset(r, 0, sizeof *r);
    for (int c = 0; c < COLUMNS; c++) {
        uint32_t bytes;
        if (size < 4)
            return false;
        memcpy(&bytes, in, 4);
        if (bytes > size - 4)
            return false;
        r->at[c] = in + 4;
        r->end[c] = in + 4 + bytes;
        in += 4 + bytes;
        size -= 4 + bytes;
    }
    return true;
}

/* The next word, as it was in the slot (but for those that follow a WIRE_WIDE). */
static uint64_t word_next(struct reader *r) {
    uint64_t code = take(r, CODES, 2), op = code & CODE_PLAIN;
    if (op) {
        uint32_t *high = &r->high_of[code >> 4];
        if (code & CODE_HIGH)
            *high = (uint32_t)take(r, HIGHS, 4);
        return (uint64_t)*high << 32 | code >> 4 << 20 | take(r, SIZES, size_bytes[op]) << 4 | op;
    }
    if (code & CODE_TIME)
        return take(r, TIMES, 4) << 16 | (code & 0xfff0) | WIRE_TIME;
    return code == CODE_WORD ? take(r, WORDS, 8) : (code & 0x3ff0) | WIRE_WIDE;
}

/* The time of events that came at a steady pace is spread between the stamps around them. */
static void times_spread(struct trace_event *first, const struct trace_event *end, uint64_t dt, uint64_t sparse) {
    uint64_t n = (uint64_t)(end - first);
    for (uint64_t i = 1; i < n && dt / n <= sparse; i++)
        first[i].time += dt * i / n;
}

static struct trace_event *word_decode(struct reader *r, uint64_t w, uint64_t stamp, struct trace_event *out,
                                       const struct trace_event *end) {
    enum wire_op op = w & 15;
    size_t events = op == WIRE_BRIEF ? 2 : 1;
    if ((size_t)(end - out) < events) {
        r->bad = true;
        return out;
    }
    *out = (struct trace_event){stamp, stamp, wire_addr(w), wire_size(w), (uint8_t)op, 0};
    if (op == WIRE_WIDE) {
        out->addr = take(r, WORDS, 8);
        out->size = ~take(r, WORDS, 8);
        out->op = w >> 4 & 15;
        out->align_log2 = w >> 8 & 63;
    }
    if (op == WIRE_BRIEF) {
        out[0].op = WIRE_MALLOC;
        out[1] = (struct trace_event){stamp, stamp, out->addr, 0, WIRE_FREE, 0};
    }
    return out + events;
}

bool trace_decode(const unsigned char *in, size_t size, const struct trace_pace *pace, struct trace_event *out,
                  uint32_t count) {
    struct reader r;
    const struct trace_event *end = out + count;
    struct trace_event *since = out; /* the last stamp */
    uint64_t stamp = pace->base;
    if (!reader_open(&r, in, size))
        return false;
    while (r.at[CODES] < r.end[CODES] && !r.bad) {
        uint64_t w = word_next(&r);
        if ((w & 15) != WIRE_TIME) {
            out = word_decode(&r, w, stamp, out, end);
            continue;
        }
        times_spread(since, out, w >> 4, pace->sparse);
        since = out;
        stamp += w >> 4;
    }
    return !r.bad && out == end;
}
