/* gates/build.h : what is fixed when the library is compiled; the only header of gates/ that hot/ may see.           L0 */
#ifndef HAK_GATES_BUILD_H
#define HAK_GATES_BUILD_H

enum {
    HAK_UNIT_SHIFT = 16,            /* a unit, 64 KiB, is what the map has a word for */
    HAK_SUPER_UNITS = 32,           /* a superslab, 2 MiB, is what huge pages and purge epochs are kept for */
    HAK_CHUNK_SLOTS = 128,          /* words of a magazine chunk: link, bottom, up to 126 blocks */
    HAK_SMALL_MAX = 1024,           /* sizes whose class the thread cache's own table answers */
    HAK_MEDIUM_MAX = 131072,        /* the largest size class */
    HAK_CLASSES_FIXED = 72,         /* classes of the formula */
    HAK_CLASSES = 76,               /* and room for four of other sizes */
    HAK_CLASS_CLOSED = HAK_CLASSES, /* the class without a magazine (cold/recall.c) */
    HAK_CLASS_LARGE = 255,          /* the class byte of a large block's first unit */
    HAK_OUTBOXES = 8,               /* owners that a thread collects remote frees for */
    HAK_HEAP_BITS = 24,             /* heaps that the map word has room for */
};
/* The largest page size that Linux has on the machine: what is sealed fills such pages. */
#ifdef __x86_64__
enum { HAK_SEAL_BYTES = 4096 };
#else
enum { HAK_SEAL_BYTES = 65536 };
#endif
#define HAK_UNIT ((size_t)1 << HAK_UNIT_SHIFT)
#define HAK_SUPER (HAK_UNIT * HAK_SUPER_UNITS)
#define HAK_CHUNK_BYTES (HAK_CHUNK_SLOTS * sizeof(void *))
#define HAK_MOVABLE_MIN \
    ((size_t)1 << 20) /* a block that grew to this by realloc becomes a mapping, to grow on without a copy */
#define HAK_HUGE_MIN ((size_t)64 << 20) /* larger blocks are mappings of their own */

#endif
