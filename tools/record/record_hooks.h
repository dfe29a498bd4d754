/* record_hooks.h : what the C and the C++ hooks share. */
#ifndef RECORD_HOOKS_H
#define RECORD_HOOKS_H

#include "record.h"

/* The next allocator's functions; until they are found, some that find them. */
struct record_next {
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void (*free)(void *);
    void *(*realloc)(void *, size_t);
    void *(*memalign)(size_t, size_t);
    void *(*aligned_alloc)(size_t, size_t);
    int (*posix_memalign)(void **, size_t, size_t);
    size_t (*usable)(void *);
    void (*leave)(int);
};

#pragma GCC visibility push(hidden)
extern struct record_next record_next;
/* Recorded realloc of p, not NULL, by next. */
void *record_realloc(void *(*next)(void *, size_t), void *p, size_t size);
/* Finds the next allocator's functions, once. */
void record_start(void);
/* The next library's symbol of that name into *to, a function pointer (POSIX: it may hold what dlsym gives), or NULL. */
void record_find(void *to, const char *name);
void record_twins_find(void);
#pragma GCC visibility pop

/* The lane to record in, or NULL when this call is to pass through. The caller ends with record_leave(). */
static inline struct lane *record_enter(void) {
    struct lane *l = &record_lane;
    if (UNLIKELY(l->inside))
        return NULL;
    l->inside = 1;
    atomic_signal_fence(memory_order_seq_cst);
    return l;
}

static inline void record_leave(struct lane *l) {
    atomic_signal_fence(memory_order_seq_cst);
    if (LIKELY(l != NULL))
        l->inside = 0;
}

/* p, a block of size bytes or NULL, was given out; p is about to be freed. l NULL: nothing. */
static inline void record_born_as(struct lane *l, enum wire_op op, void *p, size_t size) {
    if (LIKELY(l && p) && UNLIKELY(!record_put_birth(l, op, (uintptr_t)p, size)))
        record_put_any(l, op, (uintptr_t)p, size, 0);
}

static inline void record_born(struct lane *l, void *p, size_t size) { record_born_as(l, WIRE_MALLOC, p, size); }

static inline void record_born_aligned(struct lane *l, void *p, size_t size, size_t align) {
    if (l && p)
        record_put_any(l, WIRE_ALIGNED, (uintptr_t)p, size, align ? (unsigned)__builtin_ctzl(align) : 0);
}

static inline void record_dies(struct lane *l, void *p) {
    if (LIKELY(l && p) && UNLIKELY(!record_put_free(l, (uintptr_t)p)))
        record_put_any(l, WIRE_FREE, (uintptr_t)p, 0, 0);
}

/* The malloc family, which no header declares in full. */
void *malloc(size_t size);
void *calloc(size_t n, size_t size);
void free(void *p);
void *realloc(void *p, size_t size);
void *reallocarray(void *p, size_t n, size_t size);
void *memalign(size_t align, size_t size);
void *aligned_alloc(size_t align, size_t size);
int posix_memalign(void **to, size_t align, size_t size);
void *valloc(size_t size);
void *pvalloc(size_t size);
void cfree(void *p);
void free_sized(void *p, size_t size);
void free_aligned_sized(void *p, size_t align, size_t size);
size_t malloc_usable_size(void *p);

#endif
