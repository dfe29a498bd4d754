/* layout/size_class.c : the tables of size_class.h, expanded from its formula at compile time.
 * Test       unit/size_class checks each entry against a search */
#include "layout/size_class.h"

#define UNITS(s) ((s) <= 8192 ? 1 : (s) <= 32768 ? 4 : 8)
#define NOBJ(s) (UNITS(s) * 65536 / (s))
#define CLAMP(v, lo, hi) ((v) < (lo) ? (lo) : (v) > (hi) ? (hi) : (v))
#define LEAST(n) ((n) / 8 < 1 ? 1 : (n) / 8 > 8 ? 8 : (n) / 8)
#define ROW(c)                                                                                                        \
    {                                                                                                                 \
        .size = HAK_CLASS_SIZE(c), .recip = (uint32_t)((0x100000000ull + HAK_CLASS_SIZE(c) - 1) / HAK_CLASS_SIZE(c)), \
        .nobj = NOBJ(HAK_CLASS_SIZE(c)), .units = UNITS(HAK_CLASS_SIZE(c)),                                           \
        .cap = (uint8_t)CLAMP(131072 / HAK_CLASS_SIZE(c), 2, 126), .batch = CLAMP(8192 / HAK_CLASS_SIZE(c), 1, 126),  \
        .least = LEAST(NOBJ(HAK_CLASS_SIZE(c)))                                                                       \
    }
#define ROW4(c) ROW(c), ROW((c) + 1), ROW((c) + 2), ROW((c) + 3)
#define ROW24(c) ROW4(c), ROW4((c) + 4), ROW4((c) + 8), ROW4((c) + 12), ROW4((c) + 16), ROW4((c) + 20)

struct size_class hak_class[HAK_CLASSES] = {ROW24(0), ROW24(24), ROW24(48)};

/* The class of i * 16 bytes: d doublings above the scheme's start, then the step within the doubling. */
#define FINE(s, d) (16 + 8 * (d) + (((s)-1) - (256 << (d))) / (32 << (d)))
#define COARSE(s, d) (56 + 4 * (d) + (((s)-1) - (8192 << (d))) / (2048 << (d)))
#define OF(i)                          \
    ((i) <= 16     ? (i) - ((i) > 0)   \
     : (i) <= 32   ? FINE((i)*16, 0)   \
     : (i) <= 64   ? FINE((i)*16, 1)   \
     : (i) <= 128  ? FINE((i)*16, 2)   \
     : (i) <= 256  ? FINE((i)*16, 3)   \
     : (i) <= 512  ? FINE((i)*16, 4)   \
     : (i) <= 1024 ? COARSE((i)*16, 0) \
     : (i) <= 2048 ? COARSE((i)*16, 1) \
     : (i) <= 4096 ? COARSE((i)*16, 2) \
                   : COARSE((i)*16, 3))
#define BYTE(i) (uint8_t)(OF(i))
#define OF4(i) BYTE(i), BYTE((i) + 1), BYTE((i) + 2), BYTE((i) + 3)
#define OF16(i) OF4(i), OF4((i) + 4), OF4((i) + 8), OF4((i) + 12)
#define OF64(i) OF16(i), OF16((i) + 16), OF16((i) + 32), OF16((i) + 48)
#define OF256(i) OF64(i), OF64((i) + 64), OF64((i) + 128), OF64((i) + 192)
#define OF1K(i) OF256(i), OF256((i) + 256), OF256((i) + 512), OF256((i) + 768)
#define OF4K(i) OF1K(i), OF1K((i) + 1024), OF1K((i) + 2048), OF1K((i) + 3072)

uint8_t hak_class_of[HAK_CLASS_STEPS] = {OF4K(0), OF4K(4096), BYTE(8192)};
