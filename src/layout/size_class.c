/* layout/size_class.c : the tables of size_class.h, expanded from its formula at compile time.
 * Test       unit/size_class checks each entry against a search */
#include "layout/size_class.h"

#define UNITS(s) ((s) <= 8192 ? 1 : (s) <= 32768 ? 4 : 8)
#define NOBJ(s) (UNITS(s) * 65536 / (s))
#define CLAMP(v, lo, hi) ((v) < (lo) ? (lo) : (v) > (hi) ? (hi) : (v))
/* Of a miss among medium blocks most is the miss itself; small ones must miss now and then, for housekeeping lives on it. */
#define CHUNK_BYTES(s) ((s) <= 8192 ? 131072 : 262144)
#define LEAST(n) ((n) / 8 < 1 ? 1 : (n) / 8 > 8 ? 8 : (n) / 8)
#define ROW(c)                                                                                                        \
    {                                                                                                                 \
        .size = HAK_CLASS_SIZE(c), .recip = (uint32_t)((0x100000000ull + HAK_CLASS_SIZE(c) - 1) / HAK_CLASS_SIZE(c)), \
        .nobj = NOBJ(HAK_CLASS_SIZE(c)), .units = UNITS(HAK_CLASS_SIZE(c)),                                           \
        .cap = (uint8_t)CLAMP(CHUNK_BYTES(HAK_CLASS_SIZE(c)) / HAK_CLASS_SIZE(c), 2, 126),                            \
        .batch = CLAMP(8192 / HAK_CLASS_SIZE(c), 1, 126), .least = LEAST(NOBJ(HAK_CLASS_SIZE(c)))                     \
    }
#define ROW4(c) ROW(c), ROW((c) + 1), ROW((c) + 2), ROW((c) + 3)
#define ROW24(c) ROW4(c), ROW4((c) + 4), ROW4((c) + 8), ROW4((c) + 12), ROW4((c) + 16), ROW4((c) + 20)

HAK_READ_MOSTLY struct size_class hak_class[HAK_CLASSES] = {ROW24(0), ROW24(24), ROW24(48)};

uint8_t hak_class_parent[HAK_CLASSES - HAK_CLASSES_FIXED];

/* Class by class, each as often as it has steps of 16 bytes; 0 bytes are of class 0 too. */
#define X1(c) c
#define X2(c) X1(c), X1(c)
#define X4(c) X2(c), X2(c)
#define X8(c) X4(c), X4(c)
#define X16(c) X8(c), X8(c)
#define X32(c) X16(c), X16(c)
#define X64(c) X32(c), X32(c)
#define X128(c) X64(c), X64(c)
#define X256(c) X128(c), X128(c)
#define X512(c) X256(c), X256(c)
#define X1K(c) X512(c), X512(c)
#define FOUR(x, c) x(c), x(c + 1), x(c + 2), x(c + 3)
#define EIGHT(x, c) FOUR(x, c), FOUR(x, c + 4)

HAK_READ_MOSTLY uint8_t hak_class_of[HAK_CLASS_STEPS] = {
    0,
    EIGHT(X1, 0),
    EIGHT(X1, 8),   /* to 256 */
    EIGHT(X2, 16),  /* to 512 */
    EIGHT(X4, 24),  /* to 1 KiB */
    EIGHT(X8, 32),  /* to 2 KiB */
    EIGHT(X16, 40), /* to 4 KiB */
    EIGHT(X32, 48), /* to 8 KiB */
    FOUR(X128, 56), /* to 16 KiB */
    FOUR(X256, 60), /* to 32 KiB */
    FOUR(X512, 64), /* to 64 KiB */
    FOUR(X1K, 68),  /* to 128 KiB */
};
