/* base/print.h : formatted text without malloc, stdio or locale.                                                     L- */
#ifndef HAK_BASE_PRINT_H
#define HAK_BASE_PRINT_H

#include "base/attr.h"
#include <stdarg.h>
#include <stddef.h>

/* Formats into buf (size bytes, always terminated when size > 0). Knows %s %zu %u %d %x %p %c %%; anything else is copied.
 * Returns the whole text's length, as snprintf does. Thread-safe, async-signal-safe. */
HAK_HIDDEN size_t hak_format(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
HAK_HIDDEN size_t hak_vformat(char *buf, size_t size, const char *fmt, va_list ap);

/* One line to stderr, by one write(2); errno is preserved, and it is no cancellation point. */
HAK_HIDDEN void hak_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* hak_warn(), then the end by SIGABRT, as abort() does it. */
HAK_HIDDEN HAK_NORETURN void hak_die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
