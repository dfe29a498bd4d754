/* cmd_check.c : `hakmem check`: which allocator serves a live process, or would serve a command, and with which options. */
#include "command.h"
#include "gate_env.h"
#include "locate.h"
#include "process.h"
#include "util.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What was found out. */
struct finding {
    pid_t pid; /* 0: a command that does not run */
    char *program;
    const struct allocator *allocator;
    char *object;    /* the file that serves malloc; the program itself when static */
    const char *how; /* "static", "built into the program", "preloaded", "linked" */
    const struct allocator
        *also;              /* a further allocator inside the program, whose own calls may not go through malloc */
    json_t *options;        /* name -> {value, origin} */
    char *refused, *remark; /* why `hakmem run` would refuse; what one should know */
    bool exact;
};

static void add_option(json_t *options, const char *name, const char *value, const char *origin) {
    json_object_set_new(options, name, json_pack("{s:s, s:s}", "value", value, "origin", origin));
}

/* Has the library every option that we know? Another version's struct could not be read with our table. */
static bool same_table(const struct elf_file *elf) {
    for (size_t i = 0; i < gate_row_count; i++) {
        if (!elf_contains(elf, gate_rows[i].name)) {
            return false;
        }
    }
    return true;
}

/* The values in the process's memory: the library's struct of options begins with one 64-bit word a row. Only the library's own symbol table
 * tells where; a stripped library, another version's, or one that has not started yet (hak_mode, src/cold/init.h) falls back to the environment. */
enum { MODE_ON = 3 };
static bool options_in_memory(json_t *options, pid_t pid, const struct object *o) {
    struct elf_file elf;
    if (!pid || !elf_open(&elf, o->file)) {
        return false;
    }
    uint64_t address = same_table(&elf) ? elf_address(&elf, "hak_gates_page", NULL) : 0;
    uint64_t mode_address = elf_address(&elf, "hak_mode", NULL);
    uint32_t mode = 0;
    elf_close(&elf);
    uint64_t *value = xmalloc(gate_row_count * sizeof *value);
    bool good = address && mode_address && process_read(pid, o->bias + mode_address, &mode, sizeof mode) &&
                mode >= MODE_ON && process_read(pid, o->bias + address, value, gate_row_count * sizeof *value);
    for (size_t i = 0; i < gate_row_count && good; i++) {
        good = value[i] >= gate_rows[i].min && value[i] <= gate_rows[i].max;
    }
    for (size_t i = 0; i < gate_row_count && good; i++) {
        add_option(options, gate_rows[i].name, gate_print(&gate_rows[i], value[i]), "memory");
    }
    free(value);
    return good;
}

static void options_in_environment(struct finding *f, char *const *env) {
    if (!env) {
        return;
    }
    if (strcmp(f->allocator->name, "hakmem") == 0) {
        for (size_t i = 0; i < gate_row_count; i++) {
            struct gate_value v = gate_effective(&gate_rows[i], env);
            add_option(f->options, gate_rows[i].name, gate_print(&gate_rows[i], v.value), v.origin);
            free(v.problem);
        }
        return;
    }
    const char *prefix = f->allocator->variables, *more = f->allocator->more;
    for (; *env; env++) {
        size_t n = strcspn(*env, "=");
        if ((*prefix && strncmp(*env, prefix, strlen(prefix)) == 0) ||
            (more && strncmp(*env, more, strlen(more)) == 0)) {
            char *name = xprintf("%.*s", (int)n, *env);
            add_option(f->options, name, (*env)[n] ? *env + n + 1 : "", "environment");
            free(name);
        }
    }
}

/* Does LD_PRELOAD name that object? */
static bool is_preloaded(char *const *env, const char *object) {
    const char *list = env ? env_value(env, "LD_PRELOAD") : NULL, *base = strrchr(object, '/');
    return list && (strstr(list, object) || (base && strstr(list, base + 1)));
}

static void find_server(struct finding *f, const struct objects *o, char *const *env) {
    struct elf_file elf;
    for (size_t i = 0; i < o->count && !f->object; i++) {
        if (!elf_open(&elf, o->item[i].file)) {
            continue;
        }
        bool alone = i == 0 && !elf.interpreter && elf.type != ET_DYN;
        alone = alone || (i == 0 && !elf.interpreter && o->count <= 1);
        if (alone || elf_defines(&elf, "malloc", false)) {
            f->allocator = allocator_in(&elf, o->item[i].name, true);
            f->object = xstrdup(o->item[i].name);
            f->exact = alone;
            f->how = alone                                ? "static"
                     : i == 0                             ? "built into the program"
                     : is_preloaded(env, o->item[i].name) ? "preloaded"
                                                          : "linked";
            if (f->allocator && strcmp(f->allocator->name, "hakmem") == 0) {
                options_in_memory(f->options, f->pid, &o->item[i]);
            }
        } else if (i == 0) {
            f->also = allocator_in(&elf, o->item[i].name, true);
            f->also =
                f->also && strcmp(f->also->name, "libc") != 0 && strcmp(f->also->name, "musl") != 0 ? f->also : NULL;
        }
        elf_close(&elf);
    }
    f->exact |= o->exact;
    if (f->allocator && json_object_size(f->options) == 0) {
        options_in_environment(f, env);
    }
}

static void check_process(struct finding *f, pid_t pid) {
    struct objects o = {0};
    struct command c;
    if (kill(pid, 0) != 0 && errno == ESRCH) {
        fail(STATUS_FAILED, "%d: there is no such process; `ps` lists them", (int)pid);
    }
    f->pid = pid;
    if (!objects_of_process(&o, pid)) {
        fail(STATUS_FAILED, "%d: cannot be looked into: %s; %s", (int)pid, strerror(errno),
             errno == ENOENT ? "a kernel thread has no allocator of this kind" : "run as its user, or with sudo");
    }
    f->program = xstrdup(o.item[0].name);
    find_server(f, &o, process_environment(pid));
    if (command_of_file(&c, o.item[0].file)) {
        f->remark = c.remark;
        f->refused = c.reason;
    }
}

static void check_command(struct finding *f, const char *name) {
    struct objects o = {0};
    struct command c;
    command_find(&c, name);
    f->program = c.program;
    f->remark = c.remark;
    f->refused = c.reason;
    if (!c.elf.interpreter) {
        o.item = xmalloc(sizeof *o.item);
        o.item[0] = (struct object){c.program, c.program, 0};
        o.count = 1;
        o.exact = true;
    } else if (!objects_of_command(&o, c.elf.interpreter, c.program)) {
        warn("%s: its loader %s does not list what it would load; only the program itself is judged", c.program,
             c.elf.interpreter);
    }
    find_server(f, &o, environ);
    elf_close(&c.elf);
}

static json_t *finding_json(const struct finding *f) {
    return json_pack("{s:i, s:s, s:s, s:s?, s:s?, s:s?, s:O, s:s?, s:s?, s:b}", "pid", (int)f->pid, "program",
                     f->program, "allocator", f->allocator ? f->allocator->name : "unknown", "object", f->object, "how",
                     f->how, "also", f->also ? f->also->name : NULL, "options", f->options, "refused", f->refused,
                     "remark", f->remark, "exact", f->exact);
}

static void print(const struct finding *f) {
    printf("%s%s: %s", f->program, f->pid ? xprintf(" (%d)", (int)f->pid) : "",
           f->allocator ? f->allocator->name : "an unknown allocator");
    if (f->object) {
        printf(", %s%s%s", f->how, strcmp(f->object, f->program) ? ": " : "",
               strcmp(f->object, f->program) ? f->object : "");
    }
    puts(f->exact ? "" : " (guessed from the map of memory)");
    const char *name;
    json_t *option;
    json_object_foreach(f->options, name, option) {
        printf("  %s=%s (%s)\n", name, json_string_value(json_object_get(option, "value")),
               json_string_value(json_object_get(option, "origin")));
    }
    if (f->also) {
        printf("  the program also holds %s, which its own code may call directly\n", f->also->name);
    }
    if (f->remark) {
        printf("  %s\n", f->remark);
    }
    if (f->refused) {
        printf("  `hakmem run` cannot serve it: %s\n", f->refused);
    }
}

int cmd_check(int argc, char **argv) {
    static const struct argp_option options[] = {{"json", 'j', 0, 0, "as JSON", 0}, {0, 0, 0, 0, 0, 0}};
    static const struct argp argp = {
        options,
        parse_kept,
        "PID|COMMAND",
        "Tells which allocator serves a live process, or would serve a command started from here, with its options.\v"
        "exit status: 0 known, 1 no such process or an allocator that is not known, 127 no such command\n\n"
        "examples:\n  hakmem check 1234\n  hakmem check redis-server\n",
        NULL,
        NULL,
        NULL};
    bool json = false;
    int rest = parse_mixed(&argp, argc, argv, (struct kept[]){{'j', &json, NULL}, {0}});
    if (argc - rest != 1) {
        fail(STATUS_USAGE, "%s; for example: hakmem check 1234",
             argc == rest ? "which process or command? Give a PID or a name" : "one PID or name at a time");
    }
    const char *what = argv[rest];
    struct finding f = {.options = json_object()};
    if (*what && !what[strspn(what, "0123456789")]) {
        check_process(&f, (pid_t)integer_arg("PID", what, 1, 4194304));
    } else {
        check_command(&f, what);
    }
    if (json) {
        json_print(finding_json(&f));
    } else {
        print(&f);
    }
    return !output_done() || !f.allocator ? STATUS_FAILED : STATUS_OK;
}
