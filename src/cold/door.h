/* cold/door.h : entries that api/ needs beside those of the hot path.                                                  L2 */
#ifndef HAK_COLD_DOOR_H
#define HAK_COLD_DOOR_H

#include "base/attr.h"
#include <stdbool.h>
#include <stddef.h>

struct heap;

/* hak_malloc_cold() and hak_malloc_large() but for errno. */
HAK_HIDDEN void *door_malloc(size_t n, size_t cls);
/* n bytes at a multiple of align, as a large block, in a signal handler that met the allocator one of the emergency pool's. *zeroed as in
 * large_alloc(). NULL when memory is out or n > PTRDIFF_MAX. */
HAK_HIDDEN void *door_large(size_t n, size_t align, bool *zeroed);
/* n bytes at a multiple of align for a program that has just begun and has one thread; *zeroed as in large_alloc(). NULL: it is past that, or what it
 * wants is more than such programs want. */
HAK_HIDDEN void *door_early(size_t n, size_t align, bool *zeroed);
/* n bytes as a mapping of its own, which door_resize() grows without a copy; NULL when memory is out. */
HAK_HIDDEN void *door_movable(size_t n);
/* Ends the program, naming function, when p, in one of our slabs, is not the start of a block. */
HAK_HIDDEN void door_check_start(const void *p, const char *function);
/* Usable bytes of a block, 0 for NULL. Ends the program, naming function, when p is nobody's. */
HAK_HIDDEN size_t door_size(void *p, const char *function);
/* The block resized in place or by moving page tables; NULL: it is unchanged and the caller must copy. n > 0. */
HAK_HIDDEN void *door_resize(void *p, size_t n);
/* The OS page, for valloc() and pvalloc(). */
HAK_HIDDEN size_t door_page_size(void);
/* Whether libc serves this process, or this very block. */
HAK_HIDDEN bool door_libc_mode(void);
HAK_HIDDEN bool door_libc_owns(void *p, const char *function);
/* The caller's caches go back: hak_thread_idle(), malloc_trim(). */
HAK_HIDDEN void door_flush(void);
HAK_HIDDEN size_t door_trim(size_t keep);
/* This thread is in seccomp's strict mode from now on. */
HAK_HIDDEN void door_strict(void);
/* os_limit(), and what a limit on this process's address space asks of us. 0 or -errno. */
HAK_HIDDEN int door_limit(int pid, int resource, const void *set, void *old);

#endif
