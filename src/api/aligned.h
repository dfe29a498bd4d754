/* api/aligned.h : aligned allocation, for aligned.c and the C++ operators. */
#ifndef HAK_API_ALIGNED_H
#define HAK_API_ALIGNED_H

#include "base/attr.h"
#include <stddef.h>

/* n bytes at a multiple of align, a power of two. NULL when memory is out; errno is left alone. */
HAK_HIDDEN void *aligned_new(size_t align, size_t n);

#endif
