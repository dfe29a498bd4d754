/* sample.c : starts a program in a clean environment, waits for it, reads what it used and what the probe says. */
#include "sample.h"
#include "locate.h"
#include "proof.h"
#include "util.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

const struct measure_info measures[MEASURES] = {
    [M_WALL] = {"wall", "wall time", false, false, 0.01, seconds_text},
    [M_INSIDE] = {"inside", "wall time without start and end", false, false, 0.01, seconds_text},
    [M_CPU] = {"cpu", "user + system time", false, true, 0.01, seconds_text},
    [M_RSS] = {"rss", "peak resident memory", false, false, 0.01, bytes_text},
    [M_FAULTS] = {"faults", "page faults", false, true, 0.01, count_text},
    [M_SWITCHES] = {"switches", "context switches", false, true, 0.05, count_text},
    [M_METRIC] = {"metric", "the program's own figure", true, false, 0.01, count_text},
    [M_INSTRUCTIONS] = {"instructions", "instructions", false, false, 0.002, count_text},
    [M_BRANCHES] = {"branches", "branches", false, false, 0.002, count_text},
};

enum measure measure_named(const char *name) {
    enum measure m = 0;
    while (m < MEASURES && strcmp(measures[m].name, name) != 0) {
        m++;
    }
    return m;
}

const char *status_text(int status) {
    static char text[64];
    if (WIFSIGNALED(status)) {
        const char *name = sigabbrev_np(WTERMSIG(status));
        snprintf(text, sizeof text, "killed by SIG%s%s", name ? name : "?", WCOREDUMP(status) ? " (core dumped)" : "");
    } else {
        snprintf(text, sizeof text, "status %d", WEXITSTATUS(status));
    }
    return text;
}

/* The environment of a run. */
struct environment {
    char **item;
    size_t count;
};

static void env_add(struct environment *e, char *text) {
    e->item = xrealloc(e->item, (e->count + 2) * sizeof *e->item);
    e->item[e->count++] = text;
    e->item[e->count] = NULL;
}

static void env_free(struct environment *e) {
    for (size_t i = 0; i < e->count; i++) {
        free(e->item[i]);
    }
    free(e->item);
}

static bool env_is_ours(const char *text) {
    return strncmp(text, "LD_PRELOAD=", 11) == 0 || strncmp(text, "HAKMEM_", 7) == 0 || strncmp(text, "HAK_", 4) == 0;
}

/* What a program may reasonably need, and nothing that changes an allocator. */
static const char *const env_kept[] = {"PATH",   "HOME", "USER", "LOGNAME", "SHELL",
                                       "TMPDIR", "TZ",   "LANG", "LC_ALL",  "JAVA_HOME"};

static struct environment env_base(const struct job *job) {
    struct environment e = {0};
    for (char **v = environ; job->keep_env && *v; v++) {
        if (!env_is_ours(*v)) {
            env_add(&e, xstrdup(*v));
        }
    }
    for (size_t i = 0; !job->keep_env && i < sizeof env_kept / sizeof env_kept[0]; i++) {
        const char *value = getenv(env_kept[i]);
        if (value) {
            env_add(&e, xprintf("%s=%s", env_kept[i], value));
        }
    }
    for (const char *const *v = job->more_env; v && *v; v++) {
        env_add(&e, xstrdup(*v));
    }
    for (size_t i = 0; i < job->settings->count; i++) {
        env_add(&e, setting_text(&job->settings->item[i]));
    }
    return e;
}

static struct environment env_of(const struct job *job, const char *proof_path) {
    static char *probe;
    if (!probe) {
        probe = tool_library_need("libhakmem-probe.so");
    }
    struct environment e = env_base(job);
    env_add(&e, xprintf("LD_PRELOAD=%s%s%s:%s", *job->library ? job->library : "libc.so.6", job->beside ? ":" : "",
                        job->beside ? job->beside : "", probe));
    env_add(&e, xprintf("HAK_PROBE=%s", proof_path));
    size_t bytes = 0;
    for (size_t i = 0; i < e.count; i++) {
        bytes += strlen(e.item[i]) + 1;
    }
    if (job->env_bytes > bytes + 10) {
        size_t pad = job->env_bytes - bytes - 9;
        char *text = xmalloc(pad + 9);
        memcpy(text, "HAK_PAD=", 8);
        memset(text + 8, 'x', pad);
        text[pad + 8] = 0;
        env_add(&e, text);
    }
    return e;
}

size_t sample_env_bytes(const struct job *job) {
    struct environment e = env_of(job, "/proc/4194304/fd/99999"); /* the longest path there is */
    size_t bytes = 0;
    for (size_t i = 0; i < e.count; i++) {
        bytes += strlen(e.item[i]) + 1;
    }
    env_free(&e);
    return bytes + 11; /* room for an empty HAK_PAD */
}

static int memory_file(const char *name) {
    int fd = memfd_create(name, MFD_CLOEXEC);
    if (fd < 0) {
        fail(STATUS_FAILED, "cannot make a file in memory: %s", strerror(errno));
    }
    return fd;
}

/* The contents of a memory file, at most its last bytes. */
static char *memory_tail(int fd, size_t most) {
    struct stat st;
    if (fstat(fd, &st) != 0 || st.st_size == 0) {
        return xstrdup("");
    }
    size_t size = (size_t)st.st_size, n = size < most ? size : most;
    char *text = xmalloc(n + 1);
    ssize_t got = pread(fd, text, n, (off_t)(size - n));
    text[got > 0 ? got : 0] = 0;
    return text;
}

static void alarm_handler(int number) { (void)number; }

/* A tick every 100 ms ends waitid() with EINTR, so that time-outs and Ctrl-C are seen; no restart, no lost signal. */
static void ticks(bool on) {
    struct sigaction action = {.sa_handler = alarm_handler};
    sigaction(SIGALRM, &action, NULL);
    struct itimerval timer = {{0, on ? 100000 : 0}, {0, on ? 100000 : 0}};
    setitimer(ITIMER_REAL, &timer, NULL);
}

/* How a run ended. */
struct ending {
    pid_t pid;
    double begun, ended;
    struct rusage usage;
    char name[16];      /* of the program that the process was in the end */
    const char *reason; /* to fail, or NULL */
};

/* Waits for the child; on time-out or interrupt ends its whole group. */
static void wait_for(pid_t pid, const struct job *job, int *status, struct ending *e) {
    const char *reason = NULL;
    double begun = now_seconds(), asked = 0;
    siginfo_t ended;
    while (waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOWAIT) < 0 && errno == EINTR) {
        double now = now_seconds();
        if (!reason && interrupted()) {
            reason = "interrupted";
        } else if (!reason && job->timeout > 0 && now - begun > job->timeout) {
            reason = "took longer than --timeout";
        }
        if (reason && asked == 0) {
            kill(-pid, SIGTERM);
            asked = now;
        } else if (reason && now - asked > 2) {
            kill(-pid, SIGKILL);
        }
    }
    e->ended = now_seconds();
    e->reason = reason;
    proof_last_name(pid, e->name);
    kill(-pid, SIGKILL); /* what it left in the background would disturb the next run */
    while (wait4(pid, status, 0, &e->usage) < 0 && errno == EINTR) {
    }
}

/* argv, behind callgrind when that counts. */
static char **full_argv(const struct job *job, const char *directory) {
    size_t n = 0;
    while (job->argv[n]) {
        n++;
    }
    char **argv = xmalloc((n + 8) * sizeof *argv);
    size_t k = 0;
    if (job->callgrind) {
        argv[k++] = xstrdup("valgrind");
        argv[k++] = xstrdup("-q");
        argv[k++] = xstrdup("--tool=callgrind");
        argv[k++] = xstrdup("--trace-children=yes");
        argv[k++] = xstrdup("--branch-sim=yes");
        argv[k++] = xprintf("--callgrind-out-file=%s/out.%%p", directory);
    }
    for (size_t i = 0; i < n; i++) {
        argv[k++] = xstrdup(job->argv[i]);
    }
    return argv;
}

static void free_argv(char **argv) {
    for (char **a = argv; *a; a++) {
        free(*a);
    }
    free(argv);
}

struct streams {
    int in, out, err, proof;
    char proof_path[64];
};

static int spawn(const struct job *job, char **argv, const struct streams *s, pid_t *pid) {
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, s->in, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&files, s->out, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files, s->err, STDERR_FILENO);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(&attributes, 0);
    sigset_t all;
    sigfillset(&all);
    posix_spawnattr_setsigdefault(&attributes, &all);
    struct environment e = env_of(job, s->proof_path);
    int error = posix_spawnp(pid, argv[0], &files, &attributes, argv, e.item);
    env_free(&e);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return error;
}

/* The same for a run whose instructions are counted: the child waits for its counters before it execs. */
static int spawn_counted(const struct job *job, char **argv, const struct streams *s, pid_t *pid) {
    int gate[2];
    char byte;
    if (pipe2(gate, O_CLOEXEC) != 0) {
        return errno;
    }
    struct environment e = env_of(job, s->proof_path);
    *pid = fork();
    if (*pid == 0) {
        setpgid(0, 0);
        dup2(s->in, STDIN_FILENO);
        dup2(s->out, STDOUT_FILENO);
        dup2(s->err, STDERR_FILENO);
        close(gate[1]);
        while (read(gate[0], &byte, 1) < 0 && errno == EINTR) {
        }
        execvpe(argv[0], argv, e.item);
        _exit(errno == ENOENT ? STATUS_NO_FILE : STATUS_NO_EXEC);
    }
    int error = *pid < 0 ? errno : 0;
    if (!error) {
        setpgid(*pid, *pid);
        counters_attach(*pid);
    }
    close(gate[0]);
    close(gate[1]);
    env_free(&e);
    return error;
}

static double metric_of(const regex_t *metric, const char *text) {
    double value = NAN;
    regmatch_t m[2];
    for (const char *s = text; regexec(metric, s, 2, m, s == text ? 0 : REG_NOTBOL) == 0 && m[0].rm_eo > 0;
         s += m[0].rm_eo) {
        if (m[1].rm_so >= 0) {
            value = strtod(s + m[1].rm_so, NULL);
        }
    }
    return value;
}

static void fill(struct sample *out, const struct job *job, const struct ending *e) {
    const struct rusage *u = &e->usage;
    double *v = out->value;
    v[M_WALL] = e->ended - e->begun;
    v[M_INSIDE] = proof_inside(out->records, e->pid);
    v[M_CPU] =
        (double)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) + (double)(u->ru_utime.tv_usec + u->ru_stime.tv_usec) * 1e-6;
    /* The kernel's figure starts from the memory of this tool, from which the child came; the probe's is of the program alone. */
    double seen = proof_peak_rss(out->records);
    v[M_RSS] = seen > 0 ? seen : (double)u->ru_maxrss * 1024;
    v[M_FAULTS] = (double)(u->ru_minflt + u->ru_majflt);
    v[M_SWITCHES] = (double)(u->ru_nvcsw + u->ru_nivcsw);
    if (job->counters) {
        counters_read(&v[M_INSTRUCTIONS], &v[M_BRANCHES]);
    }
}

static void judge(struct sample *out, const struct job *job, const struct ending *e, int output) {
    bool bad_status = WIFSIGNALED(out->status) || (WEXITSTATUS(out->status) != 0 && !job->any_status);
    if (e->reason || bad_status) {
        out->failed = true;
        out->message = xstrdup(e->reason ? e->reason : status_text(out->status));
        return;
    }
    out->message = proof_problem(out->records, e->pid, e->name, job->library, job->settings);
    out->unproven = out->message != NULL;
    if (!out->unproven && job->metric) {
        char *text = memory_tail(output, 1 << 20);
        out->value[M_METRIC] = metric_of(job->metric, text);
        free(text);
        if (isnan(out->value[M_METRIC])) {
            out->failed = true;
            out->message = xstrdup("its output has no number where --metric looks for one");
        }
    }
}

static void open_streams(const struct job *job, struct streams *s) {
    s->in = open(job->input ? job->input : "/dev/null", O_RDONLY | O_CLOEXEC);
    if (s->in < 0) {
        fail(STATUS_USAGE, "--stdin: cannot read %s: %s", job->input, strerror(errno));
    }
    s->out = job->metric || job->keep_output ? memory_file("hakmem-output") : open("/dev/null", O_WRONLY | O_CLOEXEC);
    s->err = memory_file("hakmem-errors");
    s->proof = proof_open(s->proof_path, sizeof s->proof_path);
}

static void pin(int cpu, cpu_set_t *before) {
    sched_getaffinity(0, sizeof *before, before);
    if (cpu >= 0) {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET((size_t)cpu, &one);
        if (sched_setaffinity(0, sizeof one, &one) != 0) {
            fail(STATUS_USAGE, "--cpu: processor %d cannot be used: %s; `nproc` tells how many there are", cpu,
                 strerror(errno));
        }
    }
}

static void run(const struct job *job, struct sample *out, const struct streams *s, const char *directory) {
    char **argv = full_argv(job, directory);
    cpu_set_t before;
    struct ending e = {.pid = -1};
    pin(job->cpu, &before);
    ticks(true);
    e.begun = now_seconds();
    int error = job->counters ? spawn_counted(job, argv, s, &e.pid) : spawn(job, argv, s, &e.pid);
    if (!error) {
        wait_for(e.pid, job, &out->status, &e);
    }
    ticks(false);
    if (job->cpu >= 0) {
        sched_setaffinity(0, sizeof before, &before);
    }
    free_argv(argv);
    out->records = proof_take(s->proof);
    if (error) {
        out->failed = true;
        out->message = xprintf("cannot be run: %s", strerror(error));
        return;
    }
    fill(out, job, &e);
    judge(out, job, &e, s->out);
    if (out->failed) {
        out->errors = memory_tail(s->err, 600);
    }
    if (job->keep_output) {
        out->output = memory_tail(s->out, SIZE_MAX);
    }
}

void sample_run(const struct job *job, struct sample *out) {
    *out = (struct sample){0};
    for (int m = 0; m < MEASURES; m++) {
        out->value[m] = NAN;
    }
    struct streams s;
    char directory[] = "/tmp/hakmem-callgrind-XXXXXX";
    if (job->callgrind && !mkdtemp(directory)) {
        fail(STATUS_FAILED, "cannot make a directory in /tmp for callgrind: %s", strerror(errno));
    }
    open_streams(job, &s);
    run(job, out, &s, directory);
    close(s.in), close(s.out), close(s.err), close(s.proof);
    if (job->callgrind) {
        for (int m = 0; m < MEASURES; m++) {
            out->value[m] = NAN;
        }
        bool good = callgrind_totals(directory, &out->value[M_INSTRUCTIONS], &out->value[M_BRANCHES]);
        if (!good && !out->failed) {
            out->failed = true;
            out->message = xstrdup("callgrind left no counts");
        }
    }
}

void sample_free(struct sample *s) {
    free(s->message);
    free(s->errors);
    free(s->output);
    json_decref(s->records);
    *s = (struct sample){0};
}
