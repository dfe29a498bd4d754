/* gated.c : gates that are read on every call, four of them. gated: one by one, each with its "read already?" test, as a function around
 * getenv() has it. snapshot: Phase 19-2, one word of the thread's that holds them all.
 * Gate       HAKMEM_GATE_SNAPSHOT=tls|reads          Decision  docs/decisions/025          Test  variants/ */
#include "front.h"
#include "hot/free_hot.h"
#include "hot/malloc_hot.h"

/* A gate that is not read yet, or off, takes the whole call elsewhere, so that a hit saves no register for a call that does not come. */
#define GATE(i, unread, off)                       \
    if (HAK_UNLIKELY(front_config.gate[i] < 0)) {  \
        return unread;                             \
    }                                              \
    if (HAK_UNLIKELY(front_config.gate[i] == 0)) { \
        return off;                                \
    }

HAK_COLD static void *gated_malloc_unread(size_t n) {
    front_read_gates();
    return hakt_malloc(n);
}

HAK_COLD static void gated_free_unread(void *p) {
    front_read_gates();
    hakt_free(p);
}

void *gated_malloc(size_t n) {
    GATE(0, gated_malloc_unread(n), hakt_malloc(n))
    GATE(1, gated_malloc_unread(n), hakt_malloc(n))
    GATE(2, gated_malloc_unread(n), hakt_malloc(n))
    GATE(3, gated_malloc_unread(n), hakt_malloc(n))
    return hak_malloc_hot(n);
}

void gated_free(void *p) {
    GATE(0, gated_free_unread(p), hakt_free(p))
    GATE(1, gated_free_unread(p), hakt_free(p))
    GATE(2, gated_free_unread(p), hakt_free(p))
    GATE(3, gated_free_unread(p), hakt_free(p))
    hak_free_hot(p);
}

enum { ALL_ON = 15 };
static HAK_TLS uint32_t taken; /* a bit for each gate that is on; 0 when none is, or they are not read yet */

HAK_COLD static void take(void) {
    front_read_gates();
    taken = ALL_ON;
}

HAK_COLD static void *snapshot_malloc_elsewhere(size_t n) {
    take();
    return hakt_malloc(n);
}

HAK_COLD static void snapshot_free_elsewhere(void *p) {
    take();
    hakt_free(p);
}

void *snapshot_malloc(size_t n) {
    if (HAK_UNLIKELY((taken & ALL_ON) != ALL_ON)) {
        return snapshot_malloc_elsewhere(n);
    }
    return hak_malloc_hot(n);
}

void snapshot_free(void *p) {
    if (HAK_UNLIKELY((taken & ALL_ON) != ALL_ON)) {
        snapshot_free_elsewhere(p);
        return;
    }
    hak_free_hot(p);
}
