/* cold/emergency.c : a small static pool, bumped by atomics, empty again when its last block is freed.                 L2
 * Owns       the pool          Never touches  anything else          Threads  any, lock-free, async-signal-safe
 * Test       unit/emergency, stress/signals */
#include "cold/emergency.h"
#include "base/atomic.h"
#include "base/bits.h"
#include <string.h>

enum { POOL = 256 << 10, HEADER = 16 };

static char pool[POOL] HAK_ALIGNED(64);
/* atomic: live blocks << 32 | bytes used. One word, so that "the last one is gone" and "start over" are one step. */
static uint64_t state;

void *emergency_alloc(size_t n) {
    if (n > POOL / 2) {
        return 0;
    }
    uint64_t old = hak_load_rlx(&state), want = hak_align_up(n, 16) + HEADER;
    do {
        if ((old & 0xffffffff) + want > POOL) {
            return 0;
        }
    } while (!hak_cas_ar(&state, &old, old + want + (UINT64_C(1) << 32))); /* ar: pairs with emergency_free() */
    char *at = pool + (old & 0xffffffff);
    memcpy(at, &n, sizeof n);
    return memset(at + HEADER, 0, n);
}

bool emergency_holds(const void *p) { return (size_t)((const char *)p - pool) < POOL; }

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
