/* diag/verify.h : the whole heap against its invariants.                                                               L3 */
#ifndef HAK_DIAG_VERIFY_H
#define HAK_DIAG_VERIFY_H

#include "base/attr.h"
#include <stddef.h>

/* Checks each invariant that the heads of slab.h, slab.c, span.c, magazine.c, large.c and remote.c state, and calls report, if not NULL,
 * with a line for each that does not hold. Returns how many do not hold. The other threads of the process must be outside the allocator
 * and stay there (stopped, or waiting for the caller); the caller must not be inside it. report is called with all heaps locked: it must
 * not allocate or free by us. */
HAK_HIDDEN size_t verify_heap_all(void (*report)(const char *line, void *context), void *context);

/* verify_heap_all() with lines to stderr: for stress tests, which link the core. */
HAK_HIDDEN size_t hak_verify(void);

#endif
