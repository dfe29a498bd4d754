/* The same small block is freed twice in a row. */
#include "misuse.h"

int main(void) {
    check_start();
    void *p = malloc(100);
    free(announce(p));
    free(hide(p));
    settle();
    return 0;
}
