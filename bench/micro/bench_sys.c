/* bench_sys.c : clock, counters, resident memory and tables outside of malloc. */
#define _GNU_SOURCE
#include "bench_sys.h"
#include "bench.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int counter_fd[2] = {-1, -1};

uint64_t bench_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* What this program's own calls are bound to. Not dlsym(): that finds a malloc that a library exports under
 * another symbol version too, to which no call of ours goes. The program must be position-independent; otherwise
 * the address is that of its own stub. */
void bench_sys_allocator(char *path, size_t size) {
    Dl_info info;
    void *(*volatile bound)(size_t) = malloc;
    void *address;
    memcpy(&address, (void *)&bound, sizeof address);
    const char *file = dladdr(address, &info) && info.dli_fname ? info.dli_fname : "unknown";
    char real[4096];
    snprintf(path, size, "%s", realpath(file, real) ? real : file);
}

static int counter_open(uint64_t config) {
    struct perf_event_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.size = sizeof attr;
    attr.type = PERF_TYPE_HARDWARE;
    attr.config = config;
    attr.disabled = 1;
    attr.inherit = 1;
    attr.exclude_kernel = 1;
    attr.exclude_hv = 1;
    return (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

void bench_sys_counters_open(void) {
    counter_fd[0] = counter_open(PERF_COUNT_HW_INSTRUCTIONS);
    counter_fd[1] = counter_open(PERF_COUNT_HW_BRANCH_INSTRUCTIONS);
}

void bench_sys_counters_start(void) {
    for (int i = 0; i < 2; i++)
        if (counter_fd[i] >= 0) {
            ioctl(counter_fd[i], PERF_EVENT_IOC_RESET, 0);
            ioctl(counter_fd[i], PERF_EVENT_IOC_ENABLE, 0);
        }
}

bool bench_sys_counters_stop(uint64_t total[2]) {
    bool all = true;
    for (int i = 0; i < 2; i++) {
        uint64_t count = 0;
        if (counter_fd[i] < 0 || ioctl(counter_fd[i], PERF_EVENT_IOC_DISABLE, 0) != 0 ||
            read(counter_fd[i], &count, sizeof count) != sizeof count || !count)
            all = false;
        total[i] += count;
    }
    return all;
}

void bench_sys_reset_peak(void) {
    int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t ignored = write(fd, "5", 1);
    (void)ignored;
    close(fd);
}

/* The KiB behind a key such as "VmHWM:" in a file of /proc, as bytes; 0 if it is not there. */
static uint64_t proc_kib(const char *file, const char *key) {
    static _Thread_local char text[8192];
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0)
        return 0;
    text[n] = 0;
    const char *line = strstr(text, key);
    return line ? strtoull(line + strlen(key), NULL, 10) << 10 : 0;
}

uint64_t bench_rss(void) {
    uint64_t exact = proc_kib("/proc/self/smaps_rollup", "\nRss:");
    return exact ? exact : proc_kib("/proc/self/status", "\nVmRSS:");
}

uint64_t bench_peak_rss(void) {
    uint64_t peak = proc_kib("/proc/self/status", "\nVmHWM:");
    struct rusage usage;
    if (!peak && getrusage(RUSAGE_SELF, &usage) == 0)
        peak = (uint64_t)usage.ru_maxrss << 10;
    return peak;
}

void *bench_array(size_t bytes) {
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (p == MAP_FAILED)
        bench_die("no memory for a table of %zu bytes", bytes);
    return p;
}

void bench_array_free(void *array, size_t bytes) { munmap(array, bytes); }

void bench_shuffle(uint32_t *order, uint32_t n, uint64_t *rng) {
    for (uint32_t i = 0; i < n; i++)
        order[i] = i;
    for (uint32_t i = n; i > 1; i--) {
        uint32_t j = (uint32_t)bench_between(rng, 0, i - 1);
        uint32_t t = order[i - 1];
        order[i - 1] = order[j];
        order[j] = t;
    }
}
