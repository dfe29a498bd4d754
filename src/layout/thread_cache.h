/* layout/thread_cache.h : all that a thread's hot path touches, in initial-exec TLS.
 *
 * A thread that has not called yet has key ~0 and every top at HAK_EMPTY: its first call falls through the cold door by itself. The
 * same state, kept for ever, serves the modes in which each call must be seen: magazines of capacity 0. */
#ifndef HAK_LAYOUT_THREAD_CACHE_H
#define HAK_LAYOUT_THREAD_CACHE_H

#include "base/attr.h"
#include "base/tls.h"
#include "gates/build.h"
#include <stdint.h>

enum thread_state { THREAD_NEW, THREAD_LIVE, THREAD_DEAD };

struct thread_cache {
    uintptr_t
        *top[HAK_CLASSES + 1]; /* owner; others read it relaxed (stats, fork's child); the last is always HAK_EMPTY */
    uint8_t bin[HAK_SMALL_MAX / 16 + 1]; /* owner: class of (n + 15) / 16 */
    uint8_t state;                       /* owner: enum thread_state */
    uint8_t busy;                        /* owner: depth in the cold path; a signal handler sees it */
    uint32_t key;                        /* owner: heap id << 8, ~0 without a heap */
    struct heap *heap;                   /* owner */
};
_Static_assert(sizeof(struct thread_cache) <= 704, "static TLS is scarce when dlopened");

extern HAK_HIDDEN HAK_TLS struct thread_cache hak_tls;
HAK_TLS_DEFINE(hak_tls);
typedef struct thread_cache HAK_SEG *thread_cache_here;
#define hak_tls_here() HAK_TLS_POINTER(struct thread_cache, hak_tls)

#endif
