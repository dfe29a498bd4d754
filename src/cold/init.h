/* cold/init.h : what happens once, at the first call.                                                                  L2 */
#ifndef HAK_COLD_INIT_H
#define HAK_COLD_INIT_H

#include "base/attr.h"
#include <stdbool.h>
#include <stdint.h>

enum hak_mode {
    HAK_MODE_NEW = 1 /* initialised data: start-up dirties that page anyway */,
    HAK_MODE_EARLY, /* the gates are read; the first blocks come from early.c */
    HAK_MODE_STARTING,
    HAK_MODE_ON,
    HAK_MODE_LIBC
};
extern HAK_HIDDEN uint32_t hak_mode; /* atomic: enum hak_mode */

/* Starts the allocator unless that was done; on return hak_mode is ON or LIBC, or STARTING when this very thread is starting it. */
HAK_HIDDEN void hak_start(void);
/* Takes the first step of it at least: on return hak_mode is EARLY or what hak_start() leaves. */
HAK_HIDDEN void hak_start_early(void);

#endif
