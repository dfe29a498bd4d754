/* cold/init.c : gates, arena, handlers; once, by whichever thread calls first, perhaps before libc has run a constructor.  L2
 * Owns       hak_mode, the seal of the gates' page
 * Threads    one starts, the others wait; the starter's own nested calls (dlsym may allocate) are served by emergency.c
 * Test       stress/early, misuse/options */
#include "cold/init.h"
#include "base/atomic.h"
#include "base/print.h"
#include "cold/arena.h"
#include "cold/foreign.h"
#include "cold/fork.h"
#include "cold/thread.h"
#include "gates/gates.h"
#include "layout/thread_cache.h"
#include "os/os.h"

uint32_t hak_mode = HAK_MODE_NEW;

static uint32_t begin(void) {
    gates_read(os_secure() ? 0 : os_environment());
    os_seal(&hak_gates_page, sizeof hak_gates_page, true);
    if (hak_gates.force_libc) {
        if (foreign_load()) {
            return HAK_MODE_LIBC;
        }
        hak_warn("hakmem: HAKMEM_FORCE_LIBC: there is no other malloc in this program; ignored");
    }
    if (!os_atfork_waits()) {
        fork_init();
    }
    return HAK_MODE_EARLY;
}

static uint32_t start(void) {
    if (!arena_init()) {
        hak_warn("hakmem: no address space for an arena; only blocks over 64 MiB can be served");
    }
    thread_init();
    return HAK_MODE_ON;
}

/* One step on from that mode, by whoever comes first. */
static void step(uint32_t from, uint32_t (*next)(void)) {
    uint32_t now = from;
    hak_tls
        .busy++; /* as long as the mode is ours: a signal handler's call would wait for the one that it interrupted */
    hak_signal_fence();
    if (hak_cas_ar(&hak_mode, &now, HAK_MODE_STARTING)) { /* ar: pairs with the loads below */
        hak_store_rel(&hak_mode, next());                 /* rel: pairs with the loads below */
    }
    hak_signal_fence();
    hak_tls.busy--;
    while (hak_load_acq(&hak_mode) == HAK_MODE_STARTING && !hak_tls.busy) { /* acq: pairs with the store above */
        os_wait(&hak_mode, HAK_MODE_STARTING, 1);
    }
}

void hak_start_early(void) { step(HAK_MODE_NEW, begin); }

void hak_start(void) {
    step(HAK_MODE_NEW, begin);
    step(HAK_MODE_EARLY, start);
}
