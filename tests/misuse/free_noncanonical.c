/* free() of a value that no address can have. */
#include "misuse.h"

int main(void) {
    check_start();
    free(announce((void *)(uintptr_t)0xdeadbeefdeadbee0));
    return 0;
}
