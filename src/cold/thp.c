/* cold/thp.c : advice about huge pages, given once for each piece that the arena grows by.                             L2
 * Owns       nothing          Reads  gates.thp          Threads  whoever grows the arena
 * Below the floor huge pages cost more RSS than the time they save (measured: gs 1.20 against 1.09 of glibc, rptest 2.6 against 1.4, for 1 % of CPU).
 * Above it a fault of 2 MiB, a seventh of the cost of 512 faults of 4 KiB, counts for more.
 * Gate       HAKMEM_THP          Decision  docs/decisions/006          Test  unit/thp */
#include "cold/thp.h"
#include "gates/gates.h"
#include "layout/arena.h"
#include "os/os.h"

enum { NEVER, DEFAULT, ALWAYS };
enum { FLOOR_UNITS = (256 << 20) >> HAK_UNIT_SHIFT };

bool thp_grown(size_t unit, size_t units, size_t used) {
    if (hak_gates.thp == NEVER) {
        os_huge(unit_address(unit), units << HAK_UNIT_SHIFT, false);
    } else if (hak_gates.thp == ALWAYS || used >= FLOOR_UNITS) {
        return os_huge(unit_address(unit), units << HAK_UNIT_SHIFT, true) == 0;
    }
    return false;
}
