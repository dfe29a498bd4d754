/* base/atomic.h : the only atomics of the project, with the memory order in the name.                               L-
 * Fields that they touch are plain types tagged "atomic" in their struct. Suffixes: rlx relaxed, acq acquire, rel release,
 * ar acquire and release. Each use other than rlx names its partner in a comment. */
#ifndef HAK_BASE_ATOMIC_H
#define HAK_BASE_ATOMIC_H

/* A relaxed load that the compiler may fold into the instruction that uses it: the word is naturally aligned, and either value does. */
#if defined(__SANITIZE_THREAD__)
#define hak_load_hot(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#else
#define hak_load_hot(p) (*(p))
#endif
#define hak_load_rlx(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define hak_load_acq(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define hak_store_rlx(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define hak_store_rel(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define hak_xchg_acq(p, v) __atomic_exchange_n((p), (v), __ATOMIC_ACQUIRE)
#define hak_xchg_rel(p, v) __atomic_exchange_n((p), (v), __ATOMIC_RELEASE)
#define hak_add_rlx(p, v) __atomic_fetch_add((p), (v), __ATOMIC_RELAXED)
#define hak_sub_rlx(p, v) __atomic_fetch_sub((p), (v), __ATOMIC_RELAXED)
#define hak_cas_rel(p, expected, v) \
    __atomic_compare_exchange_n((p), (expected), (v), 1, __ATOMIC_RELEASE, __ATOMIC_RELAXED)
#define hak_cas_acq(p, expected, v) \
    __atomic_compare_exchange_n((p), (expected), (v), 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)
#define hak_cas_ar(p, expected, v) \
    __atomic_compare_exchange_n((p), (expected), (v), 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)
#define hak_signal_fence() __atomic_signal_fence(__ATOMIC_SEQ_CST)

#endif
