/* misuse.h : one tiny program per misuse. Each announces the pointer that it is about to misuse, so that the expected line can name it
 * exactly (the regular expressions in CMakeLists.txt refer back to it). A misuse that is not found lets the program exit with 0. */
#ifndef HAK_TEST_MISUSE_H
#define HAK_TEST_MISUSE_H

#include "conformance/family.h"
#include <stdint.h>

/* Writes "pointer 0x..." to stderr and hides the value from the compiler, which would warn about what is done here. */
static inline void *announce(void *p) {
    fprintf(stderr, "pointer 0x%llx\n", (unsigned long long)(uintptr_t)p);
    return hide(p);
}

/* Small blocks wait in the thread's magazine, which no free inspects: what was wrong with one is found when it goes back to its slab,
 * at the latest here. */
static inline void settle(void) { malloc_trim(0); }

#endif
