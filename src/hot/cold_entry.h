/* hot/cold_entry.h : the only doors from L1 to L2. Declared here; the frees are in cold/door.c, the others in api/entry.c.                          L1
 * Each takes whatever state the hot path found and does the whole call. Results are NULL for no memory; errno is then ENOMEM; the frees
 * preserve it. */
#ifndef HAK_HOT_COLD_ENTRY_H
#define HAK_HOT_COLD_ENTRY_H

#include "base/attr.h"
#include <stddef.h>
#include <stdint.h>

/* The magazine of class cls gave nothing: empty, no chunk yet, no thread state yet, or a mode that sees every call. n: bytes asked for. */
HAK_HIDDEN void *hak_malloc_cold(size_t n, size_t cls);
/* n > HAK_MEDIUM_MAX. */
HAK_HIDDEN void *hak_malloc_large(size_t n);
/* p is NULL, foreign, large, remote, or this thread has no state. cls: its map word (0: not in the arena) xor this thread's key. */
HAK_HIDDEN void hak_free_away(void *p, size_t cls);
/* The same for any p. */
HAK_HIDDEN void hak_free_cold(void *p);
/* p is this thread's, and the chunk of its class is full. */
HAK_HIDDEN void hak_free_full(void *p, size_t cls);

#endif
