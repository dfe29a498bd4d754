/* cold/decay.h : pages of slabs in use that hold no block: found by a walk over the map, given back a slab at a time.      L2 */
#ifndef HAK_COLD_DECAY_H
#define HAK_COLD_DECAY_H

#include "base/attr.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap;

enum { DECAY_ANY_AGE = UINT32_MAX }; /* instead of an epoch: whatever its age, inside huge pages too */

/* Gives back the pages of h's slab at unit that hold no block; returns their bytes. Any thread, no lock held. */
HAK_HIDDEN size_t decay_slab(struct heap *h, uint32_t unit);

/* A walk over all heaps' slabs in pieces. */
struct decay_walk {
    uint32_t unit;   /* where to go on; 0 at the start and when all of the arena was seen */
    uint32_t before; /* only slabs that nobody used since this epoch */
    unsigned looks;  /* at most so many units are looked at */
    unsigned slabs;  /* at most so many slabs are asked for pages: each costs a few system calls */
};
/* Goes on, slabs that are a class's current one and hold no block included, until a bound is reached or the arena ends; returns the bytes given back. Any thread, no lock held. */
HAK_HIDDEN size_t decay_step(struct decay_walk *w);

#endif
