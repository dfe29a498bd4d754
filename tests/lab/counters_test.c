/* counters_test.c : counting by perf_event, with software events, which every machine has: from the exec on, with children; and the sums of
 * callgrind's files. Status 77 where perf_event_open() is not permitted. */
#include "sample.h"
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGES = 3000, SLACK = 2000 };

static int bad;

static void check(int ok, const char *what, double value) {
    if (!ok) {
        fprintf(stderr, "FAIL %s: %g\n", what, value);
        bad = 1;
    }
}

/* Touches so many pages itself, and as many in a child. */
static int touch(void) {
    pid_t pid = fork();
    char *p = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise(p, PAGES * 4096, MADV_NOHUGEPAGE);
    for (int i = 0; i < PAGES; i++) {
        p[i * 4096] = 1;
    }
    if (pid == 0) {
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    return 0;
}

static void perf(const char *self) {
    int gate[2];
    char byte;
    if (pipe(gate) != 0) {
        exit(1);
    }
    pid_t pid = fork();
    if (pid == 0) {
        close(gate[1]);
        touch(); /* before the exec: not counted */
        if (read(gate[0], &byte, 1) == 0) {
            execl(self, self, "touch", (char *)NULL);
        }
        _exit(1);
    }
    check(counters_attach(pid), "attached", 0);
    close(gate[1]);
    int status;
    waitpid(pid, &status, 0);
    check(status == 0, "status", status);
    double faults = -1, minor = -1;
    counters_read(&faults, &minor);
    check(faults >= 2 * PAGES && faults < 2 * PAGES + SLACK, "faults", faults);
    check(minor >= 2 * PAGES && minor <= faults, "minor faults", minor);
    faults = -1;
    counters_read(&faults, &minor);
    check(faults == -1, "nothing is attached any more", faults);
}

static void callgrind(void) {
    char dir[] = "/tmp/hakmem-counters-XXXXXX", path[64];
    static const char *const text[] = {"version: 1\nevents: Ir Bc Bcm Bi Bim\nfn=main\nsummary: 100 20 1 3 0\n",
                                       "version: 1\nevents: Ir Bc Bcm Bi Bim\nfn=main\ntotals: 10 2 0 1 0\n",
                                       "no counts\n"};
    if (!mkdtemp(dir)) {
        exit(1);
    }
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/out.%d", dir, i);
        FILE *f = fopen(path, "w");
        fputs(text[i], f);
        fclose(f);
    }
    double instructions, branches;
    check(callgrind_totals(dir, &instructions, &branches), "callgrind", 0);
    check(instructions == 110, "instructions", instructions);
    check(branches == 26, "branches", branches);
    check(access(dir, F_OK) != 0, "the folder is gone", 0);
    check(!callgrind_totals(dir, &instructions, &branches), "no folder", 0);
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "touch") == 0) {
        return touch();
    }
    callgrind();
    counters_choose(0, PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS);
    counters_choose(1, PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS_MIN);
    if (!counters_available()) {
        fprintf(stderr, "skipped: perf_event_open() is not permitted\n");
        return bad ? 1 : 77;
    }
    perf(argv[0]);
    return bad;
}
