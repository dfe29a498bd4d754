/* free() of a pointer into the middle of a block with a mapping of its own. */
#include "misuse.h"

int main(void) {
    check_start();
    char *p = malloc((size_t)200 << 20);
    free(announce(p + ((size_t)100 << 20)));
    return 0;
}
