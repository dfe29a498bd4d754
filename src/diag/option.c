/* diag/option.c : gates are read and, the LIVE ones, set while the program runs.                                       L3
 * Owns       the seal of the gates' page after start          Threads  any, setters one at a time
 * The lock is held across mprotect, so it is no hak_lock; nobody but another setter ever waits for it.
 * Test       conformance/ext_options, unit/gates */
#include "diag/option.h"
#include "base/atomic.h"
#include "cold/door.h"
#include "gates/gates.h"
#include "os/os.h"
#include <stdint.h>

static uint32_t holder; /* atomic: process id of the thread that holds the lock, 0 when free */

void seldom_lock(void) {
    uint32_t me = os_process(), now = 0;
    while (!hak_cas_acq(&holder, &now, me)) { /* acq: pairs with seldom_unlock() */
        now = now == me ? 0 : now; /* another process' id: its thread is not here, the next attempt takes over */
        os_yield();
    }
}

void seldom_unlock(void) { hak_store_rel(&holder, 0); /* rel: pairs with seldom_lock() */ }

int option_get(const char *name, char *buf, size_t size) {
    door_libc_mode(); /* starts the allocator: the environment must have been read */
    return gates_get(name, buf, size);
}

int option_set(const char *name, const char *value) {
    door_libc_mode();
    seldom_lock();
    int result = os_seal(&hak_gates_page, sizeof hak_gates_page, false);
    if (result == 0) {
        result = gates_set(name, value);
        os_seal(&hak_gates_page, sizeof hak_gates_page, true);
    }
    seldom_unlock();
    return result;
}
