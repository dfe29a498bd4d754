/* layout/thread_cache.c : the image that every new thread starts with.
 * Test       unit/thread_cache */
#include "layout/thread_cache.h"
#include "layout/magazine.h"

/* With an address in a word that nobody reads it lies among what the loader relocates: a page that each process has anyway. */
const struct chunk hak_empty_chunk = {{[1] = (uintptr_t)&hak_empty_chunk}};

#define TOPS4 HAK_EMPTY, HAK_EMPTY, HAK_EMPTY, HAK_EMPTY
#define TOPS16 TOPS4, TOPS4, TOPS4, TOPS4

HAK_TLS struct thread_cache hak_tls = {
    .top = {TOPS16, TOPS16, TOPS16, TOPS16, TOPS4, TOPS4, TOPS4, HAK_EMPTY},
    .bin = {0,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 16, 17, 17, 18,
            18, 19, 19, 20, 20, 21, 21, 22, 22, 23, 23, 24, 24, 24, 24, 25, 25, 25, 25, 26, 26, 26,
            26, 27, 27, 27, 27, 28, 28, 28, 28, 29, 29, 29, 29, 30, 30, 30, 30, 31, 31, 31, 31},
    .state = THREAD_NEW,
    .key = ~UINT32_C(0),
};
