/* refill.h : chunks that a worker prepares for magazines whose owners asked. */
#ifndef HAK_VARIANTS_REFILL_H
#define HAK_VARIANTS_REFILL_H

#include "base/attr.h"
#include "side.h"
#include <stddef.h>

/* In the place of hak_malloc_cold() for background_malloc() and hybrid_malloc(). */
HAK_HIDDEN void *refill_cold(size_t n, size_t cls);
/* The worker has something to do for s; starts it if it does not run. Owner of s, not inside the core. */
HAK_HIDDEN void refill_raise(struct side *s);
/* Prepared chunks of s are settled and its requests are dropped. Any thread; those of a heap without a thread, or the owner. */
HAK_HIDDEN void refill_settle(struct side *s);
/* In fork's child: the worker is gone; the next request starts another. */
HAK_HIDDEN void refill_child(void);

#endif
