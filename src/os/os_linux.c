/* os/os_linux.c : os.h on Linux.
 * Owns       nothing but cached constants         Threads  any
 * Errno      preserved by every function          Test     conformance/, stress/limits */
#include "base/atomic.h"
#include "base/bits.h"
#include "base/kernel.h"
#include "base/print.h"
#include "os/os.h"
#include "os/os_clock.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <time.h>
#ifdef __GLIBC__
#if __GLIBC_PREREQ(2, 32)
#include <sys/single_threaded.h>
#define SINGLE_THREADED __libc_single_threaded
#endif
#endif
#ifndef SINGLE_THREADED
#define SINGLE_THREADED 0
#endif

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

extern char **environ HAK_WEAK;

size_t os_page_size(void) {
    static size_t size; /* atomic: every writer writes the same */
    size_t s = hak_load_rlx(&size);
    if (!s) {
        s = getauxval(AT_PAGESZ);
        s = s ? s : 4096;
        hak_store_rlx(&size, s);
    }
    return s;
}

/* The sanitizers' run-times must see these: they keep a shadow of each mapping. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
static long result_of(long r, int saved) {
    r = r == -1 ? -errno : r;
    errno = saved;
    return r;
}
static long kernel_map(void *at, size_t len, int prot, int flags) {
    int saved = errno;
    return result_of((long)mmap(at, len, prot, flags, -1, 0), saved);
}
static long kernel_unmap(void *p, size_t len) {
    int saved = errno;
    return result_of(munmap(p, len), saved);
}
static long kernel_remap(void *p, size_t len, size_t new_len, int flags, void *to) {
    int saved = errno;
    return result_of((long)mremap(p, len, new_len, flags, to), saved);
}
#else
static long kernel_map(void *at, size_t len, int prot, int flags) {
    return hak_kernel(SYS_mmap, (uintptr_t)at, len, (uintptr_t)prot, (uintptr_t)flags, ~(uintptr_t)0, 0);
}
static long kernel_unmap(void *p, size_t len) { return hak_kernel3(SYS_munmap, (uintptr_t)p, len, 0); }
static long kernel_remap(void *p, size_t len, size_t new_len, int flags, void *to) {
    return hak_kernel(SYS_mremap, (uintptr_t)p, len, new_len, (uintptr_t)flags, (uintptr_t)to, 0);
}
#endif

static int address(long result, void **out) {
    bool failed = hak_kernel_failed(result);
    *out = failed ? 0 : (void *)result;
    return failed ? (int)result : 0;
}

static int map(void *hint, size_t len, int prot, int flags, void **out) {
    return address(kernel_map(hint, len, prot, MAP_PRIVATE | MAP_ANONYMOUS | flags), out);
}

static int protect(void *p, size_t len, int prot) {
    return (int)hak_kernel3(SYS_mprotect, (uintptr_t)p, len, (uintptr_t)prot);
}

static int advise(void *p, size_t len, int advice) {
    return (int)hak_kernel3(SYS_madvise, (uintptr_t)p, len, (uintptr_t)advice);
}

int os_reserve(void *hint, size_t len, void **out) { return map(hint, len, PROT_NONE, MAP_NORESERVE, out); }
int os_map(size_t len, void **out) { return map(0, len, PROT_READ | PROT_WRITE, 0, out); }

int os_map_at(void *p, size_t len) {
    void *got;
    int err = map(p, len, PROT_READ | PROT_WRITE, MAP_FIXED_NOREPLACE, &got);
    if (!err && got != p) { /* a kernel before 4.17 takes the address for a hint */
        os_unmap(got, len);
        return -EEXIST;
    }
    return err;
}

int os_commit(void *p, size_t len) { return protect(p, len, PROT_READ | PROT_WRITE); }
int os_unmap(void *p, size_t len) { return (int)kernel_unmap(p, len); }

int os_remap(void *p, size_t len, size_t new_len, void *to, void **out) {
    return address(kernel_remap(p, len, new_len, to ? MREMAP_MAYMOVE | MREMAP_FIXED : MREMAP_MAYMOVE, to), out);
}

/* An emulator or a system call filter may say yes and do nothing (qemu-user before 7.1): the first call is looked at. */
int os_purge(void *p, size_t len) {
    static uint32_t deaf; /* atomic: 0 not tried, 1 it does what it says, 2 it does not */
    uint32_t was = hak_load_rlx(&deaf);
    volatile char *first = p;
    if (was == 0) {
        *first = 1;
    }
    int err = advise(p, len, MADV_DONTNEED);
    if (was == 0 && !err) {
        was = *first ? 2 : 1;
        hak_store_rlx(&deaf, was);
    }
    return was == 2 ? -ENOSYS : err;
}

/* mincore() is no call that filters have in mind: systemd's @system-service ends the process for it. */
static bool filtered(void) {
    long mode = hak_kernel3(SYS_prctl, PR_GET_SECCOMP, 0, 0);
    return mode > 0 || (mode < 0 && mode != -EINVAL);
}

static int present(const void *p, size_t pages, unsigned char *in) {
    return (int)hak_kernel3(SYS_mincore, (uintptr_t)p, pages * os_page_size(), (uintptr_t)in);
}

int os_present(const void *p, size_t pages, unsigned char *in) { return filtered() ? -EPERM : present(p, pages, in); }

size_t os_resident(const void *p, size_t len) {
    unsigned char in[OS_PRESENT_PAGES];
    size_t page = os_page_size(), n = 0;
    if (filtered()) {
        return SIZE_MAX;
    }
    for (size_t at = 0; at < len; at += sizeof in * page) {
        size_t pages = hak_min((len - at) / page, sizeof in);
        if (present((const char *)p + at, pages, in)) {
            return SIZE_MAX;
        }
        for (size_t i = 0; i < pages; i++) {
            n += in[i] & 1;
        }
    }
    return n;
}

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

int os_populate(void *p, size_t len) { return advise(p, len, MADV_POPULATE_WRITE); }
int os_huge(void *p, size_t len, bool on) { return advise(p, len, on ? MADV_HUGEPAGE : MADV_NOHUGEPAGE); }

/* Reads a file's beginning; the bytes read, 0 also when there are none. */
static size_t read_file(const char *path, char *to, size_t size) {
    long fd = hak_kernel(SYS_openat, (uintptr_t)AT_FDCWD, (uintptr_t)path, O_RDONLY | O_CLOEXEC, 0, 0, 0);
    size_t n = 0;
    for (long r; fd >= 0 && n < size; n += (size_t)r) {
        r = hak_kernel3(SYS_read, (uintptr_t)fd, (uintptr_t)to + n, size - n);
        if (r <= 0) {
            break;
        }
    }
    if (fd >= 0) {
        hak_kernel3(SYS_close, (uintptr_t)fd, 0, 0);
    }
    return n;
}

/* The first letter of the word in brackets: always, inherit, madvise, never. 0: no such file. */
static char choice(const char *path) {
    char text[64];
    size_t n = read_file(path, text, sizeof text);
    for (size_t i = 0; i + 1 < n; i++) {
        if (text[i] == '[') {
            return text[i + 1];
        }
    }
    return 0;
}

int os_huge_sizes(size_t *asked, size_t *always) {
    static const char root[] = "/sys/kernel/mm/transparent_hugepage";
    char path[96];
    hak_format(path, sizeof path, "%s/enabled", root);
    char all = choice(path);
    *asked = *always = 0;
    for (unsigned kib = 16; all && kib <= 2048; kib *= 2) {
        hak_format(path, sizeof path, "%s/hugepages-%ukB/enabled", root, kib);
        char own = choice(path);
        if (own == 'i' || (!own && kib == 2048 && os_page_size() == 4096)) { /* one size only, before Linux 6.8 */
            own = all;
        }
        *always += own == 'a' ? (size_t)kib << 10 : 0;
        *asked += own == 'a' || own == 'm' ? (size_t)kib << 10 : 0;
    }
    return all ? 0 : -ENOENT;
}

int os_seal(void *p, size_t len, bool read_only) {
    return protect(p, len, read_only ? PROT_READ : PROT_READ | PROT_WRITE);
}

uint64_t os_now_ms(void) {
    struct timespec t = {0, 0};
    os_clock(CLOCK_MONOTONIC_COARSE, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

size_t os_limit_as(void) {
    struct {
        uint64_t now, most;
    } limit;
    long r = hak_kernel(SYS_prlimit64, 0, RLIMIT_AS, 0, (uintptr_t)&limit, 0, 0);
    return r ? SIZE_MAX : (size_t)limit.now;
}
_Static_assert(sizeof(size_t) < 8 || RLIM64_INFINITY == SIZE_MAX, "no limit is the largest size");

int os_limit(int pid, int resource, const void *set, void *old) {
    return (int)hak_kernel(SYS_prlimit64, (uintptr_t)pid, (uintptr_t)resource, (uintptr_t)set, (uintptr_t)old, 0, 0);
}

bool os_secure(void) { return getauxval(AT_SECURE) != 0; }

uint64_t os_random(void) {
    uint64_t v = 0;
    const unsigned char *r = (const unsigned char *)getauxval(AT_RANDOM);
    for (int i = 0; r && i < 8; i++) {
        v = v << 8 | r[i + 8];
    }
    return v * UINT64_C(0x9e3779b97f4a7c15); /* the canary's bytes do not show in addresses */
}

/* Before libc has set environ the kernel's copy is read; it must outlive the call. */
static char **environment_of_kernel(void) {
    static char *none[1];
    struct {
        char *list[256], text[16384];
    } * env;
    void *memory;
    if (os_map(hak_align_up(sizeof *env, os_page_size()), &memory)) {
        return none;
    }
    env = memory;
    size_t n = read_file("/proc/self/environ", env->text, sizeof env->text - 1), k = 0;
    for (size_t i = 0; i < n && k < 255; k++) {
        env->list[k] = env->text + i;
        while (i < n && env->text[i]) {
            i++;
        }
        i++;
    }
    return env->list;
}

char **os_environment(void) { return &environ && environ ? environ : environment_of_kernel(); }

static bool mapped(uintptr_t from, uintptr_t to) {
    size_t page = os_page_size();
    unsigned char in;
    bool ok = true;
    for (from = hak_align_down(from, page); ok && from < to; from += page) {
        ok = hak_kernel3(SYS_mincore, from, page, (uintptr_t)&in) == 0;
    }
    return ok;
}

bool os_readable(const void *p, size_t len) {
    char copy[64];
    if (len > sizeof copy || (uintptr_t)p + len < len) {
        return false;
    }
    struct iovec to = {copy, len}, from = {(void *)(uintptr_t)p, len};
    long n = hak_kernel(SYS_process_vm_readv, os_process(), (uintptr_t)&to, 1, (uintptr_t)&from, 1, 0);
    if (n < 0 && n != -EFAULT) { /* a filter forbids it: mapped is nearly as good an answer */
        return mapped((uintptr_t)p, (uintptr_t)p + len);
    }
    return n == (long)len;
}

void os_wait(const uint32_t *word, uint32_t value, unsigned ms) {
    struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};
    hak_kernel(SYS_futex, (uintptr_t)word, FUTEX_WAIT_PRIVATE, value, (uintptr_t)&t, 0, 0);
}

void os_wake(const uint32_t *word) { hak_kernel3(SYS_futex, (uintptr_t)word, FUTEX_WAKE_PRIVATE, 1); }
void os_yield(void) { hak_kernel3(SYS_sched_yield, 0, 0, 0); }
uint32_t os_process(void) { return (uint32_t)hak_kernel3(SYS_getpid, 0, 0, 0); }

#if defined(__SANITIZE_THREAD__)
enum { BARRIERS = 0 }; /* ThreadSanitizer would not see the order that it makes */
#else
enum { BARRIERS = 1 };
#endif

static long membarrier(int command) { return hak_kernel3(SYS_membarrier, (uintptr_t)command, 0, 0); }

/* A process is registered at its first call, and so is each that forks off before its own first. */
int os_barrier(void) {
    if (!BARRIERS) {
        return -ENOSYS;
    }
    long r = membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
    if (r == -EPERM && membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0) {
        r = membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
    }
    return r == 0 ? 0 : -ENOSYS;
}

bool os_threaded(void) { return !SINGLE_THREADED; }
