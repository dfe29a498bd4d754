/* side.h : what the variants keep beside a heap: the prepared chunks of background refill and the thread's queue of frees, so that fork's
 * child and a thread's end can find both. One for each heap that ever asked; never freed, as heaps are not. */
#ifndef HAK_VARIANTS_SIDE_H
#define HAK_VARIANTS_SIDE_H

#include "base/attr.h"
#include "gates/build.h"
#include "layout/heap.h"
#include <stddef.h>
#include <stdint.h>

enum { QUEUE_BLOCKS = 256 };

/* A thread's queue, in its TLS. A slot below n that is zero holds nothing: whoever takes a block zeroes its slot first, so that neither a
 * signal handler nor fork's child frees it again. */
struct queue {
    uint32_t n;               /* owner and its signal handlers; fork's child */
    uint32_t limit;           /* owner: QUEUE_BLOCKS, or 0 while every free takes the slow way */
    void *slot[QUEUE_BLOCKS]; /* as n */
};

/* A queue on its way to the worker. */
struct handed {
    uint32_t n; /* atomic: 0 while the owner may fill it */
    void *slot[QUEUE_BLOCKS];
};

struct side {
    struct heap *heap;                /* const */
    struct side *next;                /* const once published */
    struct queue *queue;              /* owner; fork's child */
    uint32_t asked;                   /* atomic: 1 when any want is set */
    uint16_t want[HAK_CLASSES];       /* atomic: blocks that the owner asks for, 0 for none */
    struct chunk *ready[HAK_CLASSES]; /* atomic: prepared chunk, its count in slot 0; taken by exchange */
    struct handed handed;
};

/* The side of h; made at the first call. NULL when memory is out. Owner of h. */
HAK_HIDDEN struct side *side_make(struct heap *h);
/* The side of h, NULL if there is none. Any thread. */
HAK_HIDDEN struct side *side_of(const struct heap *h);
/* All sides, newest first. Any thread. */
HAK_HIDDEN struct side *side_first(void);

#endif
