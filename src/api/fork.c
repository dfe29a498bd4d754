/* api/fork.c : our fork handlers are registered as late as they can be, for where libc keeps them most programs never go: before anybody
 * else's, because those that take a lock in which others allocate must take it first; and before a fork of more than one thread. cold/thread.c
 * does it for a program's second thread, too. In the shared library only.
 * Threads    any          Source  POSIX.1-2024 pthread_atfork, glibc nptl/pthread_atfork.c          Decision  docs/decisions/019
 * Test       stress/fork, stress/fork_order */
#include "cold/fork.h"
#include "base/attr.h"
#include "cold/door.h"
#include "diag/libc.h"
#include <errno.h>
#include <pty.h>
#include <sys/types.h>
#include <unistd.h>

typedef void handler(void);

/* What pthread_atfork() is in a program: that function itself is linked into each. */
HAK_EXPORT int __register_atfork(handler *prepare, handler *parent, handler *child, void *object);
HAK_EXPORT int __register_atfork(handler *prepare, handler *parent, handler *child, void *object) {
    int (*next)(handler *, handler *, handler *, void *);
    if (!door_libc_mode()) {
        fork_init();
    }
    return libc_function("__register_atfork", &next) ? next(prepare, parent, child, object) : ENOSYS;
}

static int nothing_behind(void) {
    errno = ENOSYS;
    return -1;
}

/* libc's, by its other name: the loader has found it, for fork() is called in signal handlers, too, where nothing may be looked up. */
extern pid_t __fork(void);

HAK_EXPORT pid_t fork(void) {
    fork_comes();
    return __fork();
}

/* libc's own calls of fork() do not come by. */
HAK_EXPORT pid_t forkpty(int *terminal, char *name, const struct termios *mode, const struct winsize *size) {
    pid_t (*next)(int *, char *, const struct termios *, const struct winsize *);
    fork_comes();
    return libc_function("forkpty", &next) ? next(terminal, name, mode, size) : nothing_behind();
}

HAK_EXPORT int daemon(int keep_directory, int keep_streams) {
    int (*next)(int, int);
    fork_comes();
    return libc_function("daemon", &next) ? next(keep_directory, keep_streams) : nothing_behind();
}
