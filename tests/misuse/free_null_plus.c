/* free() of a field's address of a null structure. */
#include "misuse.h"

int main(void) {
    check_start();
    free(announce((void *)(uintptr_t)16));
    return 0;
}
