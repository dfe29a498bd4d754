/* cold/huge.h : blocks that are mappings of their own.                                                                 L2 */
#ifndef HAK_COLD_HUGE_H
#define HAK_COLD_HUGE_H

#include "base/attr.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* *zeroed: whether zeroes are asked for; on return, whether every byte reads zero. */
HAK_HIDDEN void *huge_alloc(size_t n, size_t align, uint32_t heap, bool *zeroed);
/* For a block that realloc moves for the first time, and will again: it gets the cached mapping whole. */
HAK_HIDDEN void *huge_alloc_growing(size_t n);
/* 0 when p is no huge block's start. */
HAK_HIDDEN size_t huge_size(const void *p);
/* False: p is no huge block's start. The mapping may be kept for the next block; huge_unmap() gives it back at once. */
HAK_HIDDEN bool huge_free(void *p);
HAK_HIDDEN bool huge_unmap(void *p);
/* The block resized, perhaps elsewhere (page tables move, bytes do not); NULL when p is none of ours or memory is out: it is unchanged. */
HAK_HIDDEN void *huge_resize(void *p, size_t n);
HAK_HIDDEN void huge_free_heap(uint32_t heap);
/* Gives the cached mapping back if it was freed before epoch, and what a growing block did not grow into since; returns their bytes. */
HAK_HIDDEN size_t huge_purge(uint32_t epoch);
/* Units that the cached mapping and the spare pages would fill, without the lock. */
HAK_HIDDEN size_t huge_cached_units(void);
/* cached: with what a growing block has to spare. */
HAK_HIDDEN void huge_stats(size_t *live, size_t *count, size_t *cached);
HAK_HIDDEN void huge_lock(void);
HAK_HIDDEN void huge_unlock(void);
HAK_HIDDEN void huge_child(void);

#endif
