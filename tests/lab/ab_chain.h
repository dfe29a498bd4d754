/* ab_chain.h : work of a known size: each turn needs the one before, so that n turns cost n times one. */
#ifndef HAKMEM_AB_CHAIN_H
#define HAKMEM_AB_CHAIN_H

static inline unsigned long chain_turn(unsigned long x, long turns) {
    for (long i = 0; i < turns; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        __asm__ volatile("" : "+r"(x));
    }
    return x;
}

#endif
