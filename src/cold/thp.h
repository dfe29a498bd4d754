/* cold/thp.h : transparent huge pages for a heap that has shown that it grows.                                         L2 */
#ifndef HAK_COLD_THP_H
#define HAK_COLD_THP_H

#include "base/attr.h"
#include <stddef.h>

/* The arena grew by units from unit on; used units hold spans by now. Advises the kernel as the gate says. One caller at a time, no lock held. */
HAK_HIDDEN void thp_grown(size_t unit, size_t units, size_t used);

#endif
