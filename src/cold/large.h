/* cold/large.h : blocks over HAK_MEDIUM_MAX: spans of the arena.                                                       L2 */
#ifndef HAK_COLD_LARGE_H
#define HAK_COLD_LARGE_H

#include "base/attr.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap;

/* n bytes at a multiple of align (a power of two); more than HAK_HUGE_MIN, or an alignment over 2 MiB, becomes a mapping of its own.
 * heap: id of the first-class heap it belongs to, 0 for none. *zeroed: whether zeroes are asked for; on return, whether every byte
 * reads zero. NULL when memory is out. */
HAK_HIDDEN void *large_alloc(size_t n, size_t align, uint32_t heap, bool *zeroed);
/* unit: the block's first unit, whose map word says large. False when somebody else freed it first. */
HAK_HIDDEN bool large_free(uint32_t unit);
HAK_HIDDEN size_t large_size(uint32_t unit);
/* Units of all blocks longer than a superslab. Any thread. */
HAK_HIDDEN size_t large_wide(void);
/* Changes the size in place if the units allow it. */
HAK_HIDDEN bool large_resize(uint32_t unit, size_t n);
/* Frees all large blocks of a first-class heap. */
HAK_HIDDEN void large_free_heap(struct heap *h);
/* Zeroes a block of n bytes that was in use before, n > HAK_MEDIUM_MAX. What is mostly not in memory goes back to the kernel
 * instead: writing it would make all of it resident. Returns p. */
HAK_HIDDEN void *large_zero(void *p, size_t n);

#endif
