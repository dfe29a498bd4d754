/* deferred.c : Option B of the notes, the deferred free queue: a free looks nothing up, 256 are sorted out together.
 * Gate       HAKMEM_DEFERRED_FREE=1          Decision  docs/decisions/030          Test  variants/ */
#include "front.h"
#include "hot/malloc_hot.h"
#include "queue.h"

void *deferred_malloc(size_t n) { return hak_malloc_hot(n); }

void deferred_free(void *p) { queue_push(p, 0); }
