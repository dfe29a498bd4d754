/* layout/lookup.h : the map word of a pointer. */
#ifndef HAK_LAYOUT_LOOKUP_H
#define HAK_LAYOUT_LOOKUP_H

#include "base/atomic.h"
#include "base/attr.h"
#include "layout/arena.h"
#include "layout/size_class.h"

/* 0 when p is not in a usable unit of ours, or in a free one. */
HAK_INLINE uint32_t hak_word_hot(const void *p) {
    size_t u = unit_of(p);
    if (HAK_UNLIKELY(u >= hak_load_hot(&hak_arena.limit))) {
        return 0;
    }
    return hak_load_hot(&hak_load_hot(&hak_arena.map)[u]);
}

HAK_INLINE unsigned hak_word_class(uint32_t word) { return word & 0xff; }
HAK_INLINE uint32_t hak_word_heap(uint32_t word) { return word >> 8; }

#endif
