/* cold/thp.h : transparent huge pages for a heap that has shown that it grows.                                         L2 */
#ifndef HAK_COLD_THP_H
#define HAK_COLD_THP_H

#include "base/attr.h"
#include <stdbool.h>
#include <stddef.h>

/* super.huge: what its memory was asked to consist of. THP_SMALL: of pages of 16 to 512 KiB. */
enum thp_kind { THP_NONE, THP_HUGE, THP_SMALL };

/* The arena grew by units from unit on; used units hold spans by now. Advises the kernel as the gate says. One caller at a time, no lock
 * held. */
HAK_HIDDEN enum thp_kind thp_grown(size_t unit, size_t units, size_t used);

struct thp_stats {
    bool read;            /* whether the kernel was asked by now: the heap has grown */
    bool known;           /* whether it answered */
    size_t asked, always; /* sizes that it gives where asked, and everywhere: sums of bytes */
    size_t bytes[3];      /* of the arena, by enum thp_kind */
};
HAK_HIDDEN void thp_stats_get(struct thp_stats *out);

#endif
