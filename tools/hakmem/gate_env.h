/* gate_env.h : the values that hakmem's options get from an environment, by the library's rules (src/gates/gates.c). */
#ifndef HAKMEM_GATE_ENV_H
#define HAKMEM_GATE_ENV_H

#include "gate_table.h"

struct gate_value {
    uint64_t value;
    const char *origin; /* "default", "HAKMEM_CONF", "environment"; check adds "memory" */
    char *problem;      /* a value that the library would refuse, in words; NULL: none */
};

/* The option's value in that environment (NULL-terminated NAME=VALUE). */
struct gate_value gate_effective(const struct gate_row *row, char *const *env);
/* Calls visit with a message for each HAKMEM_ variable and each part of HAKMEM_CONF that no option has. */
void gate_strangers(char *const *env, void (*visit)(void *context, const char *message), void *context);
/* The value of a variable in that environment, or NULL. */
const char *env_value(char *const *env, const char *name);

#endif
