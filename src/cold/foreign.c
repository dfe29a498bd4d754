/* cold/foreign.c : tells libc's blocks from pointers that nobody allocated, before any state changes.                  L2
 * Owns       hak_foreign          Reads  the 16 bytes before the pointer, if they can be read
 * Threads    any          Source  glibc's chunk layout (malloc/malloc.c, "Chunk representation"), stable since 2.3
 * Test       misuse/, conformance/foreign */
#include "cold/foreign.h"
#include "base/atomic.h"
#include "base/bits.h"
#include "base/print.h"
#include "os/os.h"
#include <string.h>

struct foreign hak_foreign;
static uint32_t loaded; /* atomic: 0 not tried, 1 found, 2 none */

static bool load(void) {
    struct foreign f;
    void *const symbols[] = {os_symbol("malloc"),  os_symbol("free"),     os_symbol("calloc"),
                             os_symbol("realloc"), os_symbol("memalign"), os_symbol("malloc_usable_size")};
    _Static_assert(sizeof symbols == sizeof f, "one symbol a member");
    memcpy(&f, symbols, sizeof f);
    if (!f.malloc || !f.free || !f.calloc || !f.realloc || !f.memalign || !f.usable_size) {
        return false;
    }
    hak_foreign = f;
    return true;
}

bool foreign_load(void) {
    uint32_t now = hak_load_acq(&loaded); /* acq: pairs with the store below */
    if (now == 0) {
        now = load() ? 1 : 2;
        hak_store_rel(&loaded, now); /* rel: pairs with the load above */
    }
    return now == 1;
}

enum { IN_USE_BEFORE = 1, MAPPED = 2, OTHER_ARENA = 4, FLAGS = 7 };
static const uintptr_t heap_max = (uintptr_t)64
                                  << 20; /* HEAP_MAX_SIZE: arenas other than main live in such aligned pieces */

/* The program break bounds the main arena: nothing of ours or the program's lies just below it. */
static bool in_main_arena(const void *p, size_t size) {
    void *(*brk_now)(intptr_t);
    void *symbol = os_symbol("sbrk");
    memcpy(&brk_now, &symbol, sizeof symbol);
    uintptr_t top = brk_now ? (uintptr_t)brk_now(0) : 0;
    return (uintptr_t)p < top && top - (uintptr_t)p >= size - 16 && top - (uintptr_t)p < (uintptr_t)1 << 40;
}

/* What glibc's own checks in free() ask, without trusting the pointer. */
static bool looks_like_chunk(const void *p) {
    size_t head[2];
    if ((uintptr_t)p % 16 != 0 || (uintptr_t)p < 4096 || !os_readable((const char *)p - sizeof head, sizeof head)) {
        return false;
    }
    memcpy(head, (const char *)p - sizeof head, sizeof head);
    size_t size = head[1] & ~(size_t)FLAGS;
    if (size < 32 || (size & 8) || size > (size_t)1 << 47) {
        return false;
    }
    if (head[1] & MAPPED) {
        uintptr_t start = (uintptr_t)p - sizeof head - head[0];
        return (start | (head[0] + size)) % os_page_size() == 0;
    }
    if (head[1] & OTHER_ARENA) {
        const void *const *info = (const void *const *)((uintptr_t)p & ~(heap_max - 1));
        return os_readable(info, 16) && ((uintptr_t)info[0] & 15) == 0 && os_readable(info[0], 16);
    }
    return in_main_arena(p, size);
}

bool foreign_owns(void *p, const char *function) {
    if (foreign_load() && looks_like_chunk(p)) {
        return true;
    }
    hak_die("hakmem: %s(): invalid pointer %p", function, p);
}
