/* free() of a pointer into the middle of a block of megabytes. */
#include "misuse.h"

int main(void) {
    check_start();
    char *p = malloc(3000000);
    free(announce(p + 1000000));
    return 0;
}
