/* free() of a pointer into the middle of a block of some pages. */
#include "misuse.h"

int main(void) {
    check_start();
    char *p = malloc(20000);
    free(announce(p + 4096));
    settle();
    return 0;
}
