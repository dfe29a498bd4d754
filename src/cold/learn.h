/* cold/learn.h : size classes of the sizes that the program really asks for.                                           L2 */
#ifndef HAK_COLD_LEARN_H
#define HAK_COLD_LEARN_H

#include "base/attr.h"
#include "layout/size_class.h"
#include "layout/thread_cache.h"
#include <stddef.h>

/* A request of n bytes made the caller's heap take a new slab of class cls. The owner of t; no lock held. */
HAK_HIDDEN void learn_see(struct thread_cache *t, size_t n, unsigned cls);
/* A new thread's table for small sizes knows what was learned so far. */
HAK_HIDDEN void learn_inherit(struct thread_cache *t);
/* The row of a class of size bytes, a multiple of 16 up to HAK_MEDIUM_MAX. */
HAK_HIDDEN struct size_class learn_row(size_t size);

#endif
