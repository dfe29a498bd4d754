/* diag/option.h : gates while the program runs.                                                                        L3 */
#ifndef HAK_DIAG_OPTION_H
#define HAK_DIAG_OPTION_H

#include "base/attr.h"
#include <stddef.h>

/* As hak_option_get() and hak_option_set(), with -errno. Any thread. */
HAK_HIDDEN int option_get(const char *name, char *buf, size_t size);
HAK_HIDDEN int option_set(const char *name, const char *value);

/* One thread at a time, for what happens once or seldom; fork's child takes over what a thread of its parent held. */
HAK_HIDDEN void seldom_lock(void);
HAK_HIDDEN void seldom_unlock(void);

#endif
