/* cmd_bench.c : `hakmem bench`: the bench programs beside the tool, under every allocator found, as one table of ratios to libc. */
#include "bench_table.h"
#include "locate.h"
#include "proof.h"
#include "sample.h"
#include "statistics.h"
#include "util.h"
#include <dirent.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { OPT_LIB = 256, OPT_BUDGET, OPT_ROUNDS, OPT_MS, OPT_QUICK, OPT_CASE, OPT_LIST, OPT_CPU, OPT_SEED, OPT_JSON };
enum { BUDGET_S = 300, ROUNDS = 7, MOST_ROUNDS = 1000 };

static const struct argp_option options[] = {
    {"lib", OPT_LIB, "A,B,...", 0, "these allocators beside libc (default: every one found): names or paths", 0},
    {"budget", OPT_BUDGET, "TIME", 0,
     "as many rounds as fit into so long, the first always whole (5m, at most 7 rounds; with --rounds: none)", 0},
    {"rounds", OPT_ROUNDS, "N", 0, "runs of each bench under each allocator, however long they take", 0},
    {"milliseconds", OPT_MS, "N", 0, "time for one case in one run (40)", 0},
    {"case", OPT_CASE, "WORD", 0, "only the cases whose name begins with WORD", 0},
    {"quick", OPT_QUICK, 0, 0, "tiny sizes and two rounds: shows that it works, measures nothing", 0},
    {"list", OPT_LIST, 0, 0, "names the suites and benches", 0},
    {"cpu", OPT_CPU, "N", 0, "pin the runs to processor N", 0},
    {"seed", OPT_SEED, "N", 0, "start of the random order", 0},
    {0, 'o', "FILE", 0, "record everything as JSON here", 0},
    {"json", OPT_JSON, 0, 0, "print the record instead of a table", 0},
    {0, 0, 0, 0, 0, 0},
};

static const char doc[] =
    "Runs the benches of a suite (or one bench) under hakmem and every allocator found, in interleaved rounds, and "
    "prints the time of an "
    "operation as a ratio to libc with its 95 % interval. libc runs twice: its second column is what no difference "
    "looks like; a ratio "
    "within its spread is marked ~.\v"
    "Round after round, so that an end before the last one still shows every bench. Without an argument: all benches, "
    "up to "
    "seven rounds in five minutes; the first round is always whole. A suite or a bench alone takes as long, or less "
    "where seven "
    "rounds need less.\n\n"
    "suites: notes (comprehensive random_mixed larson), micro, macro, all; or the name of a bench\n\n"
    "examples:\n"
    "  hakmem bench notes\n"
    "  hakmem bench all --budget 20m -o all.json\n"
    "  hakmem bench comprehensive --case lifo --lib hakmem,mimalloc -o lifo.json\n";

struct given {
    struct bench_plan plan;
    char *libs;
    const char *output;
    bool list, json;
};

static error_t parse(int key, char *text, struct argp_state *state) {
    struct given *g = state->input;
    switch (key) {
    case OPT_LIB:
        g->libs = text;
        return 0;
    case OPT_BUDGET:
        g->plan.budget = seconds_arg("--budget", text);
        return 0;
    case OPT_ROUNDS:
        g->plan.rounds = integer_arg("--rounds", text, 2, MOST_ROUNDS);
        return 0;
    case OPT_MS:
        g->plan.milliseconds = xstrdup(text);
        integer_arg("--milliseconds", text, 1, 3600000);
        return 0;
    case OPT_CASE:
        g->plan.prefix = text;
        return 0;
    case OPT_QUICK:
        g->plan.quick = true;
        return 0;
    case OPT_LIST:
        g->list = true;
        return 0;
    case OPT_CPU:
        g->plan.cpu = (int)integer_arg("--cpu", text, 0, 1023);
        return 0;
    case OPT_SEED:
        g->plan.seed = integer_arg("--seed", text, 0, UINT64_MAX);
        return 0;
    case OPT_JSON:
        g->json = true;
        return 0;
    case 'o':
        g->output = text;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Suites by name; a bench that is in none belongs to "all" only. */
static const struct {
    const char *name, *benches;
} suites[] = {
    {"notes", " comprehensive random_mixed larson "},
    {"micro", " comprehensive random_mixed bulk calloc realloc walk "},
    {"macro", " larson frag threads prodcons startup large "},
};

static int by_name(const void *a, const void *b) {
    const char *x, *y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return strcmp(x, y);
}

/* The benches that lie beside the tool, or where they are installed. */
static void find_benches(struct bench_plan *plan) {
    static const char *const places[] = {"", "/../libexec/hakmem", "/../lib/hakmem"};
    for (size_t i = 0; i < sizeof places / sizeof places[0] && plan->benches == 0; i++) {
        plan->directory = xprintf("%s%s", tool_directory(), places[i]);
        DIR *d = opendir(plan->directory);
        for (struct dirent *e; d && (e = readdir(d));) {
            if (strncmp(e->d_name, "bench_", 6) == 0 && !strchr(e->d_name, '.') && plan->benches < BENCH_MOST) {
                plan->bench[plan->benches++] = xstrdup(e->d_name + 6);
            }
        }
        if (d) {
            closedir(d);
        }
    }
    if (plan->benches == 0) {
        fail(STATUS_FAILED,
             "there is no bench beside the tool (%s/bench_*); build them, or install them in ../libexec/hakmem",
             tool_directory());
    }
    qsort(plan->bench, plan->benches, sizeof plan->bench[0], by_name);
}

/* Keeps the benches of the suite. */
static void choose(struct bench_plan *plan, const char *suite) {
    const char *list = NULL;
    for (size_t i = 0; i < sizeof suites / sizeof suites[0]; i++) {
        list = strcmp(suites[i].name, suite) == 0 ? suites[i].benches : list;
    }
    if (strncmp(suite, "bench_", 6) == 0) {
        suite += 6;
    }
    size_t n = 0;
    for (size_t i = 0; i < plan->benches && strcmp(suite, "all") != 0; i++) {
        char *word = xprintf(" %s ", plan->bench[i]);
        if (list ? strstr(list, word) != NULL : strcmp(plan->bench[i], suite) == 0) {
            plan->bench[n++] = plan->bench[i];
        }
        free(word);
    }
    if (strcmp(suite, "all") == 0) {
        return;
    }
    if (n == 0) {
        const char *names[BENCH_MOST + 4] = {"notes", "micro", "macro", "all"};
        memcpy(names + 4, plan->bench, plan->benches * sizeof names[0]);
        const char *near = nearest(suite, names, plan->benches + 4);
        fail(STATUS_USAGE, "no suite or bench \"%s\"%s%s; `hakmem bench --list` names them", suite,
             near ? "; did you mean " : "", near ? near : "");
    }
    plan->benches = n;
}

static void add_allocator(struct bench_plan *plan, char *path) {
    if (plan->allocators == BENCH_MOST_ALLOCATORS) {
        fail(STATUS_USAGE, "--lib: at most %d allocators", BENCH_MOST_ALLOCATORS);
    }
    plan->library[plan->allocators] = path;
    plan->label[plan->allocators++] = library_label(path);
}

static void choose_allocators(struct bench_plan *plan, char *libs) {
    add_allocator(plan, xstrdup(""));
    add_allocator(plan, xstrdup(""));
    plan->label[1] = "libc'";
    if (libs) {
        for (char *save, *name = strtok_r(libs, ",", &save); name; name = strtok_r(NULL, ",", &save)) {
            char *path = library_need("--lib", name, elf_own_machine());
            if (*path) {
                add_allocator(plan, path);
            }
        }
        return;
    }
    for (size_t i = 0; i < allocator_count; i++) {
        char *path = library_find(&allocators[i], elf_own_machine());
        char *real = path ? realpath(path, NULL) : NULL;
        if (real) {
            add_allocator(plan, real);
        }
        free(path);
    }
}

/* Without a word about it: 7 rounds or five minutes, whichever comes first. */
static void choose_length(struct bench_plan *plan) {
    bool timed = plan->budget >= 0;
    plan->budget = timed ? plan->budget : plan->rounds || plan->quick ? (double)INFINITY : BUDGET_S;
    plan->rounds = plan->rounds ? plan->rounds : plan->quick ? 2 : timed ? MOST_ROUNDS : ROUNDS;
}

int cmd_bench(int argc, char **argv) {
    static const struct argp argp = {options, parse, "[SUITE|BENCH]", doc, NULL, NULL, NULL};
    struct given g = {
        .plan = {.rounds = 0, .budget = -1, .milliseconds = "40", .cpu = -1, .seed = (uint64_t)time(NULL)}};
    int rest = parse_mixed(&argp, argc, argv, &g);
    if (argc - rest > 1) {
        fail(STATUS_USAGE, "one suite or bench at a time; `hakmem bench --list` names them");
    }
    find_benches(&g.plan);
    if (g.list) {
        puts("suites: notes micro macro all");
        for (size_t i = 0; i < g.plan.benches; i++) {
            printf("%s\n", g.plan.bench[i]);
        }
        return output_done() ? STATUS_OK : STATUS_FAILED;
    }
    choose(&g.plan, rest < argc ? argv[rest] : "all");
    choose_allocators(&g.plan, g.libs);
    choose_length(&g.plan);
    interrupt_catch();
    json_t *document = bench_run(&g.plan);
    bool saved = !g.output || json_save(document, g.output);
    if (g.json) {
        json_print(document);
    } else {
        bench_print(document);
    }
    bool good = json_array_size(json_object_get(document, "failures")) == 0;
    return interrupted() ? STATUS_SIGNAL + 2 : saved && good && output_done() ? STATUS_OK : STATUS_FAILED;
}
