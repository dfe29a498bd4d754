/* ab_deaf_lib.c : a library whose options have no effect, as one that reads its switches too late: it reports the defaults whatever is asked. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *__libc_malloc(size_t size);
void __libc_free(void *block);
int hak_option_get(const char *name, char *buf, size_t size);

void *malloc(size_t size) { return __libc_malloc(size); }

void free(void *block) { __libc_free(block); }

int hak_option_get(const char *name, char *buf, size_t size) {
    if (strcmp(name, "decay") != 0) {
        errno = ENOENT;
        return -1;
    }
    return snprintf(buf, size, "10000");
}
