/* cold/worker.c : RSS falls though nobody calls, and while it runs no other thread purges by age.                      L2
 * Owns       the thread          Reads  gates.worker, gates.decay          Threads  one starts it; it has no heap and allocates nothing
 * Off by default: a second thread takes a program out of libc's single-thread mode.
 * It sleeps 100 ms when there was something to do, else twice as long as before, up to a fourth of the decay time; once all is quiet, up to 4 s,
 * from which the next tick of any thread wakes it.
 * Gate       HAKMEM_WORKER          Decision  docs/decisions/010          Test  stress/rss_back, stress/forks, unit/worker */
#include "cold/worker.h"
#include "base/atomic.h"
#include "base/bits.h"
#include "base/kernel.h"
#include "base/lock.h"
#include "cold/fork.h"
#include "cold/heap.h"
#include "cold/meta.h"
#include "cold/purge.h"
#include "cold/remote.h"
#include "cold/span.h"
#include "cold/takeover.h"
#include "gates/gates.h"
#include "layout/thread_cache.h"
#include "os/os.h"
#include <signal.h>

enum { OFF, AUTO, ON };
enum {
    PERIOD_MS = 100,
    DEEP_MS = 4000,
    AUTO_UNITS = (64 << 20) >> HAK_UNIT_SHIFT,
    RETRY_EPOCHS = 625 /* 10 s */,
    SLEEPLESS = 32
};

enum { NONE, BEGUN, RUNS };
static uint32_t state;    /* atomic */
static uint32_t retry_at; /* atomic: purge epoch before which a start that failed is not tried again, 0: none failed */
static uint32_t deep;     /* atomic: 1 while it sleeps for long, waiting on this */
static uint32_t never;    /* waited on, never changes */
static struct heap drain_heap; /* worker: only its list of spare chunks is used */
/* Held during a pass, system calls and all: only the verifier waits for it. */
static hak_lock passing = HAK_LOCK_INIT(HAK_RANK_PASS);

/* Frees that wait for owners who did not come since the last pass are settled: an idle heap's for ever would. */
static size_t drain_inboxes(void) {
    size_t n = 0;
    for (uint32_t id = 1; id <= heap_count(); id++) {
        struct heap *h = heap_by_id(id);
        if (remote_pending(h)) {
            remote_help(&drain_heap, h);
            n++;
        }
    }
    takeover_pass(&drain_heap);
    chunk_put_all(&drain_heap);
    return n;
}

size_t worker_pass(void) {
    hak_tls.busy++;
    hak_lock_take(&passing);
    size_t done = drain_inboxes();
    done += purge_pass();
    hak_lock_drop(&passing);
    hak_tls.busy--;
    return done;
}

void worker_hold(void) { hak_lock_take(&passing); }
void worker_go_on(void) { hak_lock_drop(&passing); }

unsigned worker_period(unsigned last, size_t done) {
    unsigned decay = (unsigned)hak_gates.decay, most = (unsigned)hak_max(decay / 4, PERIOD_MS);
    if (done || last == 0) {
        return PERIOD_MS;
    }
    return last < most ? (unsigned)hak_min(last * 2u, most) : (unsigned)hak_max(hak_min(last * 2u, DEEP_MS), most);
}

/* False: woken by a tick. */
static bool rest(unsigned ms) {
    if (ms <= PERIOD_MS || ms <= hak_gates.decay / 4) {
        os_wait(&never, 0, ms);
        return true;
    }
    hak_store_rlx(&deep, 1);
    os_wait(&deep, 1, ms);
    return hak_xchg_acq(&deep, 0) != 0; /* acq: for no other effect */
}

static void give_up(void) {
    hak_store_rlx(&retry_at, (purge_epoch() + RETRY_EPOCHS) | 1);
    hak_store_rlx(&state, NONE);
}

/* Ends only where the kernel does not let it sleep (a system call filter): it would use up a processor. */
static void *worker_main(void *arg) {
    (void)arg;
    hak_store_rlx(&state, RUNS);
    for (unsigned ms = 0, sleepless = 0; sleepless < SLEEPLESS;) {
        ms = worker_period(ms, worker_pass());
        uint64_t before = os_now_ms();
        bool rung = !rest(ms);
        sleepless = rung || os_now_ms() - before >= ms / 2 ? 0 : sleepless + 1;
        ms = rung ? 0 : ms;
    }
    give_up();
    return 0;
}

static bool wanted(void) {
    return hak_gates.worker == ON || (hak_gates.worker == AUTO && os_threaded() && span_used() >= AUTO_UNITS);
}

/* All signals stay with the program's own threads, but the two that libc keeps for itself. */
static void launch(void) {
    const uint64_t all = ~(UINT64_C(3) << 31);
    uint64_t old;
    fork_init();
    hak_kernel(SYS_rt_sigprocmask, SIG_SETMASK, (uintptr_t)&all, (uintptr_t)&old, sizeof all, 0, 0);
    int err = os_thread(worker_main, 128 << 10);
    hak_kernel(SYS_rt_sigprocmask, SIG_SETMASK, (uintptr_t)&old, 0, sizeof old, 0, 0);
    if (err) { /* no thread just now: later there may be one */
        give_up();
    }
}

static bool too_early(void) {
    uint32_t at = hak_load_rlx(&retry_at);
    return at && (int32_t)(purge_epoch() - at) < 0;
}

void worker_poll(void) {
    uint32_t none = NONE;
    if (HAK_LIKELY(hak_gates.worker == OFF) || hak_load_rlx(&state) != NONE || !wanted() || too_early() ||
        !hak_cas_ar(&state, &none, BEGUN)) { /* ar: one starts it */
        return;
    }
    launch();
}

bool worker_runs(void) {
    if (hak_load_rlx(&state) != RUNS) {
        return false;
    }
    if (hak_load_rlx(&deep)) {
        hak_store_rlx(&deep, 0);
        os_wake(&deep);
    }
    return true;
}

void worker_child(void) {
    hak_store_rlx(&state, NONE);
    hak_store_rlx(&deep, 0);
    drain_heap.spare = 0;
    drain_heap.nspare = 0;
    hak_lock_reset(&passing);
}
