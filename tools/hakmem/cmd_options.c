/* cmd_options.c : `hakmem options`: every option, from the one table that the library is built from too. */
#include "gate_env.h"
#include "util.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct given {
    bool all, json;
};

static const struct argp_option arguments[] = {
    {"all", 'a', 0, 0, "type, kind, state, box and decision record too, and the names of older versions", 0},
    {"json", 'j', 0, 0, "everything as JSON", 0},
    {0, 0, 0, 0, 0, 0},
};

static const char doc[] =
    "Lists hakmem's options with the values that a program started from here would get, and where they come from.\v"
    "A program gets an option as HAKMEM_NAME=VALUE in its environment, or as name:value in HAKMEM_CONF.\n\n"
    "examples:\n"
    "  hakmem options --all\n"
    "  HAKMEM_DECAY=0 hakmem options decay\n";

static json_t *row_json(const struct gate_row *row) {
    struct gate_value v = gate_effective(row, environ);
    json_t *out = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "name", row->name, "environment",
                            gate_environment(row), "type", row->type, "range", gate_range(row), "default",
                            gate_print(row, row->def), "value", gate_print(row, v.value), "origin", v.origin);
    json_object_set_new(out, "kind", json_string(row->kind));
    json_object_set_new(out, "state", json_string(row->state));
    json_object_set_new(out, "box", json_string(row->box));
    json_object_set_new(out, "record", json_string(row->record));
    json_object_set_new(out, "text", json_string(row->text));
    if (v.problem) {
        json_object_set_new(out, "problem", json_string(v.problem));
    }
    free(v.problem);
    return out;
}

static void print_row(const struct gate_row *row, bool all) {
    struct gate_value v = gate_effective(row, environ);
    printf("%-18s %-12s %-12s default %s, %s\n", row->name, gate_print(row, v.value), v.origin,
           gate_print(row, row->def), gate_range(row));
    if (all) {
        printf("    %s; type %s; kind %s; state %s; box %s; record %s\n", gate_environment(row), row->type, row->kind,
               row->state, row->box, *row->record ? row->record : "none");
    }
    printf("    %s\n", row->text);
    if (v.problem) {
        printf("    WARNING %s\n", v.problem);
    }
    free(v.problem);
}

static void print_stranger(void *context, const char *message) {
    (void)context;
    warn("%s", message);
}

static void add_stranger(void *context, const char *message) { json_array_append_new(context, json_string(message)); }

static void print_old(void) {
    puts("names of older versions:");
#define HAK_GATE(name, type, choices, def, min, max, kind, state, box, record, text)
#define HAK_GATE_OLD(name, text) printf("%-18s replaced by %s\n", #name, text);
#include "gates/gates.def"
}

/* The rows that the user named, or all. */
static bool wanted(const struct gate_row *row, char **names) {
    for (char **n = names; *n; n++) {
        if (gate_find(*n) == row) {
            return true;
        }
    }
    return !*names;
}

int cmd_options(int argc, char **argv) {
    static const struct argp argp = {arguments, parse_kept, "[NAME]...", doc, NULL, NULL, NULL};
    struct given g = {0};
    int rest = parse_mixed(&argp, argc, argv, (struct kept[]){{'a', &g.all, NULL}, {'j', &g.json, NULL}, {0}});
    char **names = argv + rest;
    for (char **n = names; *n; n++) {
        gate_need(NULL, *n);
    }
    json_t *list = json_array(), *warnings = json_array();
    for (size_t i = 0; i < gate_row_count; i++) {
        if (!wanted(&gate_rows[i], names)) {
            continue;
        }
        if (g.json) {
            json_array_append_new(list, row_json(&gate_rows[i]));
        } else {
            print_row(&gate_rows[i], g.all);
        }
    }
    if (g.all && !g.json && !*names) {
        print_old();
    }
    if (g.json) {
        gate_strangers(environ, add_stranger, warnings);
        json_print(json_pack("{s:O, s:O}", "options", list, "warnings", warnings));
    } else {
        gate_strangers(environ, print_stranger, NULL);
    }
    json_decref(list);
    json_decref(warnings);
    return output_done() ? STATUS_OK : STATUS_FAILED;
}
