/* judge.c : is the front that serves the one that hak_option_get() reports? Ends the process if not, so that a switch that had no effect is
 * never measured: two variants at once, a value in HAKMEM_CONF, a name or a word spelled as only one of the two parsers takes it.
 * Threads    a constructor          Test  variants/ */
#include "judge.h"
#include "base/print.h"
#include "front.h"
#include "gates/gates.h"
#include "hakmem/hakmem.h"
#include <stdbool.h>
#include <string.h>

struct front_config front_config = {.on = ~0u,
                                    .tiny_max = 1024,
                                    .mask = {~0ull, ~0ull, ~0ull, ~0ull},
                                    .gate = {-1, -1, -1, -1},
                                    .route = {[0 ... 3] = ROUTE_DUALHOT, [7] = ROUTE_ULTRA}};

HAK_TLS uint64_t front_elsewhere[2];
void front_read_gates(void) { memset(front_config.gate, 1, sizeof front_config.gate); }

static const struct {
    const char *name, *gate, *value;
} fronts[] = {
#define FRONT_ROW(arg, front, gate, value, rest) {#front, #gate, value},
    {"hakt", "", ""}, HAK_FRONTS(FRONT_ROW, )};

__attribute__((constructor)) static void judge(void) {
    for (int i = 1; i < FRONTS; i++) {
        char value[32] = "";
        hak_option_get(fronts[i].gate, value, sizeof value);
        bool asked = strcmp(value, fronts[i].value) == 0;
        if (asked != (hak_front_chosen == i)) {
            hak_die("hakmem: %s=%s, but the front %s serves; give one variant, as HAKMEM_NAME=value", fronts[i].gate,
                    value, fronts[hak_front_chosen].name);
        }
    }
}

/* The linker puts this in the place of the gates' reader: the notes' name of force_libc. */
HAK_HIDDEN void __wrap_gates_read(char **env);
HAK_HIDDEN void __real_gates_read(char **env);
void __wrap_gates_read(char **env) {
    __real_gates_read(env);
    hak_gates_page.value.force_libc |= hak_gates_page.value.force_libc_alloc;
}
