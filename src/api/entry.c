/* api/entry.c : the allocating doors of hot/cold_entry.h: the cold call, then errno.
 * Threads    any          Test  conformance/errno */
#include "api/glibc_static.h"
#include "cold/door.h"
#include "hot/cold_entry.h"
#include <errno.h>

HAK_KEEP_TOGETHER;

static void *or_enomem(void *p) {
    if (HAK_UNLIKELY(!p)) {
        errno = ENOMEM;
    }
    return p;
}

void *hak_malloc_cold(size_t n, size_t cls) { return or_enomem(door_malloc(n, cls)); }

void *hak_malloc_large(size_t n) {
    bool zeroed = false;
    return or_enomem(door_large(n, 1, &zeroed));
}
