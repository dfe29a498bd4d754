/* cold/resize.c : sizes of blocks, and their change without a copy.                                                    L2
 * Owns       nothing          Threads  any; a block by its owner
 * Decision   docs/decisions/011          Test  unit/large, conformance/realloc */
#include "base/atomic.h"
#include "base/kernel.h"
#include "base/print.h"
#include "cold/door.h"
#include "cold/early.h"
#include "cold/emergency.h"
#include "cold/foreign.h"
#include "cold/huge.h"
#include "cold/init.h"
#include "cold/large.h"
#include "cold/purge.h"
#include "cold/slab.h"
#include "cold/span.h"
#include "cold/thread.h"
#include "layout/lookup.h"
#include "os/os.h"

static bool libc_serves(void) { return hak_load_acq(&hak_mode) == HAK_MODE_LIBC; } /* acq: pairs with hak_start() */

bool door_libc_mode(void) {
    if (hak_load_acq(&hak_mode) < HAK_MODE_ON) { /* acq: pairs with hak_start() */
        hak_start();
    }
    return libc_serves();
}

void door_check_start(const void *p, const char *function) {
    if (HAK_UNLIKELY(!slab_block_start(slab_head(unit_of(p)), p))) {
        hak_die("hakmem: %s(): invalid pointer %p", function, p);
    }
}

size_t door_size(void *p, const char *function) {
    uint32_t word = hak_word_hot(p);
    if (!p) {
        return 0;
    }
    if (word) {
        return hak_word_class(word) < HAK_CLASSES ? hak_class[hak_word_class(word)].size
                                                  : large_size((uint32_t)unit_of(p));
    }
    if (early_holds(p)) {
        return early_size(p, function);
    }
    if (emergency_holds(p)) {
        return emergency_size(p);
    }
    size_t n = libc_serves() ? 0 : huge_size(p);
    if (n) {
        return n;
    }
    return door_libc_owns(p, function) ? hak_foreign.usable_size(p) : 0;
}

bool door_libc_owns(void *p, const char *function) {
    if (hak_word_hot(p) || early_holds(p)) { /* in libc's mode too: a first-class heap's */
        return false;
    }
    if (!libc_serves() && (emergency_holds(p) || huge_size(p))) {
        return false;
    }
    return door_libc_mode() || foreign_owns(p, function);
}

void *door_resize(void *p, size_t n) {
    uint32_t word = hak_word_hot(p);
    if (early_holds(p)) {
        return early_resize(p, n, "realloc") ? p : 0;
    }
    if (n > PTRDIFF_MAX || hak_tls.busy) { /* a signal handler's: a lock may be held */
        return 0;
    }
    hak_tls.busy++;
    void *q = 0;
    if (word) {
        bool large = hak_word_class(word) == HAK_CLASS_LARGE && n > HAK_MEDIUM_MAX;
        q = large && large_resize((uint32_t)unit_of(p), n) ? p : 0;
    } else if (n >= HAK_MOVABLE_MIN / 2 && !emergency_holds(p)) {
        q = huge_resize(p, n);
    }
    hak_tls.busy--;
    return q;
}

void *door_movable(size_t n) {
    hak_tls.busy++;
    void *p = huge_alloc_growing(n);
    hak_tls.busy--;
    return p;
}

size_t door_page_size(void) { return os_page_size(); }

void door_flush(void) {
    struct thread_cache *t = &hak_tls;
    if (t->heap && !t->busy) {
        t->busy++;
        thread_flush(t, t->heap);
        t->busy--;
    }
}

int door_limit(int pid, int resource, const void *set, void *old) {
    int err = os_limit(pid, resource, set, old);
    if (!err && set && !hak_tls.busy && hak_load_acq(&hak_mode) == HAK_MODE_ON) { /* acq: pairs with hak_start() */
        hak_tls.busy++;
        span_shed();
        hak_tls.busy--;
    }
    return err;
}

void door_strict(void) { hak_kernel_strict = !os_threaded(); /* the mode is a thread's */ }

size_t door_trim(size_t keep) {
    if (door_libc_mode() || hak_tls.busy) {
        return 0;
    }
    door_flush();
    return purge_all(keep);
}
