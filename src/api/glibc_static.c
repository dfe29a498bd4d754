/* api/glibc_static.c : the rest of glibc's malloc.o, so that a static link, which takes that object as soon as one symbol of it is
 * wanted and not defined, never does: two definitions of malloc would be an error.
 * libc calls the fork and thread functions below where our own handlers (cold/fork.c, cold/thread.c) already ran: they do nothing.
 * The hooks are glibc's before 2.34: variables that nothing here reads; a program that sets them must link all the same.
 * Threads    any          Source  glibc malloc/malloc.c, 2.17 to 2.41          Test  conformance/static_link */
#include "api/glibc_static.h"
#include "api/family.h"
#include "api/introspect.h"
#include "base/attr.h"
#include <stdint.h>

#define EMPTY(name)                        \
    HAK_EXPORT void HAK_API(name)(void);   \
    HAK_EXPORT void HAK_API(name)(void) {} \
    struct hak_static_needs_semicolon

EMPTY(__malloc_fork_lock_parent);
EMPTY(__malloc_fork_unlock_parent);
EMPTY(__malloc_fork_unlock_child);
EMPTY(__malloc_arena_thread_freeres);
EMPTY(__malloc_check_init);

/* sbrk's place in glibc: no allocator asks. */
HAK_EXPORT void *HAK_API(__glibc_morecore)(ptrdiff_t increment);
HAK_EXPORT void *HAK_API(__glibc_morecore)(ptrdiff_t increment) {
    (void)increment;
    return 0;
}
HAK_ALIAS(void *, __default_morecore, __glibc_morecore, ptrdiff_t);

#define HOOK(name)                                  \
    HAK_EXPORT extern void *volatile HAK_API(name); \
    void *volatile HAK_API(name)

HOOK(__malloc_hook);
HOOK(__free_hook);
HOOK(__realloc_hook);
HOOK(__memalign_hook);
HOOK(__malloc_initialize_hook);
HOOK(__after_morecore_hook);
HOOK(__morecore);

/* Names each object of the library that defines one of libc's symbols. Each of them leads here (by the functions of entry.c, which all
 * that allocates calls, or by a reference of its own), so a static program has all of them or none. */
const uintptr_t hak_glibc_static[] = {(uintptr_t)&HAK_API(malloc), (uintptr_t)&HAK_API(memalign),
                                      (uintptr_t)&HAK_API(malloc_info)};
