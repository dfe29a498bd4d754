/* base/text.h : the few string functions that start-up needs. Ours, because each of libc's is chosen at load time by a resolver that
 * pulls in pages of libc which a small program would never touch (measured: 64 KB of RSS).                            L- */
#ifndef HAK_BASE_TEXT_H
#define HAK_BASE_TEXT_H

#include "base/attr.h"
#include <stdbool.h>
#include <stddef.h>

/* Characters of s before the first stop or the end; text_span(s, 0) is its length. */
HAK_INLINE size_t text_span(const char *s, char stop) {
    size_t n = 0;
    while (s[n] && s[n] != stop) {
        n++;
        __asm__("" : "+r"(n)); /* compilers make strlen() of this */
    }
    return n;
}

/* Whether s begins with the n characters of prefix. */
HAK_INLINE bool text_starts(const char *s, const char *prefix, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (s[i] != prefix[i]) {
            return false;
        }
    }
    return true;
}

/* Copies n characters, cut to size, and ends the text; nothing when size is 0. */
HAK_INLINE void text_copy(char *to, size_t size, const char *from, size_t n) {
    size_t i = 0;
    for (; i < n && i + 1 < size; i++) {
        to[i] = from[i];
    }
    if (size) {
        to[i] = 0;
    }
}

#endif
