/* api/introspect.h : glibc's introspection functions, under the names that this library exports. <malloc.h> is not included by their
 * definitions: musl's lacks the structs, and with HAK_PREFIX the names are others. */
#ifndef HAK_API_INTROSPECT_H
#define HAK_API_INTROSPECT_H

#include "base/names.h"
#include <stddef.h>
#include <stdio.h>

/* Layout of glibc's struct mallinfo2 and struct mallinfo. */
struct hak_mallinfo2 {
    size_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
};
struct hak_mallinfo {
    int arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
};

struct hak_mallinfo2 HAK_API(mallinfo2)(void);
struct hak_mallinfo HAK_API(mallinfo)(void);
void HAK_API(malloc_stats)(void);
int HAK_API(malloc_info)(int options, FILE *out);
int HAK_API(malloc_trim)(size_t pad);
int HAK_API(mallopt)(int option, int value);

#endif
