/* os/libc_linked.c : in libhakmem.a, what libc_late.c looks up in libhakmem.so. A static link resolves it at no cost.
 * Owns       nothing          Threads  any          Errno  preserved          Test  conformance/static, stress/ */
#include "os/os.h"
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>

extern __typeof(dlsym) dlsym HAK_WEAK;

void *os_symbol(const char *name) {
    int saved = errno;
    void *p = dlsym ? dlsym(RTLD_NEXT, name) : 0;
    errno = saved;
    return p;
}

bool os_atfork_waits(void) { return false; }

int os_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void)) {
    return -pthread_atfork(prepare, parent, child);
}

/* glibc exports them (GLIBC_2.2.5); recursive. */
extern void _IO_list_lock(void) HAK_WEAK;
extern void _IO_list_unlock(void) HAK_WEAK;
extern void _IO_list_resetlock(void) HAK_WEAK;

void os_stdio_lock(void) {
    if (_IO_list_lock) {
        _IO_list_lock();
    }
}

void os_stdio_unlock(void) {
    if (_IO_list_unlock) {
        _IO_list_unlock();
    }
}

void os_stdio_reset(void) {
    if (_IO_list_resetlock) {
        _IO_list_resetlock();
    }
}

int os_thread(void *(*run)(void *), size_t stack) {
    pthread_attr_t attr;
    pthread_t id;
    if (pthread_attr_init(&attr)) {
        return -ENOMEM;
    }
    pthread_attr_setstacksize(&attr, stack);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    int err = pthread_create(&id, &attr, run, 0);
    pthread_attr_destroy(&attr);
    return -err;
}

void os_puts(void *stream, const char *text) { fputs(text, stream); }
