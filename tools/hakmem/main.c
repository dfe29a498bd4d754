/* main.c : the command line `hakmem`: a table of verbs, and the way to them. */
#include "util.h"
#include <string.h>

/* The verbs that lie in files of their own and may be left out of a build. */
__attribute__((weak)) int cmd_record(int argc, char **argv);
__attribute__((weak)) int cmd_replay(int argc, char **argv);
__attribute__((weak)) int cmd_trace(int argc, char **argv);
__attribute__((weak)) int cmd_report(int argc, char **argv);

static const struct verb {
    const char *name, *text;
    int (*function)(int argc, char **argv);
} verbs[] = {
    {"run", "run a command under hakmem, and prove that it was served", cmd_run},
    {"check", "which allocator serves a process or would serve a command", cmd_check},
    {"options", "every option: type, range, default, effective value and where it came from", cmd_options},
    {"ab", "compare two allocators or two settings on the same work", cmd_ab},
    {"bench", "the benches, hakmem beside every allocator found", cmd_bench},
    {"record", "record every allocation of a program", cmd_record},
    {"replay", "replay a recording against any allocator", cmd_replay},
    {"trace", "summarise a recording", cmd_trace},
    {"report", "one HTML page of results", cmd_report},
};
enum { VERBS = sizeof verbs / sizeof verbs[0] };

static void print_help(FILE *out) {
    fputs("usage: hakmem VERB [ARGUMENT]...\n\n", out);
    for (size_t i = 0; i < VERBS; i++) {
        if (verbs[i].function) {
            fprintf(out, "  %-8s  %s\n", verbs[i].name, verbs[i].text);
        }
    }
    fputs("\n`hakmem VERB --help` tells a verb's arguments, with examples; hakmem(1) the exit statuses.\n"
          "example: hakmem run --stats -- python3 -c 'print(1)'\n",
          out);
}

static const struct verb *find_verb(const char *name) {
    for (size_t i = 0; i < VERBS; i++) {
        if (strcmp(verbs[i].name, name) == 0 && verbs[i].function) {
            return &verbs[i];
        }
    }
    return NULL;
}

static _Noreturn void unknown_verb(const char *name) {
    const char *names[VERBS];
    size_t n = 0;
    for (size_t i = 0; i < VERBS; i++) {
        if (verbs[i].function) {
            names[n++] = verbs[i].name;
        }
    }
    const char *near = nearest(name, names, n);
    if (near) {
        fail(STATUS_USAGE, "no verb \"%s\"; did you mean \"%s\"? `hakmem --help` lists them", name, near);
    }
    fail(STATUS_USAGE, "no verb \"%s\"; `hakmem --help` lists them", name);
}

int main(int argc, char **argv) {
    if (argc < 2) {
        print_help(stderr);
        return STATUS_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        if (argc > 2 && find_verb(argv[2])) {
            char *help[] = {xprintf("hakmem %s", argv[2]), xstrdup("--help"), NULL};
            return find_verb(argv[2])->function(2, help);
        }
        print_help(stdout);
        return output_done() ? STATUS_OK : STATUS_FAILED;
    }
    if (strcmp(name, "--version") == 0) {
        puts("hakmem " HAKMEM_TOOL_VERSION);
        return output_done() ? STATUS_OK : STATUS_FAILED;
    }
    const struct verb *verb = find_verb(name);
    if (!verb) {
        unknown_verb(name);
    }
    util_verb = verb->name;
    argv[1] = xprintf("hakmem %s", verb->name);
    return verb->function(argc - 1, argv + 1);
}
