/* base/rmw.h : what the hot path wants of the machine in one or two instructions: a pointer in memory moved, an index bounded.    L-
 * The store is ordered before what follows it in the program (a compiler barrier): a thread's magazine top moves before the slot is
 * written, which fork's child and whoever takes over an idle magazine rely on. */
#ifndef HAK_BASE_RMW_H
#define HAK_BASE_RMW_H

#include "base/atomic.h"
#include "base/attr.h"
#include "base/tls.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sets bit k % 64 of the word, which is stored in any case; returns whether it was set. */
#if defined(__x86_64__)
HAK_INLINE bool hak_set_bit(uint64_t *word, uint64_t k) {
    uint64_t now;
    bool was;
    __asm__("movq %0, %1\n\tbtsq %3, %1\n\tmovq %1, %0" : "+m"(*word), "=&r"(now), "=@ccc"(was) : "r"(k));
    return was;
}
#else
HAK_INLINE bool hak_set_bit(uint64_t *word, uint64_t k) {
    uint64_t old = *word;
    *word = old | UINT64_C(1) << (k & 63);
    return old >> (k & 63) & 1;
}
#endif

#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
HAK_INLINE void hak_ptr_retreat(uintptr_t *HAK_SEG *where, uintptr_t *now) {
    (void)now;
    __asm__("subq $8, " HAK_SEG_TEXT "%0" : "+m"(*where) : : "cc", "memory");
}
HAK_INLINE void hak_ptr_advance(uintptr_t *HAK_SEG *where, uintptr_t *now) {
    (void)now;
    __asm__("addq $8, " HAK_SEG_TEXT "%0" : "+m"(*where) : : "cc", "memory");
}
/* index, or otherwise (a word in memory, so that no register is loaded for it) when index >= limit; without a branch. */
HAK_INLINE size_t hak_index_or(size_t index, const size_t *limit, const size_t *otherwise) {
    __asm__("cmpq %1, %0\n\tcmovaeq %2, %0" : "+r"(index) : "m"(*limit), "m"(*otherwise) : "cc");
    return index;
}
#else
HAK_INLINE size_t hak_index_or(size_t index, const size_t *limit, const size_t *otherwise) {
    return index < hak_load_hot(limit) ? index : *otherwise;
}
HAK_INLINE void hak_ptr_retreat(uintptr_t *HAK_SEG *where, uintptr_t *now) {
    hak_store_rlx(where, now - 1);
    hak_signal_fence();
}
HAK_INLINE void hak_ptr_advance(uintptr_t *HAK_SEG *where, uintptr_t *now) {
    hak_store_rlx(where, now + 1);
    hak_signal_fence();
}
#endif

#endif
