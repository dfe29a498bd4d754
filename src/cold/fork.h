/* cold/fork.h : fork while other threads are inside the allocator.                                                     L2 */
#ifndef HAK_COLD_FORK_H
#define HAK_COLD_FORK_H

#include "base/attr.h"

/* Registers the handlers. Once, at start. */
HAK_HIDDEN void fork_init(void);

#endif
