/* os/os.h : all that hakmem asks of the kernel. os_linux.c does it; os_fault.c, its double in unit tests, can refuse and owns a fake clock.
 *
 * Contracts
 *   - Every function that can fail returns 0 or -errno, and preserves errno itself. None is a cancellation point.
 *   - Addresses and lengths are multiples of os_page_size() unless said otherwise.
 *   - Fresh memory is zero. None of these functions allocates or takes a lock of ours; all are thread-safe.
 *   - Callers hold no lock of ours. */
#ifndef HAK_OS_OS_H
#define HAK_OS_OS_H

#include "base/attr.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

HAK_HIDDEN size_t os_page_size(void); /* read at run time: 4, 16 or 64 KiB */
/* Address space without memory, at hint if that is free; costs neither RLIMIT_DATA nor commit charge. */
HAK_HIDDEN int os_reserve(void *hint, size_t len, void **out);
/* Makes reserved space readable and writable. */
HAK_HIDDEN int os_commit(void *p, size_t len);
/* Readable and writable memory, anywhere, or exactly at p (never over something else: -EEXIST). */
HAK_HIDDEN int os_map(size_t len, void **out);
HAK_HIDDEN int os_map_at(void *p, size_t len);
HAK_HIDDEN int os_unmap(void *p, size_t len);
/* Grows or shrinks a mapping of os_map() to new_len, moving it when it must, or always, over new_len bytes of reserved space at to if that is not NULL.
 * Page tables move, bytes do not. A failure may have unmapped what was reserved at to: it is nobody's to use or to unmap. */
HAK_HIDDEN int os_remap(void *p, size_t len, size_t new_len, void *to, void **out);
/* Gives pages back: RSS falls now, the next touch reads zero. What they held is lost even if it fails. */
HAK_HIDDEN int os_purge(void *p, size_t len);
/* Pages of the range that are in memory now; SIZE_MAX when the kernel does not say, or it is not safe to ask. A hint: pages come and go. */
HAK_HIDDEN size_t os_resident(const void *p, size_t len);
/* Which of so many pages, at most OS_PRESENT_PAGES, are in memory: in[i] & 1. One that is not may be in swap. Nonzero where os_resident() is SIZE_MAX. */
enum { OS_PRESENT_PAGES = 512 };
HAK_HIDDEN int os_present(const void *p, size_t pages, unsigned char *in);
/* Pages that will be touched at once are made present in one call (Linux 5.14). A wish: the next touch does it otherwise. */
HAK_HIDDEN int os_populate(void *p, size_t len);
/* Advises for or against huge pages. */
HAK_HIDDEN int os_huge(void *p, size_t len, bool on);
/* The sizes of huge pages up to 2 MiB that the kernel gives where os_huge() asked, and those that it gives everywhere: sums of sizes in
 * bytes. Reads files: once in a process' life. Fails where it does not say. */
HAK_HIDDEN int os_huge_sizes(size_t *asked, size_t *always);
HAK_HIDDEN int os_seal(void *p, size_t len, bool read_only);
HAK_HIDDEN uint64_t os_now_ms(void); /* monotonic */
HAK_HIDDEN size_t os_limit_as(void); /* RLIMIT_AS, SIZE_MAX if none */
HAK_HIDDEN int os_limit(int pid, int resource, const void *set,
                        void *old);                     /* prlimit(2); set and old: struct rlimit, or NULL */
HAK_HIDDEN bool os_secure(void);                        /* AT_SECURE: the environment is not to be believed */
HAK_HIDDEN uint64_t os_random(void);                    /* 64 bits, for address placement only */
HAK_HIDDEN char **os_environment(void);                 /* NULL-terminated; never NULL */
HAK_HIDDEN bool os_readable(const void *p, size_t len); /* any alignment: can these bytes be read? */
/* libc's functions, looked up when asked in the shared library (libc_late.c), linked in the static one (libc_linked.c). */
HAK_HIDDEN void *
os_symbol(const char *name); /* the next definition of a symbol after ours; NULL without dynamic linking */
/* Whether pthread_atfork() and fork() of all others come by us, so that os_atfork() need not be called at start. */
HAK_HIDDEN bool os_atfork_waits(void);
HAK_HIDDEN int os_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void));
HAK_HIDDEN int os_thread(void *(*run)(void *), size_t stack); /* detached */
HAK_HIDDEN void os_puts(void *stream, const char *text);      /* fputs() */
HAK_HIDDEN void os_wait(const uint32_t *word, uint32_t value,
                        unsigned ms); /* sleeps while *word == value, at most ms */
HAK_HIDDEN void os_wake(const uint32_t *word);
/* Each thread of this process has passed a full memory barrier between call and return, wherever it is. -ENOSYS where nobody can say so. */
HAK_HIDDEN int os_barrier(void);
/* libc's lock on its list of streams, which fork() takes after the handlers: who holds it may wait for a stream, and that stream's holder for
 * us. So it comes first. reset: in the child. Nothing where libc has no such lock,
 * or before os_atfork(). */
HAK_HIDDEN void os_stdio_lock(void);
HAK_HIDDEN void os_stdio_unlock(void);
HAK_HIDDEN void os_stdio_reset(void);
HAK_HIDDEN uint32_t os_process(void); /* its id */
HAK_HIDDEN void os_yield(void);
HAK_HIDDEN bool os_threaded(void); /* whether the process ever had a second thread (true when unknown) */

#endif
