/* base/rmw.h : advance and retreat a pointer that lies in memory, as one instruction where the machine has one.     L-
 * The store is ordered before what follows it in the program (a compiler barrier): a thread's magazine top moves before the slot is
 * written, which fork's child and whoever takes over an idle magazine rely on. */
#ifndef HAK_BASE_RMW_H
#define HAK_BASE_RMW_H

#include "base/atomic.h"
#include "base/attr.h"
#include "base/tls.h"
#include <stdint.h>

#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
HAK_INLINE void hak_ptr_retreat(uintptr_t *HAK_SEG *where, uintptr_t *now) {
    (void)now;
    __asm__("subq $8, %0" : "+m"(*where) : : "cc", "memory");
}
HAK_INLINE void hak_ptr_advance(uintptr_t *HAK_SEG *where, uintptr_t *now) {
    (void)now;
    __asm__("addq $8, %0" : "+m"(*where) : : "cc", "memory");
}
#else
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
