/* api/cxx.c : every C++ operator new and delete, by their Itanium ABI names; no C++ library is needed to load us.
 * On failure the new handler is asked again and again, as [new.delete.single] says, then std::bad_alloc is thrown by the program's own
 * libstdc++ or libc++ (weak references: a program without one has no operator new to call).
 * Threads    any          Source  C++17 [new.delete]; Itanium C++ ABI 5.1.5          Test  conformance/cxx */
#include "api/aligned.h"
#include "base/names.h"
#include "base/print.h"
#include "hot/free_hot.h"
#include "hot/malloc_hot.h"
#include <errno.h>

typedef void (*new_handler)(void);
extern new_handler get_new_handler(void) __asm__("_ZSt15get_new_handlerv") HAK_WEAK;
extern void throw_bad_alloc(void) __asm__("_ZSt17__throw_bad_allocv") HAK_WEAK;

static void *try_new(size_t align, size_t n) { return align <= 16 ? hak_malloc_hot(n) : aligned_new(align, n); }

HAK_COLD static void *new_retry(size_t align, size_t n) {
    for (;;) {
        new_handler handler = get_new_handler ? get_new_handler() : 0;
        if (!handler) {
            break;
        }
        handler();
        void *p = try_new(align, n);
        if (p) {
            return p;
        }
    }
    if (throw_bad_alloc) {
        throw_bad_alloc();
    }
    hak_die("hakmem: operator new: out of memory for %zu bytes", n);
}

/* In cxx_nothrow.cc, because a handler may throw; weak: a build without a C++ compiler gives up at once. */
extern void *new_retry_nothrow(size_t align, size_t n) HAK_FROM_CXX HAK_HIDDEN;
/* What the nothrow retry tries: NULL, or throws, when the handler gave up. */
HAK_HIDDEN void *new_retry_throwing(size_t align, size_t n);
void *new_retry_throwing(size_t align, size_t n) { return new_retry(align, n); }

static void *retry_or_null(size_t align, size_t n) {
    void *p = HAK_HAVE_CXX && get_new_handler && throw_bad_alloc ? new_retry_nothrow(align, n) : 0;
    if (!p) {
        errno = ENOMEM;
    }
    return p;
}

/* Functions of their own, so that a hit needs no frame. */
HAK_NOINLINE static void *new_missed(size_t n) {
    void *p = hak_malloc_hot(n);
    return HAK_LIKELY(p != 0) ? p : new_retry(1, n);
}

HAK_NOINLINE static void *new_missed_nothrow(size_t n) {
    void *p = hak_malloc_hot(n);
    return HAK_LIKELY(p != 0) ? p : retry_or_null(1, n);
}

#define NEW(symbol)                                                     \
    HAK_EXPORT void *op##symbol(size_t n) __asm__(HAK_SYMBOL(#symbol)); \
    void *op##symbol(size_t n) {                                        \
        void *p = hak_malloc_hit(n);                                    \
        return HAK_LIKELY(p != 0) ? p : new_missed(n);                  \
    }
#define NEW_NOTHROW(symbol)                                                              \
    HAK_EXPORT void *op##symbol(size_t n, const void *tag) __asm__(HAK_SYMBOL(#symbol)); \
    void *op##symbol(size_t n, const void *tag) {                                        \
        (void)tag;                                                                       \
        void *p = hak_malloc_hit(n);                                                     \
        return HAK_LIKELY(p != 0) ? p : new_missed_nothrow(n);                           \
    }
#define NEW_ALIGNED(symbol)                                                           \
    HAK_EXPORT void *op##symbol(size_t n, size_t align) __asm__(HAK_SYMBOL(#symbol)); \
    void *op##symbol(size_t n, size_t align) {                                        \
        void *p = try_new(align, n);                                                  \
        return HAK_LIKELY(p != 0) ? p : new_retry(align, n);                          \
    }
#define NEW_ALIGNED_NOTHROW(symbol)                                                                    \
    HAK_EXPORT void *op##symbol(size_t n, size_t align, const void *tag) __asm__(HAK_SYMBOL(#symbol)); \
    void *op##symbol(size_t n, size_t align, const void *tag) {                                        \
        (void)tag;                                                                                     \
        void *p = try_new(align, n);                                                                   \
        return HAK_LIKELY(p != 0) ? p : retry_or_null(align, n);                                       \
    }
#define DELETE(symbol, ...)                                               \
    HAK_EXPORT void op##symbol(__VA_ARGS__) __asm__(HAK_SYMBOL(#symbol)); \
    void op##symbol(__VA_ARGS__)

NEW(_Znwm)
NEW(_Znam)
NEW_NOTHROW(_ZnwmRKSt9nothrow_t)
NEW_NOTHROW(_ZnamRKSt9nothrow_t)
NEW_ALIGNED(_ZnwmSt11align_val_t)
NEW_ALIGNED(_ZnamSt11align_val_t)
NEW_ALIGNED_NOTHROW(_ZnwmSt11align_val_tRKSt9nothrow_t)
NEW_ALIGNED_NOTHROW(_ZnamSt11align_val_tRKSt9nothrow_t)

DELETE(_ZdlPv, void *p) { hak_free_hot(p); }
DELETE(_ZdaPv, void *p) { hak_free_hot(p); }
DELETE(_ZdlPvm, void *p, size_t n) {
    (void)n;
    hak_free_hot(p);
}
DELETE(_ZdaPvm, void *p, size_t n) {
    (void)n;
    hak_free_hot(p);
}
DELETE(_ZdlPvRKSt9nothrow_t, void *p, const void *tag) {
    (void)tag;
    hak_free_hot(p);
}
DELETE(_ZdaPvRKSt9nothrow_t, void *p, const void *tag) {
    (void)tag;
    hak_free_hot(p);
}
DELETE(_ZdlPvSt11align_val_t, void *p, size_t align) {
    (void)align;
    hak_free_hot(p);
}
DELETE(_ZdaPvSt11align_val_t, void *p, size_t align) {
    (void)align;
    hak_free_hot(p);
}
DELETE(_ZdlPvmSt11align_val_t, void *p, size_t n, size_t align) {
    (void)n;
    (void)align;
    hak_free_hot(p);
}
DELETE(_ZdaPvmSt11align_val_t, void *p, size_t n, size_t align) {
    (void)n;
    (void)align;
    hak_free_hot(p);
}
DELETE(_ZdlPvSt11align_val_tRKSt9nothrow_t, void *p, size_t align, const void *tag) {
    (void)align;
    (void)tag;
    hak_free_hot(p);
}
DELETE(_ZdaPvSt11align_val_tRKSt9nothrow_t, void *p, size_t align, const void *tag) {
    (void)align;
    (void)tag;
    hak_free_hot(p);
}
