/* layered.c : FastLane as the notes had it before Phase 19-1b: a layer in malloc and free that validates, and a core that does it again.
 * Gate       HAKMEM_FASTLANE_DIRECT=0          Decision  docs/decisions/020          Test  variants/ */
#include "front.h"
#include "layout/lookup.h"
#include "layout/thread_cache.h"
#include <stdbool.h>

enum { LANE_ON = 1 };

static bool lane_takes(unsigned cls) {
    if (!(front_config.on & LANE_ON) || !(front_config.mask[cls / 64 % 4] >> (cls % 64) & 1)) {
        return false;
    }
    return front_config.route[cls] <= ROUTE_DUALHOT;
}

/* The class is found for the mask and the route; the core finds it again. */
HAK_NOINLINE static void *lane_malloc(size_t n) {
    if (n > front_config.tiny_max || !lane_takes(hak_tls.bin[hak_class_index(n)])) {
        return 0;
    }
    return hakt_malloc(n);
}

/* A block at the start of a page has no header that could be read safely. */
HAK_NOINLINE static bool lane_free(void *p) {
    if (((uintptr_t)p & 4095) == 0) {
        return false;
    }
    unsigned cls = hak_word_class(hak_word_hot(p));
    if (cls >= HAK_CLASSES || !lane_takes(cls)) {
        return false;
    }
    hakt_free(p);
    return true;
}

void *layered_malloc(size_t n) {
    void *p = lane_malloc(n);
    return HAK_LIKELY(p != 0) ? p : hakt_malloc(n);
}

void layered_free(void *p) {
    if (HAK_UNLIKELY(!p) || HAK_LIKELY(lane_free(p))) {
        return;
    }
    hakt_free(p);
}
