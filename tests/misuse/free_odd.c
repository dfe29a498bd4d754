/* free() of a small block's address plus one. */
#include "misuse.h"

int main(void) {
    check_start();
    char *p = malloc(64);
    free(announce(p + 1));
    settle();
    return 0;
}
