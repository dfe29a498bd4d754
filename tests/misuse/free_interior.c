/* free() of a pointer into the middle of a small block. */
#include "misuse.h"

int main(void) {
    check_start();
    char *p = malloc(100);
    free(announce(p + 16));
    settle();
    return 0;
}
