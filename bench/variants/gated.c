/* gated.c : gates that are read on every call, four of them. gated: one by one, each with its "read already?" test, as a function around
 * getenv() has it. snapshot: Phase 19-2, one word of the thread's that holds them all.
 * Gate       HAKMEM_GATE_SNAPSHOT=tls|reads          Decision  docs/decisions/025          Test  variants/ */
#include "front.h"
#include "hot/free_hot.h"
#include "hot/malloc_hot.h"
#include <stdbool.h>

enum { GATES = 4, GATES_ON = (1 << GATES) - 1, GATES_READ = 1 << GATES };

HAK_INLINE bool gate_on(unsigned i) {
    if (HAK_UNLIKELY(front_config.gate[i] < 0)) {
        front_read_gates();
    }
    return front_config.gate[i] != 0;
}

HAK_INLINE bool gates_on(void) { return gate_on(0) && gate_on(1) && gate_on(2) && gate_on(3); }

void *gated_malloc(size_t n) { return HAK_LIKELY(gates_on()) ? hak_malloc_hot(n) : hakt_malloc(n); }

void gated_free(void *p) {
    if (HAK_UNLIKELY(!gates_on())) {
        hakt_free(p);
        return;
    }
    hak_free_hot(p);
}

static HAK_TLS uint32_t taken; /* GATES_READ once it is, and a bit for each gate that is on */

HAK_COLD static uint32_t take(void) {
    taken = GATES_READ | (gates_on() ? GATES_ON : 0);
    return taken;
}

HAK_INLINE bool snapshot_on(void) {
    uint32_t now = taken;
    if (HAK_UNLIKELY(!(now & GATES_READ))) {
        now = take();
    }
    return (now & GATES_ON) == GATES_ON;
}

void *snapshot_malloc(size_t n) { return HAK_LIKELY(snapshot_on()) ? hak_malloc_hot(n) : hakt_malloc(n); }

void snapshot_free(void *p) {
    if (HAK_UNLIKELY(!snapshot_on())) {
        hakt_free(p);
        return;
    }
    hak_free_hot(p);
}
