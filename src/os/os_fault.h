/* os/os_fault.h : the knobs of os.h's double for unit tests. Real memory lies beneath; refusals, clock, limits and page size are the test's. */
#ifndef HAK_OS_OS_FAULT_H
#define HAK_OS_OS_FAULT_H

#include "os/os.h"

enum os_fault_call {
    OS_RESERVE,
    OS_COMMIT,
    OS_MAP,
    OS_MAP_AT,
    OS_REMAP, /* up to here: the mapping calls, which os_fault_refuse() counts */
    OS_UNMAP,
    OS_PURGE,
    OS_RESIDENT,
    OS_POPULATE,
    OS_HUGE,
    OS_HUGE_SIZES,
    OS_SEAL,
    OS_WAIT,
    OS_BARRIER,
    OS_CALLS
};

/* Back to: nothing refused, clock at a second, no limits, 4 KiB pages, an empty environment, no symbols, threads, huge pages of 2 MiB where asked for, counts 0. */
void os_fault_reset(void);
/* The n-th mapping call from now on (1: the next) fails with -ENOMEM, and so do all after it if forever. 0: none fails. */
void os_fault_refuse(unsigned n, bool forever);
/* Whether a refusal happened since os_fault_refuse(). */
bool os_fault_refused(void);
/* Every call of this kind fails: unmap with -ENOMEM, purge, populate and huge with -EINVAL, huge_sizes with -ENOENT, reserve, commit, map, map_at, remap with -ENOMEM. */
void os_fault_break(enum os_fault_call call, bool broken);
/* How often it was called since the last reset, refusals included. */
unsigned os_fault_count(enum os_fault_call call);
/* Bytes of os_reserve(), os_map(), os_map_at() and os_remap() that were not unmapped. */
size_t os_fault_mapped(void);
/* Where os_huge() was last called for. */
void *os_fault_huge_at(void);
/* Bytes given to os_purge() since the last reset. */
size_t os_fault_purged(void);

void os_fault_clock(uint64_t ms);
void os_fault_advance(uint64_t ms);
void os_fault_page_size(size_t bytes); /* a multiple of the machine's */
void os_fault_huge_sizes(size_t asked, size_t always);
void os_fault_limit_as(size_t bytes);
void os_fault_barrier(
    void (*hook)(void)); /* called at each barrier: plays the other threads, which stand still otherwise */
void os_fault_secure(bool on);
void os_fault_environment(char **list);
void os_fault_symbols(void *(*lookup)(const char *name));
void os_fault_threaded(bool on);

#endif
