/* bench_startup.c : what the allocator adds to the start of a trivial program. Starts itself many times, by turns
 * as it was started and without LD_PRELOAD; the child allocates once, reports its resident memory and ends. An op
 * is one program run. */
#define _GNU_SOURCE
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static uint64_t runs = 100;

/* The smallest and the sum of the times of one kind of start, and the sum of the resident bytes that its children saw. */
struct starts {
    uint64_t least, sum, rss;
};

static int child(void) {
    char *volatile p = bench_check(malloc(100));
    p[0] = 1;
    uint64_t rss = bench_rss();
    free(p);
    return write(STDOUT_FILENO, &rss, sizeof rss) == sizeof rss ? 0 : 1;
}

static void start_once(struct starts *s, char **environment) {
    int ends[2], status;
    pid_t pid;
    posix_spawn_file_actions_t actions;
    char *const args[] = {(char *)"/proc/self/exe", (char *)"--child", NULL};
    if (pipe2(ends, O_CLOEXEC) != 0)
        bench_die("no pipe: %s", strerror(errno));
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    uint64_t begun = bench_now();
    int error = posix_spawn(&pid, args[0], &actions, NULL, args, environment);
    if (error)
        bench_die("cannot start a program: %s", strerror(error));
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    uint64_t ns = bench_now() - begun;
    close(ends[1]);
    uint64_t rss;
    if (status || read(ends[0], &rss, sizeof rss) != sizeof rss)
        bench_die("the started program failed (status %d)", status);
    close(ends[0]);
    posix_spawn_file_actions_destroy(&actions);
    s->sum += ns;
    s->rss += rss;
    s->least = !s->least || ns < s->least ? ns : s->least;
}

/* The environment without LD_PRELOAD. */
static char **plain_environment(void) {
    size_t n = 0, kept = 0;
    while (environ[n])
        n++;
    char **plain = bench_array((n + 1) * sizeof *plain);
    for (size_t i = 0; i < n; i++)
        if (strncmp(environ[i], "LD_PRELOAD=", 11) != 0)
            plain[kept++] = environ[i];
    return plain;
}

int main(int argc, char **argv) {
    if (argc == 2 && !strcmp(argv[1], "--child"))
        return child();
    static const struct bench_option options[] = {
        {"runs", "starts of each kind", 1, 1000000, &runs},
        {NULL, NULL, 0, 0, NULL},
    };
    static const struct bench_program program = {
        "bench_startup",
        "Start to end of a trivial program, and its resident memory, over those without LD_PRELOAD.",
        "LD_PRELOAD=libhakmem.so bench_startup --runs 500",
        options,
        NULL,
        1};
    bench_init(&program, argc, argv);
    if (bench_quick())
        runs = runs < 3 ? runs : 3;
    struct bench_case run;
    if (bench_begin_once(&run, "trivial")) {
        struct starts with = {0}, without = {0};
        char **plain = plain_environment();
        bench_start(&run);
        for (uint64_t i = 0; i < runs; i++) {
            start_once(&with, environ);
            start_once(&without, plain);
        }
        bench_stop(&run, 2 * runs);
        run.best = (double)with.least;
        bench_extra(&run, "ms", (double)with.least / 1e6, "ms");
        bench_extra(&run, "ms_over_plain", ((double)with.least - (double)without.least) / 1e6, "ms");
        bench_extra(&run, "mean_ms_over_plain", ((double)with.sum - (double)without.sum) / 1e6 / (double)runs, "ms");
        bench_extra(&run, "rss_kib", (double)with.rss / 1024 / (double)runs, "KiB");
        bench_extra(&run, "rss_kib_over_plain", ((double)with.rss - (double)without.rss) / 1024 / (double)runs, "KiB");
        bench_report(&run);
    }
    return bench_finish();
}
