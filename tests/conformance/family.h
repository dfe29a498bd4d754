/* family.h : declarations of the whole malloc family, for C libraries whose headers lack some of them (musl, and glibc before 2.38
 * for C23's sized frees). Those that an allocator may lack are weak: compare with NULL through HAS(). */
#ifndef HAK_TEST_FAMILY_H
#define HAK_TEST_FAMILY_H

#include "conformance/check.h"
#include <malloc.h>

#ifdef __cplusplus
extern "C" {
#endif

void *reallocarray(void *block, size_t n, size_t size);
void *memalign(size_t alignment, size_t size);
void *valloc(size_t size);
void *pvalloc(size_t size) CHECK_WEAK;
void cfree(void *block) CHECK_WEAK;
void free_sized(void *block, size_t size) CHECK_WEAK;
void free_aligned_sized(void *block, size_t alignment, size_t size) CHECK_WEAK;

#ifdef __GLIBC__
void *__libc_malloc(size_t size) CHECK_WEAK;
void *__libc_calloc(size_t n, size_t size) CHECK_WEAK;
void *__libc_realloc(void *block, size_t size) CHECK_WEAK;
void __libc_free(void *block) CHECK_WEAK;
void *__libc_memalign(size_t alignment, size_t size) CHECK_WEAK;
void *__libc_valloc(size_t size) CHECK_WEAK;
void *__libc_pvalloc(size_t size) CHECK_WEAK;
#else
struct mallinfo {
    int arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
};
struct mallinfo mallinfo(void);
int malloc_trim(size_t keep);
int mallopt(int option, int value);
int malloc_info(int options, FILE *out);
void malloc_stats(void);
enum { M_MMAP_THRESHOLD = -3, M_TRIM_THRESHOLD = -1, M_PERTURB = -6, M_ARENA_MAX = -8 };
#endif

#if !defined(__GLIBC__) || __GLIBC__ * 100 + __GLIBC_MINOR__ < 233
struct mallinfo2 {
    size_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
};
struct mallinfo2 mallinfo2(void) CHECK_WEAK;
#endif

#ifdef __cplusplus
}
#endif

/* True when the allocator in use has the function. The volatile keeps the compiler from believing a declaration without weak. */
#define HAS(function)                                          \
    __extension__({                                            \
        __typeof__(&(function)) volatile has_it = &(function); \
        has_it != NULL;                                        \
    })

#endif
