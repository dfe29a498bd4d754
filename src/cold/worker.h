/* cold/worker.h : a background thread that purges when the program is quiet.                                           L2 */
#ifndef HAK_COLD_WORKER_H
#define HAK_COLD_WORKER_H

#include "base/attr.h"

/* Starts the worker if the gate and the process' size say so. Any thread, inside the allocator, no lock held. */
HAK_HIDDEN void worker_poll(void);
/* In fork's child: the worker is gone; the next poll starts another. */
HAK_HIDDEN void worker_child(void);

#endif
