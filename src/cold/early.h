/* cold/early.h : the first blocks of a program, before it has an arena.                                                L2 */
#ifndef HAK_COLD_EARLY_H
#define HAK_COLD_EARLY_H

#include "base/attr.h"
#include <stdbool.h>
#include <stddef.h>

/* A block of n bytes at a multiple of align, a power of two, and of 16; NULL when there is no room left, or enough calls were served. It is not
 * zeroed. Like all of these it may be called from any thread and from signal handlers. */
HAK_HIDDEN void *early_alloc(size_t n, size_t align);
/* Counts a block that is a mapping of its own as an eighth of all the calls there may be; false: enough were served. */
HAK_HIDDEN bool early_count(void);
HAK_HIDDEN bool early_holds(const void *p);
/* These take what early_holds(), and end the program, naming function, where that is no block in use. */
HAK_HIDDEN void early_free(void *p);
HAK_HIDDEN size_t early_size(const void *p, const char *function);
/* Whether the block has n usable bytes now. */
HAK_HIDDEN bool early_resize(void *p, size_t n, const char *function);

struct early_stats {
    size_t room, used, live; /* bytes mapped; handed out, blocks freed since included; of blocks in use */
};
HAK_HIDDEN void early_stats_get(struct early_stats *out);

#endif
