/* hakmem.h : what hakmem offers beyond malloc, free and their family (those are declared in <stdlib.h> and <malloc.h>).
 *
 * Every function may be called from any thread at any time, before main and from destructors included, unless its comment says
 * otherwise. None is async-signal-safe, as malloc is not (POSIX.1-2024, 2.4.3). Sizes are bytes. */
#ifndef HAKMEM_H
#define HAKMEM_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HAKMEM_VERSION_MAJOR 1
#define HAKMEM_VERSION_MINOR 0
#define HAKMEM_VERSION_PATCH 0

/* The version of the library that serves this process: major * 10000 + minor * 100 + patch. Compare with the macros above to
 * learn whether the header and the loaded library agree. */
int hak_version(void);

/* malloc(size) that also tells the usable size, as malloc_usable_size would, in one call.
 *   size    bytes wanted
 *   usable  out, may be NULL: bytes that may be used, >= size; untouched on failure
 *   result  the block, or NULL with errno ENOMEM */
void *hak_malloc_usable(size_t size, size_t *usable);

/* Allocates n blocks of size bytes each into out[0..n).
 *   result  how many were allocated; fewer than n only when memory ran out (errno ENOMEM), and then out[result..n) is untouched.
 * Each block may be freed alone by free() or together by hak_free_bulk(). */
size_t hak_malloc_bulk(size_t size, size_t n, void **out);

/* Frees blocks[0..n); NULL entries are skipped. errno is preserved. */
void hak_free_bulk(void **blocks, size_t n);

/* A first-class heap: its blocks are all released at once by hak_heap_destroy(). */
typedef struct hak_heap hak_heap;

/* Creates an empty heap; NULL with errno ENOMEM when there is no memory for its descriptor. */
hak_heap *hak_heap_create(void);

/* Allocates size bytes in the heap, from any thread. The block is 16-byte aligned, and may be given to free(), realloc() (which
 * moves it out of the heap when it must grow) and malloc_usable_size() like any other. NULL with errno ENOMEM on failure. */
void *hak_heap_malloc(hak_heap *heap, size_t size);

/* hak_heap_malloc() of n * size zeroed bytes; NULL with ENOMEM also when the product overflows. */
void *hak_heap_calloc(hak_heap *heap, size_t n, size_t size);

/* Releases every block of the heap that is still live and the heap itself. The caller guarantees that no thread uses the heap or
 * one of its blocks any more. NULL is ignored. */
void hak_heap_destroy(hak_heap *heap);

/* Gives memory that holds no live block back to the kernel: the caller's caches are settled, caches of exited threads too, and all
 * free pages are decommitted except keep bytes. Returns the bytes given back. malloc_trim(keep) is this with a 0/1 result. */
size_t hak_trim(size_t keep);

/* A hint that the calling thread will not allocate for a while (a server's thread before it blocks): its cached blocks go back to
 * their slabs, its pending remote frees are sent. The thread may allocate again at any time; the next calls refill. */
void hak_thread_idle(void);

/* Options by name, as in the environment without the prefix HAKMEM_ and in lower case: hak_option_get("worker", ...).
 *   get  writes the effective value as text, at most size bytes with the terminator; returns the text's length (as snprintf), or
 *        -1 with errno ENOENT for an unknown name.
 *   set  0, or -1 with errno ENOENT (unknown name), EINVAL (value not of the option's type or range) or EPERM (the option can
 *        only be set in the environment, before start). */
int hak_option_get(const char *name, char *buf, size_t size);
int hak_option_set(const char *name, const char *value);

/* malloc and free that name the place of the call. A site is any pointer that stays valid (a string literal, a return address);
 * per-site counts and bytes are reported by malloc_info() and hak_sites(). Sites beyond the table's capacity are counted together under
 * the site NULL. hak_alloc_at returns NULL with errno ENOMEM on failure. Blocks of hak_alloc_at may be given to free(). */
void *hak_alloc_at(size_t size, const void *site);
void hak_free_at(void *block, const void *site);

/* One call site's totals since start. */
struct hak_site {
    const void *site;
    size_t allocs;      /* blocks allocated at the site */
    size_t alloc_bytes; /* sum of their requested sizes */
    size_t frees;       /* blocks freed at the site */
    size_t free_bytes;  /* sum of their usable sizes */
};

/* Copies up to n sites' totals into out; returns how many sites there are (may exceed n). */
size_t hak_sites(struct hak_site *out, size_t n);

/* Exact byte totals, in the vocabulary of jemalloc's mallctl "stats.*". Takes every heap's lock in turn: not for hot paths. */
struct hak_stats {
    size_t allocated;      /* bytes in live blocks, usable sizes */
    size_t active;         /* bytes in slabs and large blocks that hold a live or cached block */
    size_t metadata;       /* resident bytes of the allocator's own tables */
    size_t resident;       /* bytes of blocks' memory that were touched and not given back, metadata included */
    size_t mapped;         /* bytes of readable and writable address space */
    size_t retained;       /* bytes of address space reserved and not usable yet */
    size_t cached_thread;  /* bytes in blocks that wait in thread magazines or on their way between threads */
    size_t cached_central; /* bytes in free blocks of partly used slabs */
    size_t fragmented;     /* part of cached_central whose pages hold a live block too */
    size_t dirty;          /* bytes in free spans that were touched and not given back */
    size_t lazyfree;       /* bytes given back with MADV_FREE (0: hakmem uses MADV_DONTNEED) */
};
void hak_stats_get(struct hak_stats *out);

#ifdef __cplusplus
}
#endif
#endif
