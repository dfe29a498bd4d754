/* The same block with a mapping of its own is freed twice. */
#include "misuse.h"

int main(void) {
    check_start();
    void *p = malloc((size_t)200 << 20);
    free(announce(p));
    free(hide(p));
    return 0;
}
