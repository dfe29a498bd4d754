/* front.c : malloc and its family, bound to the front that the environment asks for.
 * Owns       hak_front_chosen          Threads  the dynamic linker's, before the program has any          Test  variants/
 *
 * The exported names are GNU indirect functions: the dynamic linker asks a resolver for each object that calls malloc, and writes the
 * front's address where the call finds it. libc is linked before this library, so a resolver runs when neither this library's relocations
 * nor libc are ready: it reads the kernel's copy of the environment by system calls of its own, and takes addresses relative to its own
 * place only. judge.c ends a process whose front is not the one that the gates' parser read. */
#include "front.h"
#include "judge.h"
#include <fcntl.h>
#include <stdbool.h>
#include <sys/syscall.h>

enum { VARIABLE_MAX = 64 };
int hak_front_chosen = -1;

static long kernel(long number, long a, long b, long c) {
    long result;
    register long r10 __asm__("r10") = 0;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
    return result;
}

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }

/* Is text "HAKMEM_" gate "=" value, the gate's name in any case? */
static bool asks(const char *text, const char *gate, const char *value) {
    for (const char *prefix = "HAKMEM_"; *prefix; prefix++) {
        if (*text++ != *prefix) {
            return false;
        }
    }
    for (; *gate; gate++) {
        if (lower(*text++) != *gate) {
            return false;
        }
    }
    if (*text++ != '=') {
        return false;
    }
    for (; *value && *text == *value; value++) {
        text++;
    }
    return *text == *value;
}

#define ASK(text, front, gate, value, rest) \
    if (asks(text, #gate, value)) {         \
        return FRONT_##front;               \
    }
static int front_of(const char *text, int before) {
    HAK_FRONTS(ASK, text)
    return before;
}

static int front_of_environment(void) {
    static char part[1024], text[VARIABLE_MAX];
    int front = FRONT_hakt;
    size_t n = 0;
    long fd = kernel(SYS_open, (long)"/proc/self/environ", O_RDONLY | O_CLOEXEC, 0);
    for (long got; fd >= 0 && (got = kernel(SYS_read, fd, (long)part, sizeof part)) > 0;) {
        for (long i = 0; i < got; i++) {
            text[n] = part[i];
            if (!part[i]) {
                front = front_of(text, front);
                n = 0;
            } else if (n < VARIABLE_MAX -
                               1) { /* what is longer is none of ours; its last character takes the place of the next */
                n++;
            }
        }
    }
    if (fd >= 0) {
        kernel(SYS_close, fd, 0, 0);
    }
    return front;
}

static int chosen(void) {
    if (hak_front_chosen < 0) {
        hak_front_chosen = front_of_environment();
    }
    return hak_front_chosen;
}

#define PICK_FRONT(name, front, gate, value, rest) \
    if (now == FRONT_##front) {                    \
        return front##_##name;                     \
    }
#define PICK_REST(name, front, gate, value, rest) \
    if (now == FRONT_##front) {                   \
        return rest##_##name;                     \
    }
/* The resolver of a name, and the name. */
#define RESOLVE(result, name, PICK, ...)                                       \
    __attribute__((used)) static result (*resolve_##name(void))(__VA_ARGS__) { \
        const int now = chosen();                                              \
        HAK_FRONTS(PICK, name)                                                 \
        return hakt_##name;                                                    \
    }
#define BIND(result, symbol, name, ...) \
    HAK_EXPORT result front_bind_##symbol(__VA_ARGS__) __asm__(#symbol) __attribute__((ifunc("resolve_" #name)));

RESOLVE(void *, malloc, PICK_FRONT, size_t)
RESOLVE(void, free, PICK_FRONT, void *)
RESOLVE(void *, calloc, PICK_REST, size_t, size_t)
RESOLVE(void *, realloc, PICK_REST, void *, size_t)
RESOLVE(void *, reallocarray, PICK_REST, void *, size_t, size_t)
RESOLVE(void *, memalign, PICK_REST, size_t, size_t)
RESOLVE(void *, aligned_alloc, PICK_REST, size_t, size_t)
RESOLVE(int, posix_memalign, PICK_REST, void **, size_t, size_t)
RESOLVE(void *, valloc, PICK_REST, size_t)
RESOLVE(void *, pvalloc, PICK_REST, size_t)
RESOLVE(size_t, malloc_usable_size, PICK_REST, void *)

/* The sizes that C23's frees are told are in registers that free() does not look at. */
BIND(void *, malloc, malloc, size_t)
BIND(void *, __libc_malloc, malloc, size_t)
BIND(void, free, free, void *)
BIND(void, cfree, free, void *)
BIND(void, __libc_free, free, void *)
BIND(void, __libc_cfree, free, void *)
BIND(void, free_sized, free, void *)
BIND(void, free_aligned_sized, free, void *)
BIND(void *, calloc, calloc, size_t, size_t)
BIND(void *, __libc_calloc, calloc, size_t, size_t)
BIND(void *, realloc, realloc, void *, size_t)
BIND(void *, __libc_realloc, realloc, void *, size_t)
BIND(void *, reallocarray, reallocarray, void *, size_t, size_t)
BIND(void *, __libc_reallocarray, reallocarray, void *, size_t, size_t)
BIND(void *, memalign, memalign, size_t, size_t)
BIND(void *, __libc_memalign, memalign, size_t, size_t)
BIND(void *, aligned_alloc, aligned_alloc, size_t, size_t)
BIND(int, posix_memalign, posix_memalign, void **, size_t, size_t)
BIND(int, __posix_memalign, posix_memalign, void **, size_t, size_t)
BIND(void *, valloc, valloc, size_t)
BIND(void *, __libc_valloc, valloc, size_t)
BIND(void *, pvalloc, pvalloc, size_t)
BIND(void *, __libc_pvalloc, pvalloc, size_t)
BIND(size_t, malloc_usable_size, malloc_usable_size, void *)
