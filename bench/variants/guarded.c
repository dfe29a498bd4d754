/* guarded.c : the notes' wrappers: a thread's depth says whether malloc or free is running already, and then libc's turn had come. Here
 * the core's own cold path knows that (thread_cache.busy), so that a hit need not.
 * Gate       HAKMEM_WRAP_TINY=1          Decision  docs/decisions/021          Test  variants/ */
#include "front.h"

static HAK_TLS unsigned depth;

void *guarded_malloc(size_t n) {
    if (HAK_UNLIKELY(depth != 0)) {
        return hakt_malloc(n);
    }
    depth++;
    void *p = hakt_malloc(n);
    depth--;
    return p;
}

void guarded_free(void *p) {
    if (HAK_UNLIKELY(depth != 0)) {
        hakt_free(p);
        return;
    }
    depth++;
    hakt_free(p);
    depth--;
}
