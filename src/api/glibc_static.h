/* api/glibc_static.h : keeps the objects of libhakmem.a that replace libc's malloc.o together. */
#ifndef HAK_API_GLIBC_STATIC_H
#define HAK_API_GLIBC_STATIC_H

#include "base/attr.h"
#include <stdint.h>

/* In an object that includes this line once, each static program that has the object has all that replaces malloc.o:
 *   HAK_KEEP_TOGETHER; */
extern HAK_HIDDEN const uintptr_t hak_glibc_static[];
#define HAK_KEEP_TOGETHER static const uintptr_t *const hak_keep_together __attribute__((used)) = hak_glibc_static

#endif
