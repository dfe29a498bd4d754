/* gate_table.c : the options' names and values, checked before a program starts, by the library's rules. */
#include "gate_table.h"
#include "elf_file.h"
#include "util.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The table's words, as gates.def writes them and as people read them. */
#define TYPE_BOOL "bool"
#define TYPE_UINT "number"
#define TYPE_SIZE "bytes"
#define TYPE_MSEC "ms"
#define TYPE_ENUM "word"
#define KIND_BUILD "build"
#define KIND_FOLDED "folded"
#define KIND_COLD "cold"
#define KIND_LIVE "cold, live"
#define STATE_TRIAL "trial"
#define STATE_ON "on"
#define STATE_SETTLED "settled"

const struct gate_row gate_rows[] = {
#define HAK_GATE(name, type, choices, def, min, max, kind, state, box, record, text) \
    {#name, choices, TYPE_##type, KIND_##kind, STATE_##state, box, record, text, def, min, max, GATE_##type},
#include "gates/gates.def"
};
const size_t gate_row_count = sizeof gate_rows / sizeof gate_rows[0];

/* Switches of libhakmem-variants.so only. */
static const struct gate_row variant_rows[] = {
#define HAK_GATE(name, type, choices, def, min, max, kind, state, box, record, text) \
    {#name, choices, TYPE_##type, KIND_##kind, STATE_##state, box, record, text, def, min, max, GATE_##type},
#include "variants.def"
};
enum { VARIANT_ROWS = sizeof variant_rows / sizeof variant_rows[0] };
static const char variants_symbol[] = "hak_front_chosen"; /* bench/variants/judge.h */

static const struct {
    const char *name, *text;
} old_rows[] = {
#define HAK_GATE(name, type, choices, def, min, max, kind, state, box, record, text)
#define HAK_GATE_OLD(name, text) {#name, text},
#include "gates/gates.def"
};

static const char *without_prefix(const char *name) {
    static const char prefix[] = "HAKMEM_";
    return strncasecmp(name, prefix, sizeof prefix - 1) == 0 ? name + sizeof prefix - 1 : name;
}

const struct gate_row *gate_find(const char *name) {
    name = without_prefix(name);
    for (size_t i = 0; i < gate_row_count; i++) {
        if (strcasecmp(gate_rows[i].name, name) == 0) {
            return &gate_rows[i];
        }
    }
    return NULL;
}

const char *gate_replaced(const char *name) {
    name = without_prefix(name);
    for (size_t i = 0; i < sizeof old_rows / sizeof old_rows[0]; i++) {
        if (strcasecmp(old_rows[i].name, name) == 0) {
            return old_rows[i].text;
        }
    }
    return NULL;
}

const struct gate_row *gate_need(const char *where, const char *name) {
    const struct gate_row *row = gate_find(name);
    if (row) {
        return row;
    }
    const char *option = where ? xprintf("%s: ", where) : "";
    if (gate_replaced(name)) {
        fail(STATUS_USAGE, "%soption %s is settled and gone: replaced by %s", option, name, gate_replaced(name));
    }
    const char **names = xmalloc(gate_row_count * sizeof *names);
    for (size_t i = 0; i < gate_row_count; i++) {
        names[i] = gate_rows[i].name;
    }
    char lower[64];
    size_t n = 0;
    for (const char *s = without_prefix(name); *s && n + 1 < sizeof lower; s++) {
        lower[n++] = (char)tolower((unsigned char)*s);
    }
    lower[n] = 0;
    const char *near = nearest(lower, names, gate_row_count);
    if (near) {
        fail(STATUS_USAGE, "%sno option \"%s\"; did you mean \"%s\"? `hakmem options` lists them", option, name, near);
    }
    fail(STATUS_USAGE, "%sno option \"%s\"; `hakmem options` lists them", option, name);
}

static const struct gate_row *variant_find(const char *name) {
    name = without_prefix(name);
    for (size_t i = 0; i < VARIANT_ROWS; i++) {
        if (strcasecmp(variant_rows[i].name, name) == 0) {
            return &variant_rows[i];
        }
    }
    return NULL;
}

static bool has_variants(const char *library) {
    struct elf_file elf;
    if (!*library || !elf_open(&elf, library)) {
        return false;
    }
    bool has = elf_defines(&elf, variants_symbol, true);
    elf_close(&elf);
    return has;
}

void settings_check(const struct settings *s, const char *library) {
    for (size_t i = 0; i < s->count; i++) {
        const struct gate_row *row = s->item[i].row;
        if (!row || row < variant_rows || row >= variant_rows + VARIANT_ROWS || has_variants(library)) {
            continue;
        }
        const char *old = gate_replaced(row->name);
        fail(STATUS_USAGE,
             "option %s is settled%s%s; only libhakmem-variants.so has it (bench/variants): name it with --lib",
             row->name, old ? " and gone: replaced by " : "", old ? old : "");
    }
}

static int choice_index(const char *choices, const char *text) {
    size_t n = strlen(text);
    int index = 0;
    for (const char *c = choices; c; index++) {
        size_t len = strcspn(c, "|");
        if (len == n && memcmp(c, text, n) == 0) {
            return index;
        }
        c = c[len] ? c + len + 1 : NULL;
    }
    return -1;
}

static bool parse_number(const struct gate_row *row, const char *text, uint64_t *value) {
    uint64_t v = 0;
    const char *s = text;
    for (; *s >= '0' && *s <= '9'; s++) {
        if (__builtin_mul_overflow(v, (uint64_t)10, &v) || __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v)) {
            v = UINT64_MAX;
        }
    }
    unsigned shift = 0;
    if (s > text && row->as == GATE_SIZE && *s && !s[1]) {
        shift = *s == 'k' || *s == 'K' ? 10 : *s == 'm' || *s == 'M' ? 20 : *s == 'g' || *s == 'G' ? 30 : 0;
        s += shift != 0;
    }
    *value = v > UINT64_MAX >> shift ? UINT64_MAX : v << shift;
    return s > text && !*s;
}

bool gate_parse(const struct gate_row *row, const char *text, uint64_t *value, const char **why) {
    static const char bools[] = "0|off|false|no|1|on|true|yes";
    if (row->as == GATE_BOOL || row->as == GATE_ENUM) {
        int k = choice_index(row->as == GATE_BOOL ? bools : row->choices, text);
        *value = row->as == GATE_BOOL ? k >= 4 : (uint64_t)k;
        *why = "not one of";
        return k >= 0;
    }
    *why = "not a number from";
    if (!parse_number(row, text, value)) {
        return false;
    }
    *why = "out of the range";
    return *value >= row->min && *value <= row->max;
}

const char *gate_print(const struct gate_row *row, uint64_t value) {
    static char buffers[4][64];
    static unsigned next;
    char *out = buffers[next++ % 4];
    if (row->as != GATE_ENUM) {
        snprintf(out, sizeof buffers[0], "%llu", (unsigned long long)value);
        return out;
    }
    const char *c = row->choices;
    for (; value && strchr(c, '|'); value--) {
        c = strchr(c, '|') + 1;
    }
    snprintf(out, sizeof buffers[0], "%.*s", (int)strcspn(c, "|"), c);
    return out;
}

const char *gate_range(const struct gate_row *row) {
    static char out[64];
    if (row->as == GATE_BOOL) {
        return "0|1|off|on";
    }
    if (row->as == GATE_ENUM) {
        return row->choices;
    }
    snprintf(out, sizeof out, "%llu..%llu", (unsigned long long)row->min, (unsigned long long)row->max);
    return out;
}

const char *gate_environment(const struct gate_row *row) {
    static char out[72];
    size_t n = (size_t)snprintf(out, sizeof out, "HAKMEM_%s", row->name);
    for (size_t i = 0; i < n && i < sizeof out; i++) {
        out[i] = (char)toupper((unsigned char)out[i]);
    }
    return out;
}

static struct setting *settings_slot(struct settings *s, const char *name) {
    for (size_t i = 0; i < s->count; i++) {
        if (strcmp(s->item[i].name, name) == 0) {
            return &s->item[i];
        }
    }
    s->item = xrealloc(s->item, (s->count + 1) * sizeof *s->item);
    s->item[s->count] = (struct setting){0};
    return &s->item[s->count++];
}

static bool is_variable(const char *name) {
    static const char capitals[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    return *name && !name[strspn(name, capitals)] && strncmp(name, "HAKMEM_", 7) != 0 && !gate_find(name) &&
           !variant_find(name) && !gate_replaced(name);
}

void settings_set(struct settings *s, const char *option, const char *name, const char *value) {
    if (is_variable(name)) {
        *settings_slot(s, name) = (struct setting){NULL, xstrdup(name), xstrdup(value)};
        return;
    }
    const struct gate_row *row = variant_find(name);
    row = row ? row : gate_need(option, name);
    uint64_t v;
    const char *why;
    if (!gate_parse(row, value, &v, &why)) {
        fail(STATUS_USAGE, "%s: %s: \"%s\" is %s %s", option, row->name, value, why, gate_range(row));
    }
    *settings_slot(s, row->name) = (struct setting){row, xstrdup(row->name), xstrdup(gate_print(row, v))};
}

void settings_add(struct settings *s, const char *option, const char *text) {
    const char *eq = strchr(text, '=');
    if (!eq || eq == text) {
        fail(STATUS_USAGE, "%s: \"%s\" is not OPTION=VALUE; for example %s decay=0", option, text, option);
    }
    char *name = xprintf("%.*s", (int)(eq - text), text);
    settings_set(s, option, name, eq + 1);
    free(name);
}

void settings_join(struct settings *s, const struct settings *more) {
    for (size_t i = 0; i < more->count; i++) {
        const struct setting *m = &more->item[i];
        *settings_slot(s, m->name) = (struct setting){m->row, xstrdup(m->name), xstrdup(m->value)};
    }
}

const struct setting *settings_find(const struct settings *s, const char *name) {
    for (size_t i = 0; i < s->count; i++) {
        if (strcmp(s->item[i].name, name) == 0) {
            return &s->item[i];
        }
    }
    return NULL;
}

char *setting_text(const struct setting *s) {
    return xprintf("%s=%s", s->row ? gate_environment(s->row) : s->name, s->value);
}

bool settings_have_gates(const struct settings *s) {
    for (size_t i = 0; i < s->count; i++) {
        if (s->item[i].row) {
            return true;
        }
    }
    return false;
}
