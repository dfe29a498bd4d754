/* header.c : one byte before each block, 0xA0 | class, which free checks before it believes the pointer. Blocks are aligned to 16, so the byte
 * takes 16.
 *
 *   block | 15 unused | byte | what the program sees ...           ordinary: 0xA0 | class, 14 for the classes from there on
 *   block | align - 16 unused | offset, 8 | 7 unused | 0xAF | ...  aligned to more than 16: offset back to the block
 *
 * operator new and delete have blocks without one, as have blocks of others, which the core sorts out.
 * Gate       HAKMEM_HEADER_BYTE=1          Decision  docs/decisions/023          Test  variants/ */
#include "base/bits.h"
#include "cold/door.h"
#include "front.h"
#include "hot/free_hot.h"
#include "hot/malloc_hot.h"
#include <string.h>

enum { ROOM = 16, MAGIC = 0xA0, LAST = 14, ALIGNED = 15 };

HAK_INLINE unsigned char *byte_of(void *p) { return (unsigned char *)p - 1; }

static char *start_of(void *p) {
    unsigned byte = *byte_of(p);
    if ((byte & 0xf0) != MAGIC) {
        return p;
    }
    return (char *)p - (byte == (MAGIC | ALIGNED) ? ((size_t *)p)[-2] : ROOM);
}

/* More than can be had stays more than can be had. */
static size_t with(size_t room, size_t n) { return n > PTRDIFF_MAX - room ? SIZE_MAX : n + room; }

HAK_INLINE void *dress(char *start, size_t cls) {
    start[ROOM - 1] = (char)(MAGIC | (cls < LAST ? cls : LAST));
    return start + ROOM;
}

static void *dress_aligned(char *start, size_t align) {
    if (!start || align <= ROOM) {
        return start ? dress(start, LAST) : 0;
    }
    char *p = start + align;
    ((size_t *)(void *)p)[-2] = align;
    *byte_of(p) = MAGIC | ALIGNED;
    return p;
}

HAK_COLD static void *header_malloc_cold(size_t n, size_t cls) {
    char *start = hakt_malloc(with(ROOM, n));
    return start ? dress(start, cls) : 0;
}

void *header_malloc(size_t n) {
    if (HAK_UNLIKELY(n > HAK_SMALL_MAX - ROOM)) {
        return header_malloc_cold(n, LAST);
    }
    thread_cache_here t = hak_tls_here();
    size_t cls = t->bin[hak_class_index(n + ROOM)];
    uintptr_t *top = t->top[cls];
    uintptr_t block = top[-1];
    if (HAK_UNLIKELY(block == 0)) {
        return header_malloc_cold(n, cls);
    }
    hak_ptr_retreat(&t->top[cls], top);
    return dress((char *)block, cls);
}

void header_free(void *p) {
    if (HAK_UNLIKELY(!p)) {
        return;
    }
    if (HAK_LIKELY((*byte_of(p) & 0xf0) == MAGIC && *byte_of(p) != (MAGIC | ALIGNED))) {
        hak_free_hot((char *)p - ROOM);
        return;
    }
    hakt_free(start_of(p));
}

void *header_calloc(size_t count, size_t size) {
    size_t n;
    char *start = hakt_calloc(1, hak_mul(count, size, &n) ? with(ROOM, n) : SIZE_MAX);
    return start ? dress(start, LAST) : 0;
}

size_t header_malloc_usable_size(void *p) {
    if (!p) {
        return 0;
    }
    char *start = start_of(p);
    return hakt_malloc_usable_size(start) - (size_t)((char *)p - start);
}

void *header_realloc(void *p, size_t n) {
    if (!p) {
        return header_malloc(n);
    }
    if (n == 0) {
        header_free(p);
        return 0;
    }
    if (start_of(p) == (char *)p - ROOM) {
        char *start = hakt_realloc((char *)p - ROOM, with(ROOM, n));
        return start ? dress(start, LAST) : 0;
    }
    void *q = header_malloc(n);
    if (q) {
        memcpy(q, p, hak_min(header_malloc_usable_size(p), n));
        header_free(p);
    }
    return q;
}

void *header_reallocarray(void *p, size_t count, size_t size) {
    size_t n;
    return header_realloc(p, hak_mul(count, size, &n) ? n : SIZE_MAX);
}

static size_t room_of(size_t align) { return align > ROOM ? align : ROOM; }

void *header_memalign(size_t align, size_t n) {
    size_t a = ROOM;
    while (a < align && a <= SIZE_MAX / 4) {
        a *= 2;
    }
    return dress_aligned(hakt_memalign(align, with(a, n)), a);
}

void *header_aligned_alloc(size_t align, size_t n) {
    return dress_aligned(hakt_aligned_alloc(align, with(room_of(align), n)), room_of(align));
}

int header_posix_memalign(void **out, size_t align, size_t n) {
    void *start;
    int error = hakt_posix_memalign(&start, align, with(room_of(align), n));
    if (!error) {
        *out = dress_aligned(start, room_of(align));
    }
    return error;
}

void *header_valloc(size_t n) { return dress_aligned(hakt_valloc(with(door_page_size(), n)), door_page_size()); }

void *header_pvalloc(size_t n) {
    return dress_aligned(hakt_pvalloc(with(door_page_size(), n ? n : 1)), door_page_size());
}
