/* trace_replay.c : see trace_replay.h. */
#include "trace_replay.h"
#include "locate.h"
#include "util.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SAMPLE_MS = 5, SAMPLES_MOST = 2000 };

_Noreturn static void replayer_exec(const char *program, const char *plan, const char *lib, bool timing, int to) {
    if (to != 3) {
        dup2(to, 3);
        close(to);
    }
    if (*lib)
        setenv("LD_PRELOAD", lib, 1);
    else
        unsetenv("LD_PRELOAD");
    if (timing)
        setenv(PLAN_ENV_TIMING, "1", 1);
    else
        unsetenv(PLAN_ENV_TIMING);
    execl(program, program, plan, (char *)NULL);
    dprintf(2, "hakmem replay: %s: %s\n", program, strerror(errno));
    _exit(127);
}

static void sample_add(json_t *samples, pid_t pid) {
    char path[64];
    unsigned long rss = 0, minor = 0, major = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    char *statm = read_file(path, NULL);
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    char *stat = read_file(path, NULL);
    const char *after = stat ? strrchr(stat, ')') : NULL;
    if (statm && after && sscanf(statm, "%*u %lu", &rss) == 1 && json_array_size(samples) < SAMPLES_MOST &&
        sscanf(after + 1, " %*c %*d %*d %*d %*d %*d %*u %lu %*u %lu", &minor, &major) == 2 && rss)
        json_array_append_new(samples, json_pack("[f,I,I]", now_seconds(),
                                                 (json_int_t)(rss * (unsigned long)sysconf(_SC_PAGESIZE)),
                                                 (json_int_t)(minor + major)));
    free(statm);
    free(stat);
}

/* Samples were taken by the clock and hold the whole RSS; they are to count from the start of the replay, above the baseline. */
static void samples_rebase(json_t *samples, const struct replay_result *r) {
    for (size_t i = json_array_size(samples); i-- > 0;) {
        json_t *row = json_array_get(samples, i);
        double at = json_number_value(json_array_get(row, 0)) - (double)r->begun_ns / 1e9;
        json_int_t rss = json_integer_value(json_array_get(row, 1)) - (json_int_t)r->baseline_rss;
        if (at < 0) {
            json_array_remove(samples, i);
            continue;
        }
        json_array_set_new(row, 0, json_real(at));
        json_array_set_new(row, 1, json_integer(rss > 0 ? rss : 0));
    }
    json_array_append_new(samples,
                          json_pack("[f,I,I]", (double)r->wall_ns / 1e9,
                                    (json_int_t)(r->end_rss > r->baseline_rss ? r->end_rss - r->baseline_rss : 0),
                                    (json_int_t)(r->minor_faults + r->major_faults)));
}

static bool result_read(int from, struct replay_result *r, pid_t pid, json_t *samples) {
    struct pollfd p = {.fd = from, .events = POLLIN};
    for (int wait = SAMPLE_MS;;) {
        int n = poll(&p, 1, wait);
        if (n < 0 && errno == EINTR && interrupted())
            kill(pid, SIGKILL);
        if (n > 0)
            break;
        sample_add(samples, pid);
        wait = json_array_size(samples) > SAMPLES_MOST / 2 ? SAMPLE_MS * 20 : SAMPLE_MS;
    }
    return read(from, r, sizeof *r) == sizeof *r && r->magic == PLAN_MAGIC;
}

struct replay_run replay_once(const char *plan, const char *lib, bool timing) {
    struct replay_run run = {.samples = json_array()};
    char *program = tool_library_need("hakmem-replayer");
    int pipes[2], status = 0;
    if (pipe(pipes) != 0)
        fail(STATUS_FAILED, "pipe: %s", strerror(errno));
    pid_t pid = fork();
    if (pid < 0)
        fail(STATUS_FAILED, "fork: %s", strerror(errno));
    if (pid == 0) {
        close(pipes[0]);
        replayer_exec(program, plan, lib, timing, pipes[1]);
    }
    close(pipes[1]);
    bool got = result_read(pipes[0], &run.result, pid, run.samples);
    close(pipes[0]);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (!got && WIFSIGNALED(status))
        snprintf(run.trouble, sizeof run.trouble, "ended by signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    else if (!got)
        snprintf(run.trouble, sizeof run.trouble, "exited with %d", WEXITSTATUS(status));
    char *real = realpath(run.result.served_by, NULL), *wanted = *lib ? realpath(lib, NULL) : NULL;
    run.served = !*lib || (real && wanted && strcmp(real, wanted) == 0);
    free(real);
    free(wanted);
    if (got)
        samples_rebase(run.samples, &run.result);
    free(program);
    return run;
}

uint64_t replay_baseline(const char *plan) {
    setenv(PLAN_ENV_BASELINE, "1", 1);
    struct replay_run run = replay_once(plan, "", false);
    unsetenv(PLAN_ENV_BASELINE);
    json_decref(run.samples);
    return *run.trouble ? 0 : run.result.baseline_rss;
}
