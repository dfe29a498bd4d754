/* steal.c : an idle heap's slabs go to running threads, and nothing else does; blocks on their way find the new owner. */
#include "cold/steal.h"
#include "cold/magazine.h"
#include "cold/meta.h"
#include "cold/remote.h"
#include "cold/slab.h"
#include "cold/slab_list.h"
#include "unit.h"

enum { CLS = 12, MANY = 2000 };
static struct heap *mine, *other; /* other has no thread: we play its part */
static struct thread_cache stranger;
static uintptr_t v[MANY];

static int setup(void **state) {
    (void)state;
    mine = unit_start();
    other = heap_acquire(HEAP_THREAD);
    return other ? 0 : -1;
}

static uint32_t owner_of(uintptr_t p) { return hak_arena.map[unit_of((void *)p)] >> 8; }

/* Makes other own a partial slab: all blocks of one slab are out but every second one. Returns the number of those in v. */
static unsigned partial(struct heap *h) {
    unsigned n = hak_class[CLS].nobj, kept = 0;
    for (unsigned got = 0; got < n;) {
        got += slab_take(h, CLS, v + got, (unsigned)hak_min(n - got, 100));
    }
    for (unsigned i = 0; i < n; i++) {
        if (i % 2) {
            slab_settle(h, CLS, &v[i], 1);
        } else {
            v[kept++] = v[i];
        }
    }
    return kept;
}

static void heap_ends(struct heap *h) {
    steal_offer(h);
    h->cache = 0;
    heap_release(h);
}

static void nothing_left(struct heap *h, unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        remote_settle_one((void *)v[i], hak_arena.map[unit_of((void *)v[i])]);
    }
    slab_drop_current(mine, CLS);
    slab_drop_current(h, CLS);
    unit_verify();
    assert_int_equal(mine->slab_bytes, 0);
    assert_int_equal(h->slab_bytes, 0);
    assert_int_equal(h->free_bytes, 0);
}

static void nobody_idle(void **state) {
    (void)state;
    unsigned n = partial(other);
    assert_int_equal(heap_idle_count(), 0);
    assert_false(steal_slab(mine, CLS));
    nothing_left(other, n);
}

/* Not from a heap that a thread has, though the list still says idle; nor for one that none has; nor another class. */
static void refused(void **state) {
    (void)state;
    unsigned n = partial(other);
    heap_ends(other);
    assert_int_equal(heap_idle_count(), 1);
    other->cache = &stranger;
    assert_false(steal_slab(mine, CLS));
    other->cache = 0;
    struct thread_cache *t = mine->cache;
    mine->cache = 0;
    assert_false(steal_slab(mine, CLS));
    mine->cache = t;
    assert_false(steal_slab(mine, CLS + 1));
    assert_false(steal_slab(other, CLS));
    assert_false(steal_slab(heap_shared(), CLS));
    assert_true(hak_lock_try(&other->lock)); /* somebody is busy there */
    assert_false(steal_slab(mine, CLS));
    hak_lock_drop_tried(&other->lock);
    assert_int_equal(owner_of(v[0]), other->id);
    assert_ptr_equal(heap_acquire(HEAP_THREAD), other);
    assert_false(steal_slab(mine, CLS));
    nothing_left(other, n);
}

/* A first-class heap that was destroyed is idle, too, and keeps what it has. */
static void first_class(void **state) {
    (void)state;
    struct heap *h = heap_acquire(HEAP_FIRST_CLASS);
    unsigned n = partial(h);
    heap_release(h);
    heap_release(other);
    assert_false(steal_slab(mine, CLS));
    assert_ptr_equal(heap_acquire(HEAP_FIRST_CLASS), h);
    assert_ptr_equal(heap_acquire(HEAP_THREAD), other);
    nothing_left(h, n);
}

/* The slab moves with its bytes, serves the next take, and blocks that were on their way to the old owner settle in the new one. */
static void moves(void **state) {
    (void)state;
    unsigned n = partial(other), in_box = 10;
    size_t free_bytes = other->free_bytes;
    for (unsigned i = 0; i < in_box; i++) { /* in our outbox, for the old owner */
        remote_push(mine, (void *)v[n - 1 - i], hak_arena.map[unit_of((void *)v[n - 1 - i])]);
    }
    heap_ends(other);
    assert_true(steal_slab(mine, CLS));
    assert_int_equal(owner_of(v[0]), mine->id);
    assert_int_equal(mine->free_bytes, free_bytes);
    assert_int_equal(other->slab_bytes, 0);
    unit_verify();
    remote_flush(mine); /* an idle owner is helped at once */
    assert_int_equal(mine->free_bytes, free_bytes + in_box * hak_class[CLS].size);
    unit_verify();
    uintptr_t p;
    assert_int_equal(slab_take(mine, CLS, &p, 1), 1);
    assert_int_equal(slab_head(unit_of((void *)p)), slab_head(unit_of((void *)v[0])));
    slab_settle(mine, CLS, &p, 1);
    assert_false(steal_slab(mine, CLS));
    assert_ptr_equal(heap_acquire(HEAP_THREAD), other);
    nothing_left(other, n - in_box);
}

/* slab_take() asks before it gets memory; what waits in the idle heap's inbox counts. */
static void take_steals(void **state) {
    (void)state;
    unsigned n = hak_class[CLS].nobj;
    for (unsigned got = 0; got < n;) {
        got += slab_take(other, CLS, v + got, (unsigned)hak_min(n - got, 100));
    }
    heap_ends(other);
    assert_false(steal_slab(mine, CLS));
    other->idle = false; /* so that the sender does not help */
    for (unsigned i = n / 2; i < n; i++) {
        remote_push(mine, (void *)v[i], hak_arena.map[unit_of((void *)v[i])]);
    }
    remote_flush(mine);
    other->idle = true;
    assert_true(remote_pending(other));
    uintptr_t p;
    assert_int_equal(slab_take(mine, CLS, &p, 1), 1);
    assert_int_equal(owner_of(v[0]), mine->id);
    assert_int_equal(mine->slab_bytes, (size_t)hak_class[CLS].units << HAK_UNIT_SHIFT);
    slab_settle(mine, CLS, &p, 1);
    assert_ptr_equal(heap_acquire(HEAP_THREAD), other);
    nothing_left(other, n / 2);
}

/* A claim on pages outlives the change of the owner. */
static void claimed(void **state) {
    (void)state;
    unsigned n = partial(other), gone = 0;
    while (gone < n / 2) { /* whole pages without a block */
        slab_settle(other, CLS, &v[--n], 1);
        gone++;
    }
    uint32_t u = slab_head(unit_of((void *)v[0]));
    steal_offer(other); /* only a slab in a list has pages to give */
    struct slab_claim c;
    assert_true(slab_claim_pages(other, u, &c));
    heap_ends(other);
    assert_true(steal_slab(mine, CLS));
    slab_unclaim(&c, true);
    assert_true(mine->purged_bytes > 0);
    unit_verify();
    assert_ptr_equal(heap_acquire(HEAP_THREAD), other);
    nothing_left(other, n);
    assert_int_equal(mine->purged_bytes, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nobody_idle, setup),
        cmocka_unit_test(refused),
        cmocka_unit_test(first_class),
        cmocka_unit_test(moves),
        cmocka_unit_test(take_steals),
        cmocka_unit_test(claimed),
    };
    return RUN(tests);
}
