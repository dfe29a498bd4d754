/* replayer_touch.c : see replayer.h. */
#include "replayer.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096 };

void replay_touch(void *block, uint64_t size, uint32_t pages) {
    volatile char *at = block;
    if (pages && (uint64_t)(pages - 1) * PAGE < size)
        size = (uint64_t)(pages - 1) * PAGE;
    if (!size)
        return;
    for (uint64_t i = 0; i < size; i += PAGE)
        at[i] = 1;
    at[size - 1] = 1;
}

uint64_t replay_status(const char *field) {
    char text[4096];
    int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    const char *line = strstr(text, field);
    return line ? strtoull(line + strlen(field), NULL, 10) * 1024 : 0;
}

uint64_t replay_clock(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void replay_until(uint64_t ns) {
    uint64_t now = replay_clock();
    if (now + 50000 < ns) {
        struct timespec t = {.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
    }
    while (replay_clock() < ns)
        replay_pause();
}

void replay_pause(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

void replay_backoff(unsigned round) {
    struct timespec nap = {.tv_nsec = 20000};
    if (round < 100)
        replay_pause();
    else if (round < 200)
        sched_yield();
    else
        nanosleep(&nap, NULL);
}

void replay_sleep(_Atomic uint32_t *word, uint32_t seen) {
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}

void replay_wake(_Atomic uint32_t *word) { syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0); }

void replay_await_zero(_Atomic uint32_t *word) {
    for (uint32_t n; (n = atomic_load_explicit(word, memory_order_acquire)) != 0;) /* acq: pairs with play()'s end */
        replay_sleep(word, n);
}

uint64_t replay_micros(const struct timeval *t) { return (uint64_t)t->tv_sec * 1000000u + (uint64_t)t->tv_usec; }
