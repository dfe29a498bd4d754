/* cold/fork.h : fork while other threads are inside the allocator.                                                     L2 */
#ifndef HAK_COLD_FORK_H
#define HAK_COLD_FORK_H

#include "base/attr.h"

/* Registers the handlers unless that was done. At start, or, where os_atfork_waits(), before a second thread takes a lock of ours, or forks, or anybody
 * registers others. Any thread. */
HAK_HIDDEN void fork_init(void);
/* The calling thread is about to fork: what a second thread's first call would have done is done. */
HAK_HIDDEN void fork_comes(void);

#endif
