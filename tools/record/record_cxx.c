/* record_cxx.c : C++ operator new and delete, above whichever library defines them next.
 *
 * Without these a library that brings its own operators (most allocators do) would be called past the recorder. Each operator is
 * handed on in its own form; what it allocates below is covered by lane.inside. The file is compiled with -fexceptions: bad_alloc
 * thrown below clears lane.inside on its way through. Test lab/record (a C++ program that uses every form) */
#include "record_hooks.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void lane_leave(struct lane **l) { record_leave(*l); }

/* Looks below the recorder, then anywhere (a libstdc++ that was loaded privately). */
static void cxx_find(void **slot, const char *name) {
    static const char gone[] = "hakmem: recorder: no next C++ operator\n";
    void *p = dlsym(RTLD_NEXT, name);
    if (!p) {
        void *lib = dlopen("libstdc++.so.6", RTLD_LAZY | RTLD_NOLOAD);
        p = lib ? dlsym(lib, name) : NULL;
    }
    if (!p) {
        (void)!write(2, gone, sizeof gone - 1);
        abort();
    }
    __atomic_store_n(slot, p, __ATOMIC_RELEASE);
}

static inline void cxx_born(struct lane *l, void *p, size_t size, size_t align) {
    if (align)
        record_born_aligned(l, p, size, align);
    else
        record_born(l, p, size);
}

#define NEXT(name)                                                        \
    static void *slot;                                                    \
    struct lane *l __attribute__((cleanup(lane_leave))) = record_enter(); \
    if (UNLIKELY(!__atomic_load_n(&slot, __ATOMIC_ACQUIRE)))              \
    cxx_find(&slot, #name)

#define CXX_NEW(name, align, params, types, args) \
    void *name params;                            \
    void *name params {                           \
        NEXT(name);                               \
        void *(*next)types;                       \
        memcpy(&next, &slot, sizeof next);        \
        void *p = next args;                      \
        cxx_born(l, p, size, align);              \
        return p;                                 \
    }

#define CXX_DELETE(name, params, types, args) \
    void name params;                         \
    void name params {                        \
        NEXT(name);                           \
        void(*next) types;                    \
        memcpy(&next, &slot, sizeof next);    \
        record_dies(l, p);                    \
        next args;                            \
    }

typedef const void *nothrow;

CXX_NEW(_Znwm, 0, (size_t size), (size_t), (size))
CXX_NEW(_Znam, 0, (size_t size), (size_t), (size))
CXX_NEW(_ZnwmRKSt9nothrow_t, 0, (size_t size, nothrow n), (size_t, nothrow), (size, n))
CXX_NEW(_ZnamRKSt9nothrow_t, 0, (size_t size, nothrow n), (size_t, nothrow), (size, n))
CXX_NEW(_ZnwmSt11align_val_t, a, (size_t size, size_t a), (size_t, size_t), (size, a))
CXX_NEW(_ZnamSt11align_val_t, a, (size_t size, size_t a), (size_t, size_t), (size, a))
CXX_NEW(_ZnwmSt11align_val_tRKSt9nothrow_t, a, (size_t size, size_t a, nothrow n), (size_t, size_t, nothrow),
        (size, a, n))
CXX_NEW(_ZnamSt11align_val_tRKSt9nothrow_t, a, (size_t size, size_t a, nothrow n), (size_t, size_t, nothrow),
        (size, a, n))
CXX_DELETE(_ZdlPv, (void *p), (void *), (p))
CXX_DELETE(_ZdaPv, (void *p), (void *), (p))
CXX_DELETE(_ZdlPvm, (void *p, size_t s), (void *, size_t), (p, s))
CXX_DELETE(_ZdaPvm, (void *p, size_t s), (void *, size_t), (p, s))
CXX_DELETE(_ZdlPvRKSt9nothrow_t, (void *p, nothrow n), (void *, nothrow), (p, n))
CXX_DELETE(_ZdaPvRKSt9nothrow_t, (void *p, nothrow n), (void *, nothrow), (p, n))
CXX_DELETE(_ZdlPvSt11align_val_t, (void *p, size_t a), (void *, size_t), (p, a))
CXX_DELETE(_ZdaPvSt11align_val_t, (void *p, size_t a), (void *, size_t), (p, a))
CXX_DELETE(_ZdlPvmSt11align_val_t, (void *p, size_t s, size_t a), (void *, size_t, size_t), (p, s, a))
CXX_DELETE(_ZdaPvmSt11align_val_t, (void *p, size_t s, size_t a), (void *, size_t, size_t), (p, s, a))
CXX_DELETE(_ZdlPvSt11align_val_tRKSt9nothrow_t, (void *p, size_t a, nothrow n), (void *, size_t, nothrow), (p, a, n))
CXX_DELETE(_ZdaPvSt11align_val_tRKSt9nothrow_t, (void *p, size_t a, nothrow n), (void *, size_t, nothrow), (p, a, n))
