/* free() of an address near the heap's blocks that malloc never gave out. */
#include "misuse.h"

int main(void) {
    check_start();
    uintptr_t p = (uintptr_t)malloc(64);
    uintptr_t far = (p & ~(uintptr_t)0xffff) + ((uintptr_t)1 << 30);
    free(announce((void *)far));
    settle();
    return 0;
}
