/* cold/shared.h : blocks from slabs that all threads share.                                                            L2 */
#ifndef HAK_COLD_SHARED_H
#define HAK_COLD_SHARED_H

#include "base/attr.h"
#include "layout/heap.h"
#include <stdbool.h>

/* One block of class cls straight from a heap that has no thread: the shared one, or a first-class one. NULL when memory is out. */
HAK_HIDDEN void *shared_take(struct heap *h, unsigned cls);
/* Whether the next block of class cls comes from the shared heap: h's thread is not the first, and has hardly used the class yet. Owner. */
HAK_HIDDEN bool shared_first(struct heap *h, unsigned cls);

#endif
