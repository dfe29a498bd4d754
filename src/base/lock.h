/* base/lock.h : a small futex lock with a rank; a thread takes locks in rising rank only (checked in dev builds).    L-
 * Source: U. Drepper, "Futexes Are Tricky", mutex 2. Never held across a system call of ours, so waits are short. */
#ifndef HAK_BASE_LOCK_H
#define HAK_BASE_LOCK_H

#include "base/atomic.h"
#include "base/attr.h"
#include <stdbool.h>
#include <stdint.h>

enum hak_lock_rank { HAK_RANK_PASS, HAK_RANK_LIST, HAK_RANK_HEAP, HAK_RANK_HUGE, HAK_RANK_CENTRAL, HAK_RANK_META };

typedef struct hak_lock {
    uint32_t word; /* atomic: 0 free, 1 held, 2 held and somebody may wait */
    uint32_t rank; /* const */
} hak_lock;

#define HAK_LOCK_INIT(r) \
    { 0, (r) }

HAK_HIDDEN void hak_lock_wait(hak_lock *lock); /* takes the lock after the first attempt failed */
HAK_HIDDEN void hak_lock_wake(hak_lock *lock);
HAK_HIDDEN void hak_lock_note(const hak_lock *lock, bool take); /* the dev build's rank check */

#ifdef HAK_DEV
#define HAK_LOCK_NOTE(l, take) hak_lock_note((l), (take))
#else
#define HAK_LOCK_NOTE(l, take) ((void)0)
#endif

HAK_INLINE bool hak_lock_try(hak_lock *lock) {
    uint32_t free = 0;
    return hak_cas_acq(&lock->word, &free, 1); /* acq: pairs with hak_lock_drop() */
}

HAK_INLINE void hak_lock_take(hak_lock *lock) {
    HAK_LOCK_NOTE(lock, true);
    if (HAK_UNLIKELY(!hak_lock_try(lock))) {
        hak_lock_wait(lock);
    }
}

/* For a lock that hak_lock_try() took: same-rank second locks are only ever tried. */
HAK_INLINE void hak_lock_drop_tried(hak_lock *lock) {
    if (HAK_UNLIKELY(hak_xchg_rel(&lock->word, 0) == 2)) { /* rel: pairs with hak_lock_try() */
        hak_lock_wake(lock);
    }
}

HAK_INLINE void hak_lock_drop(hak_lock *lock) {
    HAK_LOCK_NOTE(lock, false);
    hak_lock_drop_tried(lock);
}

/* In fork's child, where whoever waited is gone. */
HAK_INLINE void hak_lock_reset(hak_lock *lock) { hak_store_rlx(&lock->word, 0); }

#endif
