/* layout/heap.h : a heap owns slabs. One per running thread, reused by later threads and never freed; first-class heaps and the
 * shared heap are the same thing without a thread. */
#ifndef HAK_LAYOUT_HEAP_H
#define HAK_LAYOUT_HEAP_H

#include "base/attr.h"
#include "base/lock.h"
#include "gates/build.h"
#include "layout/magazine.h"
#include "layout/slab.h"
#include "layout/thread_cache.h"
#include <stdbool.h>
#include <stddef.h>

enum heap_kind { HEAP_THREAD, HEAP_SHARED, HEAP_FIRST_CLASS };

struct outbox {
    uint32_t key;  /* the owner's heap id << 8, 0 when empty */
    int32_t left;  /* bytes that may still come; 0 when empty */
    uintptr_t *at; /* where the next block goes; NULL when empty */
};

enum { HEAP_DEFERRED = 64 };

struct heap {
    struct chunk *inbox HAK_ALIGNED(HAK_CACHE_LINE); /* atomic: remote frees, pushed by CAS, taken by exchange */
    size_t backlog;                                  /* atomic: bytes in the inbox */
    hak_lock lock HAK_ALIGNED(HAK_CACHE_LINE);
    uint32_t id;                /* const */
    uint8_t kind;               /* const: enum heap_kind */
    bool idle;                  /* lock: list   no thread owns it */
    struct thread_cache *cache; /* lock: heap   the owner's TLS, NULL when idle */
    struct heap *next_idle;     /* lock: list */
    bool robbed;                /* lock: heap   its thread's magazines may hold blocks of others' slabs */
    uint32_t seen;              /* atomic: events at takeover.c's last roll call */
    uint32_t naps;              /* atomic: roll calls since then */
    uint32_t called;            /* atomic: events when it was last visited */
    uint32_t passed;            /* atomic: events at takeover_pass() */
    bool visited;               /* lock: heap   somebody empties its thread's magazines */
    uint8_t visit
        [HAK_CLASSES]; /* atomic, changes under lock: heap   visit.c: 0 no, 1 somebody is there, 2 was, and raised the bottom */
    uint32_t current[HAK_CLASSES];            /* lock: heap   slab whose bump range is used, 0 for none */
    uint32_t partial[HAK_CLASSES][SLAB_LEAN]; /* lock: heap   slabs with free blocks; bucket 0 is the fullest */
    uint8_t listed[HAK_CLASSES];              /* lock: heap   bit b: the list of bucket b is not empty */
    uint32_t nslabs[HAK_CLASSES];             /* lock: heap; the owner reads it without   slabs of the class */
    uint32_t own;                             /* lock: heap   of a first-class heap: all its slabs, */
    uint32_t large;                           /* lock: heap   and all its large blocks */
    size_t free_bytes;                        /* lock: heap   in bitmaps and bump ranges */
    size_t slab_bytes;                        /* lock: heap   in slabs */
    size_t fresh_bytes;  /* lock: heap   in bump ranges, part of free_bytes: mostly never touched */
    size_t purged_bytes; /* lock: heap   pages of slabs that were given back and not handed out since */
    size_t grown_bytes;  /* lock: heap   untouched or purged memory that was taken into use since the last trade */
    uint32_t trade_unit; /* atomic: where the last trade stopped looking */
    uint16_t nchunks[HAK_CLASSES];    /* owner: chunks of the magazine */
    uint16_t max_chunks[HAK_CLASSES]; /* owner: its budget */
    uint8_t batch_shift[HAK_CLASSES]; /* owner: how often the batch was doubled */
    uint8_t settled[HAK_CLASSES];     /* owner: 1 when blocks were settled since the last refill */
    uint8_t used[HAK_CLASSES];        /* owner: 1 when refilled since the last shrink */
    uint8_t misses[HAK_CLASSES];      /* owner: refills of a class that is still served from the shared heap */
    bool new_slab;                    /* owner: one was taken since learn_see() was last told */
    bool recalled;                    /* owner: a call that met the closed table should look at the clock (recall.c) */
    uint32_t recall_calls;            /* owner: as many more calls meet it */
    uint32_t recalled_at;             /* owner: purge epoch when it was last closed */
    size_t magazine_total;            /* owner: bytes of blocks that the chunks of all magazines have room for */
    uint32_t grown_units;             /* owner: in slabs, since magazine_grown() last settled */
    struct chunk *spare;              /* owner */
    uint32_t nspare;                  /* owner */
    uint32_t events;                  /* atomic: slow-path calls, the heap's clock; the owner writes it */
    uint32_t shrunk;                  /* owner: purge epoch of the last shrink */
    size_t refills, settles, remotes; /* owner: statistics */
    uint32_t ndeferred;               /* owner and its signal handlers */
    /* What follows most threads never touch. */
    uint32_t lean
        [HAK_CLASSES]; /* lock: heap   slabs whose free blocks lie on pages that were given back: bucket SLAB_LEAN */
    void *deferred[HEAP_DEFERRED];   /* frees of signal handlers that met the cold path */
    struct outbox out[HAK_OUTBOXES]; /* owner */
};

#endif
