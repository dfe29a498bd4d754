/* remote.c : outboxes, inboxes, drains and help; nothing is lost, nothing is twice. */
#include "cold/remote.h"
#include "cold/magazine.h"
#include "cold/meta.h"
#include "cold/slab.h"
#include "gates/gates.h"
#include "hot/cold_entry.h"
#include "unit.h"

enum { MANY = 20000 };
static struct heap *mine, *other; /* other has no thread here: we play its part */
static uintptr_t v[MANY];

static int setup(void **state) {
    (void)state;
    mine = unit_start();
    other = heap_acquire(HEAP_THREAD);
    return other ? 0 : -1;
}

static void take(struct heap *h, unsigned cls, unsigned n) {
    for (unsigned got = 0; got < n;) {
        unsigned k = slab_take(h, cls, v + got, (unsigned)hak_min(n - got, 100));
        assert_true(k > 0);
        got += k;
    }
}

static uint32_t word_of(uintptr_t p) { return hak_arena.map[unit_of((void *)p)]; }

static void nothing_left(void) {
    unit_verify();
    for (unsigned c = 0; c < HAK_CLASSES; c++) {
        slab_drop_current(other, c);
    }
    assert_int_equal(other->slab_bytes, 0);
    assert_null(other->inbox);
}

/* A batch goes when it is full, by number or by bytes. */
static void batches(void **state) {
    (void)state;
    take(other, 0, 300);
    struct outbox *o = &mine->out[other->id % HAK_OUTBOXES];
    for (unsigned i = 0; i < 300; i++) {
        remote_push(mine, (void *)v[i], word_of(v[i]));
        assert_int_equal(outbox_count(o->at), (i + 1) % 126);
        assert_int_equal(remote_pending(other), i >= 125);
    }
    assert_int_equal(other->backlog, 252 * 16);
    unit_verify();
    remote_flush(mine);
    assert_int_equal(outbox_count(o->at), 0);
    unit_verify();
    remote_help(mine, other);
    nothing_left();
    take(other, 50, 20); /* 5 KiB each: the fourth passes 16 KiB */
    for (unsigned i = 0; i < 20; i++) {
        remote_push(mine, (void *)v[i], word_of(v[i]));
        assert_true(outbox_bytes(o) < 16384);
    }
    remote_flush(mine);
    remote_help(mine, other);
    nothing_left();
}

/* The owner drains what others sent into its own magazines. */
static void drain(void **state) {
    (void)state;
    take(mine, 2, 1000);
    for (unsigned i = 0; i < 1000; i++) {
        remote_push(other, (void *)v[i], word_of(v[i]));
    }
    remote_flush(other);
    unit_verify();
    assert_true(remote_pending(mine));
    remote_drain(&hak_tls, mine);
    assert_false(remote_pending(mine));
    assert_int_equal(mine->backlog, 0);
    unit_verify();
    assert_true(magazine_count(&hak_tls, mine, 2) > 0);
    magazine_settle_all(&hak_tls, mine);
    unit_verify();
    chunk_put_all(other);
}

/* Two owners that share an outbox: the first one's chunk is sent when the second comes. */
static void shared_outbox(void **state) {
    (void)state;
    static struct heap *h[HAK_OUTBOXES];
    for (int i = 0; i < HAK_OUTBOXES; i++) {
        assert_non_null(h[i] = heap_acquire(HEAP_THREAD));
    }
    struct heap *twin = h[HAK_OUTBOXES - 1];
    while (twin->id % HAK_OUTBOXES != other->id % HAK_OUTBOXES) {
        assert_non_null(twin = heap_acquire(HEAP_THREAD));
    }
    uintptr_t a, b;
    assert_int_equal(slab_take(other, 1, &a, 1) + slab_take(twin, 1, &b, 1), 2);
    remote_push(mine, (void *)a, word_of(a));
    assert_false(remote_pending(other));
    remote_push(mine, (void *)b, word_of(b));
    assert_true(remote_pending(other));
    assert_false(remote_pending(twin));
    remote_flush(mine);
    remote_help(mine, twin);
    remote_help(mine, other);
    slab_drop_current(twin, 1);
    nothing_left();
}

/* An owner that is gone, or does not come, is helped by the sender. */
static void helped(void **state) {
    (void)state;
    take(other, 40, 3000);
    size_t most = 0;
    for (unsigned i = 0; i < 3000; i++) {
        remote_push(mine, (void *)v[i], word_of(v[i]));
        most = hak_max(most, other->backlog);
    }
    assert_true(most > (1 << 20) / 2 && most <= (1 << 20) + 16384);
    remote_flush(mine);
    remote_help(mine, other);
    nothing_left();
    take(other, 4, 100);
    other->idle = true;
    for (unsigned i = 0; i < 100; i++) {
        remote_push(mine, (void *)v[i], word_of(v[i]));
    }
    remote_flush(mine);
    assert_false(remote_pending(other));
    other->idle = false;
    nothing_left();
}

static void twice(void) {
    slab_take(other, 4, v, 2);
    remote_settle_one((void *)v[0], word_of(v[0]));
    remote_settle_one((void *)v[0], word_of(v[0]));
}
static void slab_gone(void) { remote_settle_one(&mine, 0); }

static void corruption_dies(void **state) {
    (void)state;
    unit_child(twice, "double free or corruption");
    unit_child(slab_gone, "double free or corruption");
}

/* Without memory for an outbox's chunk the block goes straight home. */
static void no_chunk(void **state) {
    (void)state;
    take(other, 6, 500);
    remote_flush(mine);
    chunk_put_all(mine);
    os_fault_refuse(1, true);
    struct chunk *kept[512];
    unsigned n = 0;
    while (n < 512 && (kept[n] = chunk_get(mine)) != 0) {
        n++;
    }
    assert_true(n < 512);
    for (unsigned i = 0; i < 500; i++) {
        remote_push(mine, (void *)v[i], word_of(v[i]));
    }
    os_fault_refuse(0, false);
    while (n) {
        chunk_put(mine, kept[--n]);
    }
    nothing_left();
}

/* The append refuses what is not for its outbox; and with a signal handler's frees waiting, the door takes the way that does them. */
static void append(void **state) {
    (void)state;
    take(mine, 0, 1);
    uintptr_t handlers = v[0];
    take(other, 0, 3);
    struct outbox *o = &mine->out[other->id % HAK_OUTBOXES];
    uint32_t word = word_of(v[0]);
    assert_false(remote_store(mine, (void *)v[0], word)); /* not open */
    assert_false(remote_store(mine, (void *)v[0], 0));
    hak_free_cold((void *)v[0]);
    assert_int_equal(outbox_count(o->at), 1);
    assert_false(remote_store(mine, (void *)v[1], 0));
    assert_false(remote_store(mine, (void *)v[1], word | HAK_CLASS_LARGE));
    assert_false(remote_store(mine, (void *)v[1], word + (HAK_OUTBOXES << 8)));
    hak_free_cold((void *)v[1]);
    assert_int_equal(outbox_count(o->at), 2);
    mine->deferred[mine->ndeferred++] = (void *)handlers;
    hak_free_cold((void *)v[2]);
    assert_int_equal(outbox_count(o->at), 3);
    assert_int_equal(mine->ndeferred, 0);
    remote_flush(mine);
    remote_help(mine, other);
    magazine_settle_all(&hak_tls, mine);
    unit_verify();
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(batches),         cmocka_unit_test(drain),
                                       cmocka_unit_test(shared_outbox),   cmocka_unit_test(helped),
                                       cmocka_unit_test(corruption_dies), cmocka_unit_test(no_chunk),
                                       cmocka_unit_test(append)};
    return cmocka_run_group_tests(tests, setup, 0);
}
