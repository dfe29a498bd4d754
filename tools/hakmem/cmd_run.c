/* cmd_run.c : `hakmem run`: a command under hakmem, and with --stats the proof that hakmem served it. */
#include "command.h"
#include "gate_table.h"
#include "locate.h"
#include "proof.h"
#include "sample.h"
#include "util.h"
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OPT_SET = 256, OPT_LIBC, OPT_LIB, OPT_STATS, OPT_JSON };
enum { MOST_LINES = 12 }; /* processes told one by one */

static const struct argp_option options[] = {
    {"set", OPT_SET, "OPTION=VALUE", 0, "set an option of hakmem (`hakmem options` lists them)", 0},
    {"libc", OPT_LIBC, 0, 0, "the same library with libc inside, for comparisons (force_libc=1)", 0},
    {"lib", OPT_LIB, "NAME|PATH", 0, "another allocator: mimalloc, jemalloc, tcmalloc, libc ..., or a library's path",
     0},
    {"stats", OPT_STATS, 0, 0,
     "at the end tell on stderr which processes were served, with calls, bytes, time and memory (adds a counter to "
     "each call)",
     0},
    {"json", OPT_JSON, "FILE", OPTION_ARG_OPTIONAL, "the same as JSON, on stderr or to FILE", 0},
    {0, 0, 0, 0, 0, 0},
};

static const char doc[] = "Runs a command and all its children under hakmem.\v"
                          "The exit status is the command's (128 + signal when one killed it); 127 not found, 126 it "
                          "cannot be run or served, 5 with --stats "
                          "when the command was not served.\n\n"
                          "examples:\n"
                          "  hakmem run -- python3 job.py\n"
                          "  hakmem run --stats --set decay=0 -- redis-server --port 7000\n";

struct given {
    struct settings set;
    const char *lib, *json_file;
    bool libc, stats, json;
};

static error_t parse(int key, char *text, struct argp_state *state) {
    struct given *g = state->input;
    switch (key) {
    case OPT_SET:
        settings_add(&g->set, "--set", text);
        return 0;
    case OPT_LIBC:
        g->libc = true;
        return 0;
    case OPT_LIB:
        g->lib = text;
        return 0;
    case OPT_JSON:
        g->json = true;
        g->json_file = text;
        g->stats = true;
        return 0;
    case OPT_STATS:
        g->stats = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* The library for the command's machine. Where none of hakmem exists for it, the reason names the machine. */
static char *choose_library(const struct given *g, const struct command *c) {
    if (g->lib) {
        return library_need("--lib", g->lib, c->elf.machine);
    }
    char *path = library_find(allocator_named("hakmem"), c->elf.machine);
    if (!path && c->elf.machine != elf_own_machine()) {
        fail(STATUS_NO_EXEC,
             "%s is a program for %s, and no libhakmem.so for %s is installed; install hakmem for that architecture",
             c->program, elf_machine_name(c->elf.machine), elf_machine_name(c->elf.machine));
    }
    free(path);
    return library_need("--lib", "hakmem", c->elf.machine);
}

/* A library of the system is preloaded by its bare name, so that children of another architecture find their own. */
static char *preload_name(const char *library) {
    static const char system[] = "/usr/lib/";
    const char *base = strrchr(library, '/');
    if (strncmp(library, system, sizeof system - 1) == 0 && base && strncmp(base, "/libhakmem.so", 13) == 0) {
        return xstrdup("libhakmem.so.1");
    }
    return xstrdup(*library ? library : "libc.so.6");
}

static void set_environment(const struct given *g, const char *library, bool native, const char *proof_path) {
    char *list = preload_name(library);
    if (g->stats && native) {
        list =
            xprintf("%s:%s:%s", tool_library_need("libhakmem-count.so"), list, tool_library_need("libhakmem-probe.so"));
        setenv("HAK_PROBE", proof_path, 1);
    }
    const char *before = getenv("LD_PRELOAD");
    list = before && *before ? xprintf("%s:%s", list, before) : list;
    setenv("LD_PRELOAD", list, 1);
    for (size_t i = 0; i < g->set.count; i++) {
        putenv(setting_text(&g->set.item[i]));
    }
}

static _Noreturn void become(char **argv, const char *file) {
    execv(file, argv);
    int error = errno;
    if (error == ENOEXEC) { /* a script without #! */
        execvp(file, argv);
        error = errno;
    }
    fprintf(stderr, "hakmem run: %s: cannot be run: %s\n", file, strerror(error));
    _exit(error == ENOENT ? STATUS_NO_FILE : STATUS_NO_EXEC);
}

static volatile sig_atomic_t child;

static void pass_on(int number) {
    if (child > 0) {
        kill(child, number);
    }
}

/* Signals that were sent to us alone are for the command; those of the terminal it gets itself. */
static void pass_signals(void) {
    struct sigaction pass = {.sa_handler = pass_on, .sa_flags = SA_RESTART}, ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGTERM, &pass, NULL);
    sigaction(SIGHUP, &pass, NULL);
    sigaction(SIGUSR1, &pass, NULL);
    sigaction(SIGUSR2, &pass, NULL);
    sigaction(SIGINT, &ignore, NULL);
    sigaction(SIGQUIT, &ignore, NULL);
}

static json_t *totals(const json_t *records, const struct rusage *u, double wall) {
    double allocs = 0, bytes = 0, frees = 0;
    for (size_t i = 0; i < json_array_size(records); i++) {
        const json_t *r = json_array_get(records, i);
        allocs += json_number_value(json_object_get(r, "allocs"));
        bytes += json_number_value(json_object_get(r, "bytes"));
        frees += json_number_value(json_object_get(r, "frees"));
    }
    double rss = proof_peak_rss(records);
    return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:I, s:I, s:I}", "allocs", allocs, "bytes", bytes, "frees",
                     frees, "wall", wall, "user", (double)u->ru_utime.tv_sec + (double)u->ru_utime.tv_usec * 1e-6,
                     "sys", (double)u->ru_stime.tv_sec + (double)u->ru_stime.tv_usec * 1e-6, "peak_rss",
                     rss > 0 ? rss : (double)u->ru_maxrss * 1024, "minor_faults", (json_int_t)u->ru_minflt,
                     "major_faults", (json_int_t)u->ru_majflt, "switches", (json_int_t)(u->ru_nvcsw + u->ru_nivcsw));
}

static bool is_start(const json_t *record) { return strcmp(proof_text(record, "event"), "start") == 0; }

/* Does record i tell nothing that a later record of the same program does not tell? */
static bool is_superseded(const json_t *records, size_t i) {
    const json_t *r = json_array_get(records, i);
    for (size_t k = i + 1; is_start(r) && k < json_array_size(records); k++) {
        const json_t *later = json_array_get(records, k);
        if (json_equal(json_object_get(later, "pid"), json_object_get(r, "pid"))) {
            return !is_start(later);
        }
    }
    return false;
}

/* One line a process: the one that ended, or the one that was killed or replaced by exec before it could tell its totals. */
static void print_process(const json_t *r) {
    fprintf(stderr, "  %-7lld %-32s %s", (long long)json_integer_value(json_object_get(r, "pid")), proof_text(r, "exe"),
            proof_text(r, "malloc"));
    if (is_start(r)) {
        fputs("; replaced by exec or killed\n", stderr);
        return;
    }
    fprintf(stderr, "; %s allocations, %s, peak RSS %s\n", count_text(json_number_value(json_object_get(r, "allocs"))),
            bytes_text(json_number_value(json_object_get(r, "bytes"))),
            bytes_text(json_number_value(json_object_get(r, "peak_rss"))));
}

static void print_options(const json_t *record) {
    const char *name;
    json_t *value;
    const char *separator = "  options in force: ";
    json_object_foreach(json_object_get(record, "options"), name, value) {
        if (*name) {
            fprintf(stderr, "%s%s=%s", separator, name, json_string_value(value));
            separator = " ";
        }
    }
    if (*separator == ' ' && !separator[1]) {
        fputc('\n', stderr);
    }
}

static void print_stats(const json_t *records, const json_t *sum, const char *problem, const char *label,
                        const struct command *c) {
    fprintf(stderr, "hakmem run: %s%s\n", problem ? "NOT served: " : "served by ", problem ? problem : label);
    size_t shown = 0, hidden = 0;
    for (size_t i = 0; i < json_array_size(records); i++) {
        const json_t *r = json_array_get(records, i);
        bool ours = json_integer_value(json_object_get(r, "pid")) == child;
        if (!is_superseded(records, i) && (ours || shown < MOST_LINES)) {
            print_process(r);
            shown++;
        } else {
            hidden += !is_superseded(records, i);
        }
    }
    if (hidden) {
        fprintf(stderr, "  and %zu more (--json lists all)\n", hidden);
    }
    print_options(json_array_get(records, 0));
    fprintf(stderr,
            "  in all: %s allocations, %s, %s frees; wall %s, user %s, sys %s; peak RSS %s; %s minor and %s major "
            "faults, %s switches\n",
            count_text(json_number(sum, "allocs")), bytes_text(json_number(sum, "bytes")),
            count_text(json_number(sum, "frees")), seconds_text(json_number(sum, "wall")),
            seconds_text(json_number(sum, "user")), seconds_text(json_number(sum, "sys")),
            bytes_text(json_number(sum, "peak_rss")), count_text(json_number(sum, "minor_faults")),
            count_text(json_number(sum, "major_faults")), count_text(json_number(sum, "switches")));
    if (c->remark) {
        fprintf(stderr, "  %s\n", c->remark);
    }
}

static bool write_json(const struct given *g, const json_t *out) {
    if (g->json_file) {
        return json_save(out, g->json_file);
    }
    json_dumpf(out, stderr, JSON_INDENT(1));
    fputc('\n', stderr);
    return true;
}

static int report(const struct given *g, const struct command *c, const char *library, json_t *records,
                  const char *name, int status, const struct rusage *u, double wall) {
    char *problem = proof_problem(records, child, name, library, &g->set), *label = library_label(library);
    json_t *sum = totals(records, u, wall);
    bool written = true;
    if (g->json) {
        json_t *out = json_pack("{s:s, s:s, s:s?, s:b, s:s, s:i, s:O, s:O, s:s?}", "tool", "hakmem run", "library",
                                library, "problem", problem, "served", problem == NULL, "allocator", label, "status",
                                status, "totals", sum, "processes", records, "remark", c->remark);
        written = write_json(g, out);
    } else {
        print_stats(records, sum, problem, label, c);
    }
    if (WIFSIGNALED(status)) {
        warn("%s: %s", c->file, status_text(status));
        return STATUS_SIGNAL + WTERMSIG(status);
    }
    return WEXITSTATUS(status) ? WEXITSTATUS(status) : problem ? STATUS_UNPROVEN : written ? STATUS_OK : STATUS_FAILED;
}

static int run_with_stats(const struct given *g, const struct command *c, char **argv, const char *library) {
    char proof_path[64];
    int proof = proof_open(proof_path, sizeof proof_path);
    struct rusage usage;
    int status = 0;
    double begun = now_seconds();
    pid_t pid = fork();
    if (pid < 0) {
        fail(STATUS_FAILED, "cannot start a process: %s", strerror(errno));
    }
    if (pid == 0) {
        set_environment(g, library, true, proof_path);
        become(argv, c->file);
    }
    child = pid;
    pass_signals();
    siginfo_t ended;
    char name[16];
    while (waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOWAIT) < 0 && errno == EINTR) {
    }
    double wall = now_seconds() - begun;
    proof_last_name(pid, name);
    while (wait4(pid, &status, 0, &usage) < 0 && errno == EINTR) {
    }
    return report(g, c, library, proof_take(proof), name, status, &usage, wall);
}

/* Options of hakmem that cannot have an effect are errors. */
static void check_effects(const struct given *g, const char *library) {
    struct elf_file elf;
    bool gates = settings_have_gates(&g->set);
    if (gates && !*library) {
        fail(STATUS_USAGE, "--set: options of hakmem have no effect on libc; drop them or --lib libc");
    }
    if (gates && elf_open(&elf, library) && !elf_defines(&elf, "hak_option_get", false)) {
        fail(STATUS_USAGE, "--set: options of hakmem have no effect on %s; drop them or --lib", library);
    }
    for (size_t i = 0; i < g->set.count && g->libc; i++) {
        const struct setting *s = &g->set.item[i];
        if (s->row && strcmp(s->name, "force_libc") != 0) {
            fail(STATUS_USAGE,
                 "--set: %s=%s has no effect under --libc, where libc serves every call; drop one of them", s->name,
                 s->value);
        }
    }
}

int cmd_run(int argc, char **argv) {
    static const struct argp argp = {options, parse, "-- COMMAND [ARGUMENT]...", doc, NULL, NULL, NULL};
    struct given g = {0};
    struct command c;
    int rest = parse_args(&argp, argc, argv, &g);
    if (rest == argc) {
        fail(STATUS_USAGE, "no command to run; put it behind --, as: hakmem run -- python3 -c pass");
    }
    if (g.libc && g.lib && strcmp(g.lib, "libc") == 0) {
        fail(STATUS_USAGE,
             "--libc and --lib libc: give one; --libc is hakmem's library with libc inside, --lib libc is libc alone");
    }
    if (g.libc) {
        settings_set(&g.set, "--libc", "force_libc", "1");
    }
    command_find(&c, argv[rest]);
    if (c.reason) {
        fail(STATUS_NO_EXEC, "%s", c.reason);
    }
    char *library = choose_library(&g, &c);
    settings_check(&g.set, library);
    check_effects(&g, library);
    if (c.elf.is_go && c.remark) {
        warn("note: %s", c.remark);
    }
    if (g.stats && c.elf.machine == elf_own_machine()) {
        return run_with_stats(&g, &c, argv + rest, library);
    }
    if (g.stats) {
        warn("--stats: not possible for a program for %s; running without", elf_machine_name(c.elf.machine));
    }
    set_environment(&g, library, false, "");
    become(argv + rest, c.file);
}
