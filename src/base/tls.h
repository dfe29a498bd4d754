/* base/tls.h : how the hot path addresses the thread cache: by a segment-relative pointer where the compiler has one, so that its offset is
 * loaded once and every access is one instruction.                                                                      L- */
#ifndef HAK_BASE_TLS_H
#define HAK_BASE_TLS_H

#include "base/attr.h"
#include <stdint.h>

#if defined(__x86_64__) && defined(__SEG_FS) && !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(HAK_DEV)
#define HAK_SEG __seg_fs
/* clang leaves the segment out when it prints such an operand in assembly. */
#ifdef __clang__
#define HAK_SEG_TEXT "%%fs:"
#else
#define HAK_SEG_TEXT ""
#endif
/* A pointer to the thread-local variable whose symbol is `symbol`. */
#define HAK_TLS_POINTER(type, symbol) ((type HAK_SEG *)hak_tls_offset_##symbol())
#define HAK_TLS_DEFINE(symbol)                                       \
    HAK_INLINE uintptr_t hak_tls_offset_##symbol(void) {             \
        uintptr_t off;                                               \
        __asm__("movq " #symbol "@gottpoff(%%rip), %0" : "=r"(off)); \
        return off;                                                  \
    }
#else
#define HAK_SEG
#define HAK_SEG_TEXT ""
#define HAK_TLS_POINTER(type, symbol) (&symbol)
#define HAK_TLS_DEFINE(symbol) struct hak_tls_unused_##symbol
#endif

#endif
