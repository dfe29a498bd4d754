/* diag/libc.c : libc's functions behind ours, looked up when asked: seldom.                                            L3
 * Owns       nothing          Threads  any          Test  conformance/ under HAKMEM_FORCE_LIBC */
#include "diag/libc.h"
#include "os/os.h"
#include <string.h>

bool libc_function(const char *name, void *pointer) {
    void *symbol = os_symbol(name);
    memcpy(pointer, &symbol, sizeof symbol);
    return symbol != 0;
}

size_t libc_trim(size_t keep) {
    int (*trim)(size_t);
    return libc_function("malloc_trim", &trim) && trim(keep) ? os_page_size() : 0;
}

void libc_puts(void *stream, const char *text) { os_puts(stream, text); }
