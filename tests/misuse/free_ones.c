/* free() of the highest address, what a failed mmap() returns. */
#include "misuse.h"

int main(void) {
    check_start();
    free(announce((void *)UINTPTR_MAX));
    return 0;
}
