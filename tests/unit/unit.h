/* unit.h : what every unit test starts with: cmocka, the fault knobs, the verifier, sweeps, and programs that must end. */
#ifndef HAK_TEST_UNIT_H
#define HAK_TEST_UNIT_H

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h wants those before it */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bits.h"
#include "cold/heap.h"
#include "cold/init.h"
#include "cold/thread.h"
#include "diag/verify.h"
#include "layout/arena.h"
#include "os/os_fault.h"

#define UNUSED __attribute__((unused))
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define RUN(tests) cmocka_run_group_tests(tests, 0, 0)

/* Starts the allocator and gives this thread its heap. */
UNUSED static struct heap *unit_start(void) {
    os_fault_refuse(0, false);
    hak_start();
    assert_int_equal(hak_mode, HAK_MODE_ON);
    if (!hak_tls.heap) {
        assert_true(thread_attach(&hak_tls));
    }
    return hak_tls.heap;
}

UNUSED static void unit_print(const char *line, void *context) {
    (void)context;
    print_error("verify: %s\n", line);
}

/* What this thread has cached goes home. */
UNUSED static void unit_flush(void) {
    hak_tls.busy++;
    thread_flush(&hak_tls, hak_tls.heap);
    hak_tls.busy--;
}

#define unit_verify() assert_int_equal(verify_heap_all(unit_print, 0), 0)

/* Runs attempt(n) with the n-th mapping call refused, for n = 1, 2, ..., until none was; the heap must be whole each time. */
UNUSED static void unit_sweep(void (*attempt)(void), bool forever) {
    for (unsigned n = 1;; n++) {
        os_fault_refuse(n, forever);
        attempt();
        bool refused = os_fault_refused();
        os_fault_refuse(0, false);
        unit_verify();
        if (!refused) {
            return;
        }
        assert_true(n < 10000);
    }
}

/* Runs body in a child, which must end by SIGABRT (or, text NULL, return), and whose stderr must contain text. */
UNUSED static void unit_child(void (*body)(void), const char *text) {
    char got[2048];
    size_t n = 0;
    int fd[2], status;
    assert_int_equal(pipe(fd), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(fd[1], 2);
        close(fd[0]);
        body();
        _exit(0);
    }
    close(fd[1]);
    for (ssize_t r; n < sizeof got - 1 && (r = read(fd[0], got + n, sizeof got - 1 - n)) > 0;) {
        n += (size_t)r;
    }
    got[n] = 0;
    close(fd[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (text ? !WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT || !strstr(got, text) : status != 0) {
        fail_msg("child: status %x, stderr \"%s\", expected \"%s\"", (unsigned)status, got, text ? text : "");
    }
}

/* A reproducible random stream (splitmix64). */
UNUSED static uint64_t unit_random(uint64_t *state) {
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

UNUSED static size_t unit_below(uint64_t *state, size_t n) { return (size_t)(unit_random(state) % n); }

#endif
