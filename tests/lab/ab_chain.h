/* ab_chain.h : work of a known size: each turn needs the one before, so that n turns cost n times one. What two pieces of it are to cost in time, too,
 * must need one another as well, or a processor runs them at once: chain_nothing() makes that so. */
#ifndef HAKMEM_AB_CHAIN_H
#define HAKMEM_AB_CHAIN_H

static inline unsigned long chain_turn(unsigned long x, long turns) {
    __asm__ volatile("" : "+r"(turns)); /* the same loop, whether the caller knows the number or not */
    for (long i = 0; i < turns; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        __asm__ volatile("" : "+r"(x));
    }
    return x;
}

/* 0, of which neither compiler nor processor knows before x. */
static inline unsigned long chain_nothing(unsigned long x) {
    unsigned long same = x;
    __asm__ volatile("" : "+r"(same));
    return x - same;
}

#endif
