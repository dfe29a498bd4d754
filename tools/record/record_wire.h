/* record_wire.h : what the recorder inside a program and `hakmem record` beside it share.
 *
 * Each process image writes one file in the scratch directory, mapped shared by both sides. Whatever ends the program (exit, _exit,
 * exec, a signal), the kernel keeps what was stored. The recording parent takes full slots away, clears them and hands them back.
 *
 *   +-----------+------------------+--------+--------+-----
 *   | wire_head | wire_large[8192] | slot 0 | slot 1 | ...        slot = wire_slot header, then words of 8 bytes, zero = end
 *   +-----------+------------------+--------+--------+-----
 *
 * One more file, WIRE_COMMON, is for what no single image's file can keep: an image may have ended, and its file be gone.
 *
 * A slot belongs to one thread; (thread, seq) orders the slots of a thread, and a thread's words are in its order.
 *
 * Time. Reading the clock costs more than all else together, so an event has the stamp of the last WIRE_TIME word before it: not later
 * than it was. A thread stamps anew each WIRE_NEAR_MOST words, or less (it aims at some microseconds), at each event while they are further apart than
 * wire_sparse(), when the parent has come by (it sets slot.limit to 0), and whenever order across threads needs it (record_region.c).
 * So the events of all threads, sorted by their stamps, are in an order in which each block's events are as they were. */
#ifndef RECORD_WIRE_H
#define RECORD_WIRE_H

#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#define WIRE_MAGIC 0x3265726977686b48ull /* "Hkhwire2" */
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

/* The first seven are the common ones, which pack best (trace_codec.c). */
enum wire_op {
    WIRE_NONE,
    WIRE_MALLOC,      /* addr, size */
    WIRE_CALLOC,      /* addr, size */
    WIRE_FREE,        /* addr, size = pages touched + 1, or 0: not counted */
    WIRE_REALLOC_OLD, /* addr, size as in WIRE_FREE; before the call */
    WIRE_REALLOC_NEW, /* addr, size; after the call; addr 0: failed, or size 0 */
    WIRE_BRIEF,       /* addr, size: WIRE_MALLOC, and right after it WIRE_FREE of the same block */
    WIRE_ALIGNED = 8, /* addr, size, align */
    WIRE_THREAD_END,
    WIRE_PAGES,    /* addr, size = pages touched + 1: a block that was live at exit */
    WIRE_HEAP,     /* addr: the thread's next birth is of this first-class heap */
    WIRE_HEAP_END, /* addr: all live blocks of this heap die */
    WIRE_TIME,     /* bits 4-63: stamps since the last one */
    WIRE_WIDE,     /* op in bits 4-7, log2 of the alignment in 8-13; two words follow: addr, ~size */
};

/* A word: op in bits 0-3, size in 4-18, address in 16-63: its lowest three bits, which share places with the size, are 0. What does not
 * fit is WIRE_WIDE, as is a death with pages. A word is stored whole, and that of WIRE_WIDE after the two that follow it: a half-written event reads as the end. */
enum { WIRE_SIZE_BITS = 15, WIRE_SIZE_END = 1 << WIRE_SIZE_BITS, WIRE_WIDE_WORDS = 3, WIRE_NEAR_MOST = 512 };

static inline uint64_t wire_word(enum wire_op op, uint64_t addr, uint64_t size) { return addr << 16 | size << 4 | op; }
static inline uint64_t wire_addr(uint64_t word) { return word >> 19 << 3; }
static inline uint64_t wire_size(uint64_t word) { return word >> 4 & (WIRE_SIZE_END - 1); }

struct wire_slot {
    uint32_t thread; /* serial number of the thread in its process */
    uint32_t tid;    /* the kernel's */
    uint32_t seq;    /* order of this slot within the thread */
    uint32_t reserved;
    uint64_t base;          /* stamp of the first event */
    _Atomic uint64_t limit; /* the address, in the program, at which the thread stamps anew; the parent sets 0: now */
    uint64_t reserved2[4];
    _Atomic uint64_t word[(WIRE_SLOT_BYTES - 64) / 8];
};
_Static_assert(sizeof(struct wire_slot) == WIRE_SLOT_BYTES, "slot");
enum { WIRE_WORDS = (WIRE_SLOT_BYTES - 64) / 8 };

/* CLAIMED: somebody's, but its pages may not exist yet. WARM: free, and its pages exist. */
enum wire_state { WIRE_FREE_SLOT, WIRE_CLAIMED_SLOT, WIRE_OPEN_SLOT, WIRE_FULL_SLOT, WIRE_WARM_SLOT };

/* A large live block. The parent writes pages now and then, so that a killed program has them too. */
struct wire_large {
    _Atomic uint64_t addr; /* 0: empty, 1: was removed */
    uint64_t size;
    _Atomic uint64_t pages;
};

/* Of the whole recording; the parent makes it, each image maps it, forked children inherit it. */
#define WIRE_COMMON ".common"
struct wire_common {
    _Atomic uint32_t unrecorded; /* forked children that could not make a file of their own */
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
    _Atomic uint32_t recorder; /* its PID, once it has seen this file */
    _Atomic uint32_t looks;    /* how often it came by */
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

/* The processor begins nothing that follows before all that precedes is done: the counter is otherwise read out of turn. */
static inline void wire_fence(void) {
#if defined(__x86_64__)
    __builtin_ia32_lfence();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory");
#else
    atomic_thread_fence(memory_order_seq_cst);
#endif
}

/* Stamps between events from which on each gets its own: some 400 ns, beside which reading the clock is little. */
static inline uint64_t wire_sparse(void) {
#if defined(__x86_64__)
    return wire_by_clock ? 400 : 1000;
#elif defined(__aarch64__)
    uint64_t hertz;
    __asm__("mrs %0, cntfrq_el0" : "=r"(hertz));
    return wire_by_clock ? 400 : hertz / 2500000;
#else
    return 400;
#endif
}

#endif
