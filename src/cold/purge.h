/* cold/purge.h : when unused pages go back to the kernel.                                                              L2 */
#ifndef HAK_COLD_PURGE_H
#define HAK_COLD_PURGE_H

#include "base/attr.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap;

/* The purge clock: 16 ms steps, as of the last tick. */
HAK_HIDDEN uint32_t purge_epoch(void);
/* Bytes of free blocks of partial slabs that may be resident, roughly. Heap lock held, or a guess. */
HAK_HIDDEN size_t purge_idle_bytes(const struct heap *h);
/* Advances the clock and purges some of what decay says, if a step has passed; true: there is more. Any thread, no lock held. */
HAK_HIDDEN bool purge_tick(void);
/* purge_tick() of everything at once, however long it takes; returns the bytes given back. For a thread of its own, no lock held. */
HAK_HIDDEN size_t purge_pass(void);
/* Purges about units units of free spans, whatever their age. Any thread, no lock held. */
HAK_HIDDEN void purge_trade(uint32_t units);
/* Pages of slabs were given back, or taken into use again. Any thread. */
HAK_HIDDEN void purge_count(ptrdiff_t bytes);
/* When memory has grown by a lump: gives back about as much of idle pages of all heaps' slabs, where they are more than a twentieth. No lock held. */
HAK_HIDDEN void purge_trade_pages(void);
/* Purges free spans and free pages of partial slabs, but keep bytes; returns the bytes given back. Gives up the reservation under an RLIMIT_AS
 * that came after start. Any thread, no lock held. */
HAK_HIDDEN size_t purge_all(size_t keep);

#endif
