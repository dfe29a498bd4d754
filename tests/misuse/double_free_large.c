/* The same block of megabytes is freed twice. */
#include "misuse.h"

int main(void) {
    check_start();
    void *p = malloc(3000000);
    free(announce(p));
    free(hide(p));
    return 0;
}
