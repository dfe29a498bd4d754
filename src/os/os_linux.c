/* os/os_linux.c : os.h on Linux.
 * Owns       nothing but cached constants         Threads  any
 * Errno      preserved by every function          Test     conformance/, stress/limits */
#include "base/atomic.h"
#include "base/bits.h"
#include "base/print.h"
#include "os/os.h"
#include "os/os_clock.h"
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
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

static int map(void *hint, size_t len, int prot, int flags, void **out) {
    int saved = errno;
    void *p = mmap(hint, len, prot, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
    int err = p == MAP_FAILED ? -errno : 0;
    errno = saved;
    *out = err ? 0 : p;
    return err;
}

static int result(int rc, int saved) {
    int err = rc ? -errno : 0;
    errno = saved;
    return err;
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

int os_commit(void *p, size_t len) {
    int saved = errno;
    return result(mprotect(p, len, PROT_READ | PROT_WRITE), saved);
}

int os_unmap(void *p, size_t len) {
    int saved = errno;
    return result(munmap(p, len), saved);
}

int os_remap(void *p, size_t len, size_t new_len, void **out) {
    int saved = errno;
    void *q = mremap(p, len, new_len, MREMAP_MAYMOVE);
    int err = q == MAP_FAILED ? -errno : 0;
    errno = saved;
    *out = err ? 0 : q;
    return err;
}

/* An emulator or a system call filter may say yes and do nothing (qemu-user before 7.1): the first call is looked at. */
int os_purge(void *p, size_t len) {
    static uint32_t deaf; /* atomic: 0 not tried, 1 it does what it says, 2 it does not */
    uint32_t was = hak_load_rlx(&deaf);
    int saved = errno;
    volatile char *first = p;
    if (was == 0) {
        *first = 1;
    }
    int err = result(madvise(p, len, MADV_DONTNEED), saved);
    if (was == 0 && !err) {
        was = *first ? 2 : 1;
        hak_store_rlx(&deaf, was);
    }
    return was == 2 ? -ENOSYS : err;
}

/* mincore() is no call that filters have in mind: systemd's @system-service ends the process for it. */
static bool filtered(void) {
    long mode = syscall(SYS_prctl, PR_GET_SECCOMP, 0, 0, 0, 0);
    return mode > 0 || (mode < 0 && errno != EINVAL);
}

size_t os_resident(const void *p, size_t len) {
    unsigned char in[512];
    int saved = errno;
    size_t page = os_page_size(), n = filtered() ? SIZE_MAX : 0;
    for (size_t at = 0; at < len && n != SIZE_MAX; at += sizeof in * page) {
        size_t pages = hak_min((len - at) / page, sizeof in);
        bool known = mincore((char *)(uintptr_t)p + at, pages * page, in) == 0;
        for (size_t i = 0; i < pages; i++) {
            n += in[i] & 1;
        }
        n = known ? n : SIZE_MAX;
    }
    errno = saved;
    return n;
}

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

int os_populate(void *p, size_t len) {
    int saved = errno;
    return result(madvise(p, len, MADV_POPULATE_WRITE), saved);
}

int os_huge(void *p, size_t len, bool on) {
    int saved = errno;
    return result(madvise(p, len, on ? MADV_HUGEPAGE : MADV_NOHUGEPAGE), saved);
}

/* The first letter of the word in brackets: always, inherit, madvise, never. 0: no such file. */
static char choice(const char *path) {
    char text[64];
    ssize_t n = 0;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        n = syscall(SYS_read, fd, text, sizeof text);
        syscall(SYS_close, fd);
    }
    for (ssize_t i = 0; i + 1 < n; i++) {
        if (text[i] == '[') {
            return text[i + 1];
        }
    }
    return 0;
}

int os_huge_sizes(size_t *asked, size_t *always) {
    static const char root[] = "/sys/kernel/mm/transparent_hugepage";
    char path[96];
    int saved = errno;
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
    errno = saved;
    return all ? 0 : -ENOENT;
}

int os_seal(void *p, size_t len, bool read_only) {
    int saved = errno;
    return result(mprotect(p, len, read_only ? PROT_READ : PROT_READ | PROT_WRITE), saved);
}

uint64_t os_now_ms(void) {
    struct timespec t = {0, 0};
    os_clock(CLOCK_MONOTONIC_COARSE, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

size_t os_limit_as(void) {
    struct rlimit r;
    int saved = errno;
    int rc = getrlimit(RLIMIT_AS, &r);
    errno = saved;
    return rc || r.rlim_cur == RLIM_INFINITY ? SIZE_MAX : (size_t)r.rlim_cur;
}

int os_limit(int pid, int resource, const void *set, void *old) {
    int saved = errno;
    return result((int)syscall(SYS_prlimit64, pid, resource, set, old), saved);
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

/* Before libc has set environ the kernel's copy is read; it must outlive the call. Raw calls: libc's are cancellation points. */
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
    int saved = errno;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/environ", O_RDONLY | O_CLOEXEC);
    size_t n = 0, k = 0, most = sizeof env->text - 1;
    for (ssize_t r; fd >= 0 && n < most && (r = syscall(SYS_read, fd, env->text + n, most - n)) > 0;) {
        n += (size_t)r;
    }
    if (fd >= 0) {
        syscall(SYS_close, fd);
    }
    for (size_t i = 0; i < n && k < 255; k++) {
        env->list[k] = env->text + i;
        while (i < n && env->text[i]) {
            i++;
        }
        i++;
    }
    errno = saved;
    return env->list;
}

char **os_environment(void) { return &environ && environ ? environ : environment_of_kernel(); }

static bool mapped(uintptr_t from, uintptr_t to) {
    size_t page = os_page_size();
    unsigned char in;
    bool ok = true;
    for (from = hak_align_down(from, page); ok && from < to; from += page) {
        ok = mincore((void *)from, page, &in) == 0;
    }
    return ok;
}

bool os_readable(const void *p, size_t len) {
    char copy[64];
    if (len > sizeof copy || (uintptr_t)p + len < len) {
        return false;
    }
    int saved = errno;
    struct iovec to = {copy, len}, from = {(void *)(uintptr_t)p, len};
    ssize_t n = process_vm_readv(getpid(), &to, 1, &from, 1, 0);
    bool ok = n == (ssize_t)len;
    if (n < 0 && errno != EFAULT) { /* a filter forbids it: mapped is nearly as good an answer */
        ok = mapped((uintptr_t)p, (uintptr_t)p + len);
    }
    errno = saved;
    return ok;
}

extern __typeof(dlsym) dlsym HAK_WEAK;

void *os_symbol(const char *name) {
    int saved = errno;
    void *p = dlsym ? dlsym(RTLD_NEXT, name) : 0;
    errno = saved;
    return p;
}

void os_wait(const uint32_t *word, uint32_t value, unsigned ms) {
    int saved = errno;
    struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, &t, 0, 0);
    errno = saved;
}

void os_wake(const uint32_t *word) {
    int saved = errno;
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
    errno = saved;
}

#if defined(__SANITIZE_THREAD__)
enum { BARRIERS = 0 }; /* ThreadSanitizer would not see the order that it makes */
#else
enum { BARRIERS = 1 };
#endif

/* A process is registered at its first call, and so is each that forks off before its own first. */
int os_barrier(void) {
    if (!BARRIERS) {
        return -ENOSYS;
    }
    int saved = errno;
    long r = syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
    if (r != 0 && errno == EPERM && syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0) {
        r = syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
    }
    errno = saved;
    return r == 0 ? 0 : -ENOSYS;
}

bool os_threaded(void) { return !SINGLE_THREADED; }

/* glibc exports them (GLIBC_2.2.5); recursive. */
extern void _IO_list_lock(void) HAK_WEAK;
extern void _IO_list_unlock(void) HAK_WEAK;
extern void _IO_list_resetlock(void) HAK_WEAK;

void os_stdio_lock(void) {
    if (_IO_list_lock) {
        _IO_list_lock();
    }
}

void os_stdio_unlock(void) {
    if (_IO_list_unlock) {
        _IO_list_unlock();
    }
}

void os_stdio_reset(void) {
    if (_IO_list_resetlock) {
        _IO_list_resetlock();
    }
}
