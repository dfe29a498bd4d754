/* api/sandbox.c : a program that limits itself.
 * Its own address space: it gets what it would have without us. What is reserved and not used counts to RLIMIT_AS, and its own mappings and thread
 * stacks would fail from then on. Under a limit that was there at start nothing is reserved.
 * Its system calls (seccomp): an arena comes before that, and with it the memory that such a program may have without another call. In strict mode
 * no other is made.
 * By the system call itself, as libc does it: a child between vfork() and exec may call these.
 * Threads    any          Source  prlimit(2), prctl(2)          Test  stress/limit_late, stress/sandbox */
#include "base/attr.h"
#include "base/kernel.h"
#include "base/names.h"
#include "cold/door.h"
#include "hot/free_hot.h"
#include "hot/malloc_hot.h"
#include <errno.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/types.h>

static int change(pid_t pid, int resource, const void *set, void *old) {
    int err = door_limit(pid, resource, set, old);
    if (err) {
        errno = -err;
        return -1;
    }
    return 0;
}

/* By other names, as libc's header may declare each with types and attributes of its own. */
HAK_EXPORT int hak_own_setrlimit(int resource, const void *set) __asm__(HAK_SYMBOL("setrlimit"));
int hak_own_setrlimit(int resource, const void *set) { return change(0, resource, set, 0); }

HAK_EXPORT int hak_own_setrlimit64(int resource, const void *set) __asm__(HAK_SYMBOL("setrlimit64"));
int hak_own_setrlimit64(int resource, const void *set) { return change(0, resource, set, 0); }

HAK_EXPORT int hak_own_prlimit(pid_t pid, int resource, const void *set, void *old) __asm__(HAK_SYMBOL("prlimit"));
int hak_own_prlimit(pid_t pid, int resource, const void *set, void *old) { return change(pid, resource, set, old); }

HAK_EXPORT int hak_own_prlimit64(pid_t pid, int resource, const void *set, void *old) __asm__(HAK_SYMBOL("prlimit64"));
int hak_own_prlimit64(pid_t pid, int resource, const void *set, void *old) { return change(pid, resource, set, old); }

/* A filter is mostly preceded by the promise to gain no privileges, and may be set by a call that does not come by. */
HAK_EXPORT int hak_own_prctl(int option, ...) __asm__(HAK_SYMBOL("prctl"));
int hak_own_prctl(int option, ...) {
    uintptr_t a[4];
    va_list ap;
    va_start(ap, option);
    for (int i = 0; i < 4; i++) {
        a[i] = va_arg(ap, uintptr_t);
    }
    va_end(ap);
    if (option == PR_SET_SECCOMP || option == PR_SET_NO_NEW_PRIVS) {
        int saved = errno;
        door_libc_mode();                /* starts in earnest, */
        hak_free_hot(hak_malloc_hot(1)); /* and the first slab brings the first piece of the arena */
        errno = saved;
    }
    long result = hak_kernel(SYS_prctl, (uintptr_t)option, a[0], a[1], a[2], a[3], 0);
    if (hak_kernel_failed(result)) {
        errno = (int)-result;
        return -1;
    }
    if (option == PR_SET_SECCOMP && a[0] == SECCOMP_MODE_STRICT) {
        door_strict();
    }
    return (int)result;
}
