/* base/names.h : what the exported functions are called. With HAK_PREFIX (sanitizer and unit builds, where malloc is somebody else's)
 * each libc name x becomes hakt_x.                                                                                      L- */
#ifndef HAK_BASE_NAMES_H
#define HAK_BASE_NAMES_H

#ifdef HAK_PREFIX
#define HAK_API(name) hakt_##name
#define HAK_SYMBOL(text) "hakt_" text
#else
#define HAK_API(name) name
#define HAK_SYMBOL(text) text
#endif

/* A function of our one C++ source: missing where there is no C++ compiler for the target (musl), and then a null pointer. */
#ifdef HAK_CXX
#define HAK_HAVE_CXX 1
#define HAK_FROM_CXX
#else
#define HAK_HAVE_CXX 0
#define HAK_FROM_CXX __attribute__((weak))
#endif

/* Exports fn under one more name, a symbol that C cannot spell or a libc header declares otherwise. */
#define HAK_ALIAS(result, other, fn, ...) \
    HAK_EXPORT result hak_alias_##other(__VA_ARGS__) __asm__(HAK_SYMBOL(#other)) __attribute__((alias(HAK_SYMBOL(#fn))))

#endif
