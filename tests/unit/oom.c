/* oom.c : the n-th mapping call of a fresh process refused, for every n: a whole small program must go on, get NULL and ENOMEM where
 * there is no memory, and leave a sound heap. */
#include "api/introspect.h"
#include "api/prefixed.h"
#include "unit.h"
#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>

enum { SLOTS = 800 };

static struct shared { unsigned refused, nulls; } * result;

static void require(bool ok, int line) {
    if (!ok) {
        fprintf(stderr, "oom.c:%d\n", line);
        _exit(1);
    }
}
#define REQUIRE(x) require((x), __LINE__)

static void *checked(void *p) {
    if (!p) {
        result->nulls++;
        REQUIRE(errno == ENOMEM);
    }
    return p;
}

static size_t some_size(uint64_t *seed) {
    size_t k = unit_below(seed, 1000);
    return unit_below(seed, k < 900 ? 2000 : k < 980 ? 60000 : k < 999 ? 1500000 : (size_t)70 << 20);
}

static void program(uint64_t seed) {
    void *slot[SLOTS] = {0};
    size_t size[SLOTS] = {0};
    for (int i = 0; i < 1500; i++) {
        size_t k = unit_below(&seed, SLOTS), n = some_size(&seed);
        REQUIRE(!slot[k] || size[k] == 0 || *(unsigned char *)slot[k] == (unsigned char)k);
        if (slot[k] && i % 3) {
            free(slot[k]);
            slot[k] = 0;
        } else if (slot[k]) {
            void *p = realloc(slot[k], n ? n : 1);
            slot[k] = checked(p) ? p : slot[k];
            size[k] = p ? n : size[k];
        } else {
            slot[k] = checked(i % 5 ? malloc(n) : i % 7 ? calloc(1, n) : aligned_alloc(256, n));
            size[k] = n;
        }
        if (slot[k] && size[k]) {
            *(unsigned char *)slot[k] = (unsigned char)k;
        }
    }
    for (size_t k = 0; k < SLOTS; k++) {
        free(slot[k]);
    }
}

static void *thread(void *arg) {
    (void)arg;
    program(2);
    return 0;
}

static unsigned at;
static bool forever;

static void child(void) {
    pthread_t t;
    os_fault_refuse(at, forever);
    program(1);
    if (pthread_create(&t, 0, thread, 0) == 0) {
        pthread_join(t, 0);
    }
    HAK_API(mallinfo2)();
    result->refused = os_fault_refused();
    os_fault_refuse(0, false);
    REQUIRE(hak_mode == HAK_MODE_ON);
    REQUIRE(verify_heap_all(unit_print, 0) == 0);
    if (hak_arena.base) { /* memory is back: everything works again */
        void *p = malloc(100), *q = malloc(500000);
        REQUIRE(p && q);
        free(p);
        free(q);
    }
}

static void sweep(bool all) {
    forever = all;
    result = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(result != MAP_FAILED);
    unsigned nulls = 0, step = 1;
    for (at = 1; at < 5000; at += step) {
        *result = (struct shared){0, 0};
        unit_child(child, 0);
        nulls += result->nulls;
        if (!result->refused) {
            break;
        }
        step = at < 30 ? 1 : at / 10;
    }
    assert_true(at > 5 && (nulls > 0 || !all)); /* a single refusal may be made up for */
}

static void once(void **state) {
    (void)state;
    sweep(false);
}

static void for_ever(void **state) {
    (void)state;
    sweep(true);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(once), cmocka_unit_test(for_ever)};
    return RUN(tests);
}
