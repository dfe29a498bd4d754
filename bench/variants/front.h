/* front.h : what the fronts of libhakmem-variants.so share. A front is malloc() and free() before the core's hot path; all are hidden, and
 * front.c binds the exported names to one of them when the process is linked, so that being chosen costs no call, load or branch. */
#ifndef HAK_VARIANTS_FRONT_H
#define HAK_VARIANTS_FRONT_H

#include "base/attr.h"
#include "fronts.h"
#include <stddef.h>
#include <stdint.h>

#define FRONT_BASIC(arg, front, gate, value, rest) \
    HAK_HIDDEN void *front##_malloc(size_t n);     \
    HAK_HIDDEN void front##_free(void *p);
/* What a front of its own layout supplies beside. */
#define FRONT_REST(front)                                                      \
    HAK_HIDDEN void *front##_calloc(size_t count, size_t size);                \
    HAK_HIDDEN void *front##_realloc(void *p, size_t n);                       \
    HAK_HIDDEN void *front##_reallocarray(void *p, size_t count, size_t n);    \
    HAK_HIDDEN void *front##_memalign(size_t align, size_t n);                 \
    HAK_HIDDEN void *front##_aligned_alloc(size_t align, size_t n);            \
    HAK_HIDDEN int front##_posix_memalign(void **out, size_t align, size_t n); \
    HAK_HIDDEN void *front##_valloc(size_t n);                                 \
    HAK_HIDDEN void *front##_pvalloc(size_t n);                                \
    HAK_HIDDEN size_t front##_malloc_usable_size(void *p);

/* The core itself: src/api/malloc.c and aligned.c, compiled with HAK_PREFIX. */
FRONT_BASIC(, hakt, , , )
FRONT_REST(hakt)
HAK_FRONTS(FRONT_BASIC, )
FRONT_REST(header)

#define FRONT_NAME(arg, front, gate, value, rest) FRONT_##front,
enum front { FRONT_hakt, HAK_FRONTS(FRONT_NAME, ) FRONTS };

/* What the layers of the notes asked on every call. Nobody writes it, and yet it is no constant: their compiler could not know either. */
enum front_route { ROUTE_LEGACY, ROUTE_ULTRA, ROUTE_DUALHOT };
struct front_config {
    uint32_t on;        /* gates, a bit each */
    uint32_t tiny_max;  /* largest size that the layers take */
    uint64_t mask[4];   /* classes that are rolled out, a bit each */
    int8_t gate[4];     /* of gated.c: -1 when not read yet */
    uint8_t route[256]; /* class -> enum front_route */
};
extern HAK_HIDDEN struct front_config front_config;
HAK_HIDDEN void front_read_gates(void);
/* A bit for each class that takes another way: none. */
extern HAK_HIDDEN HAK_TLS uint64_t front_elsewhere[2];

#endif
