/* hybrid.c : Option C of the notes: A and B with one worker, which sorts out full queues, too: own blocks go to the bitmaps, from which it
 * prepares the next chunks.
 * Gate       HAKMEM_HYBRID=1          Decision  docs/decisions/032          Test  variants/ */
#include "front.h"
#include "queue.h"
#include "refill.h"
#include <string.h>

#define hak_malloc_cold refill_cold
#include "hot/malloc_hot.h"

/* The worker takes the queue if it has dealt with the last one; otherwise the owner sorts it out. */
static bool hand_over(struct side *s, struct queue *q) {
    if (hak_load_acq(&s->handed.n) != 0) { /* acq: pairs with the worker's sort_handed() */
        return false;
    }
    memcpy(s->handed.slot, q->slot, sizeof q->slot);
    memset(q->slot, 0, sizeof q->slot);
    q->n = 0;
    hak_store_rel(&s->handed.n, QUEUE_BLOCKS); /* rel: pairs with the worker's serve() */
    refill_raise(s);
    return true;
}

void *hybrid_malloc(size_t n) { return hak_malloc_hot(n); }

void hybrid_free(void *p) { queue_push(p, hand_over); }
