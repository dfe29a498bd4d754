/* ab_split_lib.c : a library whose shares of the gap to libc are known: LOAD turns of the chain when it is loaded (the layout's), DOOR turns in each malloc
 * with libc inside (the door's), SERVE turns in each malloc without (the allocator's). libc gives the blocks either way, but
 * for large ones, by which the probe finds out who serves. */
#include "ab_chain.h"
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef LOAD
#define LOAD 0
#define DOOR 0
#define SERVE 0
#endif

void *__libc_malloc(size_t size);
void __libc_free(void *block);
int hak_option_get(const char *name, char *buf, size_t size);

enum { LARGE = 32 << 20 };

static _Alignas(16) char large[48 << 20];
static volatile unsigned long sink;
static bool serves;
static long turns = DOOR;

static bool forced(void) {
    const char *value = getenv("HAKMEM_FORCE_LIBC");
    return value && strcmp(value, "1") == 0;
}

__attribute__((constructor)) static void begin(void) {
    serves = !forced();
    turns = serves ? SERVE : DOOR;
    sink = chain_turn(sink, LOAD);
}

void *malloc(size_t size) {
    unsigned long x = chain_turn(sink + size, turns);
    sink = x;
    if (size > LARGE && serves) {
        return size <= sizeof large ? large : NULL;
    }
    return (char *)__libc_malloc(size) + chain_nothing(x);
}

void free(void *block) {
    if (block != large) {
        __libc_free(block);
    }
}

int hak_option_get(const char *name, char *buf, size_t size) {
    if (strcmp(name, "force_libc") != 0) {
        errno = ENOENT;
        return -1;
    }
    return snprintf(buf, size, "%d", forced());
}
