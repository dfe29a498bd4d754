/* os/os_fault.c : os.h for unit tests, in place of os_linux.c: refuses when told, counts, and owns a clock.
 * Owns       the knobs of os_fault.h          Threads  any; knobs by one
 * Errno      preserved by every function       Test    all of tests/unit */
#include "os/os_fault.h"
#include "base/atomic.h"
#include "base/bits.h"
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static struct {
    unsigned refuse;  /* atomic: mapping calls until one fails, 0 for none */
    unsigned refused; /* atomic */
    bool forever;
    bool broken[OS_CALLS];
    unsigned count[OS_CALLS]; /* atomic */
    size_t mapped, purged;    /* atomic */
    uint64_t clock;           /* atomic */
    size_t page, limit, asked, always;
    bool secure, threaded;
    char **environment;
    void *(*lookup)(const char *name);
    void (*at_barrier)(void);
    void *huge_at; /* atomic */
} knob = {.clock = 1000, .page = 4096, .limit = SIZE_MAX, .threaded = true, .asked = (size_t)2 << 20};

void os_fault_reset(void) {
    size_t mapped = hak_load_rlx(&knob.mapped);
    __builtin_memset(&knob, 0, sizeof knob);
    knob.mapped = mapped;
    knob.clock = 1000;
    knob.page = 4096;
    knob.limit = SIZE_MAX;
    knob.threaded = true;
    knob.asked = (size_t)2 << 20;
}

void os_fault_refuse(unsigned n, bool forever) {
    knob.forever = forever;
    hak_store_rlx(&knob.refused, 0);
    hak_store_rlx(&knob.refuse, n);
}

bool os_fault_refused(void) { return hak_load_rlx(&knob.refused) != 0; }
void os_fault_break(enum os_fault_call call, bool broken) { knob.broken[call] = broken; }
unsigned os_fault_count(enum os_fault_call call) { return hak_load_rlx(&knob.count[call]); }
size_t os_fault_mapped(void) { return hak_load_rlx(&knob.mapped); }
size_t os_fault_purged(void) { return hak_load_rlx(&knob.purged); }
void *os_fault_huge_at(void) { return hak_load_rlx(&knob.huge_at); }
void os_fault_clock(uint64_t ms) { hak_store_rlx(&knob.clock, ms); }
void os_fault_advance(uint64_t ms) { hak_add_rlx(&knob.clock, ms); }
void os_fault_page_size(size_t bytes) { knob.page = bytes; }
void os_fault_huge_sizes(size_t asked, size_t always) {
    knob.asked = asked;
    knob.always = always;
}
void os_fault_limit_as(size_t bytes) { knob.limit = bytes; }
void os_fault_barrier(void (*hook)(void)) { knob.at_barrier = hook; }
void os_fault_secure(bool on) { knob.secure = on; }
void os_fault_environment(char **list) { knob.environment = list; }
void os_fault_symbols(void *(*lookup)(const char *name)) { knob.lookup = lookup; }
void os_fault_threaded(bool on) { knob.threaded = on; }

/* Counts the call; true when it has to fail. */
static bool fails(enum os_fault_call call) {
    hak_add_rlx(&knob.count[call], 1);
    bool fail = knob.broken[call];
    unsigned n = hak_load_rlx(&knob.refuse);
    if (call <= OS_REMAP && n) {
        fail = fail || n == 1;
        hak_store_rlx(&knob.refuse, n > 1 ? n - 1 : (unsigned)knob.forever);
    }
    if (fail) {
        hak_store_rlx(&knob.refused, 1);
    }
    return fail;
}

static int result(int rc, int saved) {
    int err = rc ? -errno : 0;
    errno = saved;
    return err;
}

/* A mapping aligned to the page size that the test has chosen. */
static int map(size_t len, int prot, int flags, void **out) {
    int saved = errno;
    size_t extra = knob.page > 4096 ? knob.page : 0;
    char *p = mmap(0, len + extra, prot, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
    int err = p == MAP_FAILED ? -errno : 0;
    if (!err && extra) {
        char *at = (char *)hak_align_up((uintptr_t)p, knob.page);
        munmap(at + len, extra - (size_t)(at - p));
        if (at > p) {
            munmap(p, (size_t)(at - p));
        }
        p = at;
    }
    errno = saved;
    *out = err ? 0 : p;
    return err;
}

size_t os_page_size(void) { return knob.page; }

int os_reserve(void *hint, size_t len, void **out) {
    (void)hint;
    *out = 0;
    int err = fails(OS_RESERVE) ? -ENOMEM : map(len, PROT_NONE, MAP_NORESERVE, out);
    hak_add_rlx(&knob.mapped, err ? 0 : len);
    return err;
}

int os_commit(void *p, size_t len) {
    int saved = errno;
    return fails(OS_COMMIT) ? -ENOMEM : result(mprotect(p, len, PROT_READ | PROT_WRITE), saved);
}

int os_map(size_t len, void **out) {
    *out = 0;
    int err = fails(OS_MAP) ? -ENOMEM : map(len, PROT_READ | PROT_WRITE, 0, out);
    hak_add_rlx(&knob.mapped, err ? 0 : len);
    return err;
}

int os_map_at(void *p, size_t len) {
    int saved = errno;
    if (fails(OS_MAP_AT)) {
        return -ENOMEM;
    }
    void *q = mmap(p, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    int err = q == MAP_FAILED ? -errno : 0;
    hak_add_rlx(&knob.mapped, err ? 0 : len);
    errno = saved;
    return err;
}

int os_unmap(void *p, size_t len) {
    int saved = errno;
    int err = fails(OS_UNMAP) ? -ENOMEM : result(munmap(p, len), saved);
    hak_sub_rlx(&knob.mapped, err ? 0 : len);
    return err;
}

int os_remap(void *p, size_t len, size_t new_len, void *to, void **out) {
    int saved = errno;
    *out = 0;
    if (fails(OS_REMAP)) {
        if (to) { /* as the kernel, which finds out about most limits after that */
            munmap(to, new_len);
            hak_sub_rlx(&knob.mapped, new_len);
        }
        errno = saved;
        return -ENOMEM;
    }
    void *q = mremap(p, len, new_len, to ? MREMAP_MAYMOVE | MREMAP_FIXED : MREMAP_MAYMOVE, to);
    int err = q == MAP_FAILED ? -errno : 0;
    hak_add_rlx(&knob.mapped, err ? 0 : (to ? 0 : new_len) - len);
    errno = saved;
    *out = err ? 0 : q;
    return err;
}

int os_purge(void *p, size_t len) {
    int saved = errno;
    if (fails(OS_PURGE)) {
        return -EINVAL;
    }
    hak_add_rlx(&knob.purged, len);
    return result(madvise(p, len, MADV_DONTNEED), saved);
}

int os_present(const void *p, size_t pages, unsigned char *in) {
    for (size_t i = 0; i < pages; i++) {
        if (mincore((char *)(uintptr_t)p + i * knob.page, 4096, &in[i]) != 0) {
            in[i] = 0;
        }
    }
    return fails(OS_RESIDENT) ? -EPERM : 0;
}

size_t os_resident(const void *p, size_t len) {
    size_t n = 0;
    unsigned char in;
    for (size_t at = 0; at < len; at += knob.page) {
        n += mincore((char *)(uintptr_t)p + at, 4096, &in) == 0 && (in & 1);
    }
    return fails(OS_RESIDENT) ? SIZE_MAX : n;
}

int os_populate(void *p, size_t len) {
    (void)p;
    (void)len;
    return fails(OS_POPULATE) ? -EINVAL : 0;
}

int os_huge(void *p, size_t len, bool on) {
    (void)len;
    (void)on;
    hak_store_rlx(&knob.huge_at, p);
    return fails(OS_HUGE) ? -EINVAL : 0;
}

int os_huge_sizes(size_t *asked, size_t *always) {
    bool fail = fails(OS_HUGE_SIZES);
    *asked = fail ? 0 : knob.asked;
    *always = fail ? 0 : knob.always;
    return fail ? -ENOENT : 0;
}

int os_seal(void *p, size_t len, bool read_only) {
    int saved = errno;
    return fails(OS_SEAL) ? -ENOMEM : result(mprotect(p, len, read_only ? PROT_READ : PROT_READ | PROT_WRITE), saved);
}

uint64_t os_now_ms(void) { return hak_load_rlx(&knob.clock); }
size_t os_limit_as(void) { return knob.limit; }
int os_limit(int pid, int resource, const void *set, void *old) {
    int saved = errno;
    return result((int)syscall(SYS_prlimit64, pid, resource, set, old), saved);
}
bool os_secure(void) { return knob.secure; }
uint64_t os_random(void) { return UINT64_C(0x123456789abcdef); }
/* The tests' own, not the process's; but its bound on the arena counts: an emulator notes down each page of what is reserved. */
char **os_environment(void) {
    static char *list[16];
    char *most = getenv("HAKMEM_ARENA_MAX");
    size_t n = 0;
    for (char **own = knob.environment; own && own[n] && n + 2 < sizeof list / sizeof *list; n++) {
        list[n] = own[n];
    }
    list[n] = most ? most - strlen("HAKMEM_ARENA_MAX=") : 0;
    list[n + 1] = 0;
    return list;
}
void *os_symbol(const char *name) { return knob.lookup ? knob.lookup(name) : 0; }
bool os_atfork_waits(void) { return false; }
int os_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void)) {
    return -pthread_atfork(prepare, parent, child);
}
int os_thread(void *(*run)(void *), size_t stack) {
    pthread_t id;
    (void)stack;
    return pthread_create(&id, 0, run, 0) ? -EAGAIN : pthread_detach(id);
}
void os_puts(void *stream, const char *text) { fputs(text, stream); }
void os_stdio_lock(void) {}
void os_stdio_unlock(void) {}
void os_stdio_reset(void) {}
uint32_t os_process(void) { return (uint32_t)getpid(); }
void os_yield(void) { sched_yield(); }
bool os_threaded(void) { return knob.threaded; }

bool os_readable(const void *p, size_t len) {
    char copy[64];
    int saved = errno;
    struct iovec to = {copy, len}, from = {(void *)(uintptr_t)p, len};
    bool ok = len <= sizeof copy && process_vm_readv(getpid(), &to, 1, &from, 1, 0) == (ssize_t)len;
    errno = saved;
    return ok;
}

void os_wait(const uint32_t *word, uint32_t value, unsigned ms) {
    int saved = errno;
    struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};
    hak_add_rlx(&knob.count[OS_WAIT], 1);
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, &t, 0, 0);
    errno = saved;
}

/* The test's double tells a hook, which plays the owner. */
int os_barrier(void) {
    if (fails(OS_BARRIER)) {
        return -ENOSYS;
    }
    if (knob.at_barrier) {
        knob.at_barrier();
    }
    return 0;
}

void os_wake(const uint32_t *word) {
    int saved = errno;
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
    errno = saved;
}
