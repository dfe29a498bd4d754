/* cold/worker.c : RSS falls though nobody calls.                                                                       L2
 * Owns       the thread          Reads  gates.worker          Threads  one starts it
 * Off by default: a second thread takes a program out of libc's single-thread mode.
 * Gate       HAKMEM_WORKER          Test  stress/rss */
#include "cold/worker.h"
#include "base/atomic.h"
#include "cold/purge.h"
#include "cold/span.h"
#include "gates/gates.h"
#include "layout/thread_cache.h"
#include "os/os.h"
#include <pthread.h>
#include <signal.h>

enum { OFF, AUTO, ON };
enum { PERIOD_MS = 100, AUTO_UNITS = (64 << 20) >> HAK_UNIT_SHIFT };

static uint32_t started; /* atomic */
static uint32_t never;   /* waited on, never changes */

static void *worker_main(void *arg) {
    (void)arg;
    for (;;) {
        os_wait(&never, 0, PERIOD_MS);
        hak_tls.busy++;
        purge_tick();
        hak_tls.busy--;
    }
    return 0;
}

static bool wanted(void) {
    return hak_gates.worker == ON || (hak_gates.worker == AUTO && os_threaded() && span_used() >= AUTO_UNITS);
}

/* All signals stay with the program's own threads. */
static void launch(void) {
    sigset_t all, old;
    pthread_attr_t attr;
    pthread_t id;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    if (pthread_attr_init(&attr) == 0) {
        pthread_attr_setstacksize(&attr, 128 << 10);
        pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
        pthread_create(&id, &attr, worker_main, 0);
        pthread_attr_destroy(&attr);
    }
    pthread_sigmask(SIG_SETMASK, &old, 0);
}

void worker_poll(void) {
    uint32_t no = 0;
    if (HAK_LIKELY(hak_gates.worker == OFF) || hak_load_rlx(&started) || !wanted() || !hak_cas_ar(&started, &no, 1)) {
        return;
    }
    launch();
}

void worker_child(void) { hak_store_rlx(&started, 0); }
