/* cold/meta.h : memory for the allocator's own objects; never given back.                                              L2 */
#ifndef HAK_COLD_META_H
#define HAK_COLD_META_H

#include "base/attr.h"
#include <stddef.h>

struct heap;
struct chunk;

/* size zeroed bytes, aligned to align (a power of two up to 4096); NULL when memory is out. Any thread. */
HAK_HIDDEN void *meta_alloc(size_t size, size_t align);
/* A chunk with undefined contents, from the heap's spares, the common list or fresh memory; NULL when memory is out. Owner of h. */
HAK_HIDDEN struct chunk *chunk_get(struct heap *h);
/* Gives a chunk back; spares beyond a bound go to the common list. Owner of h. */
HAK_HIDDEN void chunk_put(struct heap *h, struct chunk *k);
/* All spares of h go to the common list. */
HAK_HIDDEN void chunk_put_all(struct heap *h);
/* *where, a static pointer, which is made to point to a mapping of len bytes unless that was done; NULL when memory is out. Any thread, lock-free,
 * async-signal-safe. */
HAK_HIDDEN char *meta_map_once(char **where, size_t len);
HAK_HIDDEN size_t meta_bytes(void);
HAK_HIDDEN void meta_lock(void);
HAK_HIDDEN void meta_unlock(void);
HAK_HIDDEN void meta_child(void); /* fork's child: the lock is free again */

#endif
