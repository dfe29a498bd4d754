/* api/prefixed.h : the names of the malloc family in a HAK_PREFIX build, for tests that run beside another malloc.
 * Include it after every system header: from there on malloc is ours. */
#ifndef HAK_API_PREFIXED_H
#define HAK_API_PREFIXED_H

#include <stddef.h>
#include <stdio.h>

void *hakt_malloc(size_t n);
void *hakt_calloc(size_t n, size_t size);
void *hakt_realloc(void *p, size_t n);
void *hakt_reallocarray(void *p, size_t n, size_t size);
void hakt_free(void *p);
void hakt_free_sized(void *p, size_t n);
void hakt_free_aligned_sized(void *p, size_t align, size_t n);
void hakt_cfree(void *p);
void *hakt_memalign(size_t align, size_t n);
void *hakt_aligned_alloc(size_t align, size_t n);
int hakt_posix_memalign(void **out, size_t align, size_t n);
void *hakt_valloc(size_t n);
void *hakt_pvalloc(size_t n);
size_t hakt_malloc_usable_size(void *p);
int hakt_malloc_trim(size_t pad);
int hakt_malloc_info(int options, FILE *out);
void hakt_malloc_stats(void);

#define malloc hakt_malloc
#define calloc hakt_calloc
#define realloc hakt_realloc
#define reallocarray hakt_reallocarray
#define free hakt_free
#define free_sized hakt_free_sized
#define free_aligned_sized hakt_free_aligned_sized
#define cfree hakt_cfree
#define memalign hakt_memalign
#define aligned_alloc hakt_aligned_alloc
#define posix_memalign hakt_posix_memalign
#define valloc hakt_valloc
#define pvalloc hakt_pvalloc
#define malloc_usable_size hakt_malloc_usable_size
#define malloc_trim hakt_malloc_trim
#define malloc_info hakt_malloc_info
#define malloc_stats hakt_malloc_stats

#endif
