/* ab_late_lib.c : a library whose switch to libc came too late: it reports force_libc as asked, and serves by itself all the same. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int hak_option_get(const char *name, char *buf, size_t size);

static _Alignas(16) char arena[64 << 20];
static size_t used;

void *malloc(size_t size) {
    size_t at = __atomic_fetch_add(&used, (size + 31) & ~(size_t)15, __ATOMIC_RELAXED);
    if (at + size + 16 > sizeof arena) {
        return NULL;
    }
    memcpy(arena + at, &size, sizeof size);
    return arena + at + 16;
}

void free(void *block) { (void)block; }

void *calloc(size_t n, size_t size) { return malloc(n * size); }

void *realloc(void *block, size_t size) {
    void *moved = malloc(size);
    size_t old = 0;
    if (block) {
        memcpy(&old, (char *)block - 16, sizeof old);
        memcpy(moved, block, old < size ? old : size);
    }
    return moved;
}

int hak_option_get(const char *name, char *buf, size_t size) {
    const char *value = getenv("HAKMEM_FORCE_LIBC");
    if (strcmp(name, "force_libc") != 0) {
        errno = ENOENT;
        return -1;
    }
    return snprintf(buf, size, "%s", value ? value : "0");
}
