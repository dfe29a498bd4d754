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
/* Units of free spans that may lie idle beside the demand of late: as many were given back lately, again and again, and came back. Any thread. */
HAK_HIDDEN size_t purge_slack(void);
/* Purges about units units of free spans, whatever their age. Any thread, no lock held. */
HAK_HIDDEN void purge_trade(uint32_t units);
/* Pages of slabs that were given back are taken into use again: they were needed, and nothing is given back for them. */
HAK_HIDDEN void purge_missed(size_t bytes);
/* How many bytes to trade: 0, or what the heap grew by since the last trade when more than a twentieth of it is touched pages without a live
 * block. Under its lock. */
HAK_HIDDEN size_t purge_trade_due(struct heap *h);
/* Gives back about bytes of idle pages of the heap's slabs. No lock held. */
HAK_HIDDEN void purge_trade_pages(struct heap *h, size_t bytes);
/* A large block took new memory. What was taken into use since the last time, above what was resident in this window of demand, is paid for: gives
 * back about as much of the idle pages of all heaps' slabs. No lock held. */
HAK_HIDDEN void purge_trade_large(void);
/* Purges free spans and free pages of partial slabs, but keep bytes; returns the bytes given back. Gives up the reservation under an RLIMIT_AS
 * that came after start. Any thread, no lock held. */
HAK_HIDDEN size_t purge_all(size_t keep);

#endif
