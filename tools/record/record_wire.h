/* record_wire.h : what the recorder inside a program and `hakmem record` beside it share.
 *
 * Each process image writes one file in the scratch directory, mapped shared by both sides. Whatever ends the program (exit, _exit,
 * exec, a signal), the kernel keeps what was stored. The recording parent takes full slots away, clears them and hands them back.
 *
 *   +-----------+------------------+--------+--------+-----
 *   | wire_head | wire_large[8192] | slot 0 | slot 1 | ...        slot = wire_slot header, then 16-byte events, zero = end
 *   +-----------+------------------+--------+--------+-----
 *
 * A slot belongs to one thread; (thread, seq) orders the slots of a thread. Stamps of the processor's time stamp counter order events
 * across threads: a block's birth is stamped after the allocator returned it, its death before the allocator is told. */
#ifndef RECORD_WIRE_H
#define RECORD_WIRE_H

#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#define WIRE_MAGIC 0x3165726977686b48ull /* "Hkhwire1" */
/* Not HAKMEM_...: those are the options of the library, which would warn of them. */
#define WIRE_ENV_DIR "HAKRECORD_DIR"
#define WIRE_ENV_SLOTS "HAKRECORD_SLOTS"
#define WIRE_ENV_CLOCK "HAKRECORD_CLOCK"

enum {
    WIRE_SLOT_BYTES = 65536,
    WIRE_SLOTS_MAX = 4096,
    WIRE_SLOTS_MIN = 16,
    WIRE_LARGE_MAX = 8192,    /* entries of the table of large live blocks, a power of two */
    WIRE_LARGE_BYTES = 32768, /* blocks from here on have their touched pages counted */
    WIRE_PATH = 512,
    WIRE_ARGS = 1024,
};

enum wire_op {
    WIRE_NONE,
    WIRE_MALLOC,      /* addr, size */
    WIRE_CALLOC,      /* addr, size */
    WIRE_ALIGNED,     /* addr, size, align */
    WIRE_FREE,        /* addr, size = pages touched + 1, or 0: not counted */
    WIRE_REALLOC_OLD, /* addr, size as in WIRE_FREE; stamped before the call */
    WIRE_REALLOC_NEW, /* addr (0: failed), size; stamped after the call */
    WIRE_THREAD_END,
    WIRE_PAGES,    /* addr, size = pages touched + 1: a block that was live at exit */
    WIRE_EXTEND,   /* size = high 32 bits of the next event's size, dt = high 32 bits of its dt */
    WIRE_HEAP,     /* addr: the thread's next birth is of this first-class heap */
    WIRE_HEAP_END, /* addr: all live blocks of this heap die */
};

/* 16 bytes. head: op in bits 0-3, log2 of the alignment in 4-9, address in 16-63. tail: size in 0-31, dt in 32-63. head is stored
 * last, so that a half-written event reads as the end. */
struct wire_event {
    _Atomic uint64_t head;
    uint64_t tail;
};
_Static_assert(sizeof(struct wire_event) == 16, "events tile a slot");

struct wire_slot {
    uint32_t thread; /* serial number of the thread in its process */
    uint32_t tid;    /* the kernel's */
    uint32_t seq;    /* order of this slot within the thread */
    uint32_t reserved;
    uint64_t base; /* stamp that the first event's dt counts from */
    uint64_t reserved2;
    struct wire_event event[(WIRE_SLOT_BYTES - 32) / 16];
};
_Static_assert(sizeof(struct wire_slot) == WIRE_SLOT_BYTES, "slot");
enum { WIRE_EVENTS = (WIRE_SLOT_BYTES - 32) / 16 };

enum wire_state { WIRE_FREE_SLOT, WIRE_OPEN_SLOT, WIRE_FULL_SLOT };

/* A large live block. The parent writes pages now and then, so that a killed program has them too. */
struct wire_large {
    _Atomic uint64_t addr; /* 0: empty, 1: was removed */
    uint64_t size;
    _Atomic uint64_t pages;
};

struct wire_head {
    uint64_t magic;
    uint32_t pid, ppid;
    uint64_t start; /* stamp */
    uint32_t slots;
    uint32_t forked; /* 1: a fork of the image that started at parent_start */
    uint64_t parent_start;
    _Atomic uint64_t lost;      /* events that found no slot */
    _Atomic uint64_t untracked; /* large blocks that found no room in the table */
    _Atomic uint32_t larges;  /* entries of the table of large blocks that hold or held one; 0: it was never touched */
    _Atomic uint32_t threads; /* serial numbers given out */
    _Atomic uint32_t ready;   /* the fields above are filled in */
    _Atomic uint32_t parent_gone;
    _Atomic uint32_t recorder;   /* its PID, once it has seen this file */
    _Atomic uint32_t looks;      /* how often it came by */
    _Atomic uint32_t unrecorded; /* forked children that could not make a file of their own */
    _Atomic uint32_t narrow; /* the scratch folder is nearly full: only the first WIRE_SLOTS_MIN slots may be claimed */
    _Atomic uint32_t state[WIRE_SLOTS_MAX];
    char exe[WIRE_PATH];
    char args[WIRE_ARGS]; /* NUL-separated, cut */
};

enum {
    WIRE_LARGE_AT = 32768,
    WIRE_SLOTS_AT = WIRE_LARGE_AT + ((WIRE_LARGE_MAX * 24 + 65535) & ~65535),
};
_Static_assert(sizeof(struct wire_head) <= WIRE_LARGE_AT, "head");

static inline uint64_t wire_file_bytes(uint32_t slots) { return WIRE_SLOTS_AT + (uint64_t)slots * WIRE_SLOT_BYTES; }

/* Stamps are CLOCK_MONOTONIC's instead of the counter's. The parent decides (WIRE_ENV_CLOCK), both sides follow. */
extern int wire_by_clock __attribute__((visibility("hidden")));

static inline uint64_t wire_clock_stamp(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* The time stamp counter: the same on all processors of a machine that Linux uses it as its clock on. */
static inline uint64_t wire_stamp(void) {
    if (__builtin_expect(wire_by_clock, 0))
        return wire_clock_stamp();
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t v;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(v));
    return v;
#else
    return wire_clock_stamp();
#endif
}

#endif
