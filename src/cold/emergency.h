/* cold/emergency.h : blocks for calls that arrive while this thread is inside the allocator: a signal handler's, or our own nested
 * ones through libc.                                                                                                   L2 */
#ifndef HAK_COLD_EMERGENCY_H
#define HAK_COLD_EMERGENCY_H

#include "base/attr.h"
#include <stdbool.h>
#include <stddef.h>

/* A zeroed block at a multiple of align, a power of two, and of 16; NULL when the pool is used up. Any thread, lock-free, async-signal-safe. */
HAK_HIDDEN void *emergency_alloc(size_t n, size_t align);
HAK_HIDDEN bool emergency_holds(const void *p);
HAK_HIDDEN void emergency_free(void *p);
HAK_HIDDEN size_t emergency_size(const void *p);

#endif
