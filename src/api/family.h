/* api/family.h : the malloc family as this library exports it (with HAK_PREFIX: hakt_malloc ...), so that definitions have prototypes. */
#ifndef HAK_API_FAMILY_H
#define HAK_API_FAMILY_H

#include "base/names.h"
#include <stddef.h>

void *HAK_API(malloc)(size_t n);
void HAK_API(free)(void *p);
void *HAK_API(calloc)(size_t count, size_t size);
void *HAK_API(realloc)(void *p, size_t n);
void *HAK_API(reallocarray)(void *p, size_t count, size_t size);
void HAK_API(free_sized)(void *p, size_t n);
void HAK_API(free_aligned_sized)(void *p, size_t align, size_t n);
void *HAK_API(memalign)(size_t align, size_t n);
void *HAK_API(aligned_alloc)(size_t align, size_t n);
int HAK_API(posix_memalign)(void **out, size_t align, size_t n);
void *HAK_API(valloc)(size_t n);
void *HAK_API(pvalloc)(size_t n);
size_t HAK_API(malloc_usable_size)(void *p);

#endif
