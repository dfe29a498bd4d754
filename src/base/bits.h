/* base/bits.h : bit scans, alignment, checked arithmetic.                                                            L- */
#ifndef HAK_BASE_BITS_H
#define HAK_BASE_BITS_H

#include "base/attr.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

HAK_INLINE unsigned hak_ctz64(uint64_t v) { return (unsigned)__builtin_ctzll(v); }
/* The same as an index, without what gcc puts around it: a register cleared for processors before 2015, a sign that is never there. */
HAK_INLINE size_t hak_ctz_index(uint64_t v) {
#if defined(__x86_64__)
    size_t n;
    __asm__("rep bsfq %1, %0" : "=r"(n) : "r"(v) : "cc");
    return n;
#else
    return (size_t)__builtin_ctzll(v);
#endif
}
HAK_INLINE unsigned hak_ctz32(uint32_t v) { return (unsigned)__builtin_ctz(v); }
HAK_INLINE unsigned hak_clz32(uint32_t v) { return (unsigned)__builtin_clz(v); }
HAK_INLINE unsigned hak_popcount64(uint64_t v) { return (unsigned)__builtin_popcountll(v); }
HAK_INLINE unsigned hak_popcount32(uint32_t v) { return (unsigned)__builtin_popcount(v); }

HAK_INLINE bool hak_is_pow2(size_t v) { return v != 0 && (v & (v - 1)) == 0; }
HAK_INLINE size_t hak_align_up(size_t v, size_t a) { return (v + a - 1) & ~(a - 1); }
HAK_INLINE size_t hak_align_down(size_t v, size_t a) { return v & ~(a - 1); }
HAK_INLINE size_t hak_min(size_t a, size_t b) { return a < b ? a : b; }
HAK_INLINE size_t hak_max(size_t a, size_t b) { return a > b ? a : b; }

/* n bits from bit 0, n in 0..64 (0..32). */
HAK_INLINE uint64_t hak_ones64(unsigned n) { return n >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << n) - 1; }
HAK_INLINE uint32_t hak_ones32(unsigned n) { return n >= 32 ? ~UINT32_C(0) : (UINT32_C(1) << n) - 1; }

/* The first bit of the array at from or behind it that is set (or not), end if none is. */
HAK_INLINE unsigned hak_next_bit(const uint64_t *bits, unsigned from, unsigned end, bool set) {
    for (; from < end; from = (from | 63) + 1) {
        uint64_t w = (set ? bits[from >> 6] : ~bits[from >> 6]) >> (from & 63);
        if (w) {
            from += hak_ctz64(w);
            return from < end ? from : end;
        }
    }
    return end;
}

/* True and *out = a * b when the product fits. */
HAK_INLINE bool hak_mul(size_t a, size_t b, size_t *out) { return !__builtin_mul_overflow(a, b, out); }

#endif
