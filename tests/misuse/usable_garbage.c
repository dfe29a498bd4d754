/* malloc_usable_size() of a value that no address can have. */
#include "misuse.h"

int main(void) {
    check_start();
    return malloc_usable_size(announce((void *)(uintptr_t)0xdeadbeefdeadbee0)) == 4242;
}
