/* base/lock.c : the waiting half of base/lock.h.                                                                     L-
 * Owns       nothing but the lock word            Threads    any
 * Test       unit/lock */
#include "base/lock.h"
#include "base/kernel.h"
#include <linux/futex.h>

enum { SPINS = 100 };

static void spin_pause(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

void hak_lock_wait(hak_lock *lock) {
    for (int i = 0; i < SPINS; i++) {
        if (hak_load_rlx(&lock->word) == 0 && hak_lock_try(lock)) {
            return;
        }
        spin_pause();
    }
    while (hak_xchg_acq(&lock->word, 2) != 0) { /* acq: pairs with hak_lock_drop() */
        hak_kernel(SYS_futex, (uintptr_t)&lock->word, FUTEX_WAIT_PRIVATE, 2, 0, 0, 0);
    }
}

void hak_lock_wake(hak_lock *lock) { hak_kernel3(SYS_futex, (uintptr_t)&lock->word, FUTEX_WAKE_PRIVATE, 1); }

#ifdef HAK_DEV
static HAK_TLS uint32_t held; /* one bit a rank */

void hak_lock_note(const hak_lock *lock, bool take) {
    uint32_t bit = UINT32_C(1) << lock->rank;
    if (take) {
        HAK_ASSERT(held < bit);
        held |= bit;
    } else {
        held &= ~bit;
    }
}
#else
void hak_lock_note(const hak_lock *lock, bool take) {
    (void)lock;
    (void)take;
}
#endif
