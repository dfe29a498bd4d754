/* side.c : the list of sides.
 * Owns       the list          Threads  any: pushed by CAS, never taken from */
#include "side.h"
#include "base/atomic.h"
#include "cold/meta.h"

enum { DIRECT = 4096 };
static struct side *first;         /* atomic */
static struct side *of_id[DIRECT]; /* atomic */

struct side *side_first(void) {
    return hak_load_acq(&first);
} /* acq: pairs with side_make() */

struct side *side_of(const struct heap *h) {
    return h->id < DIRECT ? hak_load_acq(&of_id[h->id]) : 0; /* acq: pairs with side_make() */
}

/* Heaps beyond the table go without: their threads are served by the core alone. */
struct side *side_make(struct heap *h) {
    struct side *s = side_of(h);
    if (s || h->id >= DIRECT || !(s = meta_alloc(sizeof *s, HAK_CACHE_LINE))) {
        return s;
    }
    s->heap = h;
    hak_store_rel(&of_id[h->id], s); /* rel: pairs with side_of() */
    struct side *old = hak_load_rlx(&first);
    do {
        s->next = old;
    } while (!hak_cas_rel(&first, &old, s)); /* rel: pairs with side_first() */
    return s;
}
