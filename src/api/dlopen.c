/* api/dlopen.c : RTLD_DEEPBIND is taken off, so that a library that comes later calls the same malloc and free as the program.
 * With it, a library asks libc before it asks us: a block of ours that it frees ends in libc's free. PHP opens its extensions so, and crashes
 * under every other preloaded allocator. In the shared library only.
 * Threads    any          Source  dlopen(3)          Gate  HAKMEM_DEEPBIND          Test  stress/dlopen_main_deepbind */
#include "base/atomic.h"
#include "base/attr.h"
#include "cold/door.h"
#include "diag/libc.h"
#include "gates/gates.h"
#include <dlfcn.h>
#include <stdbool.h>

enum { DEEPBIND = 8 }; /* glibc's RTLD_DEEPBIND; musl's header has none */

typedef void *opener(const char *name, int mode);
static opener *next; /* atomic */

static opener *find(void) {
    opener *f = hak_load_rlx(&next);
    if (!f && libc_function("dlopen", &f)) {
        hak_store_rlx(&next, f);
    }
    return f;
}

HAK_EXPORT void *dlopen(const char *name, int mode) {
    bool keep = door_libc_mode() || hak_gates.deepbind;
    opener *f = find();
    if (!f) {
        return 0;
    }
    /* A tail call: libc takes the caller's search path (RUNPATH, $ORIGIN) from the return address. */
    return f(name, keep ? mode : mode & ~DEEPBIND);
}
