/* layout/magazine.h : chunks, the links of a magazine.
 *
 *   chunk, 1 KiB, aligned to its size              top points behind the last block
 *   [0] previous chunk, flags  [1..127-cap] unused  [127-cap] 0: the bottom  [128-cap .. 127] blocks
 *
 * A pop reads top[-1]; 0 there is the bottom (or the empty chunk, or a fence of cold/visit.c): the cold door. A push at a top whose
 * address is a multiple of the chunk's size is a full chunk (or the empty chunk): the cold door.
 * The same chunks carry remote frees: [0] next chunk, [1] count << 32 | bytes, then blocks up to the end, from where a full batch (HAKMEM_REMOTE_BATCH) would begin. */
#ifndef HAK_LAYOUT_MAGAZINE_H
#define HAK_LAYOUT_MAGAZINE_H

#include "base/atomic.h"
#include "base/attr.h"
#include "gates/build.h"
#include "layout/size_class.h"
#include <stdint.h>

struct chunk {
    uintptr_t slot[HAK_CHUNK_SLOTS];
} HAK_ALIGNED(1024);
_Static_assert(sizeof(struct chunk) == HAK_CHUNK_BYTES && HAK_CHUNK_BYTES == 1024, "top's low bits tell a full chunk");

/* Where every magazine without a chunk points: it is empty to a pop and full to a push. */
extern HAK_HIDDEN const struct chunk hak_empty_chunk;
#define HAK_EMPTY ((uintptr_t *)(uintptr_t)&hak_empty_chunk.slot[HAK_CHUNK_SLOTS])

/* The chunk that top lies in or ends. */
HAK_INLINE struct chunk *chunk_of(uintptr_t *top) {
    return (struct chunk *)((uintptr_t)(top - 1) & ~(uintptr_t)(HAK_CHUNK_BYTES - 1));
}
HAK_INLINE uintptr_t *chunk_end(struct chunk *k) { return &k->slot[HAK_CHUNK_SLOTS]; }
/* Top of an empty chunk of class c: just above the bottom. */
HAK_INLINE uintptr_t *chunk_start(struct chunk *k, unsigned c) { return &k->slot[HAK_CHUNK_SLOTS - hak_class[c].cap]; }
/* The lowest block of a chunk that was visited (cold/visit.c): above the highest 0. */
HAK_INLINE uintptr_t *chunk_bottom(uintptr_t *top, const uintptr_t *start) {
    while (top > start && top[-1] != 0) {
        top--;
    }
    return top;
}
/* Of a magazine's chunk: the previous one is half full, not full; this one became the top because the one above it was used up. */
enum { CHUNK_ON_HALF = 1, CHUNK_CAME_BACK = 2, CHUNK_FLAGS = 3 };
HAK_INLINE struct chunk *chunk_prev(const struct chunk *k) {
    return (struct chunk *)(k->slot[0] & ~(uintptr_t)CHUNK_FLAGS);
}
HAK_INLINE void chunk_set_prev(struct chunk *k, struct chunk *prev) { k->slot[0] = (uintptr_t)prev; }
HAK_INLINE unsigned chunk_half(unsigned c) { return hak_class[c].cap / 2; }
/* Blocks of class c in the chunk before k, and the top that it would have. */
HAK_INLINE unsigned chunk_below(const struct chunk *k, unsigned c) {
    return hak_load_rlx(&k->slot[0]) & CHUNK_ON_HALF ? chunk_half(c) : hak_class[c].cap;
}
HAK_INLINE uintptr_t *chunk_below_top(const struct chunk *k, unsigned c) {
    return chunk_start(chunk_prev(k), c) + chunk_below(k, c);
}

#endif
