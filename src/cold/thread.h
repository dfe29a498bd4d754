/* cold/thread.h : a thread gets a heap at its first call and gives it back when it ends.                               L2 */
#ifndef HAK_COLD_THREAD_H
#define HAK_COLD_THREAD_H

#include "base/attr.h"
#include "layout/heap.h"
#include "layout/thread_cache.h"
#include <stdbool.h>

/* Once, at start. */
HAK_HIDDEN void thread_init(void);
/* Gives the calling thread a heap. False when memory is out, or the thread is past its destructors. */
HAK_HIDDEN bool thread_attach(struct thread_cache *t);
/* Settles all that the thread caches and sends its remote frees; it keeps its heap. */
HAK_HIDDEN void thread_flush(struct thread_cache *t, struct heap *h);

#endif
