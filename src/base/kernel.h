/* base/kernel.h : a system call as the kernel takes it: without libc's wrapper, which the loader would have to look up at each start, without
 * errno, and no cancellation point.                                                                                    L- */
#ifndef HAK_BASE_KERNEL_H
#define HAK_BASE_KERNEL_H

#include "base/attr.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>

/* Set once, in a process of one thread: it is in seccomp's strict mode, where all but read, write and exit ends it. They are not made then. */
extern HAK_HIDDEN bool hak_kernel_strict;

/* The call's result, or -errno. Any thread, async-signal-safe. */
HAK_HIDDEN long hak_kernel(long number, uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d, uintptr_t e, uintptr_t f);

HAK_INLINE long hak_kernel3(long number, uintptr_t a, uintptr_t b, uintptr_t c) {
    return hak_kernel(number, a, b, c, 0, 0, 0);
}

/* Whether the result of a call that gives an address is -errno. */
HAK_INLINE bool hak_kernel_failed(long result) { return (unsigned long)result > -4096UL; }

#endif
