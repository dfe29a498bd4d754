/* sandbox.c : after start the program gives up system calls, as sandboxed workers do.
 *   sandbox strict   seccomp's strict mode: read, write, exit. Memory that the program had before is served; any call is death
 *   sandbox first    the same with a program that has hardly begun: what it allocates then needs no call
 *   sandbox filter   memory calls fail with EPERM: what fails is NULL with ENOMEM, calloc stays zero, nothing is lost
 *   sandbox service  calls that systemd's set for services leaves out end the process
 *   sandbox deaf     madvise() says yes and does nothing, as in old emulators: calloc stays zero */
#include "alloc.h"
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { COUNT = 3000 };

static void *block[COUNT];
static size_t served;

static void fill(void) {
    uint64_t seed = 7;
    served = 0;
    for (int i = 0; i < COUNT; i++) {
        size_t n = check_random_size(&seed, 1, 9000);
        block[i] = i % 3 ? malloc(n) : calloc(1, n);
        if (block[i]) {
            unsigned char *p = block[i];
            CHECK(i % 3 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0));
            memset(p, 0xBB, n);
            served++;
        }
    }
}

static void empty(void) {
    for (int i = 0; i < COUNT; i++) {
        free(block[i]);
    }
}

/* A verdict without stdio: strict mode allows write and exit only. */
static void leave(void) { syscall(SYS_exit, check_failures ? 1 : 0); }

static void strict(void) {
    fill();
    empty();
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0) {
        syscall(SYS_exit, CHECK_SKIP);
    }
    for (int round = 0; round < 5; round++) {
        fill();
        if (served != COUNT) {
            check_failures++;
        }
        empty();
    }
    leave();
}

static void first(void) {
    void *p = malloc(100);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0) {
        syscall(SYS_exit, CHECK_SKIP);
    }
    size_t n = 0;
    for (int i = 0; i < 100000; i++) { /* a megabyte, then no more at once than was there */
        void *q = malloc((size_t)(i % 100 * 16));
        check_failures += q == NULL;
        if (i >= 1000) {
            free(q);
        }
    }
    errno = 0;
    for (void *q; n < 100000 && (q = malloc(5000)) != NULL; n++) {
        *(volatile char *)q = 1;
    }
    check_failures += n < 100 || n == 100000 || errno != ENOMEM; /* to the end of what there is without a call */
    free(p);
    leave();
}

#define DENY(call) \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (call), 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)

static bool install(struct sock_filter *code, size_t n) {
    struct sock_fprog program = {(unsigned short)n, code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* From now on the call has this end; all others are allowed. */
static bool filter_call(unsigned call, unsigned end) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, end),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    return install(code, sizeof code / sizeof code[0]);
}

/* Blocks written, freed, given back, and taken again as zeroed ones. */
static void zeroed_again(void) {
    for (size_t i = 0; i < 40; i++) {
        size_t n = i % 2 ? i * 1000 + 1 : i * 100000 + 100000;
        unsigned char *p = malloc(n);
        REQUIRE(p != NULL);
        memset(p, 0xBB, n);
        free(p);
        if (i % 3) {
            malloc_trim(0);
        }
        p = calloc(1, n);
        REQUIRE(p != NULL);
        CHECK(p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
        free(p);
    }
}

static void service(void) {
    if (!filter_call(SYS_mincore, SECCOMP_RET_KILL_PROCESS)) {
        syscall(SYS_exit, CHECK_SKIP);
    }
    zeroed_again();
    leave();
}

static void deaf(void) {
    if (!filter_call(SYS_madvise, SECCOMP_RET_ERRNO | 0)) {
        syscall(SYS_exit, CHECK_SKIP);
    }
    zeroed_again();
    leave();
}

static bool deny_memory_calls(void) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        DENY(SYS_mmap),
        DENY(SYS_munmap),
        DENY(SYS_mprotect),
        DENY(SYS_madvise),
        DENY(SYS_mremap),
        DENY(SYS_brk),
        DENY(SYS_clone),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    return install(code, sizeof code / sizeof code[0]);
}

static void filter(void) {
    fill();
    void *large = malloc(20000000);
    REQUIRE(large != NULL);
    memset(large, 0xBB, 20000000);
    empty();
    if (!deny_memory_calls()) {
        syscall(SYS_exit, CHECK_SKIP);
    }
    for (int round = 0; round < 20; round++) {
        fill();
        CHECK(served == COUNT); /* what was there is there */
        empty();
        malloc_trim(0); /* nothing can be given back, and nothing may be believed to be */
    }
    free(large);
    unsigned char *again = calloc(1, 15000000);
    CHECK(again == NULL || (again[0] == 0 && memcmp(again, again + 1, 14999999) == 0));
    free(again);
    errno = 0;
    size_t n = 0; /* to the end of what there is */
    for (void *p; n < 100000 && (p = malloc(1000000)) != NULL; n++) {
    }
    CHECK(n < 100000 && errno == ENOMEM);
    void *small = malloc(100);
    free(small);
    fflush(stderr);
    leave();
}

int main(int argc, char **argv) {
    check_start();
    static const struct {
        const char *name;
        void (*body)(void);
    } all[] = {{"strict", strict}, {"first", first}, {"filter", filter}, {"service", service}, {"deaf", deaf}};
    void (*body)(void) = NULL;
    for (size_t i = 0; argc > 1 && i < sizeof all / sizeof all[0]; i++) {
        body = strcmp(argv[1], all[i].name) == 0 ? all[i].body : body;
    }
    REQUIRE(body != NULL);
    pid_t pid = fork();
    if (pid == 0) {
        body();
    }
    int status = 0;
    REQUIRE(waitpid(pid, &status, 0) == pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == CHECK_SKIP) {
        check_skip("seccomp is not available here");
    }
    if (WIFSIGNALED(status)) {
        printf("ended by signal %d\n", WTERMSIG(status));
    }
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return check_done();
}
