/* cold/arena.h : address space and the side arrays that describe it.                                                  L2 */
#ifndef HAK_COLD_ARENA_H
#define HAK_COLD_ARENA_H

#include "base/attr.h"
#include <stdbool.h>
#include <stddef.h>

/* Places the arena. False when there is no address space at all. Once, at start. */
HAK_HIDDEN bool arena_init(void);
/* Makes at least units more units usable, with their entries in every side array; the first new unit is the old hak_arena.limit.
 * Returns how many units were added, 0 when memory or address space is out. One caller at a time; holds no lock. */
HAK_HIDDEN size_t arena_grow(size_t units);
/* Where RLIMIT_AS has come since arena_init(): gives up what is reserved and not usable yet, as it counts. By arena_grow()'s caller. */
HAK_HIDDEN void arena_shed(void);
/* Bytes of address space that are reserved and not usable yet. */
HAK_HIDDEN size_t arena_retained(void);
/* Unit 0, once: zeroed memory that no block will ever lie in. NULL when there is none. */
HAK_HIDDEN void *arena_spare(size_t *len);
/* Whether p lies in address space that is the arena's, usable or not. */
HAK_HIDDEN bool arena_holds(const void *p);

#endif
