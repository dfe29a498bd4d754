/* api/rlimit.c : a program that limits its own address space gets what it would have without us: what is reserved and not used counts to
 * RLIMIT_AS, and its own mappings and thread stacks would fail from then on. Under a limit that was there at start nothing is reserved.
 * By the system call itself, as libc does it: a child between vfork() and exec may call these.
 * Threads    any          Source  prlimit(2)          Test  stress/limit_late */
#include "base/attr.h"
#include "base/names.h"
#include "cold/door.h"
#include <errno.h>
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
