/* ab_planted_lib.c : libc's malloc with EXTRA turns of the chain in each call: a regression whose size is known. */
#include "ab_chain.h"
#include <stddef.h>
#include <stdlib.h>

#ifndef EXTRA
#define EXTRA 0
#endif

void *__libc_malloc(size_t size);
void __libc_free(void *block);

static volatile unsigned long sink;

void *malloc(size_t size) {
    unsigned long x = chain_turn(sink + size, EXTRA);
    sink = x;
    return (char *)__libc_malloc(size) + chain_nothing(x);
}

void free(void *block) { __libc_free(block); }
