/* takeover.c : a sleeping heap's inbox and slabs serve who would have to grow, nobody else's do, and the sleeper's cached blocks find their
 * slab's new owner. */
#include "cold/takeover.h"
#include "cold/magazine.h"
#include "cold/purge.h"
#include "cold/remote.h"
#include "cold/slab.h"
#include "cold/slab_list.h"
#include "cold/span.h"
#include "gates/gates.h"
#include "hot/cold_entry.h"
#include "hot/malloc_hot.h"
#include "unit.h"
#include <pthread.h>

enum { CLS = 12, NEVER = 60 /* a class that no test uses */, MANY = 4000, NEEDS = 32 };
static struct heap *mine, *other;
static struct thread_cache doll; /* the thread that has other: we play its part */
static uintptr_t v[MANY];

/* Other sleeps, and no free span is resident. */
static void roll_call(unsigned times) {
    for (unsigned i = 0; i < times * NEEDS; i++) {
        assert_false(takeover_slab(mine, NEVER));
    }
}

static int setup(void **state) {
    (void)state;
    mine = unit_start();
    if (!other) {
        doll = hak_tls;
        other = heap_acquire(HEAP_THREAD);
        for (unsigned c = 0; c < HAK_CLASSES; c++) {
            doll.top[c] = HAK_EMPTY;
        }
        doll.heap = other;
        doll.key = other->id << 8;
        other->cache = &doll;
    }
    other->events++;
    roll_call(1);
    purge_all(0);
    return other ? 0 : -1;
}

static uint32_t word_of(uintptr_t p) { return hak_arena.map[unit_of((void *)p)]; }
static uint32_t owner_of(uintptr_t p) { return word_of(p) >> 8; }

static unsigned take_slab(struct heap *h) {
    unsigned n = hak_class[CLS].nobj;
    for (unsigned got = 0; got < n;) {
        got += slab_take(h, CLS, v + got, (unsigned)hak_min(n - got, 100));
    }
    return n;
}

/* All blocks of one slab are out but every second one. Returns the number of those, in v. */
static unsigned partial(struct heap *h) {
    unsigned n = take_slab(h), kept = 0;
    for (unsigned i = 0; i < n; i++) {
        if (i % 2) {
            slab_settle(h, CLS, &v[i], 1);
        } else {
            v[kept++] = v[i];
        }
    }
    return kept;
}

static void nothing_left(unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        remote_settle_one((void *)v[i], word_of(v[i]));
    }
    magazine_settle_all(&doll, other);
    slab_drop_current(mine, CLS);
    slab_drop_current(other, CLS);
    unit_verify();
    assert_int_equal(mine->slab_bytes, 0);
    assert_int_equal(other->slab_bytes, 0);
    assert_int_equal(other->free_bytes, 0);
    other->robbed = false;
}

/* Whoever makes calls is left alone, and who wakes up, again. */
static void awake(void **state) {
    (void)state;
    unsigned n = partial(other);
    for (unsigned i = 0; i < 4 * NEEDS; i++) {
        other->events++;
        assert_false(takeover_slab(mine, CLS));
    }
    roll_call(2);
    other->events++;
    assert_false(takeover_slab(mine, CLS));
    assert_int_equal(owner_of(v[0]), other->id);
    assert_false(other->robbed);
    nothing_left(n);
}

static void moves(void **state) {
    (void)state;
    unsigned n = partial(other);
    size_t free_bytes = other->free_bytes;
    roll_call(2);
    assert_false(takeover_slab(mine, CLS + 1));
    assert_true(takeover_slab(mine, CLS));
    assert_int_equal(owner_of(v[0]), mine->id);
    assert_int_equal(mine->free_bytes, free_bytes);
    assert_int_equal(other->slab_bytes, 0);
    assert_true(other->robbed);
    unit_verify();
    nothing_left(n);
}

/* Memory that is resident and free comes first. */
static void dirty_first(void **state) {
    (void)state;
    unsigned n = partial(other);
    roll_call(2);
    bool zeroed;
    uint32_t u = span_alloc(1, 1, &zeroed);
    span_free(u, 1, true);
    assert_int_equal(span_dirty(), 1);
    assert_false(takeover_slab(mine, CLS));
    purge_all(0);
    assert_true(takeover_slab(mine, CLS));
    nothing_left(n);
}

/* Not by a heap without a thread, not from a first-class or an ended thread's heap, not while somebody is busy there. */
static void refused(void **state) {
    (void)state;
    struct heap *own = heap_acquire(HEAP_FIRST_CLASS);
    unsigned n = partial(own);
    roll_call(2);
    assert_false(takeover_slab(mine, CLS));
    for (unsigned i = 0; i < n; i++) {
        remote_settle_one((void *)v[i], word_of(v[i]));
    }
    slab_drop_current(own, CLS);
    heap_release(own);
    n = partial(other);
    purge_all(0);
    roll_call(2);
    assert_false(takeover_slab(heap_shared(), CLS));
    assert_false(takeover_slab(other, CLS));
    other->idle = true;
    assert_false(takeover_slab(mine, CLS));
    other->idle = false;
    struct thread_cache *t = mine->cache;
    mine->cache = 0;
    assert_false(takeover_slab(mine, CLS));
    mine->cache = t;
    assert_true(hak_lock_try(&other->lock));
    assert_false(takeover_slab(mine, CLS));
    hak_lock_drop_tried(&other->lock);
    assert_int_equal(owner_of(v[0]), other->id);
    nothing_left(n);
}

/* What waits for the sleeper is settled, and a slab without a block serves as a span: the taker's next slab is that very one. */
static void inbox(void **state) {
    (void)state;
    unsigned n = take_slab(other);
    uint32_t u = slab_head(unit_of((void *)v[0]));
    roll_call(2);
    for (unsigned i = 0; i < n; i++) {
        remote_push(mine, (void *)v[i], word_of(v[i]));
    }
    remote_flush(mine);
    assert_true(remote_pending(other));
    assert_int_equal(other->free_bytes, 0);
    uintptr_t p;
    assert_int_equal(slab_take(mine, CLS, &p, 1), 1);
    assert_false(remote_pending(other));
    assert_int_equal(other->slab_bytes, 0);
    assert_int_equal(slab_head(unit_of((void *)p)), u);
    slab_settle(mine, CLS, &p, 1);
    nothing_left(0);
}

/* Blocks of the taken slab that wait in the sleeper's magazine: popped they are the program's, settled they are the new owner's. */
static void strangers(void **state) {
    (void)state;
    uintptr_t p = (uintptr_t)magazine_refill(&doll, other, CLS);
    size_t cached = magazine_count(&doll, other, CLS), size = hak_class[CLS].size;
    assert_true(p && cached > 2);
    roll_call(2);
    assert_true(takeover_slab(mine, CLS));
    assert_int_equal(owner_of(p), mine->id);
    unit_verify();
    size_t before = mine->free_bytes;
    uintptr_t q = *--doll.top[CLS];
    assert_int_equal(owner_of(q), mine->id);
    remote_push(other, (void *)q, word_of(q));
    unit_verify();
    uintptr_t fresh = (uintptr_t)magazine_refill(&doll, other, CLS + 1); /* of a slab that it keeps */
    magazine_settle_all(&doll, other);
    assert_int_equal(mine->free_bytes, before + (cached - 1) * size);
    unit_verify();
    remote_flush(other);
    remote_help(mine, mine);
    assert_int_equal(mine->free_bytes, before + cached * size);
    slab_settle(other, CLS + 1, &fresh, 1);
    slab_drop_current(other, CLS + 1);
    v[0] = p;
    nothing_left(1);
}

/* A settle of many, of both heaps' slabs, in one call. */
static void mixed(void **state) {
    (void)state;
    unsigned n = take_slab(other);
    slab_settle(other, CLS, v, 8);
    roll_call(2);
    assert_true(takeover_slab(mine, CLS));
    size_t size = hak_class[CLS].size, before = mine->free_bytes;
    unsigned own = 300;
    mine->events++; /* or other would take it back */
    for (unsigned got = 0; got < own;) {
        got += slab_take(other, CLS, v + n + got, (unsigned)hak_min(own - got, 100));
    }
    assert_int_equal(owner_of(v[n]), other->id);
    v[0] = v[8]; /* stays out, so that the slab stays */
    slab_settle(other, CLS, v + 9, n - 9 + own);
    assert_int_equal(mine->free_bytes, before + (n - 9) * size);
    unit_verify();
    nothing_left(1);
}

static void *block[MANY];
static pthread_barrier_t turn;

/* A real thread: sleeps, is robbed, wakes up, and ends. */
static void *sleeper(void *arg) {
    struct heap **h = arg;
    assert_true(thread_attach(&hak_tls));
    *h = hak_tls.heap;
    for (unsigned i = 0; i < MANY; i++) {
        block[i] = hak_malloc_hot(hak_class[CLS].size);
        memset(block[i], 1, hak_class[CLS].size);
    }
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn);
    for (unsigned i = 0; i < MANY; i++) {
        hak_free_cold(block[i]);
    }
    return 0;
}

static void living(void **state) {
    (void)state;
    pthread_t id;
    struct heap *h;
    pthread_barrier_init(&turn, 0, 2);
    assert_int_equal(pthread_create(&id, 0, sleeper, &h), 0);
    pthread_barrier_wait(&turn);
    purge_all(0);
    roll_call(2);
    assert_true(takeover_slab(mine, CLS));
    assert_true(h->robbed);
    unit_verify();
    pthread_barrier_wait(&turn);
    pthread_join(id, 0);
    unit_verify();
    assert_false(h->robbed);
    assert_int_equal(h->slab_bytes, 0);
    remote_help(mine, mine);
    nothing_left(0);
    unit_verify();
}

/* In a process of its own, which has not started the allocator. */
static void no_gate(void) {
    static char off[] = "HAKMEM_TAKEOVER=0", *list[] = {off, 0};
    os_fault_environment(list);
    setup(0);
    assert_false(hak_gates.takeover);
    partial(other);
    for (unsigned i = 0; i < 4 * NEEDS; i++) {
        assert_false(takeover_slab(mine, CLS));
    }
}

static void gate(void **state) {
    (void)state;
    unit_child(no_gate, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gate),
        cmocka_unit_test_setup(awake, setup),
        cmocka_unit_test_setup(moves, setup),
        cmocka_unit_test_setup(dirty_first, setup),
        cmocka_unit_test_setup(refused, setup),
        cmocka_unit_test_setup(inbox, setup),
        cmocka_unit_test_setup(strangers, setup),
        cmocka_unit_test_setup(mixed, setup),
        cmocka_unit_test_setup(living, setup),
    };
    return RUN(tests);
}
