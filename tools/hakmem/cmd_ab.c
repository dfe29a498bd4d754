/* cmd_ab.c : `hakmem ab`: reads what to compare, and leads from the rounds to the verdict. */
#include "ab.h"
#include "command.h"
#include "locate.h"
#include "proof.h"
#include "statistics.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    OPT_GATE = 256,
    OPT_LIBC,
    OPT_LIB,
    OPT_SET,
    OPT_VS,
    OPT_PAIRS,
    OPT_BUDGET,
    OPT_PRECISION,
    OPT_THRESHOLD,
    OPT_WARMUP,
    OPT_CPU,
    OPT_PRIMARY,
    OPT_METRIC,
    OPT_LOWER,
    OPT_INSTRUCTIONS,
    OPT_COUNT_ONLY,
    OPT_STDIN,
    OPT_ENV,
    OPT_KEEP_ENV,
    OPT_TIMEOUT,
    OPT_ANY_STATUS,
    OPT_SEED,
    OPT_JSON
};

static const struct argp_option options[] = {
    {0, 0, 0, 0, "What to compare (A against B):", 1},
    {"gate", OPT_GATE, "NAME=A,B", 0, "two values of one option of hakmem, in the same library", 0},
    {"libc", OPT_LIBC, 0, 0,
     "A: hakmem's library with libc inside (force_libc=1), B: hakmem; splits the gap to the plain program into layout "
     "and allocator, and tells the door, what libc inside pays at each call; the verdict is about the allocator's "
     "share",
     0},
    {"lib", OPT_LIB, "A,B", 0,
     "two allocators: names (hakmem, mimalloc, jemalloc, tcmalloc, libc ...) or paths; one name: the library of both "
     "sides",
     0},
    {"set", OPT_SET, "NAME=VALUE", 0,
     "a setting of A, or of both sides when there is no --vs; a name in capitals is an environment variable", 0},
    {"vs", OPT_VS, "NAME=VALUE", 0, "a setting of B", 0},
    {0, 0, 0, 0, "What to measure:", 2},
    {"metric", OPT_METRIC, "REGEX", 0,
     "a number that the program prints: the first group of this extended regular expression, its last match", 0},
    {"lower", OPT_LOWER, 0, 0, "a lower metric is better", 0},
    {"instructions", OPT_INSTRUCTIONS, 0, 0,
     "count instructions and branches: by the machine's counters, or by callgrind where it has none", 0},
    {"count-only", OPT_COUNT_ONLY, 0, 0, "no timed rounds, only --instructions by callgrind", 0},
    {"primary", OPT_PRIMARY, "MEASURE", 0,
     "what the verdict is about: wall, inside (wall without start and end), cpu, rss, faults, switches, metric, "
     "instructions, branches (metric if given, "
     "else wall)",
     0},
    {"threshold", OPT_THRESHOLD, "PERCENT", 0, "the least gain that is a GO (5)", 0},
    {0, 0, 0, 0, "How to measure:", 3},
    {"pairs", OPT_PAIRS, "N", 0, "at least so many pairs of runs (10)", 0},
    {"budget", OPT_BUDGET, "TIME", 0, "further pairs, until the interval is narrow, for so long in all (60s)", 0},
    {"precision", OPT_PRECISION, "PERCENT", 0, "the half-width of the 95 % interval that is narrow enough (1)", 0},
    {"warmup", OPT_WARMUP, "N", 0, "runs of each side before it counts (1)", 0},
    {"cpu", OPT_CPU, "N", 0, "pin the runs to processor N", 0},
    {"stdin", OPT_STDIN, "FILE", 0, "standard input of each run", 0},
    {"env", OPT_ENV, "NAME=VALUE", 0, "add to the clean environment of both sides", 0},
    {"keep-env", OPT_KEEP_ENV, 0, 0, "do not clean the environment", 0},
    {"timeout", OPT_TIMEOUT, "TIME", 0, "a run that takes longer has failed", 0},
    {"any-status", OPT_ANY_STATUS, 0, 0, "a status other than 0 is no failure (grep -q)", 0},
    {"seed", OPT_SEED, "N", 0, "start of the random order", 0},
    {0, 0, 0, 0, "Output:", 4},
    {0, 'o', "FILE", 0, "record everything as JSON here (default: a file in ~/.local/state/hakmem)", 0},
    {"json", OPT_JSON, 0, 0, "print the record instead of a table", 0},
    {0, 0, 0, 0, 0, 0},
};

static const char doc[] =
    "Compares two allocators or two settings on the same work, in interleaved rounds with an A/A control first, and "
    "says GO, NO-GO or "
    "NO DIFFERENCE DETECTED."
    "\v"
    "examples:\n"
    "  hakmem ab --gate remote_batch=1,126 -- ./server-bench\n"
    "  hakmem ab --lib jemalloc,hakmem --metric 'ops/s: ([0-9.]+)' -- ./bench\n"
    "  hakmem ab --libc --budget 5m -- python3 job.py\n"
    "  hakmem ab show            (the last record again; or `show FILE`)\n\n"
    "exit status: 0 GO, 3 NO-GO, 4 NO DIFFERENCE DETECTED, 5 not proven, 1 a run failed, 2 usage, 130 interrupted";

static void read_primary(struct ab_given *g, const char *text) {
    g->ab->primary = measure_named(text);
    g->primary = true;
    if (g->ab->primary == MEASURES) {
        const char *names[MEASURES];
        for (int m = 0; m < MEASURES; m++) {
            names[m] = measures[m].name;
        }
        const char *near = nearest(text, names, MEASURES);
        fail(STATUS_USAGE,
             "--primary: no measure \"%s\"%s%s; one of wall, inside, cpu, rss, faults, switches, metric, instructions, "
             "branches",
             text, near ? "; did you mean " : "", near ? near : "");
    }
}

static void read_metric(struct ab *ab, const char *text) {
    static regex_t metric;
    int error = regcomp(&metric, text, REG_EXTENDED | REG_NEWLINE);
    if (error) {
        char why[128];
        regerror(error, &metric, why, sizeof why);
        fail(STATUS_USAGE, "--metric: \"%s\": %s; give an extended regular expression, as 'ops/s: ([0-9.]+)'", text,
             why);
    }
    if (metric.re_nsub < 1) {
        fail(STATUS_USAGE, "--metric: \"%s\" has no group; put parentheses around the number, as 'ops/s: ([0-9.]+)'",
             text);
    }
    ab->job.metric = &metric;
    ab->metric_text = xstrdup(text);
}

static void read_env(struct ab_given *g, const char *text) {
    if (!strchr(text, '=') || *text == '=') {
        fail(STATUS_USAGE, "--env: \"%s\" is not NAME=VALUE", text);
    }
    if (strncmp(text, "HAKMEM_", 7) == 0) {
        fail(STATUS_USAGE, "--env: %s is an option of hakmem; give it with --set, so that its effect is proven", text);
    }
    if (strncmp(text, "LD_PRELOAD=", 11) == 0 || strncmp(text, "HAK_", 4) == 0) {
        fail(STATUS_USAGE, "--env: %s: the comparison itself sets it; name libraries with --lib", text);
    }
    g->env = xrealloc(g->env, (g->envs + 2) * sizeof *g->env);
    g->env[g->envs++] = text;
    g->env[g->envs] = NULL;
}

static error_t parse_comparison(int key, char *text, struct ab_given *g) {
    switch (key) {
    case OPT_GATE:
        g->gate = text;
        return 0;
    case OPT_LIBC:
        g->libc = true;
        return 0;
    case OPT_LIB:
        g->lib = text;
        return 0;
    case OPT_SET:
        settings_add(&g->set, "--set", text);
        return 0;
    case OPT_VS:
        settings_add(&g->vs, "--vs", text);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_measure(int key, char *text, struct ab_given *g) {
    struct ab *ab = g->ab;
    switch (key) {
    case OPT_METRIC:
        read_metric(ab, text);
        return 0;
    case OPT_LOWER:
        ab->lower_is_better = true;
        return 0;
    case OPT_COUNT_ONLY:
        ab->count_only = true;
        ab->instructions = true;
        return 0;
    case OPT_INSTRUCTIONS:
        ab->instructions = true;
        return 0;
    case OPT_PRIMARY:
        read_primary(g, text);
        return 0;
    case OPT_THRESHOLD:
        ab->threshold = number_arg("--threshold", text, 0, 1000) / 100;
        return 0;
    case OPT_JSON:
        ab->json = true;
        return 0;
    case 'o':
        ab->output = text;
        return 0;
    default:
        return parse_comparison(key, text, g);
    }
}

static error_t parse(int key, char *text, struct argp_state *state) {
    struct ab_given *g = state->input;
    struct ab *ab = g->ab;
    switch (key) {
    case OPT_PAIRS:
        ab->pairs = integer_arg("--pairs", text, AB_LEAST_PAIRS, 100000);
        return 0;
    case OPT_BUDGET:
        ab->budget = seconds_arg("--budget", text);
        return 0;
    case OPT_PRECISION:
        ab->precision = number_arg("--precision", text, 0.01, 100) / 100;
        return 0;
    case OPT_WARMUP:
        ab->warmup = integer_arg("--warmup", text, 1, 1000);
        return 0;
    case OPT_CPU:
        ab->job.cpu = (int)integer_arg("--cpu", text, 0, 1023);
        return 0;
    case OPT_STDIN:
        ab->job.input = text;
        return 0;
    case OPT_ENV:
        read_env(g, text);
        return 0;
    case OPT_KEEP_ENV:
        ab->job.keep_env = true;
        return 0;
    case OPT_TIMEOUT:
        ab->job.timeout = seconds_arg("--timeout", text);
        return 0;
    case OPT_ANY_STATUS:
        ab->job.any_status = true;
        return 0;
    case OPT_SEED:
        ab->seed = integer_arg("--seed", text, 0, UINT64_MAX);
        return 0;
    default:
        return parse_measure(key, text, g);
    }
}

static void finish_arguments(struct ab_given *g, char **command) {
    struct ab *ab = g->ab;
    struct command c;
    if (!command[0]) {
        fail(STATUS_USAGE,
             "no command to measure; put it behind --, as: hakmem ab --lib libc,hakmem -- python3 -c pass");
    }
    command_find(&c, command[0]);
    if (c.reason) {
        fail(STATUS_NO_EXEC, "%s", c.reason);
    }
    ab_make_arms(ab, g, c.elf.machine);
    ab->job.argv = command;
    ab->job.more_env = g->env;
    if (!g->primary) {
        ab->primary = ab->count_only ? M_INSTRUCTIONS : ab->job.metric ? M_METRIC : M_WALL;
    }
    if (ab->primary == M_METRIC && !ab->job.metric) {
        fail(STATUS_USAGE, "--primary metric: which number? Give it with --metric REGEX");
    }
    bool counts = ab->primary == M_INSTRUCTIONS || ab->primary == M_BRANCHES;
    if (ab->count_only && !counts) {
        fail(STATUS_USAGE, "--primary %s: not measured with --count-only; one of instructions, branches",
             measures[ab->primary].name);
    }
    ab->instructions |= counts;
    ab->job.counters = ab->instructions && !ab->count_only && counters_available();
    if (ab->instructions && !ab->job.counters && access("/usr/bin/valgrind", X_OK) != 0) {
        fail(STATUS_FAILED,
             "--instructions: this machine has no counters and valgrind is not installed; `apt install valgrind`");
    }
    if (c.remark) {
        warn("note: %s", c.remark);
    }
}

char *ab_state_directory(void) {
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    char *path = state && *state ? xprintf("%s/hakmem", state) : xprintf("%s/.local/state/hakmem", home ? home : "");
    for (char *s = path + 1; (s = strchr(s, '/')); s++) {
        *s = 0;
        mkdir(path, 0755);
        *s = '/';
    }
    if (mkdir(path, 0755) != 0 && errno != EEXIST) {
        free(path);
        return NULL;
    }
    return path;
}

static char *default_output(void) {
    char *directory = ab_state_directory(), stamp[32];
    time_t now = time(NULL);
    strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", localtime(&now));
    return directory ? xprintf("%s/ab-%s-%d.json", directory, stamp, (int)getpid()) : NULL;
}

/* Found out before the rounds rather than after an hour of them. */
static void check_output(const char *path) {
    char *directory = xstrdup(path), *slash = strrchr(directory, '/');
    if (slash) {
        slash[slash == directory] = 0;
    }
    if (access(slash ? directory : ".", W_OK) != 0 && access(path, W_OK) != 0) {
        fail(STATUS_USAGE, "-o: cannot write %s: %s; give another place", path, strerror(errno));
    }
    free(directory);
}

int cmd_ab(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "show") == 0) {
        return ab_show(argc - 1, argv + 1);
    }
    struct ab ab = {.pairs = AB_LEAST_PAIRS,
                    .warmup = 1,
                    .budget = 60,
                    .precision = 0.01,
                    .threshold = 0.05,
                    .seed = (uint64_t)time(NULL),
                    .job.cpu = -1};
    struct ab_given g = {.ab = &ab};
    static const struct argp argp = {options, parse, "-- COMMAND [ARGUMENT]...\nshow [FILE]", doc, NULL, NULL, NULL};
    int rest = parse_args(&argp, argc, argv, &g);
    finish_arguments(&g, argv + rest);
    if (ab.output) {
        check_output(ab.output);
    }
    char *path = ab.output ? ab.output : default_output();
    if (!path) {
        warn("there is no place for the record (XDG_STATE_HOME, or ~/.local/state): %s; give one with -o",
             strerror(errno));
    }
    json_t *machine = machine_facts();
    interrupt_catch();
    struct rounds r;
    ab_rounds(&ab, &r);
    json_t *document = ab_document(&ab, &r, ab_analyse(&ab, &r), machine);
    bool saved = !path || json_save(document, path);
    if (ab.json) {
        json_print(document);
    } else {
        ab_print(document);
        if (saved && path) {
            printf("recorded in %s\n", path);
        }
    }
    bool written = output_done();
    return saved && written ? ab_status(document) : STATUS_FAILED;
}
