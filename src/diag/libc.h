/* diag/libc.h : what libc's own allocator says about itself when it serves the process.                                L3 */
#ifndef HAK_DIAG_LIBC_H
#define HAK_DIAG_LIBC_H

#include "base/attr.h"
#include <stdbool.h>
#include <stddef.h>

/* Copies the address of libc's function into a pointer to it; false, and NULL, when there is none. */
HAK_HIDDEN bool libc_function(const char *name, void *pointer);
/* libc's malloc_trim(); it tells only whether something was released: then a page. */
HAK_HIDDEN size_t libc_trim(size_t keep);
/* fputs() */
HAK_HIDDEN void libc_puts(void *stream, const char *text);

#endif
