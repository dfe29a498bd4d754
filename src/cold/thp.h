/* cold/thp.h : transparent huge pages for a heap that has shown that it grows.                                         L2 */
#ifndef HAK_COLD_THP_H
#define HAK_COLD_THP_H

#include "base/attr.h"
#include <stdbool.h>
#include <stddef.h>

/* The arena grew by units from unit on; used units hold spans by now. Advises the kernel as the gate says; true: for pages of 2 MiB. One caller at a time, no lock held. */
HAK_HIDDEN bool thp_grown(size_t unit, size_t units, size_t used);

#endif
