/* ab_arms.c : from the arguments of `hakmem ab` to its two (with --libc four) sides, and the comparisons that would compare nothing. */
#include "ab.h"
#include "locate.h"
#include <stdlib.h>
#include <string.h>

/* Splits "A,B" at its only comma; *b is NULL when there is none. */
static void split_pair(const char *option, char *text, char **a, char **b) {
    *a = text;
    *b = strchr(text, ',');
    if (*b) {
        *(*b)++ = 0;
    }
    if (!**a || (*b && (!**b || strchr(*b, ',')))) {
        fail(STATUS_USAGE, "%s: two values with one comma between them, as A,B", option);
    }
}

static struct arm make_arm(const char *name, const char *library) {
    return (struct arm){.name = xstrdup(name), .label = NULL, .library = xstrdup(library)};
}

static void gate_arms(struct ab *ab, const struct ab_given *g, uint16_t machine) {
    char *eq = strchr(g->gate, '='), *a, *b;
    if (!eq || eq == g->gate) {
        fail(STATUS_USAGE, "--gate: \"%s\" is not NAME=A,B; for example --gate remote_batch=1,126", g->gate);
    }
    *eq = 0;
    split_pair("--gate", eq + 1, &a, &b);
    if (!b) {
        fail(STATUS_USAGE, "--gate: %s has one value (%s); give the two to compare, as --gate %s=A,B", g->gate, a,
             g->gate);
    }
    char *library = library_need("--lib", g->lib ? g->lib : "hakmem", machine);
    const char *value[2] = {a, b};
    for (size_t i = 0; i < 2; i++) {
        ab->arm[i] = make_arm(i ? "B" : "A", library);
        settings_set(&ab->arm[i].settings, "--gate", g->gate, value[i]);
        const struct setting *s = &ab->arm[i].settings.item[0];
        ab->arm[i].label = xprintf("%s=%s", s->name, s->value);
    }
    if (strcmp(ab->arm[0].label, ab->arm[1].label) == 0) {
        fail(STATUS_USAGE,
             "--gate: both values of %s are %s; nothing would differ (for an A/A run give --lib hakmem,hakmem)",
             ab->arm[0].settings.item[0].name, ab->arm[0].settings.item[0].value);
    }
}

static void libc_arms(struct ab *ab, const struct ab_given *g, uint16_t machine) {
    char *library = library_need("--lib", g->lib ? g->lib : "hakmem", machine);
    ab->arm[ARM_A] = make_arm("A", library);
    ab->arm[ARM_B] = make_arm("B", library);
    ab->arm[ARM_PLAIN] = make_arm("P", "");
    settings_set(&ab->arm[ARM_A].settings, "--libc", "force_libc", "1");
    settings_set(&ab->arm[ARM_B].settings, "--libc", "force_libc", "0");
    ab->arm[ARM_LOADED] = make_arm("L", "");
    ab->arm[ARM_LOADED].beside = library;
    settings_set(&ab->arm[ARM_LOADED].settings, "--libc", "force_libc",
                 "1"); /* operator new is bound to the library even there */
    ab->arm[ARM_A].label = xstrdup("libc inside");
    ab->arm[ARM_B].label = xstrdup("hakmem");
    ab->arm[ARM_PLAIN].label = xstrdup("plain");
    ab->arm[ARM_LOADED].label = xstrdup("plain, library loaded");
    ab->split = true;
}

static void lib_arms(struct ab *ab, const struct ab_given *g, uint16_t machine) {
    char *a, *b;
    split_pair("--lib", g->lib, &a, &b);
    ab->arm[0] = make_arm("A", library_need("--lib", a, machine));
    ab->arm[1] = make_arm("B", library_need("--lib", b, machine));
    ab->same = strcmp(ab->arm[0].library, ab->arm[1].library) == 0;
    for (size_t i = 0; i < 2; i++) {
        ab->arm[i].label = library_label(ab->arm[i].library);
    }
    if (!ab->same && strcmp(ab->arm[0].label, ab->arm[1].label) == 0) {
        ab->arm[0].label = xstrdup(a);
        ab->arm[1].label = xstrdup(b);
    }
}

static char *settings_label(const struct settings *s) {
    char *text = xstrdup("");
    for (size_t i = 0; i < s->count; i++) {
        char *longer = xprintf("%s%s%s=%s", text, *text ? " " : "", s->item[i].name, s->item[i].value);
        free(text);
        text = longer;
    }
    return *text ? text : xstrdup("defaults");
}

static void vs_arms(struct ab *ab, const struct ab_given *g, uint16_t machine) {
    char *library = library_need("--lib", g->lib ? g->lib : "hakmem", machine);
    ab->arm[0] = make_arm("A", library);
    ab->arm[1] = make_arm("B", library);
    settings_join(&ab->arm[0].settings, &g->set);
    settings_join(&ab->arm[1].settings, &g->vs);
    for (size_t i = 0; i < 2; i++) {
        ab->arm[i].label = settings_label(&ab->arm[i].settings);
    }
    if (strcmp(ab->arm[0].label, ab->arm[1].label) == 0) {
        fail(STATUS_USAGE, "--set and --vs: both sides are %s; nothing would differ", ab->arm[0].label);
    }
}

/* An option that cannot have an effect is an error now, not a "no difference" later. */
static void check_effects(const struct ab *ab) {
    for (size_t i = 0; i < ab->arms; i++) {
        const struct arm *arm = &ab->arm[i];
        const struct setting *libc = settings_find(&arm->settings, "force_libc");
        settings_check(&arm->settings, arm->library);
        for (size_t k = 0; k < arm->settings.count; k++) {
            const struct setting *s = &arm->settings.item[k];
            if (s->row && !*arm->library && !arm->beside) {
                fail(STATUS_USAGE,
                     "side %s: %s=%s is an option of hakmem, and that side runs libc; drop it, or name hakmem's "
                     "library with --lib",
                     arm->name, s->name, s->value);
            }
            if (s->row && libc && strcmp(libc->value, "1") == 0 && s != libc && !ab->split) {
                fail(STATUS_USAGE, "side %s: %s=%s has no effect under force_libc=1, where libc serves every call",
                     arm->name, s->name, s->value);
            }
        }
    }
}

void ab_make_arms(struct ab *ab, const struct ab_given *g, uint16_t machine) {
    int ways = (g->gate != NULL) + g->libc + (g->lib && strchr(g->lib, ',')) + (g->vs.count > 0);
    if (ways == 0) {
        fail(STATUS_USAGE,
             "nothing to compare: give --gate NAME=A,B or --libc or --lib A,B or --set NAME=VALUE --vs NAME=VALUE");
    }
    if (ways > 1) {
        fail(STATUS_USAGE, "more than one comparison: give only one of --gate, --libc, --lib A,B and --vs");
    }
    ab->arms = g->libc ? 4 : 2;
    if (g->gate) {
        gate_arms(ab, g, machine);
    } else if (g->libc) {
        libc_arms(ab, g, machine);
    } else if (g->vs.count) {
        vs_arms(ab, g, machine);
    } else {
        lib_arms(ab, g, machine);
    }
    for (size_t i = 0; i < ab->arms && !g->vs.count; i++) {
        for (size_t k = 0; k < g->set.count; k++) {
            const struct setting *s = &g->set.item[k];
            struct settings one = {&g->set.item[k], 1};
            if (settings_find(&ab->arm[i].settings, s->name)) {
                fail(STATUS_USAGE, "--set: %s=%s has no effect, for the sides differ in %s already; drop it", s->name,
                     s->value, s->name);
            }
            if (!s->row || *ab->arm[i].library) {
                settings_join(&ab->arm[i].settings, &one);
            }
        }
    }
    check_effects(ab);
}
