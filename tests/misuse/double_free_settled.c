/* The second free comes when the block is back in its slab. */
#include "misuse.h"

int main(void) {
    check_start();
    void *p = announce(malloc(100)), *neighbour = malloc(100);
    free(p);
    settle();
    free(hide(p));
    settle();
    free(neighbour);
    return 0;
}
