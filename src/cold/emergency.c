/* cold/emergency.c : a small pool, bumped by atomics, empty again when its last block is freed; mapped at its first block, for most
 * programs have none.                                                                                                   L2
 * Owns       the pool          Never touches  anything else          Threads  any, lock-free, async-signal-safe
 * Test       unit/emergency, stress/signals */
#include "cold/emergency.h"
#include "base/atomic.h"
#include "base/bits.h"
#include "cold/meta.h"
#include <string.h>

enum { POOL = 256 << 10, HEADER = 16 };

static char *pool; /* meta_map_once() */
/* atomic: live blocks << 32 | bytes used. One word, so that "the last one is gone" and "start over" are one step. */
static uint64_t state;

void *emergency_alloc(size_t n, size_t align) {
    char *start = n > POOL / 2 || align > POOL / 2 ? 0 : meta_map_once(&pool, POOL);
    if (!start) {
        return 0;
    }
    uint64_t old = hak_load_rlx(&state), end;
    char *p;
    do {
        p = (char *)hak_align_up((uintptr_t)start + (old & 0xffffffff) + HEADER, hak_max(align, HEADER));
        end = (uint64_t)(p - start) + hak_align_up(n, HEADER);
        if (end > POOL) {
            return 0;
        }
    } while (!hak_cas_ar(&state, &old, ((old >> 32) + 1) << 32 | end)); /* ar: pairs with emergency_free() */
    memcpy(p - HEADER, &n, sizeof n);
    return memset(p, 0, n);
}

bool emergency_holds(const void *p) {
    const char *start = hak_load_rlx(&pool);
    return start && (uintptr_t)p - (uintptr_t)start < POOL;
}

void emergency_free(void *p) {
    (void)p;
    uint64_t old = hak_load_rlx(&state), now;
    do {
        now = old - (UINT64_C(1) << 32);
        now = now >> 32 ? now : 0;
    } while (!hak_cas_ar(&state, &old, now)); /* ar: pairs with emergency_alloc() */
}

size_t emergency_size(const void *p) {
    size_t n;
    memcpy(&n, (const char *)p - HEADER, sizeof n);
    return n;
}
