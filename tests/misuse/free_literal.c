/* free() of a string literal. */
#include "misuse.h"

int main(void) {
    check_start();
    const char *volatile text = "a literal that nobody may free";
    free(announce((void *)(uintptr_t)text));
    return 0;
}
