/* cold/foreign.h : libc's own allocator: for its pointers that reach us, and for HAKMEM_FORCE_LIBC.                    L2 */
#ifndef HAK_COLD_FOREIGN_H
#define HAK_COLD_FOREIGN_H

#include "base/attr.h"
#include <stdbool.h>
#include <stddef.h>

struct foreign {
    void *(*malloc)(size_t);
    void (*free)(void *);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void *(*memalign)(size_t, size_t);
    size_t (*usable_size)(void *);
};
extern HAK_HIDDEN struct foreign hak_foreign; /* const after foreign_load() */

/* Finds the next malloc after ours. False when there is none (a static program). Any thread, idempotent. */
HAK_HIDDEN bool foreign_load(void);
/* Whether libc allocated p; ends the program with one line naming the function and p when nobody did. */
HAK_HIDDEN bool foreign_owns(void *p, const char *function);

#endif
