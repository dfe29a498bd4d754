/* cold/remote.c : outboxes collect, one CAS sends a chunk, one exchange takes the whole inbox.                         L2
 * Owns       heap.{inbox,backlog,out}          Reads  gates.remote_batch          Never touches  freed blocks
 * Threads    push: the freer; send: any, lock-free; drain: the owner; help: any. Only exchanges take, so there is no ABA.
 * Invariant  a block in a chunk of an inbox or outbox is in no magazine, bitmap or bump range
 * Gate       HAKMEM_REMOTE_BATCH=1 sends singly          Decision  docs/decisions/007          Test  unit/remote */
#include "cold/remote.h"
#include "base/bits.h"
#include "base/print.h"
#include "cold/heap.h"
#include "cold/magazine.h"
#include "cold/meta.h"
#include "cold/slab.h"
#include "layout/lookup.h"

#include <string.h>

enum { BACKLOG_BYTES = 1 << 20 };

static void chunk_seal(struct chunk *k, uint32_t n, size_t bytes) { k->slot[1] = (uintptr_t)n << 32 | bytes; }
static uint32_t chunk_blocks(const struct chunk *k) { return (uint32_t)(k->slot[1] >> 32); }
static size_t chunk_bytes(const struct chunk *k) { return k->slot[1] & 0xffffffff; }

static void inbox_push(struct heap *owner, struct chunk *k) {
    struct chunk *old = hak_load_rlx(&owner->inbox);
    hak_add_rlx(&owner->backlog, chunk_bytes(k));
    do {
        chunk_set_prev(k, old);
    } while (!hak_cas_rel(&owner->inbox, &old, k)); /* rel: pairs with inbox_take() */
}

static struct chunk *inbox_take(struct heap *h) {
    hak_store_rlx(&h->backlog, 0);
    return hak_xchg_acq(&h->inbox, 0); /* acq: pairs with inbox_push() */
}

void remote_settle_one(void *p, uint32_t word) {
    uintptr_t v = (uintptr_t)p;
    do {
        if (HAK_UNLIKELY(word == 0 || (word & 0xff) >= HAK_CLASSES)) { /* its slab is gone: it was free already */
            hak_die("hakmem: free(): double free or corruption %p", p);
        }
        if (slab_settle_mixed(heap_by_id(word >> 8), &v, 1) == 0) {
            return;
        }
        word = hak_word_hot(p); /* the slab was given to another heap just now */
    } while (true);
}

/* Almost always every block is still the owner's: one lock for all of them. Those of slabs that were given to another heap go by owner. */
static void settle_sorted(struct heap *owner, uintptr_t *v, unsigned n) {
    for (n = slab_settle_mixed(owner, v, n); n;) {
        uint32_t word = hak_word_hot((void *)v[0]);
        if (HAK_UNLIKELY(word == 0 || (word & 0xff) >= HAK_CLASSES)) {
            remote_settle_one((void *)v[0], word); /* ends the program */
        }
        n = slab_settle_mixed(heap_by_id(word >> 8), v, n);
    }
}

void remote_settle(struct heap *owner, const uintptr_t *v, unsigned n) {
    uintptr_t copy[HAK_CHUNK_SLOTS];
    for (unsigned len; n; v += len, n -= len) {
        len = n < HAK_CHUNK_SLOTS ? n : HAK_CHUNK_SLOTS;
        memcpy(copy, v, len * sizeof *v);
        settle_sorted(owner, copy, len);
    }
}

void remote_help(struct heap *helper, struct heap *owner) {
    for (struct chunk *k = inbox_take(owner), *next; k; k = next) {
        next = chunk_prev(k);
        settle_sorted(owner, &k->slot[remote_first()], chunk_blocks(k));
        chunk_put(helper, k);
    }
}

static bool owner_absent(struct heap *owner) {
    return hak_load_rlx(&owner->idle) || hak_load_rlx(&owner->backlog) > BACKLOG_BYTES;
}

static void outbox_send(struct heap *h, struct outbox *o) {
    struct heap *owner = heap_by_id(o->key >> 8);
    struct chunk *k = chunk_of(o->at);
    chunk_seal(k, outbox_count(o->at), outbox_bytes(o));
    *o = (struct outbox){0, 0, 0};
    h->remotes++;
    inbox_push(owner, k);
    if (owner_absent(owner)) {
        remote_help(h, owner);
    }
}

void remote_flush(struct heap *h) {
    for (int i = 0; i < HAK_OUTBOXES; i++) {
        if (h->out[i].at) {
            outbox_send(h, &h->out[i]);
        }
    }
}

void remote_push(struct heap *h, void *p, uint32_t word) {
    uint32_t key = word & ~UINT32_C(0xff);
    struct outbox *o = outbox_of(h, word);
    if (o->key != key) {
        if (o->at) {
            outbox_send(h, o);
        }
        struct chunk *k = chunk_get(h);
        if (!k) {
            remote_settle_one(p, word);
            return;
        }
        *o = (struct outbox){key, REMOTE_BATCH_BYTES, &k->slot[remote_first()]};
    }
    *o->at++ = (uintptr_t)p;
    o->left -= (int32_t)hak_class[word & 0xff].size;
    if (o->left <= 0 || ((uintptr_t)o->at & (HAK_CHUNK_BYTES - 1)) == 0) {
        outbox_send(h, o);
    }
}

void remote_drain(struct thread_cache *t, struct heap *h) {
    for (struct chunk *k = inbox_take(h), *next; k; k = next) {
        next = chunk_prev(k);
        for (uint32_t i = 0, n = chunk_blocks(k); i < n; i++) {
            void *p = (void *)k->slot[remote_first() + i];
            uint32_t word = hak_word_hot(p);
            if (word >> 8 == h->id) {
                magazine_push(t, h, p, word & 0xff);
            } else {
                remote_settle_one(p, word); /* the slab was given to another heap on the way */
            }
        }
        chunk_put(h, k);
    }
}
