/* launch.c : runs a program under a preloaded library and reports what it cost and which of its processes were served.
 *
 *   launch [-p LIBRARY] [-e NAME=VALUE]... -o REPORT -- PROGRAM ARG...
 *
 * REPORT gets one line of JSON: exit (status, or 128 + signal), wall_ms, cpu_ms, peak_kb (the largest process), faults, processes,
 * served (those that had LIBRARY mapped when they ended), mapped (the path as the kernel names it), how ("exit" or "poll").
 *
 * Every process is stopped once at its end (ptrace's exit event), when its memory map is complete and still there; so even a
 * program of a millisecond is judged by its own map. Where ptrace is forbidden the first process' map is polled instead. A
 * launcher of its own, because a child's peak RSS starts at its parent's: this one has about 1 MB, a script far more. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct report {
    const char *library; /* file name to look for in the maps, NULL for none */
    char mapped[512];
    unsigned processes, served;
    long peak_kb;
    int status;
};

static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* Whether the process has the library mapped; remembers the path. */
static bool maps_look(struct report *r, pid_t pid) {
    char path[64], line[1024];
    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    FILE *f = fopen(path, "re");
    bool found = false;
    while (f && !found && fgets(line, sizeof line, f)) {
        char *name = strchr(line, '/');
        if (name && r->library && strstr(name, r->library)) {
            name[strcspn(name, "\n")] = 0;
            snprintf(r->mapped, sizeof r->mapped, "%s", name);
            found = true;
        }
    }
    if (f) {
        fclose(f);
    }
    return found;
}

/* The peak RSS of the process' present program: unlike ru_maxrss it does not start at the launcher's. */
static void peak_look(struct report *r, pid_t pid) {
    char path[64], line[256];
    long kb;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f)) {
        if (sscanf(line, "VmHWM: %ld", &kb) == 1 && kb > r->peak_kb) {
            r->peak_kb = kb;
        }
    }
    if (f) {
        fclose(f);
    }
}

static void process_ended(struct report *r, pid_t pid) {
    r->processes++;
    r->served += maps_look(r, pid);
    peak_look(r, pid);
}

/* One stop of a traced process: judge it at its exit event, pass signals on, leave job control alone. */
static void stop_handle(struct report *r, pid_t pid, int status) {
    int event = status >> 16, sig = WSTOPSIG(status);
    if (event == PTRACE_EVENT_EXIT) {
        process_ended(r, pid);
    }
    if (event == PTRACE_EVENT_STOP && (sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU)) {
        ptrace(PTRACE_LISTEN, pid, 0, 0);
        return;
    }
    ptrace(PTRACE_CONT, pid, 0, event ? 0 : (long)sig);
}

static void trace(struct report *r, pid_t child) {
    int status;
    for (;;) {
        pid_t pid = waitpid(-1, &status, __WALL);
        if (pid < 0 && errno == EINTR) {
            continue;
        }
        if (pid < 0) {
            return;
        }
        if (WIFSTOPPED(status)) {
            stop_handle(r, pid, status);
        } else if (pid == child) {
            r->status = status; /* daemons it left behind are let go: they are detached when we exit */
            return;
        }
    }
}

static void poll_maps(struct report *r, pid_t child) {
    bool served = false;
    struct timespec nap = {0, 2000000};
    r->processes = 1;
    while (waitpid(child, &r->status, WNOHANG) == 0) {
        served = served || maps_look(r, child);
        peak_look(r, child);
        nanosleep(&nap, NULL);
    }
    r->served = served;
}

static int exit_code(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

static void usage(void) {
    fputs("usage: launch [-p LIBRARY] [-e NAME=VALUE]... -o REPORT -- PROGRAM ARG...\n", stderr);
    exit(2);
}

/* The child waits until it is traced, then becomes the program. */
static pid_t start(char **env, unsigned nenv, char **argv, int ready[2]) {
    if (pipe(ready) != 0) {
        perror("launch: pipe");
        exit(2);
    }
    pid_t child = fork();
    if (child != 0) {
        close(ready[0]);
        return child;
    }
    char byte;
    close(ready[1]);
    if (read(ready[0], &byte, 1) != 1) {
        _exit(127);
    }
    close(ready[0]);
    for (unsigned i = 0; i < nenv; i++) {
        putenv(env[i]);
    }
    execvp(argv[0], argv);
    fprintf(stderr, "launch: %s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

int main(int argc, char **argv) {
    enum { MAX_ENV = 64, PRELOAD = 4200 };
    char *env[MAX_ENV], preload[PRELOAD];
    const char *out = NULL;
    unsigned nenv = 0;
    struct report r = {0};
    int opt, ready[2];
    while ((opt = getopt(argc, argv, "+p:e:o:")) != -1) {
        if (opt == 'p' && nenv < MAX_ENV) {
            snprintf(preload, sizeof preload, "LD_PRELOAD=%s", optarg);
            env[nenv++] = preload;
            r.library = strrchr(optarg, '/') ? strrchr(optarg, '/') + 1 : optarg;
        } else if (opt == 'e' && nenv < MAX_ENV) {
            env[nenv++] = optarg;
        } else if (opt == 'o') {
            out = optarg;
        } else {
            usage();
        }
    }
    if (!out || optind == argc) {
        usage();
    }
    double begin = now_ms();
    pid_t child = start(env, nenv, argv + optind, ready);
    bool traced =
        child > 0 && ptrace(PTRACE_SEIZE, child, 0, PTRACE_O_TRACEEXIT | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK) == 0;
    if (child < 0 || write(ready[1], "", 1) != 1) {
        perror("launch");
        return 2;
    }
    close(ready[1]);
    signal(SIGINT, SIG_IGN); /* Ctrl-C is the program's; the report is still written */
    if (traced) {
        trace(&r, child);
    } else {
        poll_maps(&r, child);
    }
    double wall = now_ms() - begin;
    struct rusage u;
    getrusage(RUSAGE_CHILDREN, &u);
    double cpu =
        (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e3 + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e3;
    FILE *f = fopen(out, "we");
    if (!f) {
        fprintf(stderr, "launch: %s: %s\n", out, strerror(errno));
        return 2;
    }
    fprintf(f,
            "{\"exit\": %d, \"wall_ms\": %.3f, \"cpu_ms\": %.3f, \"peak_kb\": %ld, \"faults\": %ld, \"processes\": %u, "
            "\"served\": %u, "
            "\"mapped\": \"%s\", \"how\": \"%s\"}\n",
            exit_code(r.status), wall, cpu, r.peak_kb, u.ru_minflt + u.ru_majflt, r.processes, r.served, r.mapped,
            traced ? "exit" : "poll");
    fclose(f);
    return exit_code(r.status);
}
