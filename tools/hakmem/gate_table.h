/* gate_table.h : hakmem's options as the command line knows them, from the same table as the library (src/gates/gates.def). */
#ifndef HAKMEM_GATE_TABLE_H
#define HAKMEM_GATE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum gate_type { GATE_BOOL, GATE_UINT, GATE_SIZE, GATE_MSEC, GATE_ENUM };

struct gate_row {
    const char *name, *choices;
    const char *type, *kind, *state; /* the table's words, in lower case */
    const char *box, *record, *text;
    uint64_t def, min, max;
    enum gate_type as;
};

extern const struct gate_row gate_rows[];
extern const size_t gate_row_count;

/* The row of that name (any case, with or without HAKMEM_), or NULL. */
const struct gate_row *gate_find(const char *name);
/* What replaced an option of an older hakmem, or NULL. */
const char *gate_replaced(const char *name);
/* The same, ending the process with the nearest name, or with what replaced it; where is the option that it was given to ("--set"), NULL: none. */
const struct gate_row *gate_need(const char *where, const char *name);

/* The number that text stands for, by the library's own rules. On failure *why says what is expected. */
bool gate_parse(const struct gate_row *row, const char *text, uint64_t *value, const char **why);
/* A value as hak_option_get() writes it. The result is static. */
const char *gate_print(const struct gate_row *row, uint64_t value);
/* "0..126", "off|auto|on": what a value may be. The result is static. */
const char *gate_range(const struct gate_row *row);
/* HAKMEM_NAME. The result is static. */
const char *gate_environment(const struct gate_row *row);

/* NAME=VALUE pairs from the command line. NAME is an option of hakmem, or of its variants; a name in capitals that is none is an environment variable for the
 * program (MIMALLOC_PURGE_DELAY=0), so that other allocators' settings can be compared too. */
struct setting {
    const struct gate_row *row; /* NULL: an environment variable */
    char *name, *value;         /* an option's value as hak_option_get() will write it */
};
struct settings {
    struct setting *item;
    size_t count;
};
/* Adds "NAME=VALUE", replacing an earlier one of that name; ends the process with a clear message when it is none. */
void settings_add(struct settings *s, const char *option, const char *text);
void settings_set(struct settings *s, const char *option, const char *name, const char *value);
void settings_join(struct settings *s, const struct settings *more);
const struct setting *settings_find(const struct settings *s, const char *name);
/* Ends the process when s has a switch of the variants (bench/variants) and library is not theirs. */
void settings_check(const struct settings *s, const char *library);
/* NAME=VALUE as it stands in an environment, in a block of its own. */
char *setting_text(const struct setting *s);
/* Has s an option of hakmem, rather than only environment variables? */
bool settings_have_gates(const struct settings *s);

#endif
