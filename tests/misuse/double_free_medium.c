/* The same block of some pages is freed twice. */
#include "misuse.h"

int main(void) {
    check_start();
    void *p = malloc(30000);
    free(announce(p));
    free(hide(p));
    settle();
    return 0;
}
