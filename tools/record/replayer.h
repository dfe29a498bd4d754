/* replayer.h : what the replayer needs of the machine; none of it allocates. */
#ifndef REPLAYER_H
#define REPLAYER_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/time.h>

/* Writes to the block's memory as the recorded program did: its first `pages` - 1 pages, or all of it if pages is 0. */
void replay_touch(void *block, uint64_t size, uint32_t pages);
/* Bytes in a line of /proc/self/status. */
uint64_t replay_status(const char *field);
uint64_t replay_clock(void); /* monotonic ns */
void replay_until(uint64_t ns);
void replay_pause(void);
void replay_backoff(unsigned round);
/* Waits while *word is `seen`, or a wake. */
void replay_sleep(_Atomic uint32_t *word, uint32_t seen);
void replay_wake(_Atomic uint32_t *word);
void replay_await_zero(_Atomic uint32_t *word);
uint64_t replay_micros(const struct timeval *t);

#endif
