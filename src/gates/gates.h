/* gates/gates.h : the switches' values, from gates.def; read-only memory after start.                                  L0 */
#ifndef HAK_GATES_GATES_H
#define HAK_GATES_GATES_H

#include "base/attr.h"
#include "gates/build.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gates {
#define HAK_GATE(name, type, choices, def, min, max, kind, state, box, record, text) uint64_t name;
#include "gates/gates.def"
};

union gates_page {
    struct gates value;
    char page[HAK_SEAL_BYTES];
};
extern HAK_HIDDEN union gates_page hak_gates_page;
#define hak_gates (*(const struct gates *)&hak_gates_page.value)

enum gate_origin { GATE_DEFAULT, GATE_ENV, GATE_CONF, GATE_CALL };

/* Reads HAKMEM_CONF, then HAKMEM_<GATE> (which wins) from a NULL-terminated environment; each bad value costs one warning line and keeps
 * the default. env NULL: defaults only. Once, before the first thread's heap. */
HAK_HIDDEN void gates_read(char **env);

/* As hak_option_get() and hak_option_set(), with -errno. The setter's caller unseals the page around it. */
HAK_HIDDEN int gates_get(const char *name, char *buf, size_t size);
HAK_HIDDEN int gates_set(const char *name, const char *value);

#endif
