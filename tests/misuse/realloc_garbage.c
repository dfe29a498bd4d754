/* realloc() of a value that no address can have. */
#include "misuse.h"

int main(void) {
    check_start();
    return realloc(announce((void *)(uintptr_t)0xdeadbeefdeadbee0), 1000) == NULL;
}
