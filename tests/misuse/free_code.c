/* free() of a function's address. */
#include "misuse.h"

int main(void) {
    check_start();
    int (*volatile function)(void) = main;
    free(announce((void *)(uintptr_t)function));
    return 0;
}
