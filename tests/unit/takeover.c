/* takeover.c : a sleeping heap's inbox and slabs serve who would have to grow, nobody else's do, and the sleeper's cached blocks find their
 * slab's new owner. */
#include "cold/takeover.h"
#include "cold/magazine.h"
#include "cold/purge.h"
#include "cold/remote.h"
#include "cold/slab.h"
#include "cold/slab_list.h"
#include "cold/span.h"
#include "cold/visit.h"
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

/* The owner's hot path, played on the doll. */
static uintptr_t doll_pop(void) {
    uintptr_t *top = doll.top[CLS], p = top[-1];
    assert_true(p != 0);
    doll.top[CLS] = top - 1;
    return p;
}

static void doll_push(uintptr_t p) { *doll.top[CLS]++ = p; }

/* Fills the doll's magazine: n blocks in its current chunk, and chunks full ones below. All that is out is in v[0..]. */
static unsigned fill_doll(unsigned chunks, unsigned n) {
    unsigned all = chunks * hak_class[CLS].cap + n;
    for (unsigned got = 0; got < all;) {
        got += slab_take(other, CLS, v + got, (unsigned)hak_min(all - got, 100));
    }
    other->max_chunks[CLS] = 512;
    for (unsigned i = 0; i < all; i++) {
        magazine_push(&doll, other, (void *)v[i], CLS);
    }
    assert_int_equal(magazine_count(&doll, other, CLS), all);
    return all;
}

static size_t given(void) { return other->free_bytes / hak_class[CLS].size; }

static void visit(void) {
    struct heap *h = mine;
    visit_heap(h, other);
    os_fault_barrier(0);
    assert_false(other->visited);
}

/* All but the newest block; what is left is as good as ever. */
static void visited(void **state) {
    (void)state;
    unsigned n = fill_doll(2, 50);
    size_t before = given();
    visit();
    assert_int_equal(given(), before + n - 1);
    assert_int_equal(magazine_count(&doll, other, CLS), 1);
    assert_int_equal(other->nchunks[CLS], 1);
    unit_verify();
    visit(); /* nothing more */
    assert_int_equal(given(), before + n - 1);
    uintptr_t newest = doll_pop(), *top = doll.top[CLS];
    assert_int_equal(newest, v[n - 1]);
    assert_int_equal(top[-1], 0); /* the fence: its slow path comes now */
    unit_verify();
    uintptr_t p = (uintptr_t)magazine_refill(&doll, other, CLS);
    assert_true(p != 0 && p != newest);
    assert_true(doll.top[CLS] <= chunk_end(chunk_of(doll.top[CLS])));
    unit_verify();
    doll_push(p);
    doll_push(newest);
    unit_verify();
    nothing_left(0);
}

/* The chunk below is half full. */
static void visited_half(void **state) {
    (void)state;
    unsigned cap = hak_class[CLS].cap, n = fill_doll(3, 0), k = cap;
    for (unsigned i = 0; i < k; i++) {
        doll_pop();
    }
    assert_int_equal(doll.top[CLS][-1], 0);
    uintptr_t p = (uintptr_t)magazine_refill(&doll, other, CLS); /* a step down */
    assert_true(p == v[n - k - 1]);
    magazine_push(&doll, other, (void *)p, CLS);
    for (unsigned i = n - k; i < n - k + 10; i++) { /* the second is a step up */
        magazine_push(&doll, other, (void *)v[i], CLS);
    }
    for (unsigned i = n - k + 10; i < n; i++) {
        remote_settle_one((void *)v[i], word_of(v[i]));
    }
    n = n - k + 10;
    assert_true(chunk_of(doll.top[CLS])->slot[0] & CHUNK_ON_HALF);
    assert_int_equal(magazine_count(&doll, other, CLS), n);
    size_t before = given();
    unit_verify();
    visit();
    assert_int_equal(given(), before + n - 1);
    assert_int_equal(magazine_count(&doll, other, CLS), 1);
    unit_verify();
    nothing_left(0);
}

/* The thread ended when its blocks were taken and not settled yet, which forgets that it was robbed; their slab is another heap's by now. */
static void visited_robbed(void **state) {
    (void)state;
    unsigned n = fill_doll(0, 40);
    roll_call(2);
    assert_true(takeover_slab(mine, CLS));
    assert_int_equal(owner_of(v[0]), mine->id);
    size_t before = mine->free_bytes;
    other->robbed = false;
    visit();
    other->robbed = true;
    assert_int_equal(mine->free_bytes, before + (n - 1) * hak_class[CLS].size);
    unit_verify();
    nothing_left(0);
    other->robbed = false;
}

/* An overflow finds the chunk full of less than it looks. */
static void visited_overflow(void **state) {
    (void)state;
    unsigned cap = hak_class[CLS].cap;
    fill_doll(1, cap - 3);
    visit();
    uintptr_t w[4];
    assert_int_equal(slab_take(other, CLS, w, 4), 4);
    for (unsigned i = 0; i < 3; i++) {
        doll_push(w[i]);
    }
    assert_int_equal((uintptr_t)doll.top[CLS] % HAK_CHUNK_BYTES, 0);
    unit_verify();
    magazine_overflow(&doll, other, (void *)w[3], CLS);
    assert_int_equal(magazine_count(&doll, other, CLS), 5);
    assert_int_equal(other->nchunks[CLS], 1);
    unit_verify();
    nothing_left(0);
}

/* What the owner does at the k-th barrier of a visit. */
static unsigned barriers, when;
static void (*deed)(void);
static uintptr_t popped[200];
static unsigned all_out;
static unsigned npopped;
static void at_barrier(void) {
    if (++barriers == when) {
        deed();
    }
}

static void pop_to_end(void) {
    while (doll.top[CLS][-1] != 0) {
        popped[npopped++] = doll_pop();
    }
}

static void pop_and_push(void) {
    unsigned n = 0;
    uintptr_t w[20];
    while (n < 10 && doll.top[CLS][-1] != 0) {
        w[n++] = doll_pop();
    }
    while (n) {
        doll_push(w[--n]);
    }
}

/* In the middle of a pop: the block is read, the top not moved yet. */
static uintptr_t *half;
static void half_pop(void) {
    popped[npopped++] = doll.top[CLS][-1];
    half = doll.top[CLS];
}

/* In the middle of a push: the top is moved, the slot not written yet. */
static void half_push(void) {
    popped[0] = doll_pop();
    npopped = 0;
    half = doll.top[CLS]++;
}

/* It had read the fence's slot before the fence came: in the middle of that pop, or past it, or past it and above again. */
static void read_before(void) {
    if (when == 3) {
        popped[npopped++] = doll_pop();
        popped[npopped++] = v[all_out - 2];
        half = doll.top[CLS];
    }
}

static void popped_before(void) {
    read_before();
    half = 0;
    doll.top[CLS] -= when == 3;
}

static void above_again(void) {
    popped_before();
    for (unsigned i = 0; i < npopped; i++) { /* in another order */
        doll_push(popped[i]);
    }
    npopped = 0;
}

static void slow(void) {
    pop_to_end();
    popped[npopped++] = (uintptr_t)magazine_refill(&doll, other, CLS);
}

/* Inside before the fences come: no more than that is done. */
static void busy(void) { doll.busy = when == 1; }

static void count_once(void) {
    unit_verify(); /* nothing waits in two places */
    assert_int_equal(given() + magazine_count(&doll, other, CLS) + npopped, hak_class[CLS].nobj);
    for (unsigned i = 0; i < npopped; i++) {
        assert_false(slab_block_free(slab_head(unit_of((void *)popped[i])), (void *)popped[i]));
        magazine_push(&doll, other, (void *)popped[i], CLS);
    }
    unit_verify();
}

/* A visit with the deed at each barrier in turn: each block is in one place afterwards. */
static void meets(void (*what)(void), bool finish(void)) {
    for (when = 1; when <= 4; when++) {
        all_out = fill_doll(0, 40); /* of one slab */
        barriers = npopped = 0;
        half = 0;
        deed = what;
        os_fault_barrier(at_barrier);
        visit();
        assert_true(!doll.busy || magazine_count(&doll, other, CLS) == all_out);
        doll.busy = 0;
        if (finish) {
            finish();
        }
        count_once();
        nothing_left(0);
    }
}

static bool finish_pop(void) { return half && (doll.top[CLS] = half - 1) != 0; }
static bool finish_push(void) {
    if (half) {
        *half = popped[0];
    }
    return true;
}

/* A fence that the hot path met was removed before the slow path looked: the magazine is as full as before. */
static void fence_gone(void **state) {
    (void)state;
    unsigned n = fill_doll(1, 40);
    assert_int_equal((uintptr_t)magazine_refill(&doll, other, CLS), v[n - 1]);
    assert_int_equal(magazine_count(&doll, other, CLS), n - 1);
    unit_verify();
    doll_push(v[n - 1]);
    nothing_left(0);
}

static void races(void **state) {
    (void)state;
    meets(pop_to_end, 0);
    meets(pop_and_push, 0);
    meets(half_pop, finish_pop);
    meets(half_push, finish_push);
    meets(read_before, finish_pop);
    meets(popped_before, 0);
    meets(above_again, 0);
    meets(slow, 0);
    meets(busy, 0);
}

/* Without the barrier nothing is taken, and it is not asked for again. */
static void no_barrier_body(void) {
    other = 0; /* fork took the doll for a thread that is gone */
    setup(0);
    unsigned n = fill_doll(1, 20);
    size_t before = given();
    unsigned asked = os_fault_count(OS_BARRIER);
    os_fault_break(OS_BARRIER, true);
    visit();
    visit();
    assert_int_equal(os_fault_count(OS_BARRIER), asked + 1);
    assert_int_equal(given(), before);
    assert_int_equal(magazine_count(&doll, other, CLS), n);
    unit_verify();
}

static void no_barrier(void **state) {
    (void)state;
    unit_child(no_barrier_body, 0);
}

/* In a process of its own, which has not started the allocator. */
static void no_gate(void) {
    static char off[] = "HAKMEM_TAKEOVER=off", *list[] = {off, 0};
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
        cmocka_unit_test_setup(visited, setup),
        cmocka_unit_test_setup(visited_half, setup),
        cmocka_unit_test_setup(visited_robbed, setup),
        cmocka_unit_test_setup(visited_overflow, setup),
        cmocka_unit_test_setup(fence_gone, setup),
        cmocka_unit_test_setup(races, setup),
        cmocka_unit_test(no_barrier),
    };
    return RUN(tests);
}
