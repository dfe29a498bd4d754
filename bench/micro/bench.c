/* bench.c : the arguments, the windows and the report of every bench program.
 *
 * Each case runs in a process of its own, which this program starts as itself with --only NAME: what one case
 * leaves in the heap would be a present to the next, and its peak of resident memory is then the case's own. With
 * --windows (for counting tools such as callgrind) all cases run in this process. */
#define _GNU_SOURCE
#include "bench.h"
#include "bench_sys.h"

#include <errno.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { MAX_ARGUMENTS = 64 };

static struct {
    const struct bench_program *program;
    const char *prefix, *only, *profile;
    char *arguments[MAX_ARGUMENTS + 2]; /* ours, room for --only=NAME */
    int argument_count;
    char allocator[256]; /* the file whose malloc serves us */
    uint64_t windows;    /* exactly so many timed windows; 0: by time */
    uint64_t milliseconds, seed;
    bool json, list, quick, headed;
    unsigned reported;
} bench = {.milliseconds = 100, .seed = 1};

static char out_buffer[1 << 16];

void bench_die(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fflush(stdout);
    fprintf(stderr, "%s: ", bench.program ? bench.program->name : "bench");
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(2);
}

static bool has_option(const struct bench_program *p, const char *name) {
    for (const struct bench_option *o = p->options; o && o->name; o++)
        if (!strcmp(o->name, name))
            return true;
    return false;
}

static void help(const struct bench_program *p) {
    printf("usage: %s [OPTION]...", p->name);
    for (unsigned i = 0; i < p->positional; i++)
        printf(" [%s]", p->options[i].name);
    printf("\n%s\n\n", p->text);
    for (const struct bench_option *o = p->options; o && o->name; o++)
        printf("  --%-16s %s (%llu; %llu to %llu)\n", o->name, o->text, (unsigned long long)*o->value,
               (unsigned long long)o->min, (unsigned long long)o->max);
    if (p->profiles)
        printf("  --%-16s one of %s\n", "profile", p->profiles);
    printf("  --%-16s only the cases whose name begins with WORD\n", "case WORD");
    printf("  --%-16s time for each case (%llu)\n", "milliseconds", (unsigned long long)bench.milliseconds);
    printf("  --%-16s exactly so many timed windows a case, all in this process: for callgrind (0: by time)\n",
           "windows");
    if (!has_option(p, "seed"))
        printf("  --%-16s start of the random numbers (%llu)\n", "seed", (unsigned long long)bench.seed);
    printf("  --%-16s tiny sizes: shows that it works, measures nothing\n", "quick");
    printf("  --%-16s one JSON object a line\n", "json");
    printf("  --%-16s names the cases, runs none\n", "list");
    printf("\nexample: %s\nRuns under the malloc of the process: LD_PRELOAD=libhakmem.so %s\n", p->example, p->name);
}

static uint64_t number(const char *name, const char *text, uint64_t min, uint64_t max) {
    char *end;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    unsigned shift = 0;
    if (end != text && *end)
        shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
    if (end == text || end[shift ? 1 : 0] || errno || *text == '-' || v > UINT64_MAX >> shift)
        bench_die("%s: '%s' is not a number (digits, and K, M or G)", name, text);
    v <<= shift;
    if (v < min || v > max)
        bench_die("%s: %s is outside of %llu to %llu", name, text, (unsigned long long)min, (unsigned long long)max);
    return v;
}

/* Is word one of words, "a|b|c"? */
static bool word_in(const char *word, const char *words) {
    size_t n = strlen(word);
    for (;;) {
        size_t length = strcspn(words, "|");
        if (n == length && !strncmp(words, word, n))
            return true;
        if (!words[length])
            return false;
        words += length + 1;
    }
}

/* Handles the option name with its value; false if there is no such option. */
static bool set_option(const char *name, const char *value) {
    const struct bench_program *p = bench.program;
    for (const struct bench_option *o = p->options; o && o->name; o++)
        if (!strcmp(name, o->name)) {
            *o->value = number(name, value, o->min, o->max);
            return true;
        }
    if (!strcmp(name, "case"))
        bench.prefix = value;
    else if (!strcmp(name, "only"))
        bench.only = value;
    else if (!strcmp(name, "milliseconds"))
        bench.milliseconds = number(name, value, 1, 3600000);
    else if (!strcmp(name, "windows"))
        bench.windows = number(name, value, 0, 1000000);
    else if (!strcmp(name, "seed"))
        bench.seed = number(name, value, 0, UINT64_MAX);
    else if (!strcmp(name, "profile") && p->profiles) {
        if (!word_in(value, p->profiles))
            bench_die("profile: '%s' is not one of %s", value, p->profiles);
        bench.profile = value;
    } else
        return false;
    return true;
}

static bool set_flag(const char *name) {
    if (!strcmp(name, "help")) {
        help(bench.program);
        fflush(stdout);
        exit(0);
    }
    bool *flag = !strcmp(name, "json")    ? &bench.json
                 : !strcmp(name, "list")  ? &bench.list
                 : !strcmp(name, "quick") ? &bench.quick
                                          : NULL;
    if (flag)
        *flag = true;
    return flag;
}

void bench_init(const struct bench_program *program, int argc, char **argv) {
    bench.program = program;
    if (argc > MAX_ARGUMENTS)
        bench_die("more than %d arguments", MAX_ARGUMENTS);
    for (int i = 0; i < argc; i++)
        bench.arguments[i] = argv[i];
    bench.argument_count = argc;
    setvbuf(stdout, out_buffer, _IOFBF, sizeof out_buffer);
    unsigned place = 0;
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        if (!strcmp(arg, "-h"))
            arg = "--help";
        if (strncmp(arg, "--", 2) != 0) {
            if (place >= program->positional)
                bench_die("'%s' is one argument too many (--help)", arg);
            const struct bench_option *o = &program->options[place++];
            *o->value = number(o->name, arg, o->min, o->max);
            continue;
        }
        if (set_flag(arg + 2))
            continue;
        char name[64];
        const char *equals = strchr(arg, '=');
        size_t n = equals ? (size_t)(equals - arg - 2) : strlen(arg + 2);
        if (n >= sizeof name)
            bench_die("unknown option '%s' (--help)", arg);
        memcpy(name, arg + 2, n);
        name[n] = 0;
        if (!equals && i + 1 == argc)
            bench_die("'%s' is unknown or lacks its value (--help)", arg);
        if (!set_option(name, equals ? equals + 1 : argv[++i]))
            bench_die("unknown option '--%s' (--help)", name);
    }
    bench_sys_allocator(bench.allocator, sizeof bench.allocator);
    bench_sys_counters_open();
}

bool bench_quick(void) { return bench.quick; }

const char *bench_profile(void) { return bench.profile; }

uint64_t bench_seed(void) { return bench.seed; }

double bench_seconds(void) { return bench.quick ? 0.005 : (double)bench.milliseconds / 1e3; }

static void print_head(void) {
    if (!bench.json && !bench.headed)
        printf("%s under %s\n%-22s %10s %10s %10s %10s\n", bench.program->name, bench.allocator, "case", "ns/op",
               "instr/op", "branch/op", "peak MiB");
    bench.headed = true;
}

/* Runs one case in a process of its own. */
static void spawn_case(const char *name) {
    char only[128];
    pid_t pid;
    int status;
    snprintf(only, sizeof only, "--only=%s", name);
    bench.arguments[bench.argument_count] = only;
    bench.arguments[bench.argument_count + 1] = NULL;
    print_head();
    fflush(stdout);
    int error = posix_spawn(&pid, "/proc/self/exe", NULL, NULL, bench.arguments, environ);
    if (error)
        bench_die("cannot start case %s: %s", name, strerror(error));
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            bench_die("cannot wait for case %s: %s", name, strerror(errno));
    if (WIFSIGNALED(status))
        bench_die("case %s was ended by signal %d (%s)", name, WTERMSIG(status), strsignal(WTERMSIG(status)));
    if (WEXITSTATUS(status))
        bench_die("case %s failed with status %d", name, WEXITSTATUS(status));
    bench.reported++;
}

bool bench_begin(struct bench_case *run, const char *name) {
    if ((bench.prefix && strncmp(name, bench.prefix, strlen(bench.prefix)) != 0) ||
        (bench.only && strcmp(name, bench.only) != 0))
        return false;
    if (bench.list) {
        puts(name);
        bench.reported++;
        return false;
    }
    if (!bench.only && !bench.windows) {
        spawn_case(name);
        return false;
    }
    bench.headed = bench.headed || bench.only;
    memset(run, 0, sizeof *run);
    run->name = name;
    bench_sys_reset_peak();
    run->deadline = bench_now() + (uint64_t)(bench_seconds() * 1e9);
    return true;
}

bool bench_begin_once(struct bench_case *run, const char *name) {
    if (!bench_begin(run, name))
        return false;
    run->done = 1; /* as if the warm-up were over */
    return true;
}

bool bench_more(struct bench_case *run) {
    if (bench.windows)
        return run->done <= bench.windows;
    if (bench.quick)
        return run->done < 2;
    return run->done < 3 || bench_now() < run->deadline;
}

void bench_start(struct bench_case *run) {
    if (run->done)
        bench_sys_counters_start();
    run->begun = bench_now();
}

void bench_stop(struct bench_case *run, uint64_t ops) {
    uint64_t ns = bench_now() - run->begun;
    run->all_ops += ops;
    if (run->done++) {
        run->counted = bench_sys_counters_stop(run->count);
        run->ops += ops;
        double each = ops ? (double)ns / (double)ops : 0;
        if (run->best <= 0 || each < run->best)
            run->best = each;
    }
}

__attribute__((format(printf, 3, 4))) static void append(char *text, size_t size, const char *format, ...) {
    size_t n = strlen(text);
    va_list args;
    va_start(args, format);
    vsnprintf(text + n, size - n, format, args);
    va_end(args);
}

void bench_extra(struct bench_case *run, const char *name, double value, const char *unit) {
    append(run->extra, sizeof run->extra, "%s\"%s\":%.6g", run->extra[0] ? "," : "", name, value);
    append(run->extra_text, sizeof run->extra_text, "%s%s %.4g%s%s", run->extra_text[0] ? ", " : "", name, value,
           unit[0] ? " " : "", unit);
}

static void counter_text(char text[32], const struct bench_case *run, int which, const char *none) {
    if (run->counted && run->ops)
        snprintf(text, 32, "%.2f", (double)run->count[which] / (double)run->ops);
    else
        snprintf(text, 32, "%s", none);
}

void bench_report(struct bench_case *run) {
    char instructions[32], branches[32];
    uint64_t peak = bench_peak_rss();
    const char *none = bench.json ? "null" : "-";
    counter_text(instructions, run, 0, none);
    counter_text(branches, run, 1, none);
    if (bench.json) {
        printf("{\"bench\":\"%s\",\"case\":\"%s\",\"ns_per_op\":%.4f,\"instructions_per_op\":%s,\"branches_per_op\":%s,"
               "\"peak_rss_kib\":%llu,\"ops\":%llu,\"all_ops\":%llu,\"allocator\":\"%s\",\"extra\":{%s}}\n",
               bench.program->name, run->name, run->best, instructions, branches, (unsigned long long)peak >> 10,
               (unsigned long long)run->ops, (unsigned long long)run->all_ops, bench.allocator, run->extra);
    } else {
        print_head();
        printf("%-22s %10.2f %10s %10s %10.1f  %s\n", run->name, run->best, instructions, branches,
               (double)peak / (1 << 20), run->extra_text);
    }
    bench.reported++;
    fflush(stdout);
}

void bench_windows(struct bench_case *run, uint64_t (*window)(void)) {
    while (bench_more(run)) {
        bench_start(run);
        bench_stop(run, window());
    }
    bench_report(run);
}

int bench_finish(void) {
    if (!bench.reported)
        bench_die("no case begins with '%s' (--list names them)", bench.prefix ? bench.prefix : "");
    fflush(stdout);
    return ferror(stdout) ? 1 : 0;
}
