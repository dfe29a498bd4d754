/* base/attr.h : compiler attributes under names that say what we mean.                                              L-
 * Depends on nothing. */
#ifndef HAK_BASE_ATTR_H
#define HAK_BASE_ATTR_H

#define HAK_LIKELY(x) __builtin_expect(!!(x), 1)
#define HAK_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define HAK_INLINE static inline __attribute__((always_inline))
#define HAK_NOINLINE __attribute__((noinline))
#define HAK_COLD __attribute__((noinline, cold))
#define HAK_HIDDEN __attribute__((visibility("hidden")))
#define HAK_EXPORT __attribute__((visibility("default")))
#define HAK_ALIGNED(n) __attribute__((aligned(n)))
#define HAK_NORETURN __attribute__((noreturn))
#define HAK_WEAK __attribute__((weak))
#define HAK_TLS __thread __attribute__((tls_model("initial-exec")))
/* Large data that a small program only reads: cmake/hakmem.ld puts it before the small data, so that these and .bss share one page. */
#define HAK_READ_MOSTLY __attribute__((section(".hak_read_mostly")))
#define HAK_CACHE_LINE 64
/* Reads without its lock what others write under it: any value that was there will do. */
#define HAK_RACY __attribute__((no_sanitize("thread")))

/* Assertions exist in dev builds only; what users can cause is checked by code, never by this. */
#ifdef HAK_DEV
#define HAK_ASSERT(x) ((x) ? (void)0 : __builtin_trap())
#else
#define HAK_ASSERT(x) ((void)sizeof(!(x)))
#endif

#endif
