/* trace_schemes.h : what a block of n bytes takes under each size-class scheme. */
#ifndef TRACE_SCHEMES_H
#define TRACE_SCHEMES_H

#include <stdint.h>

enum { SCHEMES = 8 };
struct scheme {
    const char *key, *text;
};
extern const struct scheme scheme_table[SCHEMES];

/* Fills in what the schemes take for a request of size bytes. Fast for sizes up to 128 KiB (a table, built on first use). */
void scheme_sizes(uint64_t size, uint64_t takes[SCHEMES]);

#endif
