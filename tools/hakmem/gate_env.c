/* gate_env.c : HAKMEM_CONF first, HAKMEM_<OPTION> over it, bad values reported and replaced by the default. */
#include "gate_env.h"
#include "util.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char *env_value(char *const *env, const char *name) {
    size_t n = strlen(name);
    for (; *env; env++) {
        if (strncmp(*env, name, n) == 0 && (*env)[n] == '=') {
            return *env + n + 1;
        }
    }
    return NULL;
}

static void take(struct gate_value *v, const struct gate_row *row, const char *text, const char *origin) {
    const char *why;
    uint64_t value;
    free(v->problem);
    v->problem = NULL;
    if (gate_parse(row, text, &value, &why)) {
        v->value = value;
        v->origin = origin;
        return;
    }
    v->value = row->def;
    v->origin = "default";
    v->problem = xprintf("%s: \"%s\" is %s %s; the default %s is used", gate_environment(row), text, why,
                         gate_range(row), gate_print(row, row->def));
}

/* Calls part(name, value) for each part of HAKMEM_CONF. */
static void conf_parts(const char *conf, void (*part)(void *context, const char *name, const char *value),
                       void *context) {
    char *copy = xstrdup(conf);
    for (char *save, *p = strtok_r(copy, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
        char *colon = strchr(p, ':');
        if (colon) {
            *colon = 0;
        }
        part(context, p, colon ? colon + 1 : NULL);
    }
    free(copy);
}

struct search {
    const struct gate_row *row;
    struct gate_value *value;
};

static void conf_take(void *context, const char *name, const char *value) {
    struct search *s = context;
    if (value && strcasecmp(name, s->row->name) == 0) {
        take(s->value, s->row, value, "HAKMEM_CONF");
    }
}

struct gate_value gate_effective(const struct gate_row *row, char *const *env) {
    struct gate_value v = {row->def, "default", NULL};
    const char *conf = env_value(env, "HAKMEM_CONF");
    if (conf) {
        conf_parts(conf, conf_take, &(struct search){row, &v});
    }
    for (; *env; env++) {
        size_t n = strcspn(*env, "=");
        char *name = xprintf("%.*s", (int)n, *env);
        if ((*env)[n] && strncmp(name, "HAKMEM_", 7) == 0 && strcasecmp(name + 7, row->name) == 0) {
            take(&v, row, *env + n + 1, "environment");
        }
        free(name);
    }
    return v;
}

struct listener {
    void (*visit)(void *context, const char *message);
    void *context;
};

static void judge_name(const struct listener *to, const char *where, const char *name) {
    if (gate_find(name)) {
        return;
    }
    const char *words[64];
    size_t n = 0;
    for (; n < gate_row_count && n < 64; n++) {
        words[n] = gate_rows[n].name;
    }
    char lower[64] = "";
    for (size_t i = 0; name[i] && i + 1 < sizeof lower; i++) {
        lower[i] = (char)tolower((unsigned char)name[i]);
    }
    const char *near = nearest(lower, words, n), *old = gate_replaced(name);
    char *message = old    ? xprintf("%s%s: replaced by %s; ignored", where, name, old)
                    : near ? xprintf("%s%s: no such option; did you mean %s? It is ignored", where, name, near)
                           : xprintf("%s%s: no such option; it is ignored", where, name);
    to->visit(to->context, message);
    free(message);
}

static void conf_judge(void *context, const char *name, const char *value) {
    const struct listener *to = context;
    if (value) {
        judge_name(to, "HAKMEM_CONF: ", name);
        return;
    }
    char *message = xprintf("HAKMEM_CONF: \"%s\" is not option:value; it is ignored", name);
    to->visit(to->context, message);
    free(message);
}

void gate_strangers(char *const *env, void (*visit)(void *context, const char *message), void *context) {
    struct listener to = {visit, context};
    for (; *env; env++) {
        size_t n = strcspn(*env, "=");
        if (strncmp(*env, "HAKMEM_", 7) != 0 || !(*env)[n]) {
            continue;
        }
        char *name = xprintf("%.*s", (int)(n - 7), *env + 7);
        if (strcmp(name, "CONF") == 0) {
            conf_parts(*env + n + 1, conf_judge, &to);
        } else {
            judge_name(&to, "HAKMEM_", name);
        }
        free(name);
    }
}
