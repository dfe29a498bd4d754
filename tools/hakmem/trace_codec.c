/* trace_codec.c : events to columns of variable-length numbers and back; zstd does the rest.
 * A block is four columns, each preceded by its length in four bytes: op (and its alignment), time
 * since the last event, address as the difference to the last, size. */
#include "trace_file.h"

#include <string.h>

enum { COLUMNS = 4, COL_OP = 0, COL_TIME, COL_ADDR, COL_SIZE };

static inline unsigned char *vary_put(unsigned char *to, uint64_t v) {
    for (; v >= 0x80; v >>= 7)
        *to++ = (unsigned char)(v | 0x80);
    *to++ = (unsigned char)v;
    return to;
}

static bool vary_get(const unsigned char **at, const unsigned char *end, uint64_t *v) {
    *v = 0;
    for (unsigned shift = 0; *at < end && shift < 64; shift += 7) {
        unsigned char c = *(*at)++;
        *v |= (uint64_t)(c & 0x7f) << shift;
        if (!(c & 0x80))
            return true;
    }
    return false;
}

static inline uint64_t zigzag(uint64_t d) { return d << 1 ^ (uint64_t)((int64_t)d >> 63); }

static uint64_t unzigzag(uint64_t z) { return z >> 1 ^ (0 - (z & 1)); }

enum { COLUMN_MOST = 10 }; /* bytes of a column that an event may take */

size_t trace_encode_room(size_t n) { return COLUMNS * (4 + n * COLUMN_MOST); }

/* Closes the gaps between the columns, which were written `room` bytes apart, and puts each one's length before it. */
static size_t columns_close(unsigned char *out, unsigned char *const *end, size_t room) {
    unsigned char *to = out;
    for (int col = 0; col < COLUMNS; col++) {
        unsigned char *from = out + (size_t)col * room + 4;
        uint32_t bytes = (uint32_t)(end[col] - from);
        memmove(to + 4, from, bytes);
        memcpy(to, &bytes, 4);
        to += 4 + bytes;
    }
    return (size_t)(to - out);
}

/* One pass: this runs beside the recorded program, and what it takes per event bounds how fast that can go. */
size_t trace_encode(const struct wire_event *event, size_t n, unsigned char *out, uint32_t *count) {
    size_t room = 4 + n * COLUMN_MOST;
    unsigned char *ops = out + 4, *times = ops + room, *addrs = times + room, *sizes = addrs + room;
    uint64_t addr = 0, size_high = 0, time_high = 0;
    uint32_t seen = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t head = atomic_load_explicit(&event[i].head, memory_order_acquire); /* acq: pairs with record_store */
        uint64_t tail = event[i].tail, at = head >> 16;
        unsigned op = head & 15;
        if (op == WIRE_NONE)
            break;
        if (op == WIRE_EXTEND) {
            size_high = tail << 32;
            time_high = tail >> 32 << 32;
            continue;
        }
        *ops++ = (unsigned char)op;
        if (op == WIRE_ALIGNED)
            *ops++ = (unsigned char)(head >> 4 & 63);
        times = vary_put(times, time_high | tail >> 32);
        addrs = vary_put(addrs, zigzag(at - addr));
        sizes = vary_put(sizes, size_high | (tail & UINT32_MAX));
        seen++;
        addr = at;
        size_high = time_high = 0;
    }
    *count = seen;
    return columns_close(out, (unsigned char *const[]){ops, times, addrs, sizes}, room);
}

bool trace_decode(const unsigned char *in, size_t size, uint64_t base, struct trace_event *out, uint32_t count) {
    const unsigned char *at[COLUMNS], *end[COLUMNS];
    uint64_t addr = 0, stamp = base, v;
    for (int col = 0; col < COLUMNS; col++) {
        uint32_t bytes;
        if (size < 4)
            return false;
        memcpy(&bytes, in, 4);
        if (bytes > size - 4)
            return false;
        at[col] = in + 4;
        end[col] = in + 4 + bytes;
        in += 4 + bytes;
        size -= 4 + bytes;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct trace_event *e = &out[i];
        if (at[COL_OP] >= end[COL_OP])
            return false;
        e->op = *at[COL_OP]++;
        e->align_log2 = 0;
        if (e->op == WIRE_ALIGNED) {
            if (at[COL_OP] >= end[COL_OP])
                return false;
            e->align_log2 = *at[COL_OP]++ & 63;
        }
        if (!vary_get(&at[COL_TIME], end[COL_TIME], &v))
            return false;
        e->stamp = stamp += v;
        if (!vary_get(&at[COL_ADDR], end[COL_ADDR], &v))
            return false;
        e->addr = addr += unzigzag(v);
        if (!vary_get(&at[COL_SIZE], end[COL_SIZE], &e->size))
            return false;
    }
    return true;
}
